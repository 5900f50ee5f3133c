"""The transcript of a unit: what was asked, answered and judged while it was built.

In: the events of a build and the journal that holds its answers, or the bytes of a transcript.
Out: the steps of one unit, the bytes of its transcript, or what such bytes say, or what is wrong
with them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ai_coding import journal
from ai_coding.diagnostic import Diagnostic, Span
from ai_coding.ir import Event, Spec
from ai_coding.lock import Lock


@dataclass(frozen=True)
class Question:
    """A request to a model.

    request: its digest; reply: the Reply as the journal has it, a dict with a `text`.
    """

    request: str
    model: str
    reply: Mapping[str, Any]


@dataclass(frozen=True)
class Judgement:
    """A verdict.

    program: its digest; verdict: its question's digest; answer: the Verdict as the journal has
    it, a dict.
    """

    program: str
    verdict: str
    answer: Mapping[str, Any]
    held_out: bool = False


Step = Question | Judgement


@dataclass(frozen=True)
class Unit:
    """A unit that stage 1 has built.

    before: its lock until then, None without one that is whole; lock: the one it has now.

    steps: what was asked and judged for it in this run, in order, held-out tests too; () if
    nothing was.
    """

    spec: Spec
    before: Lock | None
    lock: Lock
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Transcript:
    """What an archived transcript says.

    base: the number of the generation that the build started from, if any.
    """

    model: str
    take: int
    base: int | None
    steps: tuple[Step, ...]


def steps(spec: Spec, events: Iterable[Event], folder: Path) -> tuple[Step, ...]:
    """What was asked and judged for spec, in order.

    folder: the journal. LookupError if that has an answer no longer.
    """
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


def _recorded(folder: Path, kind: str, key: str) -> dict[str, Any]:
    value = journal.get(folder, kind, key)
    if not isinstance(value, dict):
        raise LookupError(f"the journal {folder} has no object under {key} among its {kind}")
    return value


def write(unit: Unit, previous: int | None) -> bytes:
    """The bytes of the unit's transcript.

    previous: the number of the newest archived generation, None without one.
    """
    # With another take the build began from scratch, whatever was archived before.
    started = unit.before is not None and unit.before.take == unit.lock.take
    record = {
        "model": unit.lock.model,
        "take": unit.lock.take,
        "base": previous if started else None,
        "steps": _rows(unit.steps),
    }
    # ASCII, because a reply may hold lone surrogates, which UTF-8 cannot.
    return (json.dumps(record, ensure_ascii=True, indent=1) + "\n").encode("ascii")


def _rows(found: Iterable[Step]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for step in found:
        if isinstance(step, Question):
            rows.append({"request": step.request, "model": step.model, "reply": step.reply})
        elif not step.held_out:  # a transcript is public, held-out tests are never shown
            rows.append({"program": step.program, "verdict": step.verdict, **step.answer})
    return rows


def read(data: bytes) -> Transcript | str:
    """The transcript, or what is wrong with it, in words. Never raises."""
    try:
        record = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as problem:
        return f"it is not JSON that can be read: {problem}"
    try:
        return _transcript(record)
    except ValueError as problem:
        return str(problem)


def _transcript(record: object) -> Transcript:
    if not isinstance(record, dict):
        raise ValueError("it is not an object")
    for key in ("model", "take", "base", "steps"):
        if key not in record:
            raise ValueError(f"it has no {key}")
    model, take, base = record["model"], record["take"], record["base"]
    if not isinstance(model, str):
        raise ValueError("its model is not a string")
    # isinstance would let true and false pass as integers.
    if type(take) is not int:
        raise ValueError("its take is not an integer")
    if base is not None and type(base) is not int:
        raise ValueError("its base is neither null nor an integer")
    if not isinstance(record["steps"], list):
        raise ValueError("its steps are not a list")
    found: list[Step] = []
    for number, row in enumerate(record["steps"], 1):
        try:
            found.append(_step(row))
        except ValueError as problem:
            raise ValueError(f"step {number}: {problem}") from problem
    return Transcript(model, take, base, tuple(found))


def _step(row: object) -> Step:
    if not isinstance(row, dict):
        raise ValueError("it is not an object")
    if ("request" in row) == ("program" in row):
        raise ValueError("it needs either a request or a program")
    for key in ("request", "program", "model", "verdict"):
        if not isinstance(row.get(key, ""), str):
            raise ValueError(f"its {key} is not a string")
    if "request" in row:
        reply = row.get("reply")
        if not isinstance(reply, dict) or not isinstance(reply.get("text"), str):
            raise ValueError("its reply is not an object with a string text")
        return Question(row["request"], row.get("model", ""), reply)
    answer = {key: value for key, value in row.items() if key not in ("program", "verdict")}
    diagnostics(answer)  # only to refuse what a replay could not use
    return Judgement(row["program"], row.get("verdict", ""), answer)


def diagnostics(answer: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
    """The Diagnostics that a verdict of the journal or of a transcript holds.

    ValueError says what is wrong with them.
    """
    rows = answer.get("diagnostics")
    if not isinstance(rows, list):
        raise ValueError("its diagnostics are not a list")
    return tuple(_diagnostic(row) for row in rows)


def _diagnostic(row: object) -> Diagnostic:
    if isinstance(row, dict) and isinstance(row.get("span"), dict):
        row = {**row, "span": Span(**_checked(Span, row["span"]))}
    return Diagnostic(**_checked(Diagnostic, row))


def _checked(kind: type[Span] | type[Diagnostic], row: object) -> dict[str, Any]:
    """row, if it has all that kind needs and nothing that its fields do not allow."""
    name = kind.__name__.lower()
    if not isinstance(row, dict):
        raise ValueError(f"a {name} is not an object")
    for field in fields(kind):
        if field.default is MISSING and field.name not in row:
            raise ValueError(f"a {name} has no {field.name}")
    types = get_type_hints(kind)
    for key, value in row.items():
        if key not in types:
            raise ValueError(f"a {name} has an unknown key {key!r}")
        # Exactly the type, or one of a union's: true is an int to isinstance.
        if type(value) not in (types[key], *get_args(types[key])):
            raise ValueError(f"the {key} of a {name} has the wrong type")
    return row
