"""How well a build of many units keeps a slow model busy: python tests/benchmarks/parallel.py [-n RUNS] [-u UNITS].

UNITS units are built, 50 at a time, by a model that needs a second for an answer. Were there nothing but waiting,
that would take UNITS / 50 seconds. But every program is judged, in processes of its own, and these need the
processors: no number of workers can hide that. So the ideal is the longer of the two: the waiting alone, or what the
critics' tools need for all units, on all processors, if they are started from here, without a sandbox. The column
`at once` has the same build with a model that answers at once: the tool's own work and all judging, without waiting.

Out: for units that nothing judges, units with a test and units with all critics the medians of runs that take
turns, in seconds, and the ideal as a share of the time measured, which is to be at least 90 %.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measure import REPO, Run, note, run, take_turns

AT_ONCE = 50
PROGRAM = "print(7)\n"
KINDS = {"nothing": [], "one test": ["tests"], "all critics": ["syntax", "flake8", "interface", "tests"]}
ALONE = {
    "nothing": [],
    "one test": [["u.py"]],
    "all critics": [["-c", "import ast"], ["-m", "flake8", "--isolated", "u.py"], ["u.py"]],
}


def serve(seconds: float) -> "subprocess.Popen[str]":
    script = str(Path(__file__).with_name("model.py"))
    return subprocess.Popen([sys.executable, script, str(seconds), f"````\n{PROGRAM}````\n"], stdout=-1, text=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=3)
    parser.add_argument("-u", type=int, default=200)
    options = parser.parse_args()
    with serve(1) as slow, serve(0) as quick, tempfile.TemporaryDirectory() as private:
        try:
            assert slow.stdout and quick.stdout
            addresses = {"slow": slow.stdout.readline().strip(), "quick": quick.stdout.readline().strip()}
            measure(Path(private), addresses, options.n, options.u)
        finally:
            slow.kill()
            quick.kill()


def measure(top: Path, addresses: dict[str, str], runs: int, units: int) -> None:
    names = ("PATH", "HOME", "LANG")
    env = {name: os.environ[name] for name in names if name in os.environ}
    env |= {"PYTHONPATH": str(REPO), "AI_CODING_JOURNAL": str(top / "journal")}
    (top / "u.py").write_text(PROGRAM)

    def build(kind: str, speed: str) -> Run:
        for old in (top / "many", top / "journal"):
            shutil.rmtree(old, ignore_errors=True)
        (top / "many").mkdir()
        test = '[[tests]]\nname = "t"\nstdout = "7\\n"\n'
        for number in range(units):
            text = f'[file]\nname = "u{number}"\nlanguage = "python"\n[project]\nrequirements = "Print 7."\n'
            text += f"[build]\ncritics = {json.dumps(KINDS[kind])}\n{test}"
            (top / f"many/u{number}.toml").write_text(text)
        command = [sys.executable, "-P", "-m", "ai_coding", ".", "-q", "-j", str(AT_ONCE), "-m", "openai:fixed"]
        done = run(command, top / "many", {**env, "OPENAI_API_URL": addresses[speed]})
        assert len(list((top / "many").glob("*.py"))) == units
        return done

    def alone(kind: str) -> Run:
        each = [run([sys.executable, *words], top, env) for words in ALONE[kind]]
        return Run(sum(one.seconds for one in each), sum(one.work for one in each), 0.0)

    rows: dict[tuple[str, str], Callable[[], Run]] = {}
    for kind in KINDS:
        rows |= {(kind, speed): partial(build, kind, speed) for speed in addresses}
        rows[kind, "alone"] = partial(alone, kind)
    found = take_turns(rows, runs)
    waiting = -(-units // AT_ONCE)
    print(f"{units} units, {AT_ONCE} at a time, a second for an answer: {waiting} s of waiting\n")
    print(" measured      at once      ideal  share  work a unit  critics alone  memory  judged by")
    for kind in KINDS:
        slow, quick, bare = (found[kind, way] for way in ("slow", "quick", "alone"))
        ideal = max(float(waiting), bare.work * units / (os.cpu_count() or 1))
        print(
            f"{slow.seconds:7.1f} s {quick.seconds:10.1f} s {ideal:8.1f} s {ideal / slow.seconds:6.0%} "
            f"{slow.work / units * 1000:9.0f} ms {bare.work * 1000:11.0f} ms {slow.memory:5.0f} MB  {kind}"
        )
    note(runs)


if __name__ == "__main__":
    main()
