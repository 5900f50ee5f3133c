"""Rebuilds the tool from its requirement files, verifies the result by itself, archives it and puts it in place.

In: the root of the project, with ai_coding/, self/ and, as far as they exist, tests/, examples/ and history/; the
settings of the build; a plan that says which units to ask for anew and what is to be noted.
Out: events while it goes on; then either what each unit ended with or one outcome over the whole. A generation that
passes is archived in history/iterN and takes the place of ai_coding/, setup.py and the locks in self/.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from ai_coding import emit, journal, lock, proof, schedule, workspace
from ai_coding.diagnostic import Diagnostic, error, errors
from ai_coding.ir import Event, Outcome, Settings, Spec
from ai_coding.lock import Lock

_WORK = ".self"
_COPIED = ("ai_coding", "self", "tests", "examples", "setup.py", "README.md", "pyproject.toml", ".flake8")
_DONE = ("built", "locked", "current")
_RECORDED = ("asked", "replied", "judged")
_TAIL = 25
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@dataclass(frozen=True)
class Plan:
    """anew: units to ask for from scratch (names without .toml; empty: all; None: none). notes: what changed and why.

    dry: archive and promote nothing. jobs: how many units to build at a time.
    """
    anew: Sequence[str] | None = None
    notes: str = ""
    dry: bool = False
    jobs: int = 8


@dataclass(frozen=True)
class _Step:
    """A question or a judgement, with what the journal has of it: value, under key, of that kind.

    shown: how the transcript has it; None for a judgement of held-out tests.
    """
    question: bool
    kind: str
    key: str
    value: Any
    shown: Mapping[str, Any] | None


@dataclass(frozen=True)
class _Unit:
    """A unit that stage 1 has built. before: the lock that it had until then; files: its lock and outputs."""
    spec: Spec
    before: Lock | None
    lock: Lock
    files: tuple[str, ...]
    steps: tuple[_Step, ...]

    @property
    def questions(self) -> list[_Step]:
        """Those of its steps that asked a model."""
        return [step for step in self.steps if step.question]


def rebuild(
    root: Path, settings: Settings, plan: Plan
) -> Generator[Event, None, list[tuple[Spec, Outcome]] | Outcome]:
    """Build, test, compare, archive, promote. settings.out is ignored. One Outcome over the whole, or each unit's.

    OSError if files cannot be read or written.
    """
    from filelock import FileLock

    root = root.resolve()
    work = root / _WORK
    work.mkdir(exist_ok=True)
    with FileLock(str(work / "lock")):
        _promote(root)
        return (yield from _rebuild(root, settings, plan))


def finish(root: Path) -> None:
    """Promote the archived generation that a killed run had decided on, if there is one.

    OSError if files cannot be read or written, ValueError if the mark holds no number.
    """
    from filelock import FileLock

    root = root.resolve()
    work = root / _WORK
    if (work / "promoting").is_file():
        with FileLock(str(work / "lock")):
            _promote(root)


def _rebuild(
    root: Path, settings: Settings, plan: Plan
) -> Generator[Event, None, list[tuple[Spec, Outcome]] | Outcome]:
    """What `rebuild` does once it is alone."""
    stage = root / _WORK / "stage"
    specs, problems = _stage(root)
    problems = problems or _unknown(specs, plan)
    if problems:
        return Outcome("invalid", tuple(problems))
    before = [_lock(spec) for spec in specs]
    events: list[Event] = []
    builds = [(spec, replace(settings, out=stage, anew=_is_anew(spec, plan), force=False)) for spec in specs]
    outcomes = yield from _recorded(schedule.build(builds, plan.jobs), events)
    if not all(outcome.status in _DONE for outcome in outcomes):
        return list(zip(specs, outcomes, strict=True))
    if all(outcome.status != "built" for outcome in outcomes) and not proof.check(root).problems:
        return Outcome("current")
    yield Event("testing", proof.SELF.as_posix())
    problems = _test(root)
    if problems:
        return Outcome("failed", tuple(problems))
    units = [_unit(stage, settings, spec, old, events) for spec, old in zip(specs, before, strict=True)]
    yield Event("stage2", proof.SELF.as_posix())
    problems = _compare(root, settings, units)
    if problems:
        return Outcome("failed", tuple(problems))
    if plan.dry:
        return Outcome("current")
    number = _archive(root, plan, units)
    journal.write(root / _WORK / "promoting", f"{number}\n".encode("utf-8"))
    journal.sync(root / _WORK)
    _promote(root)
    return Outcome("built", summary=f"iteration {number}")


# Stage 1


def _stage(root: Path) -> tuple[list[Spec], list[Diagnostic]]:
    """Make the stage from what is in root; its units, and the errors in them."""
    stage = root / _WORK / "stage"
    _remove(stage)
    stage.mkdir()
    for name in _COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, stage / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            shutil.copy2(source, stage / name)
    specs, diagnostics = workspace.load([stage / proof.SELF])
    for spec in specs:
        if not lock.path_for(spec.path).is_file():
            (stage / spec.entry).unlink(missing_ok=True)
    return specs, errors(diagnostics)


def _unknown(specs: Sequence[Spec], plan: Plan) -> list[Diagnostic]:
    """An error for each name in the plan that is no unit."""
    known = sorted(spec.path.stem for spec in specs)
    names = [name for name in dict.fromkeys(plan.anew or ()) if name not in known]
    return [error("no-unit", f"there is no unit {name}", help=f"the units are {', '.join(known)}") for name in names]


def _is_anew(spec: Spec, plan: Plan) -> bool:
    return plan.anew is not None and (not plan.anew or spec.path.stem in plan.anew)


def _lock(spec: Spec) -> Lock | None:
    """The unit's lock, if it has one that is whole."""
    found = lock.read(lock.path_for(spec.path))
    return found if isinstance(found, Lock) else None


def _recorded(
    steps: Generator[Event, None, list[Outcome]], into: list[Event]
) -> Generator[Event, None, list[Outcome]]:
    """Pass all events on, and keep those that transcripts are made from."""
    with contextlib.closing(steps):
        while True:
            try:
                event = next(steps)
            except StopIteration as done:
                outcomes: list[Outcome] = done.value
                return outcomes
            if event.kind in _RECORDED:
                into.append(event)
            yield event


def _test(root: Path) -> list[Diagnostic]:
    """Run the whole test-suite in the stage."""
    work = root / _WORK
    stage = work / "stage"
    env = {**os.environ, "PYTHONPATH": str(stage), "AI_CODING_STAGE": "1"}
    tail = _run([sys.executable, "-m", "pytest", "-q"], stage, env, work / "tests.log")
    if tail is None:
        return []
    message = f"the test-suite fails on stage 1\n{tail}"
    return [error("tests", message, help=f"the whole output is in {_WORK}/tests.log")]


def _run(command: Sequence[str], folder: Path, env: Mapping[str, str], log: Path) -> str | None:
    """Run command in folder, its output goes to log. None if it passes, else the last lines of the output."""
    with log.open("wb") as output:
        done = subprocess.run(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode == 0:
        return None
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:])


# What stage 1 asked and judged


def _unit(stage: Path, settings: Settings, spec: Spec, before: Lock | None, events: Iterable[Event]) -> _Unit:
    """The unit as stage 1 has built it."""
    now = _lock(spec)
    if now is None:
        raise RuntimeError(f"{spec.path}: built, but without a lock")
    own = lock.path_for(spec.path).resolve().relative_to(stage.resolve()).as_posix()
    files = sorted({own, spec.entry, *now.program.files, *now.digests})
    steps = [
        _judgement(settings.journal, event.data)
        if event.kind == "judged"
        else _question(settings.journal, event.data, now.model)
        for event in _merged(event for event in events if _concerns(event, spec))
    ]
    return _Unit(spec, before, now, tuple(files), tuple(steps))


def _concerns(event: Event, spec: Spec) -> bool:
    # As in Plan.anew, units are told apart by the names of their files, whichever folder a path starts from.
    return event.spec in (spec.name, spec.entry) or PurePath(event.spec).name == spec.path.name


def _merged(events: Iterable[Event]) -> list[Event]:
    """The events, with `asked` and `replied` of one question as one event."""
    merged: list[Event] = []
    for event in events:
        last = merged[-1] if merged else None
        if last is not None and _is_same_question(last, event):
            # What was asked comes first: a reply may tell of another model than the one that the request names.
            merged[-1] = replace(last, data={**event.data, **last.data})
        else:
            merged.append(event)
    return merged


def _is_same_question(last: Event, event: Event) -> bool:
    if "judged" in (last.kind, event.kind):
        return False
    request = last.data.get("request")
    return bool(event.data.get("request", request) == request)


def _question(folder: Path, data: Mapping[str, Any], model: str) -> _Step:
    key = str(data["request"])
    kind, value = _recall(folder, key, "text", "reply")
    return _Step(True, kind, key, value, {"request": key, "model": data.get("model", model), "reply": value})


def _judgement(folder: Path, data: Mapping[str, Any]) -> _Step:
    key = str(data["verdict"])
    kind, value = _recall(folder, key, "diagnostics", "verdict")
    shown = None if data.get("held_out") else {"program": data["program"], "verdict": key, **(value or {})}
    return _Step(False, kind, key, value, shown)


def _recall(folder: Path, key: str, field: str, kind: str) -> tuple[str, Any]:
    """What the journal has under key, and of which kind; (kind, None) if it has nothing."""
    # The kinds are the journal's folders; the answer that is meant is told from others by a field that it holds.
    folders = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    found: list[tuple[str, Any]] = []
    for name in dict.fromkeys((kind, *folders)):
        value = journal.get(folder, name, key)
        if isinstance(value, Mapping) and field in value:
            return name, value
        if value is not None:
            found.append((name, value))
    return found[0] if found else (kind, None)


# Stage 2


def _compare(root: Path, settings: Settings, units: Sequence[_Unit]) -> list[Diagnostic]:
    """Let stage 1 build stage 2, from the replies that stage 1 had; whatever is not the same is an error."""
    work = root / _WORK
    stage, one, memory = work / "stage", work / "one", work / "journal"
    _remove(one)
    os.rename(stage, one)
    # Errors in the requirement files, should there be new ones, are told by the build that follows.
    _stage(root)
    _remove(memory)
    _remember(settings.journal, memory, stage, units)
    command = [sys.executable, "-P", "-m", "ai_coding", "build", proof.SELF.as_posix()]
    command += ["-m", settings.model] if settings.model else []
    command += ["-q", "--unsafe-sandbox"] if settings.unsafe else ["-q"]
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(one),
        "AI_CODING_JOURNAL": str(memory),
    }
    tail = _run(command, stage, env, work / "stage2.log")
    problems = []
    if tail is not None:
        message = f"stage 1 cannot build {proof.SELF.as_posix()}\n{tail}"
        problems.append(error("stage2", message, help=f"the whole output is in {_WORK}/stage2.log"))
    return problems + _differences(one, stage, units)


def _remember(old: Path, new: Path, stage: Path, units: Sequence[_Unit]) -> None:
    """Fill the new journal with what stage 2 needs in order to go the way of stage 1."""
    new.mkdir()
    for unit in units:
        for step in unit.steps:
            if step.value is not None and (step.question or _holds_error(step.value)):
                journal.put(new, step.kind, step.key, step.value)
        key = journal.unit(unit.spec.path, stage)
        kind, _ = _recall(old, key, "take", "unit")
        started: dict[str, object] = {"take": unit.lock.take}
        if unit.before is not None and unit.lock.take > unit.before.take:
            started["open"] = True
        journal.put(new, kind, key, started)


def _holds_error(verdict: Any) -> bool:
    rows = verdict.get("diagnostics", ()) if isinstance(verdict, Mapping) else ()
    return any(isinstance(row, Mapping) and row.get("severity") == "error" for row in rows)


def _differences(one: Path, two: Path, units: Sequence[_Unit]) -> list[Diagnostic]:
    """An error for each output and each lock that is not the same in both stages."""
    names = sorted({name for unit in units for name in unit.files})
    differing = [name for name in names if _content(one / name) != _content(two / name)]
    return [error("stage2", f"{name} differs between stage 1 and stage 2") for name in differing]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


# The archive


def _archive(root: Path, plan: Plan, units: Sequence[_Unit]) -> int:
    """Archive stage 1 as the next generation; its number."""
    archived = proof.iterations(root)
    number = archived[-1] + 1 if archived else 0
    one, draft = root / _WORK / "one", root / _WORK / "archive"
    _remove(draft)
    for name in ("ai_coding", "self"):
        shutil.copytree(one / name, draft / name, ignore=shutil.ignore_patterns("README.md", "__pycache__"))
    if (one / "setup.py").is_file():
        shutil.copy2(one / "setup.py", draft / "setup.py")
    (draft / "ai_coding" / "iteration.txt").write_bytes(f"{number}\n".encode("utf-8"))
    for unit in units:
        if unit.questions:
            (draft / "transcripts").mkdir(exist_ok=True)
            transcript = _transcript(unit, archived[-1] if archived else None)
            (draft / "transcripts" / f"{unit.spec.path.stem}.json").write_bytes(_json(transcript))
    (draft / "report.json").write_bytes(_json(_report(root, number, draft, units)))
    notes = f"# Iteration {number}\n\n{plan.notes.strip() or 'No notes.'}\n"
    (draft / "NOTES.md").write_bytes(notes.encode("utf-8", "replace"))
    _settle(draft)
    history = root / "history"
    history.mkdir(exist_ok=True)
    os.rename(draft, history / f"iter{number}")
    journal.sync(history)
    journal.sync(root)
    return number


def _transcript(unit: _Unit, previous: int | None) -> dict[str, Any]:
    """What was asked, answered and judged. previous: the number of the generation before."""
    is_based = unit.before is not None and unit.before.take == unit.lock.take
    return {
        "model": unit.lock.model,
        "take": unit.lock.take,
        "base": previous if is_based else None,
        "steps": [step.shown for step in unit.steps if step.shown is not None],
    }


def _report(root: Path, number: int, draft: Path, units: Sequence[_Unit]) -> dict[str, Any]:
    # The stage is by now the same as stage 1, and it is where the paths of the units lead to.
    lines = proof.counts(root / _WORK / "stage", [unit.spec for unit in units])
    return {
        "iteration": number,
        "units": {unit.spec.entry: _row(unit) for unit in units},
        "lines": dict(lines),
        "files": dict(proof.manifest(draft)),
    }


def _row(unit: _Unit) -> dict[str, Any]:
    """What the report says of a unit: what this run asked for, and how many tests it has."""
    replies = [step.value or {} for step in unit.questions]
    return {
        "requests": len(replies),
        "passed_at_first_attempt": len(replies) == 1 if replies else None,
        "model": unit.lock.model,
        "input_tokens": sum(reply.get("input_tokens", 0) for reply in replies),
        "output_tokens": sum(reply.get("output_tokens", 0) for reply in replies),
        "tests": len(unit.spec.tests),
    }


def _json(value: Mapping[str, Any]) -> bytes:
    # ASCII, since a reply may hold what UTF-8 cannot.
    return (json.dumps(value, indent=2) + "\n").encode("ascii")


# Promotion


def _promote(root: Path) -> None:
    """Do what the mark decides; each step may be done again, so that a kill between any two does no harm."""
    work = root / _WORK
    mark = work / "promoting"
    if not mark.is_file():
        return
    archive = root / "history" / f"iter{int(mark.read_text(encoding='utf-8'))}"
    fresh, old = work / "fresh", work / "old"
    _remove(fresh)
    _remove(old)
    shutil.copytree(archive / "ai_coding", fresh, ignore=shutil.ignore_patterns("__pycache__"))
    _settle(fresh)
    _swap(fresh, root / "ai_coding", old)
    journal.sync(root)
    _emit(root, archive)
    _remove(fresh)
    _remove(old)
    mark.unlink()
    journal.sync(work)


def _swap(fresh: Path, place: Path, old: Path) -> None:
    """Put fresh in its place; what was there is then at fresh or at old."""
    if _exchange(fresh, place):
        return
    if place.exists():
        os.rename(place, old)
    os.rename(fresh, place)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the two in one step; False, with nothing done, where that is not possible."""
    if sys.platform != "linux":
        return False
    import ctypes

    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    # Why it failed need not be asked: where plain renames fail as well, these raise the reason.
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def _emit(root: Path, archive: Path) -> None:
    """Emit setup.py and the archived locks, and remove the locks that the archive has not."""
    sources = sorted((archive / "self").rglob("*.lock"))
    if (archive / "setup.py").is_file():
        sources.append(archive / "setup.py")
    files = {root / source.relative_to(archive): source.read_bytes() for source in sources}
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
    record = root / _WORK / "commit"
    emit.recover(record)
    emit.emit(files, record)
    for path in sorted((root / "self").rglob("*.lock")):
        if path not in files:
            path.unlink()
            journal.sync(path.parent)


def _settle(folder: Path) -> None:
    """Make all that is in folder durable: a rename must not outlive what it names."""
    for place, _, names in os.walk(folder):
        for name in names:
            handle = os.open(os.path.join(place, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        journal.sync(Path(place))


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
