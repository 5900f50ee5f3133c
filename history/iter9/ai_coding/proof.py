"""Proves, offline, that the package is what its requirement files say.

The tree is compared with the newest archived generation, every archived generation with its own
report, every file with what the requirement files yield, and every unit is replayed from its
transcript. Nothing is written, and nobody is asked.

In: the root of the project: its tree, its requirement files and its archive below history/.
Out: a Proof: every problem as a Diagnostic with a place and a way out, line counts, units.
"""

import json
import os.path
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ai_coding import generation, replay, workspace
from ai_coding.diagnostic import Diagnostic, Span, error, errors
from ai_coding.ir import Spec

SELF = generation.SELF  # offered here too, for the command line

_NUMBER = "ai_coding/iteration.txt"


@dataclass(frozen=True)
class Proof:
    """What check found. counts: as `generation.counts`; units: how many requirement files yield a program."""

    problems: tuple[Diagnostic, ...]
    counts: Mapping[str, int]
    units: int


def check(root: Path) -> Proof:
    """Compare the tree with its newest archived generation, and replay every unit's transcript."""
    specs, found = workspace.load([root / SELF])
    numbers = generation.iterations(root)
    if numbers:
        tree = generation.tree(root)
        problems = [
            *_compared(root, tree, numbers[-1]),
            *(damage for number in numbers for damage in _damages(root, number)),
            *_unlisted(tree, specs),
            *(_fault(root, diagnostic) for diagnostic in errors(found)),
            *_replayed(root, numbers, specs),
        ]
    else:
        way_out = "run `ai_coding self`, or restore history/ from version control"
        problems = [error("no-generation", "there is no archived generation", None, way_out)]
    return Proof(tuple(problems), generation.counts(root, specs), len(specs))


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The paths, sorted, that only one of them has or whose digests differ."""
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def _compared(root: Path, tree: Mapping[str, str], newest: int) -> list[Diagnostic]:
    archived = generation.tree(root / generation.home(newest))
    problems = []
    for path in _changed(archived, tree):
        if path not in archived:
            code, message = "not-generated", f"`{path}` is not in generation {newest}"
        elif path not in tree:
            code, message = "differs", f"`{path}` is missing, but generation {newest} has it"
        else:
            code, message = "differs", f"`{path}` is not what it is in generation {newest}"
        problems.append(generation.problem(code, path, message))
    return problems


def _reported(report: bytes | None) -> dict[str, str] | None:
    """What the report says under `files`, or None if it does not say that."""
    if report is None:
        return None
    try:
        value = json.loads(report.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    files = value.get("files") if isinstance(value, dict) else None
    if not isinstance(files, dict) or not all(isinstance(d, str) for d in files.values()):
        return None
    return files


def _damages(root: Path, number: int) -> list[Diagnostic]:
    home = generation.home(number)
    files = _reported(generation.content(root / home / "report.json"))
    if files is None:
        why = "it cannot be read, or has no `files` with a digest for each path"
        return [generation.damaged(f"{home}/report.json", why)]
    archived = generation.manifest(root / home)
    problems = []
    for path in _changed(files, archived):
        if path not in files:
            why = "report.json does not name it"
        elif path not in archived:
            why = "it is missing, but report.json names it"
        else:
            why = "it is not what report.json says"
        problems.append(generation.damaged(f"{home}/{path}", why))
    return problems


def _unlisted(tree: Iterable[str], specs: Sequence[Spec]) -> list[Diagnostic]:
    listed = {_NUMBER, *(spec.entry for spec in specs), *(path for s in specs for path in s.data)}
    message = "`{}` is neither yielded by a requirement file nor named by the workspace's `data`"
    return [
        generation.problem("not-listed", path, message.format(path))
        for path in sorted(tree)
        if path not in listed and not path.startswith("self/")
    ]


def _relative(root: Path, file: str) -> str:
    """The file relative to root, or as it is if it does not lie there."""
    path = Path(os.path.abspath(file))
    # A requirement file may be a link, and so may root: either way of naming root has to do.
    for base in (Path(os.path.abspath(root)), root.resolve()):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return file


def _fault(root: Path, diagnostic: Diagnostic) -> Diagnostic:
    """The fault of a requirement file, with a place relative to root and a way out."""
    if diagnostic.span is None:
        span = Span(SELF.as_posix())
    else:
        span = replace(diagnostic.span, file=_relative(root, diagnostic.span.file))
    return replace(diagnostic, span=span, help=diagnostic.help or generation.CHANGE)


def _replayed(root: Path, numbers: Sequence[int], specs: Sequence[Spec]) -> list[Diagnostic]:
    """What is wrong with the units: those without a transcript, then by generation, in order."""
    here: dict[int, list[Spec]] = {number: [] for number in numbers}
    elsewhere: dict[int, list[Spec]] = {number: [] for number in numbers}
    problems = []
    for spec in specs:
        # Unlike Path.is_file, os.path.isfile never raises.
        having = [n for n in numbers if os.path.isfile(root / generation.transcript(n, spec))]
        if having:
            number = having[-1]
            # The archived program would object to the request of a unit with other tests.
            ours = number == numbers[-1] or replay.retested(root, number, spec)
            (here if ours else elsewhere)[number].append(spec)
        else:
            path = SELF.with_name(spec.path.name).as_posix()
            message = f"no archived generation has a transcript of `{path}`"
            problems.append(generation.problem("no-transcript", path, message))
    for number in numbers:
        if here[number]:
            problems += replay.here(root, number, here[number])
        if elsewhere[number]:
            problems += replay.elsewhere(root, number, elsewhere[number])
    return problems


if __name__ == "__main__":
    sys.exit(replay.answer(sys.argv[1:]))
