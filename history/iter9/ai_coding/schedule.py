"""Builds many units at once, each in a worker of its own until it has to wait for those it uses.

The generator that is read hands out the work and keeps the books. A worker takes a unit from event
to event and puts them into a queue, behind them the unit itself, when it has ended or has to wait.
What the requests can cost is weighed by the workers themselves, under a lock.

In: the units in the order in which they are to be begun, each with its settings, and how many are
built at a time.
Out: the events of all units as they come, apart from those answered here (`needs`, `afford`), three
more for those who watch (`building`, `waits`, `ended`), and one outcome per unit.
"""

import math
import queue
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ai_coding import compiler, prices
from ai_coding.ir import Event, Outcome, Settings, Spec
from ai_coding.lock import Lock
from ai_coding.site import accepted, not_built

_TOLERANCE = 1e-9  # dollars: sums of floats are not exact


@dataclass(frozen=True)
class _Unit:
    """A build that can begin. needs: only those that are built along with it."""

    place: int
    path: Path
    needs: tuple[Path, ...]
    steps: compiler.Events


@dataclass(frozen=True)
class _Run:
    """What the workers share.

    ceiling: US dollars, 0 for none. said: events, and each unit whose turn is over.
    ended: path -> status. amounts: US dollars for each request let through: its cost or, as long as
    that is not known, what was promised.
    latest: place of a unit -> index of the amount that its next reply settles.
    """

    ceiling: float
    said: queue.SimpleQueue[Event | _Unit] = field(default_factory=queue.SimpleQueue)
    stopped: threading.Event = field(default_factory=threading.Event)
    ended: dict[Path, str] = field(default_factory=dict)
    amounts: list[float] = field(default_factory=list)
    latest: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def build(
    units: Sequence[tuple[Spec, Settings]], jobs: int
) -> Generator[Event, None, list[Outcome]]:
    """Builds all, jobs at a time; outcomes in the order of units."""
    run = _Run(max((settings.max_cost for _, settings in units), default=0.0))
    if units:
        yield Event("building", "", {"units": len(units), "jobs": jobs})
    outcomes = _impossible(units)
    for place, invalid in outcomes.items():
        path = units[place][0].path
        run.ended[path] = invalid.status
        yield Event("ended", path.name, {"status": invalid.status})
    begun = _units(units, outcomes)
    ready = deque[tuple[_Unit, Mapping[str, str] | None]]((unit, None) for unit in begun)
    waiting: list[_Unit] = []
    turns: dict[int, Future[Outcome | None]] = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        while ready or turns:
            while ready and len(turns) < jobs:
                unit, answer = ready.popleft()
                turns[unit.place] = pool.submit(_turn, run, unit, answer)
            said = run.said.get()
            if not isinstance(said, _Unit):
                yield said
                continue
            outcome = turns.pop(said.place).result()
            if outcome is None:
                waiting.append(said)
                if left := _left(run, said):
                    yield Event("waits", said.path.name, {"needs": left})
            else:
                outcomes[said.place] = outcome
                run.ended[said.path] = outcome.status
                yield Event("ended", said.path.name, {"status": outcome.status})
            for unit in waiting[::-1]:
                answer = _statuses(run, unit)
                if answer is not None:
                    waiting.remove(unit)
                    # Before all that were not begun: judging is short, and others may wait for it.
                    ready.appendleft((unit, answer))
    finally:
        run.stopped.set()
        pool.shutdown()
        # Not reached if the waiting itself is interrupted: a generator that runs cannot be closed.
        for unit in begun:
            unit.steps.close()
    return [outcomes[place] for place in range(len(units))]


def _impossible(units: Sequence[tuple[Spec, Settings]]) -> dict[int, Outcome]:
    """By place, the outcomes of the units that need what is neither built along nor there."""
    paths = {spec.path for spec, _ in units}
    outside = {
        (need, settings.out) for spec, settings in units for need in spec.needs if need not in paths
    }
    lacking = {pair for pair in outside if not isinstance(accepted(*pair), Lock)}
    outcomes: dict[int, Outcome] = {}
    for place, (spec, settings) in enumerate(units):
        missing = [need for need in spec.needs if (need, settings.out) in lacking]
        if missing:
            outcomes[place] = Outcome("invalid", tuple(not_built(need) for need in missing))
    return outcomes


def _units(
    units: Sequence[tuple[Spec, Settings]], impossible: Mapping[int, Outcome]
) -> list[_Unit]:
    paths = {spec.path for spec, _ in units}
    return [
        _Unit(
            place,
            spec.path,
            tuple(need for need in spec.needs if need in paths),
            compiler.compile(spec, settings),
        )
        for place, (spec, settings) in enumerate(units)
        if place not in impossible
    ]


def _turn(run: _Run, unit: _Unit, answer: Mapping[str, str] | None) -> Outcome | None:
    """Goes on with a unit until it ends or, then without an outcome, has to wait or to stop.

    answer: what the event `needs` is sent, at which it waited; None: it is to begin.
    """
    try:
        if answer is None and run.stopped.is_set():
            return None
        while True:
            event = unit.steps.send(answer)
            answer = None
            if event.kind == "needs":
                answer = _statuses(run, unit)
                if answer is None:
                    return None
            elif event.kind == "afford":
                answer = _afford(run, unit, event.data["at_most"])
            else:
                if event.kind == "replied":
                    _settle(run, unit, event.data.get("cost"))
                run.said.put(event)
                if event.kind == "asked" and run.stopped.is_set():
                    return None
    except StopIteration as done:
        outcome: Outcome = done.value
        return outcome
    finally:
        run.said.put(unit)


def _left(run: _Run, unit: _Unit) -> list[str]:
    """The file names of those that it needs and that have not ended."""
    return [need.name for need in unit.needs if need not in run.ended]


def _statuses(run: _Run, unit: _Unit) -> dict[str, str] | None:
    """How those that it needs have ended; None: not all have."""
    if _left(run, unit):
        return None
    return {str(need): run.ended[need] for need in unit.needs}


def _afford(run: _Run, unit: _Unit, at_most: float) -> dict[str, str]:
    """Promises at_most dollars to the unit's next request, or says why not."""
    if not run.ceiling:
        return {}
    with run.lock:
        taken = math.fsum(run.amounts)
        if math.fsum((*run.amounts, at_most)) > run.ceiling + _TOLERANCE:
            most, ceiling = prices.dollars(at_most), prices.dollars(run.ceiling)
            return {
                "refused": f"this request can cost up to {most}; of {ceiling}, "
                f"{prices.dollars(taken)} are spent or promised"
            }
        # A promise before this one that came to no reply stays among the amounts.
        run.latest[unit.place] = len(run.amounts)
        run.amounts.append(at_most)
    return {}


def _settle(run: _Run, unit: _Unit, cost: float | None) -> None:
    """Puts what a reply cost, in dollars, in place of what was promised for it."""
    with run.lock:
        # A reply that nothing was promised for is from the journal: it was paid long ago.
        index = run.latest.pop(unit.place, None)
        if index is not None and cost is not None:
            run.amounts[index] = cost
