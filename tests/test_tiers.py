"""What all tiers share: the environment, the limits, what is started; and the tier that confines nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ai_coding.tiers import FILE, MEMORY, PROCESSES, Start, environment, limited, unconfined

PATH = f"{sys.prefix}/bin:{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin"
FIXED = {"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"}
LIMITS = (f"--data={MEMORY}:{MEMORY}", f"--fsize={FILE}:{FILE}", "--nofile=512:512")
STEERING = {
    "LD_PRELOAD": "/work/evil.so", "LD_LIBRARY_PATH": ".", "PATH": "/work", "GLIBC_TUNABLES": "x=y", "GCONV_PATH": ".",
    "LOCPATH": ".", "NLSPATH": "%N", "LANGUAGE": "de", "MALLOC_CHECK_": "3",
}  # fmt: skip


def output(command: list[str], folder: Path, env: dict[str, str], timeout: float = 10.0) -> str:
    """What the command prints when it is started as unconfined says."""
    with unconfined(command, folder, env, timeout) as start:
        return subprocess.check_output(start.argv, env=start.environment, cwd=start.folder, text=True)


def test_the_limits_are_these() -> None:
    assert (MEMORY, FILE, PROCESSES) == (1_073_741_824, 67_108_864, 128)


def test_the_environment_is_a_short_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert environment("/home/x", {}) == {"PATH": PATH, "HOME": "/home/x", **FIXED}
    over = {"TZ": "CET", "HOME": "/h", "WANTED": "a=b\nc"}
    assert environment("/home/x", over) == {"PATH": PATH, **FIXED, **over}


def test_what_steers_programs_is_set_for_the_command_alone() -> None:
    given = {"A": "1", **STEERING, "NOT_LD_PRELOAD": "2", "PATHS": "3"}
    kept = {"A": "1", "NOT_LD_PRELOAD": "2", "PATHS": "3"}
    assert environment("/h", given) == {"PATH": PATH, "HOME": "/h", **FIXED, **kept}
    argv = limited(["sh", "-c", "x y"], given, 1)
    assert argv[: argv.index("--") + 1] == ("prlimit", "--core=0:0", "--cpu=3:3", *LIMITS, "--")
    set_here = tuple(f"{name}={value}" for name, value in STEERING.items())
    assert argv[argv.index("--") + 1 :] == ("env", "--", *set_here, "sh", "-c", "x y")


@pytest.mark.parametrize("timeout, cpu", [(10, 12), (4.9, 6), (0.2, 2)])
def test_limits_come_before_the_command(timeout: float, cpu: int) -> None:
    start = ("prlimit", "--core=0:0", f"--cpu={cpu}:{cpu}", *LIMITS)
    assert limited(["a", "--b"], {"X": "y"}, timeout) == (*start, "--", "a", "--b")
    assert limited(("a",), {}, timeout, 7) == (*start, "--nproc=7:7", "--", "a")


def test_limits_are_set(tmp_path: Path) -> None:
    code = "from resource import *; print(*[getrlimit(n) for n in (RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, "
    code += "RLIMIT_FSIZE, RLIMIT_NOFILE)])"
    expected = f"(0, 0) (6, 6) ({MEMORY}, {MEMORY}) ({FILE}, {FILE}) (512, 512)\n"
    assert output(["python3", "-c", code], tmp_path, {}, 4.9) == expected


def test_the_command_sees_all_variables(tmp_path: Path) -> None:
    """/usr/bin/env, as this PATH leads nowhere."""
    given = {"WANTED": "a=b", "TZ": "CET", "PATH": "/nowhere", "LD_BIND_NOW": "1"}
    seen = dict(line.split("=", 1) for line in output(["/usr/bin/env"], tmp_path, given).splitlines())
    assert seen == {"HOME": str(tmp_path), **FIXED, **given}


def test_unconfined_starts_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "link").symlink_to("work")
    monkeypatch.chdir(tmp_path)
    with unconfined(["a"], Path("link"), {"X": "y", "LD_A": "z"}, 3.5) as start:
        expected = environment(str(tmp_path / "link"), {"X": "y"})
        assert start == Start(limited(["a"], {"LD_A": "z"}, 3.5), expected, tmp_path / "link", ())


def test_an_end_is_learnt_from_the_process_itself() -> None:
    start = Start(("true",), {})
    assert (start.folder, start.handles) == (None, ())
    assert [start.exit_code(code) for code in (0, 3, 127, -9)] == [0, 3, 127, -9]


def test_there_is_nothing_else_to_kill(tmp_path: Path) -> None:
    """The group is the sandbox's to kill: the process itself still runs afterwards."""
    with unconfined(["sleep", "60"], tmp_path, {}, 10) as start:
        process = subprocess.Popen(start.argv, env=start.environment, cwd=start.folder)
        try:
            start.kill()
            assert process.poll() is None
            os.kill(process.pid, 9)
            assert start.exit_code(process.wait()) == -9
        finally:
            process.kill()
            process.wait()
