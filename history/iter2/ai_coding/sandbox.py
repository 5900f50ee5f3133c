"""Runs programs that nobody has read, in a tier: speaks with them, ends them, leaves nothing running.

In: a command, the folder it works in, the name of a tier, its input, its variables, its time.
Out: a Result: how the command ended and what it printed; nothing that it started goes on.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from tempfile import TemporaryDirectory

from ai_coding import bubblewrap, tiers
from ai_coding.tiers import Start

BUBBLEWRAP, UNSAFE = "bubblewrap", "unsafe"  # the tiers
WORK = bubblewrap.WORK  # what a program in bubblewrap takes its folder for
OUTPUT = 1_000_000  # bytes a stream
MEMORY, FILE, PROCESSES = tiers.MEMORY, tiers.FILE, tiers.PROCESSES  # bytes, bytes, number

_PAUSE = 0.02  # seconds between two looks at a process that is silent
_Tier = Callable[[Sequence[str], Path, Mapping[str, str], float], AbstractContextManager[Start]]
_TIERS: Mapping[str, _Tier] = {BUBBLEWRAP: bubblewrap.confined, UNSAFE: tiers.unconfined}


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
    """Can this machine confine a program?

    Found out once in a process, by running `true`; no bwrap: False.
    Raises OSError where no temporary folder can be made.
    """
    with TemporaryDirectory() as private:
        folder = Path(private, "work")
        folder.mkdir()
        return run(["true"], folder, BUBBLEWRAP).exit_code == 0


def run(
    command: Sequence[str],
    folder: Path,
    tier: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout: float = 10.0,
) -> Result:
    """Run command in folder, the only place it can write to. timeout in seconds.

    Never raises for what it does. Raises ValueError for a tier that is not known.
    """
    if tier not in _TIERS:
        raise ValueError(f"there is no tier {tier!r}, only {', '.join(_TIERS)}")
    variables = env or {}
    if fault := _fault(command, variables):
        return _not_started(fault)
    with ExitStack() as stack:
        try:
            start = stack.enter_context(_TIERS[tier](command, folder, variables, timeout))
            process = stack.enter_context(subprocess.Popen(
                start.argv,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=start.folder,
                env=start.environment,
                pass_fds=start.handles,
                start_new_session=True,
            ))
        except (OSError, ValueError) as error:
            return _not_started(str(error))
        try:
            stdout, stderr, ended = _attend(process, stdin, timeout)
        finally:
            _end(start, process)
        # Within the context still: the tier may have to read its report for this.
        code = None if ended else start.exit_code(process.returncode)
    return Result(code, stdout, stderr, ended)


def remove(folder: Path) -> None:
    """Delete folder however deep a program made it.

    Links are not followed, no folder is no fault. Raises OSError if not all could be deleted.
    """
    # chmod -R would follow a link that is its argument; rm does not.
    if not folder.is_symlink():
        subprocess.run(
            ["chmod", "-R", "u+rwx", "--", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    done = subprocess.run(
        ["rm", "-rf", "--", str(folder)], stdin=subprocess.DEVNULL, capture_output=True
    )
    if done.returncode:
        raise OSError(done.stderr.decode("utf-8", "replace").strip())


def _fault(command: Sequence[str], env: Mapping[str, str]) -> str:
    """Why no tier may start command with env; empty if nothing speaks against it."""
    if not command:
        return "the command is empty"
    # To bwrap, whose options are separated by NUL, what follows one would be a further option.
    if any("\0" in text for text in (*command, *env, *env.values())):
        return "a NUL character in the command or in its environment"
    if any(not name or "=" in name for name in env):
        return "a name in the environment is empty or holds '='"
    return ""


def _not_started(why: str) -> Result:
    message = f"cannot be started: {why}\n".encode("utf-8", "backslashreplace")
    return Result(None, b"", message[:OUTPUT])


def _attend(
    process: subprocess.Popen[bytes], stdin: bytes, timeout: float
) -> tuple[bytes, bytes, str]:
    """Feed and read process until its end, its time or its output: stdout, stderr, why ended."""
    deadline = time.monotonic() + timeout
    assert process.stdin and process.stdout and process.stderr
    rest = memoryview(stdin)
    out, err = bytearray(), bytearray()
    printed = {process.stdout.fileno(): out, process.stderr.fileno(): err}
    ended: str | None = None
    with DefaultSelector() as selector:
        for pipe in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, EVENT_WRITE if pipe is process.stdin else EVENT_READ, pipe)
        while ended is None:
            # Looked at before reading: all that it had printed by then is in the pipes, and one
            # read takes all that a pipe holds. Reading on would be to wait for its children.
            over, left = _is_over(process), deadline - time.monotonic()
            for key, _ in selector.select(0 if over else min(left, _PAUSE)):
                if key.fileobj is process.stdin:
                    rest = _write(key.fd, rest)
                    more = bool(rest)
                else:
                    more = _read(key.fd, printed[key.fd])
                if not more:
                    selector.unregister(key.fileobj)
                    key.data.close()
            if max(len(out), len(err)) > OUTPUT:
                ended = "output"
            elif over:
                ended = ""
            elif left <= 0:
                ended = "time"
    return bytes(out[:OUTPUT]), bytes(err[:OUTPUT]), ended


def _write(handle: int, rest: memoryview) -> memoryview:
    """Write what the pipe takes; what is left of rest, nothing if nobody can read it any more."""
    try:
        return rest[os.write(handle, rest):]
    except BlockingIOError:  # a program can open its own input and fill it
        return rest
    except BrokenPipeError:
        return rest[:0]


def _read(handle: int, text: bytearray) -> bool:
    """Add to text what the pipe holds, up to one byte more than allowed; False at its end."""
    try:
        data = os.read(handle, OUTPUT + 1 - len(text))
    except BlockingIOError:  # a program can open its own output and read it
        return True
    text.extend(data)
    return bool(data)


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Has process ended? Other than poll, this leaves its number, and its group's, its own."""
    try:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, flags) is not None
    except ChildProcessError:  # gone without a trace, where our caller ignores SIGCHLD
        return True


def _end(start: Start, process: subprocess.Popen[bytes]) -> None:
    """End process and all that it started, and wait for it."""
    if not _is_over(process):
        start.kill()
    # The group may be gone already, or have become another user's.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
