"""What the tiers of the sandbox have in common, and the one that confines nothing.

A tier is a way to run a program that nobody has read: a context manager with the parameters of
`unconfined` that yields a Start. Nothing here starts a process or looks at a file.

In: a command, the folder it works in, the variables it asks for and its timeout in seconds.
Out: a Start, which says what is to be started and how its end is learnt.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MEMORY, FILE, PROCESSES = 2**30, 2**26, 128  # bytes, bytes a file, number; of one run

_OPEN_FILES = 512
_SPARE_CPU = 2  # seconds beyond the timeout, so that it is the timeout that ends a run
_STEERING = ("LD_", "GLIBC_", "GCONV_PATH", "LOCPATH", "NLSPATH", "LANGUAGE", "MALLOC_")


@dataclass(frozen=True)
class Start:
    """What is to be started, and how its end is learnt.

    In this one the started process becomes the command.

    environment: all of it. folder: where it starts, None for the current one.
    handles: the descriptors to pass on.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path | None = None
    handles: tuple[int, ...] = ()

    def kill(self) -> None:
        """End what the process group of the started process does not hold; here that is nothing.

        Called while that process still runs, before its group is killed. Raises nothing if all is
        gone already.
        """

    def exit_code(self, code: int) -> int | None:
        """The command's exit code, once the started process has ended with code;
        None if it is not known.

        Here code itself. Not known is it above all where the command was never started.
        """
        return code


def environment(home: str, env: Mapping[str, str]) -> dict[str, str]:
    """What the programs before the command start with: R2, R4."""
    return {
        "PATH": f"{sys.prefix}/bin:{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TERM": "dumb",
        **{name: value for name, value in env.items() if not _steers(name)},
    }


def limited(
    command: Sequence[str], env: Mapping[str, str], timeout: float, processes: int = 0
) -> tuple[str, ...]:
    """The command behind the programs that set its limits (R3) and its steering variables (R4).

    timeout in seconds.
    """
    limits = {
        "core": 0,
        "cpu": int(timeout) + _SPARE_CPU,
        # Not the address space: node reserves far more of it than it uses.
        "data": MEMORY,
        "fsize": FILE,
        "nofile": _OPEN_FILES,
    }
    if processes:
        limits["nproc"] = processes
    options = (f"--{name}={limit}:{limit}" for name, limit in limits.items())
    steering = tuple(f"{name}={value}" for name, value in env.items() if _steers(name))
    # Behind prlimit, as what steers programs must reach none that has no limits yet.
    setting = ("env", "--", *steering) if steering else ()
    return ("prlimit", *options, "--", *setting, *command)


@contextmanager
def unconfined(
    command: Sequence[str], folder: Path, env: Mapping[str, str], timeout: float
) -> Iterator[Start]:
    """The tier that confines nothing: command in folder, with limits alone. timeout in seconds."""
    place = folder.absolute()
    yield Start(limited(command, env, timeout), environment(str(place), env), place)


def _steers(name: str) -> bool:
    """Whether a variable of this name could lead a program to a stranger's code."""
    return name == "PATH" or name.startswith(_STEERING)
