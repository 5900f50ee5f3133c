"""Rebuilds the tool from its requirement files.

Stage 1 is built by the tool in place and tested, stage 2 is built by stage 1 and compared with it;
then stage 1 is archived and promoted. Here is only the order of it: the steps are done by the
modules that it uses. One file lock keeps runs apart, and whatever a killed run had decided is
finished by the next.

In: the root of the tree, the settings, and a plan of what to ask for anew.
Out: the events of the builds, then one outcome over the whole or those of all units.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ai_coding import archive, generation, lock, proof, schedule, stages, transcript
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Event, Outcome, Settings, Spec


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
    with _alone(root):
        archive.promote(root)
        stages.resume(root, settings.journal)
        specs, faults = stages.make(root)
        problems = [*faults, *_unknown(specs, plan)]
        if problems:
            return Outcome("invalid", tuple(problems))

        before = [_whole_lock(spec) for spec in specs]
        asked = [(spec, _settings_for(spec, root, settings, plan)) for spec in specs]
        events: list[Event] = []
        outcomes = yield from _noted(schedule.build(asked, plan.jobs), events)
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
        # Before stage 2 is built: it takes the place of stage 1, whose locks are read here.
        units = [
            _unit(spec, old, events, settings.journal)
            for spec, old in zip(specs, before, strict=True)
        ]
        problems = stages.again(root, settings, units)
        if problems:
            return Outcome("failed", tuple(problems))
        if plan.dry:
            summary = (
                "dry run: all tests passed, the new modules are in .self/stage, "
                "nothing was put in place"
            )
            return Outcome("built", summary=summary)

        number = archive.write(root, root / generation.WORK / "one", units, plan.notes)
        archive.promote(root)
        return Outcome("built", summary=f"iteration {number}")


def finish(root: Path) -> None:
    """Promote the archived generation that a killed run had decided on, if there is one.

    OSError, ValueError as promote.
    """
    root = root.resolve()
    if (root / generation.WORK / "promoting").exists():
        with _alone(root):
            archive.promote(root)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait until no other run works on root, however long, and keep others out."""
    from filelock import FileLock

    work = root / generation.WORK
    work.mkdir(parents=True, exist_ok=True)
    # A generator may be continued or closed by another thread than the one that began it.
    with FileLock(work / "lock", thread_local=False):
        yield


def _unknown(specs: Sequence[Spec], plan: Plan) -> list[Diagnostic]:
    """An error for each name, once, that is asked for anew and is no unit."""
    names = [spec.path.stem for spec in specs]
    return [
        error("no-unit", f"there is no unit {name}", help=f"the units are: {', '.join(names)}")
        for name in dict.fromkeys(plan.anew or ())
        if name not in names
    ]


def _settings_for(spec: Spec, root: Path, settings: Settings, plan: Plan) -> Settings:
    anew = plan.anew is not None and (not plan.anew or spec.path.stem in plan.anew)
    return replace(settings, out=root / generation.WORK / "stage", anew=anew, force=False)


def _noted(
    steps: Generator[Event, None, list[Outcome]], events: list[Event]
) -> Generator[Event, None, list[Outcome]]:
    """Pass on what steps yields and returns, and append each event to events."""
    with closing(steps):
        while True:
            try:
                event = next(steps)
            except StopIteration as done:
                outcomes: list[Outcome] = done.value
                return outcomes
            events.append(event)
            yield event


def _whole_lock(spec: Spec) -> lock.Lock | None:
    """The unit's lock in the stage; None if there is none or it is damaged."""
    found = lock.read(lock.path_for(spec.path))
    return found if isinstance(found, lock.Lock) else None


def _unit(
    spec: Spec, before: lock.Lock | None, events: Sequence[Event], journal: Path
) -> transcript.Unit:
    after = _whole_lock(spec)
    assert after is not None, f"{spec.path} was built, but has no lock that is whole"
    return transcript.Unit(spec, before, after, transcript.steps(spec, events, journal))
