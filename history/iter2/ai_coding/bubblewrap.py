"""The tier bubblewrap: a command confined, so that it sees little and writes in its folder alone.

bwrap gives the command namespaces of its own and a file system of which nothing but its folder can
be written to and lasts. Root gives the folder to a user of this run alone and runs the command so.
Nothing here starts bwrap or waits for it.

In: a command, its folder and environment, and how long it may take.
Out: what starts bwrap with that command, and afterwards what bwrap has reported of it.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import cast

from ai_coding.tiers import FILE, PROCESSES, Start, environment, limited

WORK = "/sandbox"  # what a program in bubblewrap takes its folder for

_USER = "--unshare-user --uid 1000 --gid 1000 --disable-userns"
# Never --unshare-all: as root it would map 0 to 0, and uid 0 with a /proc can write core_pattern.
_ISOLATED = (
    "--unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --unshare-net"
    " --die-with-parent --new-session --hostname sandbox --clearenv"
)
_ETC = (
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "localtime",
    "nsswitch.conf",
    "ssl",
    "ca-certificates",
)
_FOR_SETPRIV = "--cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP"
_GRACE = 3  # seconds that the clock inside leaves to the one outside

# count itself is cached, not a function that calls it: between two steps of such a function another
# thread could make a second counter, and two runs would be the same user.
_counter = cache(cast(Callable[[], Iterator[int]], count))


@dataclass(frozen=True)
class Confined(Start):
    """Adds no field. handles: the descriptor of the options, then that of the report.

    kill and exit_code: R4, R5.
    """

    def kill(self) -> None:
        """Kill the first process of the namespace, which takes all others along, if there is one.

        Raises nothing if it is not reported yet or is gone already.
        """
        child = _reported(self.handles[1], "child-pid")
        if child is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)

    def exit_code(self, code: int) -> int | None:
        """The reported exit code; None without one: bwrap's own failure exits like a program."""
        return _reported(self.handles[1], "exit-code")


def options(folder: Path, variables: Mapping[str, str], root: bool, status: int) -> list[str]:
    """bwrap's options in their order: R6. variables: the whole environment.

    root: whether root calls bwrap.
    status: the descriptor that bwrap reports to. Raises OSError for a variable that is too long.
    """
    return [
        *("" if root else _USER).split(),
        *_ISOLATED.split(),
        *_variables(variables),
        *_system(),
        *_toolchain(),
        *("--bind", os.path.realpath(folder), WORK, "--chdir", WORK),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--cap-drop", "ALL"),
        *(_FOR_SETPRIV if root else "").split(),
        *("--json-status-fd", str(status)),
    ]


@contextmanager
def confined(
    command: Sequence[str], folder: Path, env: Mapping[str, str], timeout: float
) -> Iterator[Confined]:
    """What runs command in folder, confined; the context is to stay open while it runs.

    timeout in seconds.
    Raises OSError or ValueError, when it is entered, if nothing could be started so.
    The caller has ruled out NUL.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "bwrap")
    root = os.geteuid() == 0
    place = Path(os.path.realpath(folder, strict=True))
    inner = limited(command, env, timeout, PROCESSES)
    with (
        open(os.memfd_create("bwrap-options"), "wb") as arguments,
        open(os.memfd_create("bwrap-report"), "wb") as report,
    ):
        handles = (arguments.fileno(), report.fileno())
        words = options(place, environment(WORK, env), root, handles[1])
        arguments.write(b"".join(os.fsencode(word + "\0") for word in words))
        arguments.seek(0)
        # Last of all that can fail, so that the folder changes hands only for a start.
        drop = _dropping(_given_away(place)) if root else ()
        argv = (
            *(os.path.abspath(bwrap), "--args", str(handles[0]), "--"),
            *drop,
            *("timeout", "--foreground", "-s", "KILL", str(timeout + _GRACE)),
            *inner,
        )
        yield Confined(argv, environment={}, handles=handles)


def _reported(descriptor: int, name: str) -> int | None:
    """The number that bwrap has reported under name, None if it has not done so yet."""
    # pread, because the offset is the one that bwrap writes at.
    content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    found: dict[str, object] = {}
    for line in content.split(b"\n")[:-1]:  # what follows the last newline is not complete yet
        found.update(json.loads(line))
    value = found.get(name)
    return value if isinstance(value, int) else None


def _variables(variables: Mapping[str, str]) -> Iterator[str]:
    longest = 32 * os.sysconf("SC_PAGE_SIZE")
    for name, value in variables.items():
        # bwrap would find out only inside and report it as the exit code of a program.
        if len(os.fsencode(f"{name}={value}\0")) > longest:
            raise OSError(errno.E2BIG, f"the variable {name} is too long to start anything")
        yield from ("--setenv", name, value)


def _system() -> Iterator[str]:
    """What is seen of the host's system, and the file systems that are made anew."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"/{name}"):
            yield from ("--symlink", f"usr/{name}", f"/{name}")
        else:
            yield from ("--ro-bind-try", f"/{name}", f"/{name}")
    yield from ("--perms", "0755", "--dir", "/etc")
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from ("--proc", "/proc", "--dev", "/dev")
    for path in ("/dev/shm", "/tmp"):
        # --perms and --size hold for the one option that follows.
        yield from ("--perms", "1777", "--size", str(FILE), "--tmpfs", path)


def _toolchain() -> Iterator[str]:
    """The folders of this Python, as far as they are not seen with /usr."""
    for prefix in dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix))):
        if prefix.is_relative_to("/usr"):
            continue
        # bwrap would make the parents 0700 by itself, and no other user could pass them.
        for parent in reversed(prefix.parents[:-1]):
            yield from ("--perms", "0755", "--dir", str(parent))
        yield from ("--ro-bind", str(prefix), str(prefix))


def _given_away(folder: Path) -> int:
    """The user, and group, of this run alone that folder and all in it belong to from now on.

    Raises OSError if the folder cannot be given away.
    """
    # A thousand numbers for each process id, so that neighbouring ones never share any.
    user = 100_000 + os.getpid() % 900 * 1000 + next(_counter()) % 1000
    # The program, because trees may be deeper than Python can walk; -h -P: links are not followed.
    done = subprocess.run(
        ["chown", "-R", "-h", "-P", f"{user}:{user}", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise OSError(f"{folder} cannot be given to user {user}: {done.stdout.strip()}")
    # bwrap as root has given up the right to enter a 0700 folder of another user.
    folder.chmod(0o755)
    return user


def _dropping(user: int) -> tuple[str, ...]:
    """What turns root inside into user, for good, before the rest of the command line."""
    return (
        "setpriv",
        f"--reuid={user}",
        f"--regid={user}",
        "--clear-groups",
        "--inh-caps=-all",
        "--ambient-caps=-all",
        "--bounding-set=-all",
        "--no-new-privs",
        "--",
    )
