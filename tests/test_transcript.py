"""A transcript is written from what a build asked and judged, and is read back or refused in words."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from ai_coding import journal, transcript
from ai_coding.diagnostic import Diagnostic, Span
from ai_coding.ir import Event, Language, Program, Reply, Spec, Verdict
from ai_coding.lock import Lock
from ai_coding.transcript import Judgement, Question, Transcript, Unit

SPEC = Spec(Path("/x/self/extra.toml"), "ai_coding/extra", Language("python", "py"), {})
WRONG = Diagnostic("error", "tests", "it fails", Span("extra.py", 3, 1, 2, "x = 1"), "mend it")
REPLY = asdict(Reply("lone \ud800, ü", "stop", "m-1", 10, 20))
VERDICT = json.loads(json.dumps(asdict(Verdict((WRONG,), 2, ("a",), "bubblewrap"))))
FINE = {"diagnostics": [], "reached": 3, "passed": [], "sandbox": "bubblewrap"}
LOCK = Lock({}, {}, Program({}, "x"), take=2, model="m")
STEPS = (
    Question("sha256:q1", "m", REPLY),
    Judgement("sha256:p1", "sha256:v1", VERDICT),
    Judgement("sha256:p1", "sha256:v2", FINE, held_out=True),
)
ROWS = [
    {"request": "sha256:q1", "model": "m", "reply": REPLY},
    {"program": "sha256:p1", "verdict": "sha256:v1", **VERDICT},
]


def events() -> list[Event]:
    name = "extra.toml"
    mine = [
        Event("started", name, {"why": "never built", "take": 1}),
        Event("asked", name, {"attempt": 1, "model": "m", "request": "sha256:q1", "recorded": True, "because": []}),
        Event("token", name, {"text": "x"}),
        Event("replied", name, {"finish": "stop", "characters": 1, "input_tokens": 0, "output_tokens": 0}),
        Event("judged", name, {"program": "sha256:p1", "verdict": "sha256:v1", "held_out": False, "errors": 1}),
        Event("judged", name, {"program": "sha256:p1", "verdict": "sha256:v2", "held_out": True, "errors": 0}),
        Event("emitted", name, {"files": []}),
    ]
    return [found for event in mine for found in (event, replace(event, spec="other_extra.toml"))]


def test_steps_are_those_of_one_unit(tmp_path: Path) -> None:
    journal.put(tmp_path, "replies", "sha256:q1", REPLY)
    journal.put(tmp_path, "verdicts", "sha256:v1", VERDICT)
    journal.put(tmp_path, "verdicts", "sha256:v2", FINE)
    assert transcript.steps(SPEC, events(), tmp_path) == STEPS
    assert transcript.steps(replace(SPEC, path=Path("/x/self/none.toml")), events(), tmp_path) == ()


@pytest.mark.parametrize("kind", ["replies", "verdicts"])
def test_a_journal_that_lost_an_answer(tmp_path: Path, kind: str) -> None:
    if kind == "verdicts":
        journal.put(tmp_path, "replies", "sha256:q1", REPLY)
        journal.put(tmp_path, "verdicts", "sha256:v1", ["no object"])
    with pytest.raises(LookupError):
        transcript.steps(SPEC, events(), tmp_path)


@pytest.mark.parametrize(("before", "base"), [(None, None), (LOCK, 4), (replace(LOCK, take=1), None)])
def test_written(before: Lock | None, base: int | None) -> None:
    """Without held-out verdicts; with a base if the take is that of the lock before."""
    data = transcript.write(Unit(SPEC, before, LOCK, STEPS), 4)
    record = json.loads(data.decode("ascii"))
    assert list(record.items()) == [("model", "m"), ("take", 2), ("base", base), ("steps", ROWS)]
    assert list(record["steps"][1])[:2] == ["program", "verdict"]
    assert data.endswith(b"}\n") and data.startswith(b'{\n "model"')
    assert json.loads(transcript.write(Unit(SPEC, before, LOCK, ()), None))["base"] is None


def test_read_back() -> None:
    data = transcript.write(Unit(SPEC, LOCK, LOCK, STEPS), 4)
    assert transcript.read(data) == Transcript("m", 2, 4, STEPS[:2])
    assert transcript.read(transcript.write(Unit(SPEC, None, LOCK, ()), None)) == Transcript("m", 2, None, ())


def test_what_is_not_needed_may_be_missing_or_more() -> None:
    rows = [{"request": "q", "reply": {"text": "t"}, "x": 1}, {"program": "p", "diagnostics": []}]
    record = {"model": "m", "take": 1, "base": None, "steps": rows, "more": 1}
    steps = (Question("q", "", {"text": "t"}), Judgement("p", "", {"diagnostics": []}))
    assert transcript.read(json.dumps(record).encode()) == Transcript("m", 1, None, steps)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"{}"])
def test_no_transcript_at_all(data: bytes) -> None:
    found = transcript.read(data)
    assert isinstance(found, str) and found


GOOD: dict[str, Any] = {"model": "m", "take": 1, "base": None, "steps": ROWS}
BAD_STEPS: list[dict[str, Any]] = [
    {}, {"reply": {"text": ""}}, {"request": "q", "program": "p", "reply": {"text": ""}, "diagnostics": []},
    {"request": "q"}, {"request": "q", "reply": {}}, {"request": "q", "reply": {"text": None}},
    {"request": 1, "reply": {"text": ""}}, {"request": "q", "model": 1, "reply": {"text": ""}},
    {"program": "p"}, {"program": None, "diagnostics": []}, {"program": "p", "diagnostics": [1]},
    {"program": "p", "verdict": 1, "diagnostics": []}, {"program": "p", "diagnostics": [{"code": "x"}]},
]  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        *({key: value for key, value in GOOD.items() if key != gone} for gone in GOOD),
        {**GOOD, "model": None}, {**GOOD, "take": "1"}, {**GOOD, "take": True}, {**GOOD, "take": 1.0},
        {**GOOD, "base": "0"}, {**GOOD, "base": False}, {**GOOD, "steps": {}}, {**GOOD, "steps": [1]},
        *({**GOOD, "steps": [*ROWS, row]} for row in BAD_STEPS),
    ],
)  # fmt: skip
def test_damaged_in_any_way(changed: dict[str, Any]) -> None:
    assert isinstance(transcript.read(json.dumps(GOOD).encode()), Transcript)
    found = transcript.read(json.dumps(changed).encode())
    assert isinstance(found, str) and found


def test_a_missing_key_is_named() -> None:
    assert "base" in str(transcript.read(b'{"model": "m", "take": 1, "steps": []}'))


def test_diagnostics() -> None:
    assert transcript.diagnostics(VERDICT) == (WRONG,)
    short: dict[str, Any] = {"severity": "error", "code": "x", "message": "y", "span": {"file": "f"}}
    assert transcript.diagnostics({"diagnostics": [short]}) == (Diagnostic("error", "x", "y", Span("f")),)
    wrongs: list[dict[str, Any]] = [
        {}, {"diagnostics": None}, {"diagnostics": {}}, {"diagnostics": [None]},
        {"diagnostics": [{**short, "more": 1}]}, {"diagnostics": [{"severity": "error", "code": "x"}]},
        {"diagnostics": [{**short, "code": 1}]}, {"diagnostics": [{**short, "span": "f"}]},
        {"diagnostics": [{**short, "span": {}}]}, {"diagnostics": [{**short, "span": {"file": "f", "line": True}}]},
        {"diagnostics": [{**short, "span": {"file": "f", "line": 1.0}}]},
        {"diagnostics": [{**short, "span": {"file": "f", "x": 1}}]},
    ]  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(ValueError, match="."):
            transcript.diagnostics(wrong)
