"""Proves, offline, that the package is what its requirement files say.

The tree is compared with its newest archived generation, every archived generation with its own
report, the files of the tree with what the units yield, and every unit is replayed from its
transcript. Nothing is written, and nobody is asked.

In: the root of the tree, with the archived generations below history/.
Out: a Proof: every problem as a Diagnostic with its file and a way out, the counts of lines, and
the number of units. Run as a program: the answer to another generation that asks for a replay.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ai_coding import generation, replay, workspace
from ai_coding.diagnostic import Diagnostic, Span, error, errors
from ai_coding.ir import Spec

SELF = generation.SELF  # offered here too, for the command line

_ITERATION = "ai_coding/iteration.txt"


@dataclass(frozen=True)
class Proof:
    """What check found. counts: as `generation.counts`; units: how many requirement files yield a program."""

    problems: tuple[Diagnostic, ...]
    counts: Mapping[str, int]
    units: int


def check(root: Path) -> Proof:
    """Compare the tree with its newest archived generation, and replay every unit's transcript."""
    # Resolved, so that files of faults are found to lie in it, whether links were followed or not.
    root = root.resolve()
    specs, faults = workspace.load([root / SELF])
    counts = generation.counts(root, specs)
    numbers = generation.iterations(root)
    if not numbers:
        way_out = "restore history/ from version control, or run `ai_coding self`"
        nothing = error("no-generation", "there is no archived generation", help=way_out)
        return Proof((nothing,), counts, len(specs))
    tree = generation.tree(root)
    problems = (
        *_differences(root, tree, numbers[-1]),
        *(found for number in numbers for found in _damage(root, number)),
        *_unlisted(root, tree, specs),
        *(_placed(root, fault) for fault in errors(faults)),
        *_replayed(root, numbers, specs),
    )
    return Proof(problems, counts, len(specs))


def _differences(root: Path, tree: Mapping[str, str], newest: int) -> Iterator[Diagnostic]:
    archived = generation.tree(root / generation.home(newest))
    for path in sorted(tree.keys() | archived.keys()):
        if path not in archived:
            message = f"{path} is not in generation {newest}"
            yield generation.problem("not-generated", path, message)
        elif path not in tree:
            message = f"{path} is missing, but generation {newest} has it"
            yield generation.problem("differs", path, message)
        elif tree[path] != archived[path]:
            message = f"{path} is not the same as in generation {newest}"
            yield generation.problem("differs", path, message)


def _damage(root: Path, number: int) -> Iterator[Diagnostic]:
    home = generation.home(number)
    reported = _reported(root / home / "report.json")
    if reported is None:
        why = "it cannot be read, or does not say which files the generation has"
        yield generation.damaged(f"{home}/report.json", why)
        return
    present = generation.manifest(root / home)
    for path in sorted(reported.keys() | present.keys()):
        if path not in reported:
            yield generation.damaged(f"{home}/{path}", "it is not in the generation's report.json")
        elif path not in present:
            yield generation.damaged(f"{home}/{path}", "it is missing")
        elif reported[path] != present[path]:
            yield generation.damaged(f"{home}/{path}", "its digest is not the one in report.json")


def _reported(report: Path) -> dict[str, str] | None:
    """Path -> digest as the report says it, or None if it does not."""
    try:
        value = json.loads(generation.content(report) or b"")
    except (ValueError, RecursionError):  # the latter: nested too deeply
        return None
    files = value.get("files") if isinstance(value, dict) else None
    if isinstance(files, dict) and all(isinstance(digest, str) for digest in files.values()):
        return files
    return None


def _unlisted(root: Path, tree: Mapping[str, str], specs: Sequence[Spec]) -> Iterator[Diagnostic]:
    # What is wrong with the workspace is among the faults that loading its units told.
    space, _ = workspace.read(root / SELF)
    data: Mapping[str, bytes] = space.data if space else {}
    listed = {_ITERATION, *data, *(spec.entry for spec in specs)}
    for path in sorted(tree.keys() - listed):
        if not path.startswith("self/"):
            message = f"no unit yields {path}, and {SELF.as_posix()} does not name it as data"
            yield generation.problem("not-listed", path, message)


def _placed(root: Path, fault: Diagnostic) -> Diagnostic:
    """The fault with a place, relative to the root if it lies there, and with a way out."""
    span = fault.span or Span(SELF.as_posix())
    if fault.span:
        # Not Path.resolve: it raises where links form a loop.
        path = Path(os.path.abspath(span.file))
        if path.is_relative_to(root):
            span = replace(span, file=path.relative_to(root).as_posix())
    return replace(fault, span=span, help=fault.help or generation.CHANGE)


def _replayed(root: Path, numbers: Sequence[int], specs: Sequence[Spec]) -> Iterator[Diagnostic]:
    units: dict[int, list[Spec]] = {}
    for spec in specs:
        # os.path.isfile never raises, and is true of a file that cannot be read: replaying tells.
        having = [n for n in numbers if os.path.isfile(root / generation.transcript(n, spec))]
        if having:
            units.setdefault(having[-1], []).append(spec)
        else:
            path = SELF.with_name(spec.path.name).as_posix()
            message = f"no generation has a transcript of {path}"
            yield generation.problem("no-transcript", path, message)
    for number in sorted(units):
        ask = replay.here if number == numbers[-1] else replay.elsewhere
        yield from ask(root, number, units[number])


if __name__ == "__main__":
    sys.exit(replay.answer(sys.argv[1:]))
