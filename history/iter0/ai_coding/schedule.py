"""Builds many units at once. In: Specs and their Settings. Out: the Events of all, and an Outcome for each.

Every unit asks as soon as a worker is free; none is judged before the units that it uses have ended.
"""

import queue
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ai_coding.compiler import Events, compile
from ai_coding.ir import Event, Outcome, Settings, Spec
from ai_coding.lock import Lock
from ai_coding.site import accepted, not_built

Step = tuple[Path, "Outcome | None"]


def build(units: Sequence[tuple[Spec, Settings]], jobs: int) -> Generator[Event, None, list[Outcome]]:
    """Build all units, jobs at a time; the outcomes are in the order of units."""
    events: queue.SimpleQueue[Event | Future[Step]] = queue.SimpleQueue()
    builds: dict[Path, Events] = {spec.path: compile(spec, settings) for spec, settings in units}
    needs = {spec.path: [need for need in spec.needs if need in builds] for spec, _ in units}
    ended, held, stopped = dict[Path, Outcome](), list[Path](), threading.Event()
    for spec, settings in units:  # what is not built along has to be there, before anything is asked
        others = [need for need in spec.needs if need not in builds]
        if missing := [not_built(need) for need in others if not isinstance(accepted(need, settings.out), Lock)]:
            ended[spec.path] = Outcome("invalid", tuple(missing))

    def advance(path: Path, answer: dict[str, str] | None) -> Step:
        """Run one build until it ends or needs others (then its outcome is None)."""
        build, send = builds[path], answer
        while True:
            try:
                event = build.send(send)
            except StopIteration as done:
                return path, done.value
            if stopped.is_set() and event.kind == "asked":
                build.close()
                return path, None
            if event.kind == "needs":
                return path, None
            events.put(event)
            send = None

    pool = ThreadPoolExecutor(jobs)

    def start(path: Path, answer: dict[str, str] | None) -> None:
        pool.submit(advance, path, answer).add_done_callback(events.put)

    try:
        for path in builds:
            if path not in ended:
                start(path, None)
        while len(ended) < len(builds):
            item = events.get()
            if isinstance(item, Event):
                yield item
                continue
            path, outcome = item.result()
            if outcome:
                ended[path] = outcome
            else:
                held.append(path)
            for waiting in [p for p in held if all(need in ended for need in needs[p])]:
                held.remove(waiting)
                start(waiting, {str(need): ended[need].status for need in needs[waiting]})
    finally:  # interrupted: answers under way are kept, but nothing more is asked
        stopped.set()
        pool.shutdown(cancel_futures=True)
    return [ended[spec.path] for spec, _ in units]
