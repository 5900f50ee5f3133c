"""Builds many units at once: each asks when a worker is free, is judged when its needs have ended.

All bookkeeping is done by the thread that reads the events: workers only drive generators and
report in one queue, so that there is nothing to guard and no build begins once nobody reads.

In: units, each a Spec with its Settings, in the order in which they begin, and how many may be at
work at a time.
Out: the events of all builds as they come, without `needs`, and the outcomes in the order of units.
"""

import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from queue import SimpleQueue

from ai_coding import compiler
from ai_coding.ir import Event, Outcome, Settings, Spec
from ai_coding.lock import Lock
from ai_coding.site import accepted, not_built


def build(
    units: Sequence[tuple[Spec, Settings]], jobs: int
) -> Generator[Event, None, list[Outcome]]:
    "Builds all, jobs at a time; outcomes in the order of units."
    needs = _needs(units)
    outcomes = _not_judgeable(units)
    ready = [unit for unit in range(len(units)) if unit not in outcomes]
    parked: list[int] = []
    builds: dict[int, compiler.Events] = {}
    running: dict[int, Future[Outcome | None]] = {}
    news = SimpleQueue[Event | int]()
    stop = threading.Event()
    # The pool is left first: a generator can be closed only when no worker is in it.
    with ExitStack() as begun, ThreadPoolExecutor(jobs) as pool:
        try:
            while ready or running:
                while ready and len(running) < jobs:
                    unit = ready.pop(0)
                    ended: dict[str, str] | None = None
                    if unit in builds:
                        ended = {path: outcomes[need].status for path, need in needs[unit].items()}
                    else:
                        builds[unit] = begun.enter_context(closing(compiler.compile(*units[unit])))
                    running[unit] = pool.submit(_advance, unit, builds[unit], ended, news, stop)
                step = news.get()
                if isinstance(step, Event):
                    yield step
                    continue
                outcome = running.pop(step).result()
                if outcome is None:
                    parked.append(step)
                else:
                    outcomes[step] = outcome
                free = [unit for unit in parked if outcomes.keys() >= set(needs[unit].values())]
                parked = [unit for unit in parked if unit not in free]
                # Before those not begun: judging is short, and others may wait for it.
                ready[:0] = free
        finally:
            stop.set()
    return [outcomes[unit] for unit in range(len(units))]


def _needs(units: Sequence[tuple[Spec, Settings]]) -> list[dict[str, int]]:
    """For each unit its needs among units: path -> place in units."""
    places = {spec.path: unit for unit, (spec, _) in enumerate(units)}
    return [{str(need): places[need] for need in spec.needs if need in places} for spec, _ in units]


def _not_judgeable(units: Sequence[tuple[Spec, Settings]]) -> dict[int, Outcome]:
    """By place in units: how those end that need what is neither built along nor accepted."""
    along = {spec.path for spec, _ in units}
    outcomes: dict[int, Outcome] = {}
    for unit, (spec, settings) in enumerate(units):
        others = [need for need in spec.needs if need not in along]
        missing = [need for need in others if not isinstance(accepted(need, settings.out), Lock)]
        if missing:
            outcomes[unit] = Outcome("invalid", tuple(not_built(need) for need in missing))
    return outcomes


def _advance(
    unit: int,
    steps: compiler.Events,
    ended: Mapping[str, str] | None,
    news: SimpleQueue[Event | int],
    stop: threading.Event,
) -> Outcome | None:
    """Reports events and, whatever happens, unit at last. None: it is to wait, or was stopped."""
    try:
        while (event := steps.send(ended)).kind != "needs":
            ended = None
            if event.kind == "asked" and stop.is_set():
                steps.close()
                break
            news.put(event)
        return None
    except StopIteration as done:
        outcome: Outcome = done.value
        return outcome
    finally:
        news.put(unit)
