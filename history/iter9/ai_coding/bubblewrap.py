"""The tier bubblewrap: a command sees little of the host and writes in its folder alone.

Nothing here starts bwrap: it is said how to start it, and what it reports is read.

In: a command, its folder, its environment and its time in seconds; the PATH of this process.
Out: a Confined, which says how bwrap is started, how all in it is killed and how it ended.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from ai_coding.tiers import FILE, PROCESSES, Start, environment, limited

WORK = "/sandbox"  # what a program in bubblewrap takes its folder for

# For a normal user only: as root it would map 0 to 0, and uid 0 with a /proc has a way out.
_USER = "--unshare-user --uid 1000 --gid 1000 --disable-userns"
_ISOLATED = (
    "--unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --unshare-net"
    " --die-with-parent --new-session --hostname sandbox --clearenv"
)
_SYSTEM = ("bin", "sbin", "lib", "lib64")
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
_SEALED = "--remount-ro /dev --remount-ro / --cap-drop ALL"
_FOR_SETPRIV = "--cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP"
_DROPPED = (
    "--clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs --"
)

# count itself is cached, not a function around it: no other thread can come between the
# look-up and the making of the counter, so there is only one.
_numbers = cache(count)


@dataclass(frozen=True)
class Confined(Start):
    "Adds no field. handles: the descriptor of the options, then that of the report. kill and exit_code: R4, R5."

    def kill(self) -> None:
        """Kill the first process of the namespace, which takes all others of it along.

        Raises nothing if it is not reported yet or gone already.
        """
        number = _reported(self.handles[1], "child-pid")
        if number is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)

    def exit_code(self, code: int) -> int | None:
        """The exit code that bwrap reported; None without one, whatever code bwrap ended with."""
        return _reported(self.handles[1], "exit-code")


def options(folder: Path, variables: Mapping[str, str], root: bool, status: int) -> list[str]:
    """bwrap's options in their order: R6. variables: the whole environment. root: whether root calls bwrap.

    status: the descriptor that bwrap reports to. Raises OSError for a variable that is too long.
    """
    words: list[str] = [] if root else _USER.split()
    words += _ISOLATED.split()
    longest = 32 * os.sysconf("SC_PAGE_SIZE")
    for name, value in variables.items():
        if len(os.fsencode(f"{name}={value}")) + len("\0") > longest:
            raise OSError(errno.E2BIG, f"This variable is too long to start anything: {name[:80]}")
        words += ["--setenv", name, value]
    words += _system()
    for prefix in dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix))):
        if not prefix.is_relative_to("/usr"):
            words += _bound(prefix)
    words += ["--bind", os.path.realpath(folder), WORK, "--chdir", WORK]
    words += _SEALED.split()
    if root:
        words += _FOR_SETPRIV.split()
    return [*words, "--json-status-fd", str(status)]


@contextmanager
def confined(
    command: Sequence[str], folder: Path, env: Mapping[str, str], timeout: float
) -> Iterator[Confined]:
    """What runs command in folder, confined; the context is to stay open while it runs. timeout in seconds.

    Raises OSError or ValueError, when it is entered, if nothing could be started so. The caller has ruled out NUL.
    """
    # bwrap gets no PATH, since its environment stays readable inside: so it is looked up here.
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise FileNotFoundError(errno.ENOENT, "This program is not in the PATH", "bwrap")
    place = Path(os.path.realpath(folder, strict=True))
    root = os.geteuid() == 0
    with (
        open(os.memfd_create("bwrap-options"), "wb") as arguments,
        open(os.memfd_create("bwrap-status"), "wb") as report,
    ):
        handles = (arguments.fileno(), report.fileno())
        words = options(place, environment(WORK, env), root, handles[1])
        arguments.write(b"".join(os.fsencode(word) + b"\0" for word in words))
        arguments.seek(0)
        argv = [os.path.abspath(bwrap), "--args", str(handles[0]), "--"]
        if root:
            argv += _given_away(place)
        argv += ["timeout", "--foreground", "-s", "KILL", str(timeout + 3)]
        argv += limited(command, env, timeout, PROCESSES)
        yield Confined(tuple(argv), {}, None, handles)


def _reported(status: int, name: str) -> int | None:
    """The number that bwrap has reported under this name so far."""
    # bwrap writes at the offset that it shares with us; os.pread leaves it where it is.
    content = os.pread(status, os.fstat(status).st_size, 0)
    for line in content.split(b"\n")[:-1]:  # what follows the last newline is not complete yet
        value = json.loads(line).get(name)
        if isinstance(value, int):
            return value
    return None


def _system() -> list[str]:
    """The options that show what belongs to the system, and the places that are empty."""
    words = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        if Path("/", name).is_symlink():
            words += ["--symlink", f"usr/{name}", f"/{name}"]
        else:
            words += ["--ro-bind-try", f"/{name}", f"/{name}"]
    words += ["--perms", "0755", "--dir", "/etc"]
    for name in _ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/dev/shm", "/tmp"):
        words += ["--perms", "1777", "--size", str(FILE), "--tmpfs", path]
    return words


def _bound(prefix: Path) -> list[str]:
    """The options that show a folder at its own place."""
    words: list[str] = []
    # bwrap would make the parents 0700, closed to the user that the command runs as.
    for parent in reversed(prefix.parents[:-1]):
        words += ["--perms", "0755", "--dir", str(parent)]
    return [*words, "--ro-bind", str(prefix), str(prefix)]


def _given_away(folder: Path) -> list[str]:
    """Give the folder to a user of this run alone; the words before a command that become it.

    Raises OSError if the folder cannot be given away.
    """
    # A block of numbers for each process: however many runs it has, it stays out of the
    # blocks of the process ids beside it.
    user = 100_000 + os.getpid() % 900 * 1000 + next(_numbers()) % 1000
    done = subprocess.run(
        ["chown", "-R", "-P", "-h", f"{user}:{user}", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout.decode("utf-8", errors="replace").strip()
        raise OSError(f"chown failed with {done.returncode}: {said}")
    # bwrap as root has given up the right to enter a 0700 folder of another user.
    folder.chmod(0o755)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", *_DROPPED.split()]
