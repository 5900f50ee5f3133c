"""Replays transcripts offline: the strategy has to ask what was asked then and to end in the bytes
of now.

In: the root, the number of an archived generation and the Specs of units; or, from another
generation that asks, the same as words of a command line.
Out: for each unit at most one Diagnostic, the first difference; as JSON for another generation.
Also whether nothing but the tests of a unit has changed since that generation.
Nothing is written, and neither a model nor a critic is asked.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ai_coding import generation, lock, prompt, transcript, walk, workspace
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Ask, Judge, Program, Spec
from ai_coding.strategies.direct import direct

_KEYS = ("code", "path", "message", "help")


def here(root: Path, number: int, specs: Sequence[Spec]) -> list[Diagnostic]:
    """What is wrong with these units, replayed by this program from their transcripts in
    generation number.
    """
    found = (_replay(root, number, spec) for spec in specs)
    return [problem for problem in found if problem is not None]


def retested(root: Path, number: int, spec: Spec) -> bool:
    """Have only the tests of the unit changed since generation number? Never raises for what the
    archive holds.
    """
    accepted = lock.read(root / _lock_path(number, spec))
    if not isinstance(accepted, lock.Lock) or dict(accepted.asked) != lock.asked(spec):
        return False
    return _tests(accepted.judged) != _tests(lock.judged(spec, {}))


def elsewhere(root: Path, number: int, specs: Sequence[Spec]) -> list[Diagnostic]:
    """The same, replayed by the program of the archived generation number, in a process of its own.
    """
    home = generation.home(number)
    names = [spec.path.name for spec in specs]
    # The archive has to stay as it was: no byte code may be written into it.
    environment = {"PYTHONPATH": str(root / home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ai_coding.proof", str(root), str(number), *names],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    problems = _told(done.stdout) if done.returncode == 0 else None
    if problems is not None:
        return problems
    said = done.stderr.decode("utf-8", "replace").strip() or "nothing"
    why = (
        f"it gives no list of problems for {', '.join(names)}: "
        f"exit code {done.returncode}, standard error: {said}"
    )
    return [generation.damaged(f"{home}/ai_coding/proof.py", why, "no-replay")]


def answer(arguments: Sequence[str]) -> int:
    """Print what is wrong with units for another generation that asks. arguments: ROOT, N, NAME….
    Returns the exit code.
    """
    if len(arguments) < 2 or not re.fullmatch("[0-9]+", arguments[1]):
        print("usage: python -P -m ai_coding.proof ROOT N [NAME ...]", file=sys.stderr)
        return 2
    root, names = Path(arguments[0]), arguments[2:]
    specs, faults = workspace.load([root / generation.SELF])
    units = {spec.path.name: spec for spec in specs}
    missing = [name for name in names if name not in units]
    if missing:
        print(f"no unit of {root / generation.SELF}: {', '.join(missing)}", file=sys.stderr)
        for fault in faults:
            print(fault, file=sys.stderr)
        return 1
    rows = [
        {
            "code": problem.code,
            "path": problem.span.file if problem.span else "",
            "message": problem.message,
            "help": problem.help,
        }
        for problem in here(root, int(arguments[1]), [units[name] for name in names])
    ]
    print(json.dumps(rows))
    return 0


def _lock_path(number: int, spec: Spec) -> str:
    """The lock of the unit in that generation, relative to the root."""
    folder = generation.SELF.parent.as_posix()
    return f"{generation.home(number)}/{folder}/{lock.path_for(spec.path).name}"


def _tests(judged: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in judged.items() if key.startswith("test ")}


def _replay(root: Path, number: int, spec: Spec) -> Diagnostic | None:
    """The first problem of one unit."""
    at = generation.transcript(number, spec)
    data = generation.content(root / at)
    if data is None:
        return generation.damaged(at, "it cannot be read")
    recorded = transcript.read(data)
    if isinstance(recorded, str):
        return generation.damaged(at, recorded)
    strategy = _strategy(root, at, spec, recorded.base)
    if isinstance(strategy, Diagnostic):
        return strategy
    # A request that showed other tests cannot be made again: then the walk is a loose one.
    program = walk.walk(at, spec, recorded, strategy, retested(root, number, spec))
    if isinstance(program, Diagnostic):
        return program
    text = _text(root / spec.entry)
    if text is None or dict(program.files) != {spec.entry: text}:
        why = f"it is not the program, byte for byte, in which the replay of {at} ends"
        return generation.problem("other-bytes", spec.entry, why)
    return None


def _strategy(
    root: Path, at: str, spec: Spec, base: int | None
) -> Generator[Ask | Judge, Any, Program] | Diagnostic:
    """The strategy, started from what that build started from, or what is damaged there."""
    if base is None:
        return direct(spec)
    home = generation.home(base)
    # Not Path.is_dir: that raises where the number makes a name that is too long.
    if not os.path.isdir(root / home):
        return generation.damaged(at, f"its build started from {home}, which is not there")
    path = _lock_path(base, spec)
    accepted = lock.read(root / path)
    if accepted is None:
        return generation.damaged(path, f"it is not there, but {at} starts from it")
    if isinstance(accepted, Diagnostic):
        return generation.damaged(path, accepted.message)
    files: dict[str, str] = {}
    for name in accepted.digests or accepted.program.files:
        text = _text(root / home / name)
        if text is None:
            return generation.damaged(f"{home}/{name}", "it cannot be read as UTF-8")
        files[name] = text
    changes = prompt.difference(accepted.asked, lock.asked(spec))
    return direct(spec, Program(files, accepted.program.entry), changes)


def _text(path: Path) -> str | None:
    """What the file holds, line ends and all; None if it cannot be read or is not UTF-8."""
    data = generation.content(path)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _told(output: bytes) -> list[Diagnostic] | None:
    """The problems that a generation printed; None if that is anything but a list of them."""
    try:
        rows = json.loads(output.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list):
        return None
    problems: list[Diagnostic] = []
    for row in rows:
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in _KEYS):
            return None
        problems.append(error(row["code"], row["message"], Span(row["path"]), row["help"]))
    return problems
