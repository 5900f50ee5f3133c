"""How long people wait where nothing is asked: python tests/benchmarks/start.py [-n RUNS]. Needs make for one row.

Out: whole processes, medians of runs that take turns, in milliseconds and as multiples of `python -c pass`; for a
thousand requirement files as multiples of make on a thousand targets with its built-in rules.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPO = Path(__file__).parents[2]
UNITS = 1000
MODEL = """\
import re, sys
print("````\\nprint(" + re.search("Print ([0-9]+)", sys.stdin.read()).group(1) + ")\\n````")
"""


def seconds(command: list[str], folder: Path, env: dict[str, str]) -> float:
    """The time of one process; its output does not count, its failure does."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def table(rows: dict[str, Callable[[], float]], runs: int) -> None:
    """Print the medians of all rows, which take turns, and their ratio to the first."""
    found: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(runs):
        for name, row in rows.items():
            found[name].append(row())
    base = statistics.median(next(iter(found.values())))
    for name, times in found.items():
        middle = statistics.median(times)
        print(f"{middle * 1000:8.0f} ms  {middle / base:6.2f} x  {name}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=9)
    runs = parser.parse_args().n
    with tempfile.TemporaryDirectory() as private:
        top = Path(private)
        env = {**os.environ, "PYTHONPATH": str(REPO), "AI_CODING_JOURNAL": str(top / "journal")}
        tool = [sys.executable, "-P", "-m", "ai_coding"]
        for name in ("ai_coding", "self", "tests", "examples"):
            shutil.copytree(REPO / name, top / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
        (top / "tree/.git").mkdir()
        shutil.copy(REPO / "setup.py", top / "tree")
        tree, locked = top / "tree", {**env, "AI_CODING_JOURNAL": str(top / "empty")}

        def fresh_clone() -> float:
            shutil.rmtree(top / "empty", ignore_errors=True)
            return seconds([*tool, "self/ai_coder.toml", "--locked", "-q"], tree, locked)

        for path in ("self/ai_coder.toml", "examples/qsort.toml"):
            seconds([*tool, path, "-q"], tree, env)
        table(
            {
                "python -c pass": lambda: seconds([sys.executable, "-c", "pass"], tree, env),
                "ai_coding --help": lambda: seconds([*tool, "--help"], tree, env),
                "one unit, up to date": lambda: seconds([*tool, "examples/qsort.toml"], tree, env),
                "the whole package, up to date": lambda: seconds([*tool, "self/ai_coder.toml"], tree, env),
                "the whole package from its locks, nothing remembered": fresh_clone,
            },
            runs,
        )
        many = top / "many"
        many.mkdir()
        (many / "model.py").write_text(MODEL)
        for number in range(UNITS):
            text = f'[file]\nname = "u{number}"\nlanguage = "python"\n[project]\nrequirements = "Print {number}."\n'
            (many / f"u{number}.toml").write_text(text)
        seconds([*tool, ".", "-q", "-m", f"command:{sys.executable} model.py"], many, env)
        outputs = " ".join(f"u{number}.py" for number in range(UNITS))
        (many / "Makefile").write_text(f"all: {outputs}\n%.py: %.toml\n\tfalse\n")
        for program in many.glob("*.py"):
            program.touch()
        print()
        rows = {"make": lambda: seconds(["make", "-s"], many, env)} if shutil.which("make") else {}
        rows[f"ai_coding, {UNITS} requirement files, up to date"] = lambda: seconds([*tool, "."], many, env)
        table(rows, runs)


if __name__ == "__main__":
    main()
