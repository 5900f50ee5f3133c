"""How the benchmarks measure: whole processes that take turns, medians, peak memory, and how busy the machine is.

Out: a table on standard output, one row for each command: its time, as a multiple of the first row's, too; the
processors' time, which says more where others are at work on the machine; and the peak memory of the largest
process among the command and all that it started, which is never below that of the benchmark itself.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

REPO = Path(__file__).parents[2]
Name = TypeVar("Name")


class Run(NamedTuple):
    """One process: seconds of the clock, seconds of the processors (all that it started too), megabytes."""

    seconds: float
    work: float
    memory: float


def run(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Run:
    """Run a command; its output does not count, its failure ends the benchmark."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)
    # wait4 tells of this process alone; getrusage would tell of the largest so far.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def take_turns(rows: Mapping[Name, Callable[[], Run]], runs: int) -> dict[Name, Run]:
    """The medians of all rows, which take turns: what else the machine does meets all of them alike."""
    found: dict[Name, list[Run]] = {name: [] for name in rows}
    for _ in range(runs):
        for name, row in rows.items():
            found[name].append(row())
    return {name: Run(*map(statistics.median, zip(*each))) for name, each in found.items()}


def table(rows: Mapping[str, Callable[[], Run]], runs: int) -> dict[str, Run]:
    """Print the medians of all rows, and how many times the first row's each is; they are returned, too."""
    medians = take_turns(rows, runs)
    base = next(iter(medians.values())).seconds
    for name, each in medians.items():
        ratio, work = each.seconds / base, each.work * 1000
        print(
            f"{each.seconds * 1000:8.0f} ms {ratio:6.2f} x {work:8.0f} ms of processors {each.memory:5.0f} MB  {name}"
        )
    note(runs)
    return medians


def note(runs: int) -> None:
    """Say what the numbers above are, and how busy the machine is."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"medians of {runs} runs; {os.cpu_count()} processors, load {load} (1, 5, 15 minutes)\n", flush=True)
