"""Runs programs that nobody has read: in bubblewrap, or, where a person allowed it, with limits alone.

In: a command, the folder it works in, a tier, the bytes of its stdin, variables for its environment, seconds.
Out: a Result, which says how the command ended and what it printed; nothing that it started is left running.
"""

import errno
import functools
import itertools
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

BUBBLEWRAP, UNSAFE = "bubblewrap", "unsafe"  # the tiers
WORK = "/sandbox"  # what a program in bubblewrap takes its folder for
OUTPUT = 1_000_000  # bytes a stream
MEMORY, FILE, PROCESSES = 2**30, 2**26, 128  # bytes, bytes, number

_WAIT = 0.01  # seconds between two looks at whether the command has ended
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_LINKED = ("bin", "sbin", "lib", "lib64")
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "nsswitch.conf", "ssl",
        "ca-certificates")
_STEERING = ("LD_", "GLIBC_", "GCONV_PATH", "LOCPATH", "NLSPATH", "LANGUAGE", "MALLOC_")


@dataclass(frozen=True)
class Result:
    """exit_code: None where the command could not be started or was ended for its time or output.

    stdout, stderr: at most OUTPUT bytes each. ended: '', 'time' or 'output', why it was ended.
    """

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    ended: str = ""


@dataclass(frozen=True)
class _Plan:
    """What to start, and how. status: the descriptor that bwrap reports to, None without bwrap."""

    argv: list[str]
    environment: dict[str, str]
    folder: Path | None = None
    handles: tuple[int, ...] = ()
    status: int | None = None


@functools.cache
def available() -> bool:
    "Can this machine confine a program? Found out once in a process, by running `true`; no bwrap: False."
    if shutil.which("bwrap") is None:
        return False
    with tempfile.TemporaryDirectory() as private:
        folder = Path(private, "work")
        folder.mkdir()
        return run(["true"], folder, BUBBLEWRAP).exit_code == 0


def run(command: Sequence[str], folder: Path, tier: str, stdin: bytes = b"", env: Mapping[str, str] | None = None,
        timeout: float = 10.0) -> Result:
    """Run command in folder, the only place it can write to. timeout in seconds. Never raises for what it does."""
    given = dict(env or {})
    refusal = _refusal(command, folder, given)
    if refusal:
        return _not_started(refusal)
    if tier not in (BUBBLEWRAP, UNSAFE):
        # A bug of the caller, and never a reason to run something unconfined.
        raise ValueError(f"unknown tier: {tier!r}")
    with ExitStack() as stack:
        try:
            if tier == BUBBLEWRAP:
                plan = _confined(command, folder, given, timeout, stack)
            else:
                plan = _unconfined(command, folder, given, timeout)
            process = stack.enter_context(_popen(plan))
        except (OSError, ValueError) as problem:
            return _not_started(str(problem))
        try:
            ended, stdout, stderr = _converse(process, stdin, timeout)
        finally:
            _kill(process, plan.status)
        # bwrap's own failure exits with 1 like a program: only what it reported is the program's.
        exit_code = process.returncode if plan.status is None else _reported(plan.status, "exit-code")
    return Result(None if ended else exit_code, stdout, stderr, ended)


def remove(folder: Path) -> None:
    "Delete folder however deep a program made it."
    if not folder.is_symlink():  # chmod would follow a link that it is given by name
        _quietly("chmod", "-R", "u+rwx", "--", str(folder))
    _quietly("rm", "-rf", "--", str(folder))


def _quietly(*command: str) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _refusal(command: Sequence[str], folder: Path, given: Mapping[str, str]) -> str:
    """Why this must not even be tried; '' if it may be."""
    if any("\0" in text for text in (*command, *given, *given.values(), str(folder))):
        return "a NUL character in the command or in its environment"
    if not command:
        return "the command is empty"
    if any(not name or "=" in name for name in given):
        return "a variable whose name is empty or has a '=' in it"
    return ""


def _not_started(why: str) -> Result:
    return Result(None, b"", f"sandbox: cannot start the command: {why}\n".encode("utf-8", "backslashreplace")[:OUTPUT])


def _popen(plan: _Plan) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        plan.argv,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=plan.folder,
        env=plan.environment,
        start_new_session=True,
        pass_fds=plan.handles,
    )


def _converse(process: subprocess.Popen[bytes], stdin: bytes, timeout: float) -> tuple[str, bytes, bytes]:
    """Feed and read at the same time until the command, its time (seconds) or its output ends.

    Returns why it was ended ('' if it ended by itself), stdout and stderr.
    """
    assert process.stdin and process.stdout and process.stderr
    deadline = time.monotonic() + timeout
    left = memoryview(stdin)
    printed = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        for pipe in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(pipe.fileno(), False)
        ended: str | None = None
        while ended is None:
            for key, _ in selector.select(min(_WAIT, deadline - time.monotonic())):
                if key.fd in printed:
                    if not _read(key.fd, printed[key.fd]):
                        selector.unregister(key.fileobj)
                    continue
                left = _feed(key.fd, left)
                if not left:
                    selector.unregister(key.fileobj)
                    process.stdin.close()
            ended = _why_ended(process, printed, deadline)
        # Only after the end is known is what the pipes hold complete.
        for key in list(selector.get_map().values()):
            if key.fd in printed:
                _read(key.fd, printed[key.fd])
    if not ended and _too_much(printed):
        ended = "output"
    stdout, stderr = (bytes(text[:OUTPUT]) for text in printed.values())
    return ended, stdout, stderr


def _why_ended(process: subprocess.Popen[bytes], printed: Mapping[int, bytearray], deadline: float) -> str | None:
    """None: it goes on. '': it ended by itself."""
    if _too_much(printed):
        return "output"
    if process.poll() is not None:
        return ""
    return "time" if time.monotonic() >= deadline else None


def _too_much(printed: Mapping[int, bytearray]) -> bool:
    return any(len(text) > OUTPUT for text in printed.values())


def _read(handle: int, text: bytearray) -> bool:
    """Add what the pipe holds at this moment, in one read, to text; False at the end of the stream.

    One read takes no more than the pipe holds now, so a child that goes on printing cannot keep us here.
    """
    try:
        piece = os.read(handle, OUTPUT + 1 - len(text))
    except BlockingIOError:
        return True
    text += piece
    return bool(piece)


def _feed(handle: int, left: memoryview) -> memoryview:
    """Write what the pipe takes; returns what is left to write, nothing if nobody reads any more."""
    try:
        return left[os.write(handle, left):]
    except BlockingIOError:
        return left
    except BrokenPipeError:
        return left[len(left):]


def _kill(process: subprocess.Popen[bytes], status: int | None) -> None:
    """End everything that the process started, and wait for the process itself."""
    if status is not None and process.poll() is None:
        # Before bwrap itself: while bwrap lives, the number is not given to another process.
        first = _reported(status, "child-pid")
        if first is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(first, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _reported(status: int, name: str) -> int | None:
    """The number that bwrap reported under this name, None if it did not (yet).

    pread, as the offset is shared with bwrap, which writes there; its last line may not be complete.
    """
    for line in os.pread(status, 65_536, 0).split(b"\n")[:-1]:
        report = json.loads(line)
        if name in report:
            return int(report[name])
    return None


def _steers(name: str) -> bool:
    """Can this variable lead a program of the system to code of a stranger?"""
    return name == "PATH" or name.startswith(_STEERING)


def _environment(home: str, given: Mapping[str, str]) -> dict[str, str]:
    """The environment in which the chain of programs that ends with the command starts."""
    return {
        "PATH": f"{sys.prefix}/bin:{sys.base_prefix}/bin:{_SYSTEM_PATH}",
        "HOME": home,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TERM": "dumb",
        **{name: value for name, value in given.items() if not _steers(name)},
    }


def _limited(command: Sequence[str], given: Mapping[str, str], limits: Mapping[str, int]) -> list[str]:
    """The command with limits set before it, and with the variables that steer set for it alone.

    setpriv still has the rights of root, and timeout and prlimit have no limits yet: a LD_PRELOAD or a PATH from
    a stranger must not reach them.
    """
    steering = [f"{name}={value}" for name, value in given.items() if _steers(name)]
    return [
        "prlimit", *(f"--{name}={limit}:{limit}" for name, limit in limits.items()), "--",
        *(["env", "--", *steering] if steering else []), *command,
    ]


def _limits(timeout: float) -> dict[str, int]:
    # data and not the address space, of which node reserves far more than it uses
    return {"core": 0, "cpu": int(timeout) + 2, "data": MEMORY, "fsize": FILE, "nofile": 512}


def _unconfined(command: Sequence[str], folder: Path, given: Mapping[str, str], timeout: float) -> _Plan:
    place = folder.absolute()
    return _Plan(_limited(command, given, _limits(timeout)), _environment(str(place), given), place)


def _confined(command: Sequence[str], folder: Path, given: Mapping[str, str], timeout: float,
              stack: ExitStack) -> _Plan:
    """The plan for bubblewrap; its descriptors are closed with stack. Raises OSError or ValueError if there is none."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise FileNotFoundError(errno.ENOENT, "bubblewrap is not installed", "bwrap")
    place = os.path.realpath(folder)
    user = _hand_over(place) if os.geteuid() == 0 else None
    status = stack.enter_context(_memory(b""))
    options = _options(place, _environment(WORK, given), user is not None, status)
    arguments = stack.enter_context(_memory(b"".join(os.fsencode(option) + b"\0" for option in options)))
    argv = [
        os.path.abspath(bwrap), "--args", str(arguments), "--",
        *([] if user is None else _drop_to(user)),
        "timeout", "--foreground", "-s", "KILL", str(timeout + 3),
        *_limited(command, given, {**_limits(timeout), "nproc": PROCESSES}),
    ]
    # An empty environment: that of bwrap stays readable in /proc/1/environ in spite of --clearenv.
    return _Plan(argv, {}, handles=(arguments, status), status=status)


@contextmanager
def _memory(content: bytes) -> Iterator[int]:
    """A descriptor of a file in memory with this content, rewound."""
    handle = os.memfd_create("bwrap")
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


@functools.cache
def _counter() -> Iterator[int]:
    return itertools.count()


def _hand_over(folder: str) -> int:
    """Give the folder to a user and group of this run alone, whose number is returned. Raises OSError if it fails."""
    # The factor keeps processes with neighbouring numbers apart.
    user = 100_000 + (os.getpid() * 997 + next(_counter())) % 900_000
    done = subprocess.run(["chown", "-R", "-h", f"{user}:{user}", "--", folder],
                          stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        raise OSError(done.stderr.decode("utf-8", "replace").strip() or f"chown ended with {done.returncode}")
    # bwrap as root has given up the right to enter a closed folder of another user.
    os.chmod(folder, 0o755)
    return user


def _drop_to(user: int) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all",
            "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]


def _options(folder: str, environment: Mapping[str, str], root: bool, status: int) -> list[str]:
    """The options of bwrap, whose order matters."""
    # Never a user namespace for root: it would map 0 to 0, and uid 0 with a /proc writes core_pattern, a way out.
    user = [] if root else ["--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns"]
    kept = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP") if root else ()
    return [
        *user,
        "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--unshare-net",
        "--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv",
        *_variables(environment),
        *_system(),
        *_toolchain(),  # after /tmp, which it may lie below
        "--bind", folder, WORK, "--chdir", WORK,  # nothing beneath it: bwrap would follow links there
        "--remount-ro", "/dev", "--remount-ro", "/",
        "--cap-drop", "ALL",
        *(word for capability in kept for word in ("--cap-add", capability)),
        "--json-status-fd", str(status),
    ]


def _variables(environment: Mapping[str, str]) -> list[str]:
    """Raises OSError for a variable so long that nothing could be started with it.

    bwrap would find out only inside, and report that as an exit code of the program.
    """
    longest = 32 * os.sysconf("SC_PAGE_SIZE")  # bytes with the NUL at the end, a limit of Linux
    for name, value in environment.items():
        if len(os.fsencode(f"{name}={value}")) >= longest:
            raise OSError(errno.E2BIG, f"a variable of the environment is longer than {longest} bytes")
    return [word for name, value in environment.items() for word in ("--setenv", name, value)]


def _system() -> list[str]:
    """What is seen of the system: /usr and a little of /etc, and /proc, /dev and /tmp of its own."""
    options = ["--ro-bind", "/usr", "/usr"]
    for name in _LINKED:
        if os.path.islink(f"/{name}"):
            options += ["--symlink", f"usr/{name}", f"/{name}"]
        else:
            options += ["--ro-bind-try", f"/{name}", f"/{name}"]
    options += ["--perms", "0755", "--dir", "/etc"]
    for name in _ETC:
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for place in ("/dev/shm", "/tmp"):
        # --perms and --size hold for the one option that follows
        options += ["--perms", "1777", "--size", str(FILE), "--tmpfs", place]
    return options


def _toolchain() -> list[str]:
    """Python's own folders, at their own places."""
    options: list[str] = []
    for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
        place = Path(prefix)
        if place.is_relative_to("/usr"):
            continue
        for parent in reversed(place.parents[:-1]):
            # bwrap itself would make parents 0700, through which another user does not get
            options += ["--perms", "0755", "--dir", str(parent)]
        options += ["--ro-bind", prefix, prefix]
    return options
