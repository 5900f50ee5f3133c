"""Programs are confined: as root and as a normal user. The attacks here are the main lines; they run for real."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ai_coding import sandbox
from conftest import FIZZ, PACKAGE, Run


def run(folder: Path, code: str, **more: object) -> sandbox.Result:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return sandbox.run(["python3", "-c", code], work, sandbox.BUBBLEWRAP, **more)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def needed() -> None:
    assert sandbox.available(), "these tests need bubblewrap: apt install bubblewrap"


def test_output_input_and_exit_code(tmp_path: Path) -> None:
    done = run(tmp_path, "import sys; print(sys.stdin.read()[::-1]); sys.exit(3)", stdin=b"abc")
    assert done == sandbox.Result(3, b"cba\n", b"")


def test_large_input_and_output_do_not_hang(tmp_path: Path) -> None:
    done = run(tmp_path, "import sys; sys.stdout.write(sys.stdin.read())", stdin=b"x" * 900_000)
    assert (done.exit_code, len(done.stdout)) == (0, 900_000)
    assert run(tmp_path, "print('never reads')", stdin=b"x" * 900_000).stdout == b"never reads\n"


def test_endless_output_is_cut(tmp_path: Path) -> None:
    done = run(tmp_path, "while True: print('x' * 1000)")
    assert (done.exit_code, done.ended, len(done.stdout)) == (None, "output", sandbox.OUTPUT)


def test_time_is_limited_whatever_it_ignores(tmp_path: Path) -> None:
    code = "import signal, time\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\ntime.sleep(60)"
    assert run(tmp_path, code, timeout=1.0).ended == "time"


def test_nothing_outlives_it(tmp_path: Path) -> None:
    mark = f"sleep 61.{os.getpid()}"
    code = f"import os, subprocess\nif os.fork() == 0:\n os.setsid(); subprocess.Popen('{mark}', shell=True)"
    assert run(tmp_path, code).exit_code == 0
    time.sleep(0.2)
    assert mark not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/x', 'w')",
        "open('/usr/x', 'w')",
        "open('/proc/sys/kernel/core_pattern', 'w')",
        "open('/proc/sys/kernel/hostname', 'w')",
        "open('/etc/shadow').read()",
        "open('/root/.bashrc').read()",
        "import os; os.listdir('/home')",
        "import os; os.setuid(0)",
        "import os; os.mkdir('/x')",
        "import os; os.mknod('/tmp/d', 0o60000, os.makedev(8, 0))",
        "import os; os.chroot('/tmp')",
        "import socket; socket.create_connection(('192.0.2.1', 80), 2)",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import ctypes; assert ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, 0) == 0",
        "import os; [os.fork() for _ in range(300)]",
        "x = bytearray(3 * 2**30)",
        "f = open('big', 'wb'); [f.write(bytes(2**20)) for _ in range(200)]",
        "import resource; resource.setrlimit(resource.RLIMIT_NPROC, (10**6, 10**6))",
    ],
)
def test_what_it_must_not_do_fails(tmp_path: Path, code: str) -> None:
    assert run(tmp_path, code).exit_code != 0


def test_it_sees_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    code = (
        "import glob, os\n"
        "for path in ['/proc/self/environ', *glob.glob('/proc/[0-9]*/environ'), *glob.glob('/proc/[0-9]*/cmdline')]:\n"
        "    try:\n        print(open(path).read())\n    except OSError:\n        pass\n"
        "print(os.environ, os.listdir('/proc/self/fd'), [p for p in os.listdir('/proc') if p.isdigit()])"
    )
    done = run(tmp_path, code)
    assert done.exit_code == 0 and b"sk-secret" not in done.stdout and str(tmp_path).encode() not in done.stdout
    assert b"['0', '1', '2', '3']" in done.stdout


def test_it_does_not_see_other_folders(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    assert run(tmp_path, f"open({str(tmp_path / 'secret')!r})").exit_code == 1


def test_the_environment_is_a_short_list(tmp_path: Path) -> None:
    done = run(tmp_path, "import os; print(sorted(os.environ))", env={"WANTED": "1"})
    names = ["HOME", "LANG", "PATH", "PWD", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "TERM", "TZ", "WANTED"]
    assert done.stdout.decode() == f"{names}\n"


def test_a_missing_command_and_a_signal(tmp_path: Path) -> None:
    assert sandbox.run(["no-such-command"], tmp_path, sandbox.BUBBLEWRAP).exit_code == 127
    assert run(tmp_path, "import os; os.kill(os.getpid(), 9)").exit_code == 137


def test_deep_trees_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    code = "import os\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)"
    assert sandbox.run(["python3", "-c", code], folder, sandbox.BUBBLEWRAP).exit_code == 0
    sandbox.remove(folder)
    assert not folder.exists()


def test_no_sandbox_no_build(run: Run, fizz: Path, tmp_path: Path, env: dict[str, str]) -> None:
    """Without bubblewrap a build refuses before anything is asked; --unsafe-sandbox is said in the summary."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("prlimit", "timeout", "python3", "chmod", "rm", "chown"):
        (tools / name).symlink_to(shutil.which(name) or name)
    done = run(fizz, "-m", "manual", PATH=str(tools))
    assert done.returncode == 2 and "error[no-sandbox]" in done.stderr and "--unsafe-sandbox" in done.stderr
    answer = tmp_path / "answer.py"
    answer.write_text("print(\"````python fizz.py\\nprint('Fizz')\\n````\")")
    done = run(fizz, "-m", f"command:{sys.executable} {answer}", "--unsafe-sandbox", PATH=str(tools))
    assert done.stdout == "fizz.py: built (1 request; 1 test passed in unsafe)\n", done.stderr


ATTACKS = """
import sys
sys.path.insert(0, "tool")
from pathlib import Path
from ai_coding import sandbox
assert sandbox.available()
Path("work").mkdir()
for code, want in {
    "print(1)": 0,
    "open('/etc/x', 'w')": 1,
    "open('/etc/shadow')": 1,
    "open('/proc/sys/kernel/hostname', 'w')": 1,
    "import socket; socket.create_connection(('192.0.2.1', 80), 2)": 1,
}.items():
    got = sandbox.run(["python3", "-c", code], Path("work"), "bubblewrap")
    assert got.exit_code == want, (code, got)
print("confined")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a normal user")
def test_a_normal_user_is_confined_too(tmp_path: Path) -> None:
    """The same arrangement without root: user namespaces."""
    home = Path("/tmp") / f"ai-coding-user-{os.getpid()}"
    home.mkdir(mode=0o755)
    try:
        (home / "fizz.toml").write_text(FIZZ)
        shutil.copytree(PACKAGE / "ai_coding", home / "tool/ai_coding")
        os.chown(home, 65534, 65534)
        (home / "attack.py").write_text(ATTACKS)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "attack.py"]
        done = subprocess.run(command, cwd=home, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
        assert done.stdout == "confined\n", done.stderr
    finally:
        shutil.rmtree(home)
