"""Runs programs that nobody has read, in a tier: speaks with them, ends them, leaves nothing running.

In: a command, the folder it runs in, the name of a tier, what it reads, its variables and its time.
Out: a Result, that is how it ended and what it printed; and no process, pipe or folder left over.
"""

import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ai_coding import bubblewrap, tiers
from ai_coding.tiers import Start

BUBBLEWRAP, UNSAFE = "bubblewrap", "unsafe"  # the tiers
WORK = bubblewrap.WORK  # what a program in bubblewrap takes its folder for
OUTPUT = 1_000_000  # bytes a stream
MEMORY = tiers.MEMORY  # bytes
FILE = tiers.FILE  # bytes
PROCESSES = tiers.PROCESSES  # number

_WAIT = 0.01  # seconds between two looks at a process that neither prints nor reads
_ASKING = threading.Lock()  # held by the thread that asks whether bubblewrap is available

_Tier = Callable[
    [Sequence[str], Path, Mapping[str, str], float],
    AbstractContextManager[Start],
]
_TIERS: Mapping[str, _Tier] = {
    BUBBLEWRAP: bubblewrap.confined,
    UNSAFE: tiers.unconfined,
}


@dataclass(frozen=True)
class Result:
    """exit_code: None where the command could not be started or was ended for its time or output.

    stdout, stderr: at most OUTPUT bytes each. ended: '', 'time' or 'output', why it was ended.
    """

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    ended: str = ""


def available() -> bool:
    """Can this machine confine a program? Found out once in a process, by running `true`; no bwrap: False."""
    # The cache alone does not hold back threads that ask before the first answer is there.
    with _ASKING:
        return _confines()


def run(
    command: Sequence[str],
    folder: Path,
    tier: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout: float = 10.0,
) -> Result:
    """Run command in folder, the only place it can write to. timeout in seconds. Never raises for what it does."""
    if tier not in _TIERS:
        raise ValueError(f"no such tier: {tier}")
    variables = {} if env is None else env
    fault = _fault(command, variables)
    if fault:
        return _not_started(fault)
    with ExitStack() as stack:
        try:
            start = stack.enter_context(_TIERS[tier](command, folder, variables, timeout))
            process = subprocess.Popen(
                start.argv,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=start.folder,
                env=start.environment,
                pass_fds=start.handles,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return _not_started(str(error))
        try:
            stdout, stderr, ended = _talk(process, stdin, timeout)
        finally:
            _end(process, start)
        # Asked for within the tier's context: it may be read from one of the tier's handles.
        exit_code = None if ended else start.exit_code(process.returncode)
    return Result(exit_code, stdout, stderr, ended)


def remove(folder: Path) -> None:
    """Delete folder however deep a program made it."""
    # Not shutil.rmtree, which overflows before Python 3.13.
    if not folder.is_symlink():  # chmod would follow a link that it is given by name
        chmod = ["chmod", "-R", "u+rwx", "--", str(folder)]
        subprocess.run(chmod, capture_output=True, check=False)  # there may be no folder
    subprocess.run(["rm", "-rf", "--", str(folder)], capture_output=True, check=True)


@cache
def _confines() -> bool:
    with tempfile.TemporaryDirectory() as private:
        folder = Path(private) / "work"
        folder.mkdir()
        done = run(["true"], folder, BUBBLEWRAP)
    return done.exit_code == 0


def _fault(command: Sequence[str], env: Mapping[str, str]) -> str:
    """Why no tier may be given this; empty if it may."""
    if not command:
        return "the command is empty"
    # A list separated by NUL is how bwrap reads its options: such a text would add some.
    if any("\0" in text for text in (*command, *env, *env.values())):
        return "there is a NUL character in the command or in its environment"
    if any(not name or "=" in name for name in env):
        return "the name of a variable in the environment is empty or holds '='"
    return ""


def _not_started(reason: str) -> Result:
    message = f"cannot be started: {reason}\n".encode(errors="backslashreplace")
    return Result(None, b"", message[:OUTPUT])


def _talk(
    process: subprocess.Popen[bytes], stdin: bytes, timeout: float
) -> tuple[bytes, bytes, str]:
    """Feed and read process until its end, its time or its output: stdout, stderr, why it is over."""
    assert process.stdin and process.stdout and process.stderr
    deadline = time.monotonic() + timeout
    out, err, rest = bytearray(), bytearray(), memoryview(stdin)
    ended: str | None = None
    with selectors.DefaultSelector() as selector:
        # A program can open the other end of its own pipes: being ready is no promise.
        for stream in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ, out)
        selector.register(process.stderr, selectors.EVENT_READ, err)
        while ended is None:
            # Looked at before reading: all that an ended process printed is in the pipes by now.
            exited, late = process.poll() is not None, time.monotonic() >= deadline
            for key, _ in selector.select(0 if exited or late else _WAIT):
                if key.data is None:
                    rest = _write(key.fd, rest)
                    if not rest:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                elif not _read(key.fd, key.data):
                    selector.unregister(key.fileobj)
            if max(len(out), len(err)) > OUTPUT:
                ended = "output"
            elif exited:
                ended = ""
            elif late:
                ended = "time"
    return bytes(out[:OUTPUT]), bytes(err[:OUTPUT]), ended


def _write(handle: int, rest: memoryview) -> memoryview:
    """Write what the pipe takes; what is left to write, which is nothing if nobody reads it."""
    try:
        return rest[os.write(handle, rest):]
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        return rest[:0]


def _read(handle: int, printed: bytearray) -> bool:
    """Add what the pipe holds to printed, up to one byte more than OUTPUT; False at its end."""
    try:
        # One call takes all that is there, but nothing that a living child prints afterwards.
        piece = os.read(handle, OUTPUT + 1 - len(printed))
    except BlockingIOError:
        return True
    printed += piece
    return bool(piece)


def _end(process: subprocess.Popen[bytes], start: Start) -> None:
    """Kill everything that process started, and itself; close its pipes and wait for it."""
    with process:  # which closes and waits when it is left
        try:
            if process.poll() is None:
                start.kill()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
