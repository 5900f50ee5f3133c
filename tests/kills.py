"""Kills builds of a workspace at random times, and says what it saw: python tests/kills.py [KILLS] [SEED].

Each round builds the workspace in builds that are killed (SIGKILL of the process group) after a random time, until a
build ends by itself. After each kill: no file of the workspace is half written, every lock is whole, and no entry of
the journal is damaged. No build asks for an answer that the journal holds. In the end all programs are there, and
nothing else is.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from ai_coding import journal, lock
from ai_coding.lock import Lock

UNITS = ("one", "two", "three", "four")
# `three` uses `one`; the first answer of `two` is wrong and is mended by an edit.
TEXTS = {name: f"WORD = '{name}'\nif __name__ == '__main__':\n    print(WORD)\n" for name in UNITS}
TEXTS["three"] = "import one\n" + TEXTS["three"]
MODEL = r"""
import hashlib, pathlib, re, sys, time
here, prompt = pathlib.Path(__file__).parent, sys.stdin.read()
digest = hashlib.sha256(prompt.encode()).hexdigest()
with open(here / "calls", "a") as calls:
    calls.write(digest + "\n")
name = re.search("Print the word ([a-z]+)", prompt)[1]
text = (here / name).read_text()
time.sleep(0.05)
if "What is wrong" in prompt:
    print(f"{digest}\n````search\nWORD = 'wrong'\n````\n````replace\nWORD = '{name}'\n````")
else:
    text = text.replace("'two'", "'wrong'")
    print(f"{digest}\n````python {name}.py\n{text}````")
"""


def prepare(folder: Path) -> list[str]:
    """Make the workspace and its model below folder; returns the command that builds it."""
    space, model = folder / "space", folder / "model"
    for path in (space, model):
        path.mkdir(parents=True)
    (space / "all.toml").write_text('[workspace]\nmembers = ["*.toml"]\n')
    for name in UNITS:
        (model / name).write_text(TEXTS[name])
        uses = 'uses = ["one.toml"]\n' if name == "three" else ""
        (space / f"{name}.toml").write_text(
            f'[file]\nname = "{name}"\nlanguage = "python"\n'
            f'[project]\nrequirements = "Print the word {name}."\ninterface = "WORD: str"\n{uses}'
            f'[[tests]]\nname = "prints"\nstdout = "{name}\\n"\n'
        )
    (model / "model.py").write_text(MODEL)
    (model / "calls").touch()
    return [sys.executable, "-m", "ai_coding", "all.toml", "-q", "-m", f"command:{sys.executable} {model / 'model.py'}"]


def answers(folder: Path) -> list[str]:
    """The digests of the prompts whose answers are in the journal, which must not hold anything damaged."""
    found = []
    for kind in ("replies", "verdicts", "units"):
        for path in (folder / "journal" / kind).glob("*/*"):
            if path.name.startswith(".tmp-"):
                continue
            entry = json.loads(path.read_bytes())
            value = journal.get(folder / "journal", kind, entry["key"])
            assert value is not None, f"{path} is damaged"
            if kind == "replies":
                digest = re.match("[0-9a-f]{64}", value["text"])
                assert digest, value
                found.append(digest[0])
    return found


def look(folder: Path) -> None:
    """Fails if anything in the workspace is neither as it was nor as it is to be."""
    for name in UNITS:
        program = folder / "space" / f"{name}.py"
        assert not program.exists() or program.read_text() == TEXTS[name], f"{program} is half written"
        found = lock.read(folder / "space" / f"{name}.lock")
        assert found is None or isinstance(found, Lock), found


def kills(folder: Path, env: dict[str, str], count: int, seed: int) -> Counter[str]:
    """Kill count builds below folder; fails at the first thing that is lost, repeated, half written or left over."""
    command, chance, seen = prepare(folder), random.Random(seed), Counter[str]()
    space, calls = folder / "space", folder / "model" / "calls"
    (folder / "temporary").mkdir()
    env = env | {"AI_CODING_JOURNAL": str(folder / "journal"), "TMPDIR": str(folder / "temporary")}
    whole = 3.0  # seconds: a guess at how long a build takes, mended by each one that ends
    while seen["killed"] < count:
        shutil.rmtree(folder / "journal", ignore_errors=True)
        for path in [*space.glob("*.py"), *space.glob("*.lock")]:
            path.unlink()
        seen["rounds"] += 1
        ended = False
        while not ended:
            stored = answers(folder)
            calls.write_text("")
            start = time.monotonic()
            build = subprocess.Popen(command, cwd=space, env=env, stderr=subprocess.PIPE, start_new_session=True)
            last = seen["killed"] >= count  # enough were killed: this one may end
            try:
                _, said = build.communicate(timeout=None if last else chance.uniform(0, whole))
                ended = True
                seen["ended by themselves"] += 1
                whole = (whole + time.monotonic() - start) / 2 if not stored else whole
                assert build.returncode == 0, said.decode()
            except subprocess.TimeoutExpired:
                os.killpg(build.pid, signal.SIGKILL)
                build.communicate()
                seen["killed"] += 1
            asked = calls.read_text().split()
            assert len(asked) == len(set(asked)), "a request was repeated within a build"
            assert not set(asked) & set(stored), "a recorded answer was asked for again"
            assert set(answers(folder)) >= set(stored), "an answer is lost"
            look(folder)
            seen["requests"] += len(asked)
            if not ended:
                seen["answers that were not recorded yet"] += len(set(asked) - set(answers(folder)))
                seen["killed with something recorded"] += bool(answers(folder))
                seen["killed while it wrote"] += any((folder / "journal" / "commits").glob("*"))
        left = {path.name for path in space.iterdir()}
        wanted = {"all.toml", *(f"{name}.{end}" for name in UNITS for end in ("toml", "py", "lock"))}
        assert left == wanted, f"left over: {left ^ wanted}"
        assert subprocess.run(command, cwd=space, env=env).returncode == 0 and calls.read_text().split() == asked
    seen["temporary folders left"] = len(list((folder / "temporary").iterdir()))
    seen["temporary files left in the journal"] = len(list((folder / "journal").rglob(".tmp-*")))
    return seen


def main() -> None:
    count, seed = (*map(int, sys.argv[1:]), *(1000, 1)[len(sys.argv) - 1 :])
    root = Path(__file__).parent.parent
    env = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ} | {"PYTHONPATH": str(root)}
    with tempfile.TemporaryDirectory() as folder:
        seen = kills(Path(folder) / "kills", env, count, seed)
    print("nothing was lost, repeated, half written or left over")
    for what, number in seen.items():
        print(f"{number:7,} {what}")


if __name__ == "__main__":
    main()
