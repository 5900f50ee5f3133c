"""How long people wait where nothing is asked: python tests/benchmarks/start.py [-n RUNS].

Compares starting the tool, and builds of what is up to date, with the least that Python itself needs; then a
thousand requirement files with make, its built-in rules on, and doit on a thousand targets: what people use today
to leave alone what is done. The row of make needs make; that of doit installs doit into an environment of its own.

Out: whole processes, medians of runs that take turns, in milliseconds and as multiples of the first row. The goals:
at most 100 ms and five times `python -c pass`; and not slower than make or doit.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import REPO, Run, run, table

UNITS = 1000
DODO = """\
def task_build():
    for number in range(UNITS):
        yield {
            "name": number, "actions": ["true"], "file_dep": [f"u{number}.toml"], "targets": [f"u{number}.py"],
        }
"""
MODEL = """\
import re, sys
print("````\\nprint(" + re.search("Print ([0-9]+)", sys.stdin.read()).group(1) + ")\\n````")
"""


def with_doit(top: Path) -> list[str]:
    """The words that start doit; none if it cannot be had."""
    if found := shutil.which("doit"):
        return [found]
    subprocess.run([sys.executable, "-m", "venv", str(top / "venv")], check=True)
    got = subprocess.run([str(top / "venv/bin/python"), "-m", "pip", "install", "-q", "doit"], capture_output=True)
    return [str(top / "venv/bin/doit")] if got.returncode == 0 else []


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

        def fresh_clone() -> Run:
            shutil.rmtree(top / "empty", ignore_errors=True)
            return run([*tool, "self/ai_coder.toml", "--locked", "-q"], tree, locked)

        for path in ("self/ai_coder.toml", "examples/qsort.toml"):
            run([*tool, path, "-q"], tree, env)
        table(
            {
                "python -c pass": lambda: run([sys.executable, "-c", "pass"], tree, env),
                "ai_coding --help": lambda: run([*tool, "--help"], tree, env),
                "one unit, up to date": lambda: run([*tool, "examples/qsort.toml"], tree, env),
                "the whole package, up to date": lambda: run([*tool, "self/ai_coder.toml"], tree, env),
                "the whole package from its locks, nothing remembered": fresh_clone,
            },
            runs,
        )
        many = top / "many"
        many.mkdir()
        (many / "model.py").write_text(MODEL)
        for number in range(UNITS):
            text = f'[file]\nname = "u{number}"\nlanguage = "python"\n[project]\nrequirements = "Print {number}."\n'
            text += "[build]\ncritics = []\n"
            (many / f"u{number}.toml").write_text(text)
        run([*tool, ".", "-q", "-m", f"command:{sys.executable} model.py"], many, env)
        outputs = " ".join(f"u{number}.py" for number in range(UNITS))
        (many / "Makefile").write_text(f"all: {outputs}\n%.py: %.toml\n\tfalse\n")
        for program in many.glob("*.py"):
            program.touch()
        (many / "dodo.py").write_text(DODO.replace("UNITS", str(UNITS)))
        rows = {f"ai_coding, {UNITS} requirement files, up to date": lambda: run([*tool, "."], many, env)}
        if shutil.which("make"):
            rows[f"make, {UNITS} targets, built-in rules"] = lambda: run(["make", "-s"], many, env)
        if doit := with_doit(top):
            run(doit, many, env)
            rows[f"doit, {UNITS} tasks"] = lambda: run(doit, many, env)
        table(rows, runs)


if __name__ == "__main__":
    main()
