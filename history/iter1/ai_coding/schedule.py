"""Builds many units at once: each asks as soon as a worker is free, and is judged when those it needs have ended.

Only the thread that reads the events hands out work, so nothing begins once it has left; workers run builds and report.

In: units, each a Spec with its Settings, and how many of them may be at work at a time.
Out: the events of all builds as they come and, at the end, their outcomes in the order of the units.
"""

import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from ai_coding import compiler, site
from ai_coding.ir import Event, Outcome, Settings, Spec
from ai_coding.lock import Lock


@dataclass(frozen=True)
class _Run:
    """One call of build; units are named by their index.

    fresh: not yet begun, in order. parked: at their event `needs`, without a worker. builds: all that were begun.
    inbox: what workers report, events and the units that they have let go of. stop: set when the run is left.
    """

    units: Sequence[tuple[Spec, Settings]]
    places: Mapping[Path, int]
    outcomes: dict[int, Outcome]
    fresh: deque[int]
    parked: list[int] = field(default_factory=list)
    builds: dict[int, compiler.Events] = field(default_factory=dict)
    inbox: SimpleQueue[Event | int] = field(default_factory=SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)


def build(units: Sequence[tuple[Spec, Settings]], jobs: int) -> Generator[Event, None, list[Outcome]]:
    "Builds all, jobs at a time; outcomes in the order of units."
    run = _plan(units)
    running: dict[int, Future[Outcome | None]] = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        while _start(run, pool, running, jobs):
            item = run.inbox.get()
            if isinstance(item, Event):
                yield item
                continue
            outcome = running.pop(item).result()
            if outcome is None:
                run.parked.append(item)
            else:
                run.outcomes[item] = outcome
    finally:
        run.stop.set()
        pool.shutdown()
        # Only now does no thread run them any more; those that have ended do not mind.
        for steps in run.builds.values():
            steps.close()
    # Units that need each other, which no valid requirement files do, are a KeyError here and not an endless wait.
    return [run.outcomes[index] for index in range(len(units))]


def _plan(units: Sequence[tuple[Spec, Settings]]) -> _Run:
    """The run before its first step: units that need what is neither there nor built along have ended already."""
    places = {spec.path: index for index, (spec, _) in enumerate(units)}
    outside = {(need, settings.out) for spec, settings in units for need in spec.needs if need not in places}
    missing = {pair for pair in outside if not isinstance(site.accepted(*pair), Lock)}
    outcomes: dict[int, Outcome] = {}
    for index, (spec, settings) in enumerate(units):
        lacking = tuple(site.not_built(need) for need in spec.needs if (need, settings.out) in missing)
        if lacking:
            outcomes[index] = Outcome("invalid", lacking)
    return _Run(units, places, outcomes, deque(index for index in range(len(units)) if index not in outcomes))


def _start(run: _Run, pool: ThreadPoolExecutor, running: dict[int, Future[Outcome | None]], jobs: int) -> bool:
    """Gives every free worker a unit, as long as there are any; says whether a worker is busy."""
    while len(running) < jobs and (found := _next(run)) is not None:
        index, told = found
        running[index] = pool.submit(_work, run, index, told)
    return bool(running)


def _next(run: _Run) -> tuple[int, Mapping[str, str] | None] | None:
    """A unit for a free worker, and what its build is to be sent; None if there is none at present."""
    # What can go on comes first: judging is short, and shows early what has to be asked again.
    for index in run.parked:
        told = _told(run, index)
        if told is not None:
            run.parked.remove(index)
            return index, told
    if not run.fresh:
        return None
    first = run.fresh.popleft()
    run.builds[first] = compiler.compile(*run.units[first])
    return first, None


def _told(run: _Run, index: int) -> dict[str, str] | None:
    """How those units of the run ended that this one needs, path -> status; None while one of them has not."""
    needs = [need for need in run.units[index][0].needs if need in run.places]
    if any(run.places[need] not in run.outcomes for need in needs):
        return None
    return {str(need): run.outcomes[run.places[need]].status for need in needs}


def _work(run: _Run, index: int, told: Mapping[str, str] | None) -> Outcome | None:
    """Runs a build in a worker: to its end, to needs that have not ended or, once stopped, to its next question.

    Returns None if the build has not ended. Whatever happens, the unit is reported after all its events.
    """
    steps = run.builds[index]
    try:
        if run.stop.is_set():
            return None
        while True:
            event = steps.send(told)
            told = None
            if event.kind == "needs":
                told = _told(run, index)
                if told is None:
                    return None
                continue
            run.inbox.put(event)
            if event.kind == "asked" and run.stop.is_set():
                return None
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    finally:
        run.inbox.put(index)
