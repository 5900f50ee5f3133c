"""Proves, offline, that the package is what its requirement files say.

In: the root of the source tree. Out: Diagnostics for every difference, and how many lines stand where. For every unit
the requirement file is rendered, the recorded reply to that very request is found by its digest and read, and the bytes
compared.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai_coding import lock, prompt, workspace
from ai_coding.diagnostic import Diagnostic, Span, error, errors
from ai_coding.ir import Ask, Program, Request, Spec, digest
from ai_coding.lock import Lock
from ai_coding.strategies.direct import direct

SELF = Path("self/ai_coder.toml")
REBUILD = "change the requirement file and run `ai_coding self`; or restore the file from version control"
RESTORE = "restore it from version control"


@dataclass(frozen=True)
class Proof:
    """problems: what is not as it should be. counts: lines by kind. units: how many modules were proven."""

    problems: tuple[Diagnostic, ...]
    counts: Mapping[str, int]
    units: int


def check(root: Path) -> Proof:
    """Compare the tree with its newest archived generation, and replay every unit's transcript."""
    newest = iterations(root)[-1] if iterations(root) else -1
    if newest < 0:
        return Proof((error("no-generation", "nothing is archived in history/", None, "run `ai_coding self`"),), {}, 0)
    archive = root / f"history/iter{newest}"
    problems = list(_archived(archive))
    for path in sorted({*_tree(root), *_tree(archive)}):
        ours, theirs = root / path, archive / path
        if not theirs.exists():
            problems.append(_fault("not-generated", path, "no requirement file or data list yields this file", REBUILD))
        elif not ours.exists() or ours.read_bytes() != theirs.read_bytes():
            problems.append(_fault("differs", path, f"this file is not what iteration {newest} was", REBUILD))
    specs, found = workspace.load([root / SELF])
    problems += found
    yielded = {spec.entry for spec in specs}
    listed = {path for spec in specs for path in spec.data} | {"ai_coding/iteration.txt"}
    for path in _tree(root):
        if not path.startswith("self/") and path not in yielded | listed:
            what = "neither does a requirement file yield it, nor does `data` name it"
            problems.append(_fault("not-listed", path, what, REBUILD))
    by: dict[int, list[str]] = {}
    for spec in specs:
        by.setdefault(_answered(root, spec, newest), []).append(spec.path.name)
    for number, names in by.items():
        problems += _replay_with(root, number, names, newest)
    return Proof(tuple(problems), counts(root, specs), len(specs))


def iterations(root: Path) -> list[int]:
    """The numbers of the archived generations, in order."""
    names = [path.name.removeprefix("iter") for path in (root / "history").glob("iter*")]
    return sorted(int(name) for name in names if name.isdecimal())


def manifest(archive: Path) -> dict[str, str]:
    """Path -> digest of every file of an archived generation but its report and notes."""
    files = sorted(path for path in archive.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    names = [path.relative_to(archive).as_posix() for path in files]
    return {name: digest((archive / name).read_bytes()) for name in names if name not in ("report.json", "NOTES.md")}


def replay(root: Path, spec: Spec, number: int) -> list[Diagnostic]:
    """Walk the strategy over the replies recorded in generation number: they must read to the file's bytes."""
    path = f"history/iter{number}/transcripts/{spec.path.stem}.json"
    try:
        return _walk(root, spec, path, json.loads((root / path).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        return [_fault("damaged-archive", path, f"it cannot be replayed: {e!r}", RESTORE)]


def _walk(root: Path, spec: Spec, path: str, record: dict[str, Any]) -> list[Diagnostic]:
    base, changes = None, ""
    if record["base"] is not None:
        before = root / f"history/iter{record['base']}"
        old = lock.read(before / "self" / lock.path_for(spec.path).name)
        if not isinstance(old, Lock):
            return [_fault("no-base", path, "the program it started from is not archived", RESTORE)]
        base = Program({spec.entry: (before / spec.entry).read_bytes().decode()}, spec.entry)
        changes = prompt.difference(old.asked, lock.asked(spec))
    strategy, answer, steps = direct(spec, base, changes), None, list(record["steps"])
    try:
        while True:
            need = strategy.send(answer)
            step = steps.pop(0) if steps else {}
            if isinstance(need, Ask):
                request = Request(record["model"], record["take"], spec.parameters, need.messages)
                if step.get("request") != request.digest:
                    what = f"its request is not the one that was answered in {path}"
                    return [_fault("other-request", f"self/{spec.path.name}", what, REBUILD)]
                answer = step["reply"]["text"]
            else:
                if step.get("program") != need.program.digest:
                    return [_fault("other-program", path, f"it does not read to the program of {spec.entry}", RESTORE)]
                answer = [Diagnostic(**{**d, "span": d["span"] and Span(**d["span"])}) for d in step["diagnostics"]]
    except StopIteration as done:
        if steps or (root / spec.entry).read_bytes() != done.value.files[spec.entry].encode():
            return [_fault("other-bytes", spec.entry, f"its recorded reply in {path} reads to other bytes", REBUILD)]
    return []


def _replay_with(root: Path, number: int, names: list[str], newest: int) -> list[Diagnostic]:
    """Replay units with the generation that asked for them: its templates rendered the requests."""
    if number < 0:
        return [
            _fault("no-transcript", f"self/{name}", "no generation has a transcript of it", REBUILD) for name in names
        ]
    if number == newest:
        specs, _ = workspace.load([root / SELF])
        return [d for spec in specs if spec.path.name in names for d in replay(root, spec, number)]
    env = {**os.environ, "PYTHONPATH": str(root / f"history/iter{number}")}
    command = [sys.executable, "-P", "-m", "ai_coding.proof", str(root), str(number), *names]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        return [_fault("no-replay", f"history/iter{number}", f"this generation cannot replay\n{done.stderr}", RESTORE)]
    return [_fault(**row) for row in json.loads(done.stdout)]


def _answered(root: Path, spec: Spec, newest: int) -> int:
    """The newest generation that asked for this unit's program; -1 if there is none."""
    name = f"transcripts/{spec.path.stem}.json"
    return next((n for n in range(newest, -1, -1) if (root / f"history/iter{n}" / name).exists()), -1)


def _archived(archive: Path) -> Iterator[Diagnostic]:
    """What is not as the archive's own report says."""
    try:
        files: dict[str, str] = json.loads((archive / "report.json").read_bytes())["files"]
    except (OSError, ValueError, KeyError):
        yield _fault("damaged-archive", f"history/{archive.name}/report.json", "it cannot be read", RESTORE)
        return
    found = manifest(archive)
    for name in sorted({*files, *found}):
        if files.get(name) != found.get(name):
            yield _fault("damaged-archive", f"history/{archive.name}/{name}", "it is not what was archived", RESTORE)


def _tree(root: Path) -> list[str]:
    """The files that a generation consists of, relative to root."""
    patterns = ("ai_coding/**/*", "self/*.toml", "self/*.lock", "setup.py")
    found = (path for pattern in patterns for path in root.glob(pattern))
    plain = (path for path in found if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(root).as_posix() for path in plain)


def counts(root: Path, specs: list[Spec]) -> dict[str, int]:
    """Lines of code, of what it was generated from, and of tests."""

    def lines(paths: list[Path]) -> int:
        return sum(path.read_bytes().count(b"\n") for path in paths)

    code = [root / spec.entry for spec in specs if (root / spec.entry).exists()]
    return {
        "generated": lines(code),
        "not generated": lines([p for p in (root / "ai_coding").rglob("*.py") if p not in code]),
        "requirement files": lines([root / SELF, *(spec.path for spec in specs)]),
        "templates and tables": sum(data.count(b"\n") for data in (specs[0].data if specs else {}).values()),
        "tests": lines([*(root / "tests").rglob("*.py")]),
    }


def _fault(code: str, path: str, message: str, help: str) -> Diagnostic:
    return error(code, message, Span(path), help)


def _main(root: Path, number: int, names: list[str]) -> None:
    specs, found = workspace.load([root / SELF])
    found += [d for spec in specs if spec.path.name in names for d in replay(root, spec, number)]
    shown = [(d, d.span.file if d.span else "") for d in errors(found)]
    rows = [{"code": d.code, "path": path, "message": d.message, "help": d.help} for d, path in shown]
    print(json.dumps(rows))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
