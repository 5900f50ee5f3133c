"""Rebuilds the tool from its requirement files: stage 1, the test-suite, stage 2, the archive, promotion.

In: the root of the tool's working copy, the settings, and the plan: what to ask for anew, the notes.
Out: the events of the build, and one Outcome over the whole or, if units failed, that of each unit;
the package in place is the old one or wholly the new one.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ai_coding import archive, generation, lock, proof, schedule, stages, transcript
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Event, Outcome, Settings, Spec
from ai_coding.lock import Lock
from ai_coding.transcript import Unit

_Ended = list[tuple[Spec, Outcome]] | Outcome


@dataclass(frozen=True)
class Plan:
    """anew: units to ask for from scratch (names without .toml; empty: all; None: none).

    notes: what changed and why.
    dry: archive and promote nothing. jobs: how many units to build at a time.
    """

    anew: Sequence[str] | None = None
    notes: str = ""
    dry: bool = False
    jobs: int = 8


def rebuild(
    root: Path, settings: Settings, plan: Plan
) -> Generator[Event, None, list[tuple[Spec, Outcome]] | Outcome]:
    """Build, test, compare, archive, promote. settings.out is ignored.

    One Outcome over the whole, or each unit's. OSError.
    """
    root = root.resolve()
    with _locked(root):
        archive.promote(root)
        return (yield from _stage1(root, settings, plan))


def finish(root: Path) -> None:
    """Promote the archived generation that a killed run had decided on, if there is one.

    OSError, ValueError as promote.
    """
    root = root.resolve()
    if (root / generation.WORK / "promoting").exists():
        with _locked(root):
            archive.promote(root)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    from filelock import FileLock

    work = root / generation.WORK
    work.mkdir(parents=True, exist_ok=True)
    # A generator may be advanced by one thread and closed by another: the lock is not a thread's.
    with FileLock(work / "lock", thread_local=False):
        yield


def _stage1(root: Path, settings: Settings, plan: Plan) -> Generator[Event, None, _Ended]:
    """Stage 1, and all that follows if its units could be built."""
    stages.resume(root, settings.journal)
    specs, faults = stages.make(root)
    problems = [*faults, *_unknown(plan, specs)]
    if problems:
        return Outcome("invalid", tuple(problems))
    before = [_whole_lock(spec) for spec in specs]
    tasks = [(spec, _unit_settings(root, settings, plan, spec)) for spec in specs]
    events: list[Event] = []
    outcomes = yield from _recorded(schedule.build(tasks, plan.jobs), events)
    statuses = {outcome.status for outcome in outcomes}
    if not statuses <= {"built", "locked", "current"}:
        return list(zip(specs, outcomes, strict=True))
    if "built" not in statuses and not proof.check(root).problems:
        return Outcome("current")
    yield Event("testing", generation.SELF.name)
    problems = stages.suite(root)
    if problems:
        return Outcome("failed", tuple(problems))
    yield Event("stage2", generation.SELF.name)
    units = [
        _unit(spec, old, events, settings.journal)
        for spec, old in zip(specs, before, strict=True)
    ]
    return _stage2(root, settings, plan, units)


def _stage2(root: Path, settings: Settings, plan: Plan, units: Sequence[Unit]) -> Outcome:
    """Stage 2, and the archive and promotion if it is the same as stage 1."""
    problems = stages.again(root, settings, units)
    if problems:
        return Outcome("failed", tuple(problems))
    if plan.dry:
        return Outcome("current")
    number = archive.write(root, root / generation.WORK / "one", units, plan.notes)
    archive.promote(root)
    return Outcome("built", summary=f"iteration {number}")


def _name(spec: Spec) -> str:
    return spec.path.name.removesuffix(".toml")


def _unknown(plan: Plan, specs: Sequence[Spec]) -> list[Diagnostic]:
    names = [_name(spec) for spec in specs]
    units = f"the units are: {', '.join(names)}"
    return [
        error("no-unit", f"there is no unit {name}", help=units)
        for name in dict.fromkeys(plan.anew or ())
        if name not in names
    ]


def _unit_settings(root: Path, settings: Settings, plan: Plan, spec: Spec) -> Settings:
    anew = plan.anew is not None and (not plan.anew or _name(spec) in plan.anew)
    return replace(settings, out=root / generation.WORK / "stage", force=False, anew=anew)


def _recorded(
    build: Generator[Event, None, list[Outcome]], events: list[Event]
) -> Generator[Event, None, list[Outcome]]:
    """Pass on all events of build and add them to events; closed when this is."""
    with closing(build):
        while True:
            try:
                event = next(build)
            except StopIteration as end:
                outcomes: list[Outcome] = end.value
                return outcomes
            events.append(event)
            yield event


def _whole_lock(spec: Spec) -> Lock | None:
    found = lock.read(lock.path_for(spec.path))
    return found if isinstance(found, Lock) else None


def _unit(spec: Spec, before: Lock | None, events: Sequence[Event], journal: Path) -> Unit:
    now = _whole_lock(spec)
    if now is None:
        # Stage 1 has written or checked it: somebody else has touched the stage since.
        raise OSError(f"{lock.path_for(spec.path)}: the lock of stage 1 is gone or damaged")
    return Unit(spec, before, now, transcript.steps(spec, events, journal))
