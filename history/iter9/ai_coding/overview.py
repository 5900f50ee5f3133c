"""Knows what is going on in a build right now, for a person who watches it.

It keeps the books and says what is to be read; another module draws it. It knows no clock.

In: the events of a build, one by one, and the height there is for rows; with each call the time
in seconds.
Out: plain rows of text, each with whether it is dimmed: one unit in full, or a total and a row for
each of many.
"""

from dataclasses import dataclass, replace

from ai_coding.ir import Event
from ai_coding.prices import dollars
from ai_coding.words import plain, words

_DONE = frozenset({"built", "locked", "current"})
_KEPT = 1000  # characters of an answer: no more than its last line is ever shown


@dataclass(frozen=True)
class _Unit:
    """What is known of an active unit; since and first_token are seconds of the caller's clock."""

    since: float
    does: str = ""
    verdict: str = ""
    waits: bool = False
    characters: int = 0
    first_token: float | None = None
    answer: str = ""


class Overview:
    """The books of a build: its active units, how the others ended, and what was paid."""

    def __init__(self) -> None:
        self._units = 0
        self._cost = 0.0
        self._recorded: dict[str, bool] = {}
        self._active: dict[str, _Unit] = {}
        self._ended: dict[str, str] = {}

    def event(self, event: Event, now: float) -> None:
        "One step; now: seconds of any clock that only goes on."
        if event.kind == "building":
            self._units = event.data["units"]
        elif event.spec and event.kind == "ended":
            self._active.pop(event.spec, None)
            self._ended[event.spec] = event.data["status"]
        elif event.spec:
            # A unit that is taken up again must not be counted as ended as well.
            self._ended.pop(event.spec, None)
            unit = self._active.get(event.spec, _Unit(now))
            self._active[event.spec] = _after(unit, event, now)
            if event.kind == "asked":
                self._recorded[event.spec] = bool(event.data.get("recorded"))
            elif event.kind == "replied" and not self._recorded.get(event.spec):
                self._cost += event.data.get("cost") or 0.0

    def rows(self, height: int, now: float) -> list[tuple[str, bool]]:
        "At most height rows, of any width, plain; with each whether it is dimmed."
        working = [(name, unit) for name, unit in self._active.items() if not unit.waits]
        if self._units > 1 or len(working) > 1:
            rows = [(self._total(), False)]
            rows += [(_in_one_row(name, unit, now), False) for name, unit in working]
            if len(rows) > height:
                kept = max(height - 1, 0)
                rows = [*rows[:kept], (f"… and {len(rows) - kept} more", True)]
        else:
            rows = [row for name, unit in working for row in _in_full(name, unit, self._cost, now)]
        return [(plain(text), dimmed) for text, dimmed in rows[:max(height, 0)]]

    def _total(self) -> str:
        statuses = list(self._ended.values())
        done = sum(status in _DONE for status in statuses)
        put_off = statuses.count("waiting")
        failed = len(statuses) - done - put_off
        waiting = put_off + sum(unit.waits for unit in self._active.values())
        parts = [f"{done} of {max(self._units, done)} done"]
        if waiting:
            parts.append(f"{waiting} waiting")
        if failed:
            parts.append(f"{failed} failed")
        if self._cost:
            parts.append(dollars(self._cost))
        return ", ".join(parts)


def _after(unit: _Unit, event: Event, now: float) -> _Unit:
    """The unit after an event of its own that does not end it."""
    unit = replace(unit, waits=event.kind == "waits")
    if event.kind == "token":
        text: str = event.data["text"]
        return replace(
            unit,
            characters=unit.characters + len(text),
            first_token=now if unit.first_token is None else unit.first_token,
            answer=(unit.answer + text)[-_KEPT:],
        )
    if event.kind in ("asked", "replied"):
        unit = replace(unit, characters=0, first_token=None, answer="")
    does = "judging" if event.kind == "replied" else words(event, unit.characters)
    if event.kind == "judged":
        unit = replace(unit, verdict=does)
    return replace(unit, does=does, since=now) if does else unit


def _in_full(name: str, unit: _Unit, cost: float, now: float) -> list[tuple[str, bool]]:
    paid = f", {dollars(cost)}" if cost else ""
    rows = [(f"{name}: {unit.does} ({round(now - unit.since)} s{paid})", False)]
    if unit.verdict and unit.verdict != unit.does:
        rows.append((f"  before: {unit.verdict}", False))
    if unit.characters:
        rows.append((f"  {_answered(unit, now)}", False))
        # Not splitlines: a hostile answer could hide what it wrote behind other line ends.
        lines = [line for line in unit.answer.split("\n") if line.strip()]
        rows += [(f"  {line.rstrip().expandtabs(4)}", True) for line in lines[-1:]]
    return rows


def _in_one_row(name: str, unit: _Unit, now: float) -> str:
    answered = f", {_answered(unit, now)}" if unit.characters else ""
    return f"  {name}: {unit.does}{answered} ({round(now - unit.since)} s)"


def _answered(unit: _Unit, now: float) -> str:
    seconds = 0.0 if unit.first_token is None else now - unit.first_token
    # The rate of less than a second would say more about how tokens are bundled than about speed.
    rate = f", {unit.characters / seconds:,.0f} a second" if seconds >= 1 else ""
    return f"{unit.characters:,} characters{rate}"
