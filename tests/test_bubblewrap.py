"""How bwrap is called and what it reports, without starting it; test_sandbox_bubblewrap.py runs the real one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ai_coding.bubblewrap import WORK, Confined, confined, options
from ai_coding.tiers import FILE, PROCESSES, Start, environment, limited

UNSHARED = "--unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --unshare-net"
ISOLATED = f"{UNSHARED} --die-with-parent --new-session --hostname sandbox --clearenv"
ETC = "ld.so.cache ld.so.conf ld.so.conf.d alternatives localtime nsswitch.conf ssl ca-certificates"
TMP = f"--perms 1777 --size {FILE} --tmpfs"
MOUNTED = f"--bind /some/where {WORK} --chdir {WORK} --remount-ro /dev --remount-ro / --cap-drop ALL"
SETPRIV = "--clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs --"


def program(folder: Path, name: str, script: str = "exit 1") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, first in PATH, with a bwrap that nobody calls; the user is a normal one."""
    folder = tmp_path / "tools"
    program(folder, "bwrap")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir(mode=0o700)
    return tmp_path / "work"


@pytest.fixture
def root(tools: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a chown that changes nothing writes its arguments, a line each; the user is root."""
    program(tools, "chown", f"printf '%s\\n' \"$@\" >>{tools}/chowned")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tools / "chowned"


def listed(start: Start) -> list[str]:
    """The options that are ready to be read by bwrap."""
    with open(start.handles[0], "rb", closefd=False) as file:
        content = file.read()
    assert content.endswith(b"\0")
    return content.decode().split("\0")[:-1]


@contextmanager
def closed_behind(folder: Path) -> Iterator[Confined]:
    before = os.listdir("/proc/self/fd")
    with confined(["true"], folder, {}, 10) as start:
        assert len(os.listdir("/proc/self/fd")) == len(before) + 2
        yield start
    assert os.listdir("/proc/self/fd") == before


def system() -> str:
    """The folders of the root folder that belong to the system, as this host has them."""
    names = [(name, Path("/", name).is_symlink()) for name in ("bin", "sbin", "lib", "lib64")]
    return " ".join(f"--symlink usr/{n} /{n}" if link else f"--ro-bind-try /{n} /{n}" for n, link in names)


def expected(variables: str, toolchain: str) -> str:
    etc = " ".join(f"--ro-bind-try /etc/{name} /etc/{name}" for name in ETC.split())
    seen = f"--ro-bind /usr /usr {system()} --perms 0755 --dir /etc {etc} --proc /proc --dev /dev"
    return f"{ISOLATED} {variables} {seen} {TMP} /dev/shm {TMP} /tmp {toolchain} {MOUNTED}"


def test_the_options_are_these_in_this_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/opt/py/3")
    monkeypatch.setattr(sys, "prefix", "/tmp/venv")
    parents = "--perms 0755 --dir /opt --perms 0755 --dir /opt/py"
    toolchain = f"{parents} --ro-bind /opt/py/3 /opt/py/3 --perms 0755 --dir /tmp --ro-bind /tmp/venv /tmp/venv"
    common = expected("--setenv A b --setenv C d=e", toolchain)
    folder, variables = Path("/some/where"), {"A": "b", "C": "d=e"}
    user = f"--unshare-user --uid 1000 --gid 1000 --disable-userns {common} --json-status-fd 7"
    assert options(folder, variables, False, 7) == user.split(" ")
    added = "--cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP"
    assert options(folder, variables, True, 8) == f"{common} {added} --json-status-fd 8".split(" ")


@pytest.mark.parametrize("prefix, bound", [("/usr", []), ("/usr/local/venv", []), ("/usrx", ["/usrx"])])
def test_a_toolchain_is_bound_once_and_not_if_it_lies_in_usr(
    monkeypatch: pytest.MonkeyPatch, prefix: str, bound: list[str]
) -> None:
    monkeypatch.setattr(sys, "base_prefix", prefix)
    monkeypatch.setattr(sys, "prefix", prefix)
    found = options(Path("/some/where"), {}, False, 7)
    assert [found[i + 1] for i, word in enumerate(found) if word == "--ro-bind"] == ["/usr", *bound]


def test_a_variable_that_is_too_long_is_told_before(tools: Path, work: Path) -> None:
    longest = 32 * os.sysconf("SC_PAGE_SIZE") - len("A=\0")
    assert "x" * longest in options(work, {"A": "x" * longest}, False, 7)
    with pytest.raises(OSError):
        options(work, {"A": "x" * (longest + 1)}, False, 7)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError), confined(["true"], work, {"A": "ä" * (longest // 2 + 1)}, 10):
        raise AssertionError("entered")
    assert os.listdir("/proc/self/fd") == before


def test_a_normal_user_calls_bwrap_alone(tools: Path, work: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(work)
    env = {"A": "ä", "LD_PRELOAD": "x.so"}
    with confined(["a", "b c"], tmp_path / "link", env, 4.5) as start:
        arguments, status = start.handles
        assert start.argv[:4] == (f"{tools}/bwrap", "--args", str(arguments), "--")
        assert start.argv[4:8] == ("timeout", "--foreground", "-s", "KILL") and float(start.argv[8]) == 7.5
        assert start.argv[9:] == limited(["a", "b c"], env, 4.5, PROCESSES)
        assert (start.environment, start.folder) == ({}, None)
        assert listed(start) == options(work, environment(WORK, env), False, status)
    assert work.stat().st_mode & 0o777 == 0o700


def test_root_gives_the_folder_to_a_user_of_this_run_and_becomes_it(root: Path, work: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(work)
    with confined(["a"], tmp_path / "link", {}, 10) as start, confined(["a"], work, {}, 10) as other:
        asked = root.read_text().splitlines()
        assert asked.count(str(work)) == 2 and str(tmp_path / "link") not in asked
        assert any(word.startswith("-") and "R" in word or word == "--recursive" for word in asked)
        users = [int(word.removeprefix("--reuid=")) for word in (start.argv[5], other.argv[5])]
        assert users[0] != users[1] and all(100_000 <= user <= 999_999 for user in users)
        assert all(f"{user}:{user}" in asked for user in users)
        drop = ("setpriv", f"--reuid={users[0]}", f"--regid={users[0]}", *SETPRIV.split(" "))
        assert start.argv[4:14] == (*drop, "timeout")
        assert listed(start) == options(work, environment(WORK, {}), True, start.handles[1])
        assert work.stat().st_mode & 0o777 == 0o755


def test_no_folder_to_give_no_start(tools: Path, root: Path, work: Path) -> None:
    program(tools, "chown", "echo 'not yours' >&2; exit 1")
    with pytest.raises(OSError, match="not yours"), confined(["a"], work, {}, 10):
        raise AssertionError("entered")


def test_without_bwrap_nothing_is_started(tools: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(work))
    with pytest.raises(FileNotFoundError), confined(["a"], work, {}, 10):
        raise AssertionError("entered")


def test_both_descriptors_are_closed(tools: Path, work: Path) -> None:
    with closed_behind(work) as start:
        assert len(set(start.handles)) == 2
    with pytest.raises(KeyboardInterrupt), closed_behind(work):
        raise KeyboardInterrupt
    for handle in start.handles:
        with pytest.raises(OSError):
            os.pread(handle, 1, 0)


def test_only_a_reported_exit_code_is_a_program_s(tools: Path, work: Path) -> None:
    with confined(["true"], work, {}, 10) as start:
        status = start.handles[1]
        assert start.exit_code(1) is None
        os.write(status, b'{ "child-pid": 77, "net-namespace": 4026 }\n{ "cgroup-namespace": 5 }\n{ "exit-co')
        assert start.exit_code(0) is None
        os.write(status, b'de": 13')
        assert start.exit_code(0) is None
        os.write(status, b"7 }\n")
        assert start.exit_code(0) == 137 and start.exit_code(1) == 137
        os.lseek(status, 5, os.SEEK_SET)
        assert start.exit_code(0) == 137 and os.lseek(status, 0, os.SEEK_CUR) == 5


def test_the_first_process_of_the_namespace_is_killed(tools: Path, work: Path) -> None:
    with confined(["true"], work, {}, 10) as start:
        process = subprocess.Popen(["sleep", "60"], start_new_session=True)
        try:
            start.kill()
            assert process.poll() is None
            os.write(start.handles[1], b'{ "child-pid": %d }\n' % process.pid)
            start.kill()
            assert process.wait(10) == -9
            start.kill()
        finally:
            process.kill()
            process.wait()
