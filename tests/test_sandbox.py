"""How programs are started, fed, read and ended: without bubblewrap, and with one that only pretends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ai_coding import bubblewrap, sandbox, tiers
from ai_coding.sandbox import OUTPUT, Result


def run(folder: Path, code: str, stdin: bytes = b"", timeout: float = 10.0) -> Result:
    return sandbox.run(["python3", "-c", code], folder, sandbox.UNSAFE, stdin, timeout=timeout)


def gone(pid: int) -> bool:
    for _ in range(100):
        if subprocess.run(["grep", "-qs", "^State:.[^Z]", f"/proc/{pid}/status"]).returncode:
            return True
        time.sleep(0.02)
    return False


TABLE = [
    ("import sys; print(sys.stdin.read()[::-1]); sys.exit(3)", b"abc", Result(3, b"cba\n", b"")),
    ("import sys; print(len(sys.stdin.read()), file=sys.stderr)", b"", Result(0, b"", b"0\n")),
    ("import sys; sys.stdout.write(sys.stdin.read())", b"x" * OUTPUT, Result(0, b"x" * OUTPUT, b"")),
    ("print('never reads')", b"x" * 900_000, Result(0, b"never reads\n", b"")),
    (f"print('x' * {OUTPUT})", b"", Result(None, b"x" * OUTPUT, b"", "output")),
    ("import os; print(oct(os.fstat(0).st_mode >> 12)); os.close(0)", b"x" * 900_000, Result(0, b"0o1\n", b"")),
    ("import sys\nwhile True: sys.stderr.write('x' * 1000)", b"", Result(None, b"", b"x" * OUTPUT, "output")),
    ("import os, time; os.closerange(1, 3); time.sleep(0.2); os._exit(4)", b"", Result(4, b"", b"")),
    ("import os; os.write(2, b'e' * 60_000); os.write(1, b'\\xff')", b"", Result(0, b"\xff", b"e" * 60_000)),
    ("import os; os.kill(os.getpid(), 9)", b"", Result(-9, b"", b"")),
]


@pytest.mark.parametrize("code, stdin, expected", TABLE)
def test_input_output_and_exit_code(tmp_path: Path, code: str, stdin: bytes, expected: Result) -> None:
    assert run(tmp_path, code, stdin) == expected


def test_time_is_limited_whatever_it_ignores_and_what_it_printed_is_kept(tmp_path: Path) -> None:
    code = "import signal, time\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\nprint('x', flush=True)"
    assert run(tmp_path, code + "\ntime.sleep(60)", timeout=1.5) == Result(None, b"x\n", b"", "time")
    assert run(tmp_path, "import os, time; os.closerange(0, 3); time.sleep(60)", timeout=0.3).ended == "time"


@pytest.mark.parametrize("code, ended", [("", ""), ("; p.wait()", "time")])
def test_its_children_are_killed_and_not_waited_for(tmp_path: Path, code: str, ended: str) -> None:
    code = f"import subprocess; p = subprocess.Popen(['sleep', '61']); print(p.pid, flush=True){code}"
    start, done = time.monotonic(), run(tmp_path, code, timeout=2)
    assert time.monotonic() - start < 8 and (done.exit_code, done.ended) == (None if ended else 0, ended)
    assert gone(int(done.stdout))


def test_an_exception_while_waiting_goes_on_and_leaves_nothing_running(tmp_path: Path) -> None:
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 1)
    with pytest.raises(KeyboardInterrupt):
        sandbox.run(["sh", "-c", "echo $$ >pid; exec sleep 63"], tmp_path, sandbox.UNSAFE, timeout=8)
    assert gone(int((tmp_path / "pid").read_text()))


def test_the_environment_is_the_tier_s_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    done = sandbox.run(["env"], tmp_path, sandbox.UNSAFE, env={"WANTED": "a=b", "TZ": "CET"})
    expected = tiers.environment(str(tmp_path), {"WANTED": "a=b", "TZ": "CET"})
    assert sorted(done.stdout.decode().splitlines()) == sorted(f"{k}={v}" for k, v in expected.items())


def test_it_runs_there_in_its_session_without_our_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)
    handle = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(handle, True)
    code = "import os; print(os.getcwd(), os.environ['HOME'], os.getsid(0), len(os.listdir('/proc/self/fd')))"
    cwd, home, session, descriptors = run(Path("work"), code).stdout.decode().split()
    os.close(handle)
    assert cwd == home == str(tmp_path / "work") and int(session) != os.getsid(0) and descriptors == "4"


def test_limits_are_set_and_shown(tmp_path: Path) -> None:
    code = "from resource import *; print(getrlimit(RLIMIT_CPU)[1], getrlimit(RLIMIT_DATA)[1])"
    assert run(tmp_path, code, timeout=4.9).stdout.decode() == f"6 {sandbox.MEMORY}\n"
    assert (sandbox.MEMORY, sandbox.FILE, sandbox.PROCESSES) == (tiers.MEMORY, tiers.FILE, tiers.PROCESSES)
    assert sandbox.WORK == bubblewrap.WORK


CASES = [
    (sandbox.UNSAFE, ["touch", "ran", "a\0b"], {}),
    (sandbox.UNSAFE, ["touch", "ran", "x" * 200_000], {}),
    (sandbox.BUBBLEWRAP, ["touch", "ran"], {"A": "x\0--ro-bind\0/\0/mnt"}),
    (sandbox.UNSAFE, ["touch", "ran"], {"A\0B": "x"}),
    (sandbox.UNSAFE, ["touch", "ran"], {"A=B": "x"}),
    (sandbox.BUBBLEWRAP, ["touch", "ran"], {"": "x"}),
    (sandbox.UNSAFE, [], {}),
]


@pytest.mark.parametrize("tier, command, env", CASES)
def test_no_exit_code_if_not_started(tmp_path: Path, tier: str, command: list[str], env: dict[str, str]) -> None:
    done = sandbox.run(command, tmp_path, tier, env=env)
    assert (done.exit_code, done.stdout, done.ended) == (None, b"", "")
    assert done.stderr and not (tmp_path / "ran").exists()
    assert sandbox.run(["no-such-command"], tmp_path, sandbox.UNSAFE).exit_code == 127


def test_nothing_is_run_in_a_tier_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="docker"):
        sandbox.run(["touch", "ran"], tmp_path, "docker")
    assert not (tmp_path / "ran").exists()


BWRAP = """#!{python}
import os, subprocess, sys, time
options = os.pread(int(sys.argv[2]), 100_000, 0).split(b"\\0")
status = int(options[options.index(b"--json-status-fd") + 1])
def report(name, number):
    os.write(status, b'{{ "%s": %d }}\\n' % (name, number))
{code}
"""


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a bwrap into PATH that is this Python code; the folder to run it in."""

    def pretend(code: str) -> Path:
        for folder in (tmp_path / "tools", tmp_path / "work"):
            folder.mkdir(exist_ok=True)
        (tmp_path / "tools/bwrap").write_text(BWRAP.format(python=sys.executable, code=code))
        (tmp_path / "tools/bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:{os.environ['PATH']}")
        return tmp_path / "work"

    return pretend


def test_a_failure_of_bubblewrap_is_no_exit_code(pretended: Callable[[str], Path]) -> None:
    work = pretended("sys.exit('bwrap: cannot')")
    assert sandbox.run(["true"], work, sandbox.BUBBLEWRAP) == Result(None, b"", b"bwrap: cannot\n")
    work = pretended("report(b'child-pid', 9_999_999); report(b'exit-code', 5); print('done'); sys.exit(1)")
    assert sandbox.run(["true"], work, sandbox.BUBBLEWRAP) == Result(5, b"done\n", b"")


def test_what_bubblewrap_started_is_killed_with_it(pretended: Callable[[str], Path]) -> None:
    """Here it is in a session of its own, where a signal to the group does not reach it."""
    code = "p = subprocess.Popen(['sleep', '62'], start_new_session=True, stdout=-3, stderr=-3)\n"
    work = pretended(code + "report(b'child-pid', p.pid); print(p.pid, flush=True); time.sleep(60)")
    done = sandbox.run(["true"], work, sandbox.BUBBLEWRAP, timeout=1.5)
    assert (done.exit_code, done.ended) == (None, "time")
    assert gone(int(done.stdout))


def test_bubblewrap_gets_its_two_descriptors_and_no_variables(pretended: Callable[[str], Path]) -> None:
    code = "report(b'exit-code', 0); print(len(os.listdir('/proc/self/fd')), sorted(os.environ))"
    done = sandbox.run(["true"], pretended(code), sandbox.BUBBLEWRAP, env={"WANTED": "1"})
    descriptors, names = done.stdout.decode().split(" ", 1)
    assert (done.exit_code, descriptors) == (0, "6")  # three streams, two of the tier, the listing's own
    assert names in ("[]\n", "['LC_CTYPE']\n")  # which Python sets for itself


def test_without_bubblewrap_it_is_not_available(tmp_path: Path) -> None:
    code = "from ai_coding import sandbox; print(sandbox.available())"
    env = {**os.environ, "PATH": str(tmp_path)}
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout == "False\n"


def test_that_it_is_available_is_found_out_once(tmp_path: Path) -> None:
    """However many threads ask at the same moment."""
    code = "from concurrent.futures import *; from ai_coding import sandbox\n"
    code += "with ThreadPoolExecutor(8) as all: print(list(all.map(lambda _: sandbox.available(), range(8))))"
    (tmp_path / "bwrap").write_text(f"#!/bin/sh\necho once >>{tmp_path}/log\nsleep 0.3\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.stdout, (tmp_path / "log").read_text()) == (f"{[False] * 8}\n", "once\n")


def test_deep_and_locked_trees_are_removed(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder, other = tmp_path / "made", tmp_path / "other"
    request.addfinalizer(lambda: subprocess.call(["rm", "-rf", folder]))
    folder.mkdir()
    other.mkdir(mode=0o500)
    (folder / "link").symlink_to(other)
    code = "import os\nfor _ in range(1200):\n    os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)"
    assert run(folder, code).exit_code == 0
    sandbox.remove(folder)
    assert not folder.exists() and other.stat().st_mode & 0o777 == 0o500
