"""Replays transcripts offline: the strategy has to ask what was asked then and to end in the bytes of now.

In: the root of the tree, the number of an archived generation and the units to replay from its transcripts.
Out: at most one problem for each unit, the first; nothing is written and no model or critic is asked.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from ai_coding import generation, lock, prompt, transcript, workspace
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Ask, Judge, Program, Request, Spec
from ai_coding.strategies.direct import direct

_Strategy = Generator[Ask | Judge, Any, Program]


def here(root: Path, number: int, specs: Sequence[Spec]) -> list[Diagnostic]:
    """What is wrong with these units, replayed by this program from their transcripts in generation number."""
    found = [_replayed(root, generation.transcript(number, spec), spec) for spec in specs]
    return [problem for problem in found if problem is not None]


def elsewhere(root: Path, number: int, specs: Sequence[Spec]) -> list[Diagnostic]:
    """The same, replayed by the program of the archived generation number, in a process of its own."""
    home = generation.home(number)
    names = [spec.path.name for spec in specs]
    process = subprocess.run(
        [sys.executable, "-P", "-m", "ai_coding.proof", str(root), str(number), *names],
        env={**os.environ, "PYTHONPATH": str(root / home), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    problems = _parsed(process.stdout) if process.returncode == 0 else None
    if problems is not None:
        return problems
    said = process.stderr.decode("utf-8", "replace").strip() or "nothing"
    why = (
        f"asked about {', '.join(names)}, it gave no valid answer"
        f" (exit code {process.returncode}); on standard error: {said}"
    )
    return [generation.damaged(f"{home}/ai_coding/proof.py", why, "no-replay")]


def answer(arguments: Sequence[str]) -> int:
    """Print what is wrong with units for another generation that asks.

    arguments: ROOT, N, NAME…. Returns the exit code.
    """
    # isdigit alone would take digits of all scripts.
    if len(arguments) < 2 or not (arguments[1].isascii() and arguments[1].isdigit()):
        print("usage: python -m ai_coding.proof ROOT N [NAME ...]", file=sys.stderr)
        return 2
    root, names = Path(arguments[0]), arguments[2:]
    specs, faults = workspace.load([root / generation.SELF])
    units = {spec.path.name: spec for spec in specs}
    missing = [name for name in names if name not in units]
    if missing:
        print(f"no unit of {root / generation.SELF}: {', '.join(missing)}", file=sys.stderr)
        for fault in faults:
            place = f"{fault.span.file}:{fault.span.line}: " if fault.span else ""
            said = f"{place}{fault.severity}: {fault.message} {fault.help}"
            print(said.rstrip(), file=sys.stderr)
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


def _replayed(root: Path, path: str, spec: Spec) -> Diagnostic | None:
    """The first problem of a unit. path: its transcript, relative to root."""
    data = generation.content(root / path)
    if data is None:
        return generation.damaged(path, "it cannot be read")
    record = transcript.read(data)
    if isinstance(record, str):
        return generation.damaged(path, record)
    strategy = _started(root, path, record.base, spec)
    if isinstance(strategy, Diagnostic):
        return strategy
    return _walked(root, path, spec, record, strategy)


def _started(root: Path, path: str, base: int | None, spec: Spec) -> _Strategy | Diagnostic:
    """The strategy as that build started it, or what is damaged. base: the generation it started from."""
    if base is None:
        return direct(spec)
    home = generation.home(base)
    # Path.is_dir raises for a name that is too long, and the number comes from a file.
    if not os.path.isdir(root / home):
        return generation.damaged(path, f"it starts from {home}, which is not there")
    sealed = f"{home}/self/{lock.path_for(spec.path).name}"
    old = lock.read(root / sealed)
    if old is None:
        return generation.damaged(sealed, "it cannot be read")
    if isinstance(old, Diagnostic):
        return generation.damaged(sealed, old.message)
    files: dict[str, str] = {}
    for name in old.digests or old.program.files:
        text = _text(root / home / name)
        if text is None:
            return generation.damaged(f"{home}/{name}", "it cannot be read as UTF-8")
        files[name] = text
    changes = prompt.difference(old.asked, lock.asked(spec))
    return direct(spec, Program(files, old.program.entry), changes)


def _walked(
    root: Path, path: str, spec: Spec, record: transcript.Transcript, strategy: _Strategy
) -> Diagnostic | None:
    """The first difference between what the strategy needs and the recorded steps."""
    left = iter(record.steps)
    given: object = None
    while True:
        try:
            need = strategy.send(given)
        except StopIteration as stop:
            return _ended(root, path, spec, stop.value, len(list(left)))
        step = next(left, None)
        if isinstance(need, Judge):
            if not isinstance(step, transcript.Judgement) or step.program != need.program.digest:
                message = f"the program that {spec.name} has judged is not the next step of {path}"
                return generation.problem("other-program", path, message)
            try:
                given = tuple(transcript.diagnostics(step.answer))
            except ValueError as wrong:
                return generation.damaged(path, str(wrong))
        else:
            request = Request(record.model, record.take, spec.parameters, need.messages)
            if not isinstance(step, transcript.Question) or step.request != request.digest:
                message = f"the request that {spec.name} renders is not the next step of {path}"
                return generation.problem("other-request", f"self/{spec.path.name}", message)
            given = step.reply["text"]


def _ended(root: Path, path: str, spec: Spec, program: Program, left: int) -> Diagnostic | None:
    """What is wrong with the end of a replay. left: how many steps were not needed."""
    if left:
        message = f"{path} goes on after the program is accepted; steps left over: {left}"
        return generation.problem("other-bytes", spec.entry, message)
    # Text decoded from UTF-8 has no lone surrogates: a reply that has some differs from any file.
    text = _text(root / spec.entry)
    if text is None or dict(program.files) != {spec.entry: text}:
        message = f"{spec.entry} is not the program in which {path} ends"
        return generation.problem("other-bytes", spec.entry, message)
    return None


def _text(path: Path) -> str | None:
    """What the file holds, with its own line ends; None where it cannot be read or is not UTF-8."""
    data = generation.content(path)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _parsed(output: bytes) -> list[Diagnostic] | None:
    """The problems that another generation printed, None if that is anything else."""
    try:
        rows = json.loads(output)
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list):
        return None
    problems = []
    for row in rows:
        match row:
            case {"code": str(code), "path": str(path), "message": str(said), "help": str(way_out)}:
                problems.append(error(code, said, Span(path), way_out))
            case _:
                return None
    return problems
