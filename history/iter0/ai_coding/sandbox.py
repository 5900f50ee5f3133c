"""Runs programs that nobody has read. In: a command, a folder. Out: what it printed and how it ended.

bubblewrap: no network, no environment but a short list, no files but the folder and the toolchain, limits on
memory, processes, file size, output and time, and everything it started ends with it.
"""

import itertools
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BUBBLEWRAP, UNSAFE = "bubblewrap", "unsafe"
WORK = "/sandbox"
OUTPUT = 1_000_000
MEMORY, FILE, PROCESSES = 2**30, 2**26, 128
_ETC = "ld.so.cache ld.so.conf ld.so.conf.d alternatives localtime nsswitch.conf ssl ca-certificates".split()
_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
_serial = itertools.count()


@dataclass(frozen=True)
class Result:
    """exit_code: None where the command could not be started or was ended for its time or output.

    stdout, stderr: at most OUTPUT bytes each. ended: '', 'time' or 'output', why it was ended.
    """

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    ended: str = ""


@cache
def available() -> bool:
    """Can this machine confine a program? Found out by running one."""
    if not shutil.which("bwrap"):
        return False
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return run(["true"], Path(folder), BUBBLEWRAP).exit_code == 0


def run(
    command: Sequence[str], folder: Path, tier: str, stdin: bytes = b"", env: Mapping[str, str] | None = None,
    timeout: float = 10.0,
) -> Result:  # fmt: skip
    """Run command in folder, the only place it can write to. timeout in seconds. Never raises for what it does."""
    if "\0" in "".join((*command, *(env or {}), *(env or {}).values())):  # in --args it would end one and begin another
        return Result(None, b"", b"a command and its environment cannot hold a NUL character\n")
    uid = 100_000 + (os.getpid() * 64 + next(_serial)) % 900_000
    root, folder = os.geteuid() == 0, folder.absolute()
    limits = ["prlimit", "--core=0", f"--cpu={int(timeout) + 2}", f"--data={MEMORY}", f"--fsize={FILE}"]
    limits += ["--nofile=512", f"--nproc={PROCESSES}"] if tier == BUBBLEWRAP else ["--nofile=512"]
    timer = ["timeout", "--foreground", "-s", "KILL", str(timeout + 3)]
    if tier == UNSAFE:
        full = [*limits, "--", *command]
        return _watch(full, stdin, timeout, _environment(str(folder), env), None, folder)
    if root:
        subprocess.run(["chown", "-R", f"{uid}:{uid}", str(folder)], check=True)
        folder.chmod(0o755)  # bwrap has no right to enter another's private folder; keep its parent private
    report, listing = os.memfd_create("report"), os.memfd_create("arguments")
    arguments = _arguments(folder, root, report, _environment(WORK, env))
    drop = f"--reuid={uid} --regid={uid} --clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all"
    inner = ["setpriv", *drop.split(), "--no-new-privs", "--"] if root else []
    os.write(listing, b"\0".join(a.encode() for a in arguments) + b"\0")
    os.lseek(listing, 0, os.SEEK_SET)
    full = [shutil.which("bwrap") or "bwrap", "--args", str(listing), "--", *inner, *timer, *limits, "--", *command]
    try:
        return _watch(full, stdin, timeout, {}, report, folder, pass_fds=(report, listing))
    finally:
        os.close(report)
        os.close(listing)


def _environment(home: str, extra: Mapping[str, str] | None) -> dict[str, str]:
    path = f"{sys.prefix}/bin:{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin"
    fixed = {"PATH": path, "HOME": home, "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
    return fixed | {"PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"} | dict(extra or {})


def _arguments(folder: Path, root: bool, status: int, env: Mapping[str, str]) -> list[str]:
    """bwrap's options; what each closes is told in the manual page of bwrap."""
    args = [] if root else "--unshare-user --uid 1000 --gid 1000 --disable-userns".split()
    args += "--unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --unshare-net".split()
    args += "--die-with-parent --new-session --hostname sandbox --clearenv".split()
    for name, value in env.items():
        args += ["--setenv", name, value]
    args += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"/{name}"):
            args += ["--symlink", f"usr/{name}", f"/{name}"]
        else:
            args += ["--ro-bind-try", f"/{name}", f"/{name}"]
    args += ["--perms", "0755", "--dir", "/etc"]
    for name in _ETC:
        args += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    args += ["--proc", "/proc", "--dev", "/dev"]
    for mount in ("/dev/shm", "/tmp"):
        args += ["--perms", "1777", "--size", str(FILE), "--tmpfs", mount]
    for prefix in {sys.base_prefix, sys.prefix}:
        if not prefix.startswith("/usr/"):
            for parent in reversed(Path(prefix).parents[:-1]):
                args += ["--perms", "0755", "--dir", str(parent)]
            args += ["--ro-bind", prefix, prefix]
    args += ["--bind", str(folder), WORK, "--chdir", WORK, "--remount-ro", "/dev", "--remount-ro", "/"]
    args += ["--cap-drop", "ALL"]
    for capability in _CAPABILITIES if root else ():
        args += ["--cap-add", capability]
    return [*args, "--json-status-fd", str(status)]


def _watch(
    command: list[str], stdin: bytes, timeout: float, env: Mapping[str, str],
    report: int | None, cwd: Path, pass_fds: Sequence[int] = (),
) -> Result:  # fmt: skip
    """Feed stdin and gather output until the command, its time or its output ends. report: where bwrap writes."""
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, cwd=cwd, start_new_session=True, pass_fds=pass_fds
        )
    except (OSError, ValueError) as e:  # such as arguments that are too long
        return Result(None, b"", f"{e}\n".encode())
    assert process.stdin and process.stdout and process.stderr
    streams = {process.stdout: bytearray(), process.stderr: bytearray()}
    deadline, ended, left = time.monotonic() + timeout, "", memoryview(stdin)
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        stack.callback(_kill, process, report)
        for stream in streams:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        while not ended:
            over = process.poll() is not None
            for key, _ in selector.select(0 if over else 0.02 if len(selector.get_map()) else 0.001):
                if key.fileobj is process.stdin:
                    try:
                        left = left[os.write(process.stdin.fileno(), left[:65536]) :]
                    except BrokenPipeError:
                        left = left[:0]
                    if not left:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                else:
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fileobj)
                    stream_data = streams[process.stdout if key.fileobj is process.stdout else process.stderr]
                    stream_data += data
                    ended = "output" if len(stream_data) > OUTPUT else ended
            if over:
                break
            if time.monotonic() > deadline:
                ended = "time"
    code: int | None = process.wait()
    out, err = (bytes(data[:OUTPUT]) for data in streams.values())
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    if report is not None:
        code = _status(report).get("exit-code")
    return Result(None if ended else code, out, err, ended)


def _kill(process: subprocess.Popen[bytes], report: int | None) -> None:
    """End the command and all that it started: in bubblewrap, the first process of its namespace takes all along."""
    child = _status(report).get("child-pid") if process.poll() is None else None
    for kill, pid in ((os.kill, child), (os.killpg, process.pid)):
        if pid:
            try:
                kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def _status(report: int | None) -> dict[str, int]:
    """What bwrap reported so far. Its own failures exit like a program; only a reported exit code is a program's."""
    found: dict[str, int] = {}
    for line in os.pread(report, 65536, 0).splitlines() if report is not None else ():
        found |= json.loads(line)
    return found


def remove(folder: Path) -> None:
    """Delete folder however deep a program made it (shutil.rmtree overflows on deep trees before Python 3.13)."""
    subprocess.run(["chmod", "-R", "u+rwx", str(folder)], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["rm", "-rf", "--", str(folder)], check=False)
