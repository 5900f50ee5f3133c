"""The transcript of a unit: what was asked, answered and judged while it was built.

This module is the one place that knows what an archived transcript looks like, so that anybody can
replay a build offline. It touches no file but the journal.

In: the events of a build with the journal's answers to them, or the bytes of a transcript.
Out: the bytes of a transcript, or the Transcript that such bytes hold, or what is wrong with them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from ai_coding import journal
from ai_coding.diagnostic import Diagnostic, Span
from ai_coding.ir import Event, Spec
from ai_coding.lock import Lock

_KEYS = ("model", "take", "base", "steps")
_Part = TypeVar("_Part", Span, Diagnostic)


@dataclass(frozen=True)
class Question:
    """A request to a model. request: its digest; reply: the Reply as the journal has it, a dict
    with a `text`."""

    request: str
    model: str
    reply: Mapping[str, Any]


@dataclass(frozen=True)
class Judgement:
    """A verdict. program: its digest; verdict: its question's digest; answer: the Verdict as the
    journal has it, a dict."""

    program: str
    verdict: str
    answer: Mapping[str, Any]
    held_out: bool = False


Step = Question | Judgement


@dataclass(frozen=True)
class Unit:
    """A unit that stage 1 has built. before: its lock until then, None without one that is whole;
    lock: the one it has now.

    steps: what was asked and judged for it in this run, in order, held-out tests too; () if
    nothing was.
    """

    spec: Spec
    before: Lock | None
    lock: Lock
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Transcript:
    """What an archived transcript says. base: the number of the generation that the build started
    from, if any."""

    model: str
    take: int
    base: int | None
    steps: tuple[Step, ...]


def steps(spec: Spec, events: Iterable[Event], folder: Path) -> tuple[Step, ...]:
    """What was asked and judged for spec, in order. folder: the journal. LookupError if that has
    an answer no longer."""
    found: list[Step] = []
    for event in events:
        if event.spec != spec.path.name:
            continue
        data = event.data
        if event.kind == "asked":
            reply = _recorded(folder, "replies", data["request"])
            found.append(Question(data["request"], data["model"], reply))
        elif event.kind == "judged":
            answer = _recorded(folder, "verdicts", data["verdict"])
            found.append(Judgement(data["program"], data["verdict"], answer, data["held_out"]))
    return tuple(found)


def write(unit: Unit, previous: int | None) -> bytes:
    """The bytes of the unit's transcript. previous: the number of the newest archived generation,
    None without one."""
    # With another take the build began from scratch, whatever program was there before.
    continued = unit.before is not None and unit.before.take == unit.lock.take
    record = {
        "model": unit.lock.model,
        "take": unit.lock.take,
        "base": previous if continued else None,
        # A transcript is public, and what held-out tests say is never shown.
        "steps": [
            _row(step)
            for step in unit.steps
            if isinstance(step, Question) or not step.held_out
        ],
    }
    # ASCII, since a reply may hold lone surrogates, which UTF-8 cannot.
    return (json.dumps(record, ensure_ascii=True, indent=1) + "\n").encode("ascii")


def read(data: bytes) -> Transcript | str:
    """The transcript, or what is wrong with it, in words. Never raises."""
    try:
        record = json.loads(data.decode("utf-8"))
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as error:
        return f"it is not JSON in UTF-8: {error}"
    try:
        return _transcript(record)
    except ValueError as error:
        return str(error)


def diagnostics(answer: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
    """The Diagnostics that a verdict of the journal or of a transcript holds. ValueError says what
    is wrong with them."""
    rows = answer.get("diagnostics")
    if not isinstance(rows, list):
        raise ValueError("its diagnostics are not a list")
    return tuple(_diagnostic(row) for row in rows)


def _recorded(folder: Path, kind: str, key: str) -> dict[str, Any]:
    found = journal.get(folder, kind, key)
    if not isinstance(found, dict):
        raise LookupError(f"the journal {folder} has no object for {key} among its {kind}")
    return found


def _row(step: Step) -> dict[str, Any]:
    if isinstance(step, Question):
        return {"request": step.request, "model": step.model, "reply": dict(step.reply)}
    return {"program": step.program, "verdict": step.verdict, **step.answer}


def _transcript(record: object) -> Transcript:
    """The Transcript that parsed JSON is. ValueError says what is wrong with it."""
    if not isinstance(record, dict):
        raise ValueError("it is not an object")
    missing = [key for key in _KEYS if key not in record]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    model, take, base, rows = record["model"], record["take"], record["base"], record["steps"]
    if not isinstance(model, str):
        raise ValueError("its model is not a string")
    # Not isinstance: true and false would be integers.
    if type(take) is not int:
        raise ValueError("its take is not an integer")
    if base is not None and type(base) is not int:
        raise ValueError("its base is neither null nor an integer")
    if not isinstance(rows, list):
        raise ValueError("its steps are not a list")
    found: list[Step] = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(_step(row))
        except ValueError as error:
            raise ValueError(f"step {number} is wrong: {error}") from error
    return Transcript(model, take, base, tuple(found))


def _step(row: object) -> Step:
    """The step that an object of a transcript is. ValueError says what is wrong with it."""
    if not isinstance(row, dict):
        raise ValueError("it is not an object")
    if ("request" in row) == ("program" in row):
        raise ValueError("it has to have either a request or a program")
    for key in ("request", "program", "model", "verdict"):
        if not isinstance(row.get(key, ""), str):
            raise ValueError(f"its {key} is not a string")
    if "request" in row:
        reply = row.get("reply")
        if not isinstance(reply, dict) or not isinstance(reply.get("text"), str):
            raise ValueError("its reply is not an object with a string text")
        return Question(row["request"], row.get("model", ""), reply)
    diagnostics(row)
    answer = {key: value for key, value in row.items() if key not in ("program", "verdict")}
    return Judgement(row["program"], row.get("verdict", ""), answer)


def _diagnostic(row: object) -> Diagnostic:
    if isinstance(row, dict) and row.get("span") is not None:
        row = {**row, "span": _made(Span, row["span"])}
    return _made(Diagnostic, row)


def _made(kind: type[_Part], row: object) -> _Part:
    """The dataclass of that kind with the values of row. ValueError if they do not fit exactly."""
    name = kind.__name__
    if not isinstance(row, dict):
        raise ValueError(f"a {name} in its diagnostics is not an object")
    hints = get_type_hints(kind)
    for key, value in row.items():
        if key not in hints:
            raise ValueError(f"a {name} in its diagnostics has the unknown key {key!r}")
        # The types of a union are its arguments; a plain type has none.
        if type(value) not in (get_args(hints[key]) or (hints[key],)):
            raise ValueError(f"a {name} in its diagnostics has a {key} of a wrong type")
    for field in fields(kind):
        if field.default is MISSING and field.name not in row:
            raise ValueError(f"a {name} in its diagnostics has no {field.name}")
    return kind(**row)
