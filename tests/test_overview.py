"""What is going on right now, in rows: one unit in full, many in one row each under a total."""

from typing import Any

from ai_coding.ir import Event
from ai_coding.overview import Overview

ASKED: dict[str, Any] = {"attempt": 1, "model": "openai:x", "recorded": False}
REPLIED: dict[str, Any] = {"finish": "stop", "cost": 0.0125}
JUDGED: dict[str, Any] = {"passed": 1, "tests": 3, "errors": 2}


def tell(overview: Overview, spec: str, kind: str, now: float = 0, **data: Any) -> None:
    overview.event(Event(kind, spec, data), now)


def texts(overview: Overview, now: float = 0, height: int = 20) -> list[str]:
    return [text for text, _ in overview.rows(height, now)]


def test_one_unit_is_shown_in_full() -> None:
    """What is asked, for how long, how fast it comes, the line that is written now; the verdict before it; costs."""
    seen = Overview()
    assert seen.rows(20, 0) == []
    tell(seen, "", "building", units=1, jobs=8)
    tell(seen, "x", "started", 10, why="never built", take=1)
    assert texts(seen, 11) == ["x: never built (1 s)"]
    tell(seen, "x", "asked", 12, **ASKED)
    assert texts(seen, 17.4) == ["x: asking openai:x (5 s)"]
    tell(seen, "x", "token", 20, text="````\nif a:")
    assert seen.rows(20, 20.9) == [("x: asking openai:x (9 s)", False), ("  10 characters", False), ("  if a:", True)]
    tell(seen, "x", "token", 22, text="\n\t\x1b[2Jb " + "c" * 3002 + "\n\n  ")
    row = texts(seen, 24)
    assert row[1] == "  3,024 characters, 756 a second" and row[2].endswith("c") and len(row) == 3
    assert "\x1b" not in row[2] and len(row[2]) < 1100
    assert texts(seen, 24, 1) == row[:1]
    tell(seen, "x", "replied", 24, **REPLIED)
    assert texts(seen, 25) == ["x: judging (1 s, $0.0125)"]
    tell(seen, "x", "judged", 26, **JUDGED)
    assert texts(seen, 26) == ["x: 1 of 3 tests passed, 2 errors (0 s, $0.0125)"]
    tell(seen, "x", "asked", 30, **{**ASKED, "attempt": 2, "recorded": True})
    tell(seen, "x", "replied", 30, **REPLIED)
    tell(seen, "x", "asked", 31, **{**ASKED, "attempt": 3})
    tell(seen, "x", "token", 31, text="a\tb\n")
    assert texts(seen, 32) == [
        "x: attempt 3, asking openai:x (1 s, $0.0125)",
        "  before: 1 of 3 tests passed, 2 errors",
        "  4 characters, 4 a second",
        "  a   b",
    ], "a kept answer costs nothing again"
    tell(seen, "", "interrupted", 32)
    assert len(texts(seen, 32)) == 4, "what is about no unit is said elsewhere"
    tell(seen, "x", "emitted", 33, files=[])
    tell(seen, "x", "ended", 33, status="built")
    assert seen.rows(20, 33) == []


def test_many_units_are_counted_and_listed() -> None:
    seen = Overview()
    tell(seen, "", "building", units=6, jobs=8)
    for name in "abcd":
        tell(seen, name, "asked", **ASKED)
    assert texts(seen, 3) == ["0 of 6 done", *(f"  {name}: asking openai:x (3 s)" for name in "abcd")]
    tell(seen, "c", "token", 4, text="é" * 300)
    tell(seen, "a", "replied", 5, finish="stop", cost=None)
    tell(seen, "b", "replied", 5, **REPLIED)
    tell(seen, "b", "waits", 5, needs=["a"])
    assert texts(seen, 7) == [
        "0 of 6 done, 1 waiting, $0.0125",
        "  a: judging (2 s)",
        "  c: asking openai:x, 300 characters, 100 a second (7 s)",
        "  d: asking openai:x (7 s)",
    ], "a unit that waits for others is no work"
    assert seen.rows(3, 7)[1:] == [("  a: judging (2 s)", False), ("… and 2 more", True)]
    assert texts(seen, 7, 2) == ["0 of 6 done, 1 waiting, $0.0125", "… and 3 more"] and len(texts(seen, 7, 1)) == 1
    tell(seen, "b", "judged", 8, **JUDGED)
    assert "  b: 1 of 3 tests passed, 2 errors (0 s)" in texts(seen, 8)
    for name, status in zip("abcdef", ("built", "failed", "current", "locked", "waiting", "provider"), strict=True):
        tell(seen, name, "ended", 9, status=status)
    assert texts(seen, 9) == ["3 of 6 done, 1 waiting, 2 failed, $0.0125"]
    tell(seen, "self.toml", "testing", 10)
    assert texts(seen, 70)[1:] == ["  self.toml: running all tests against stage 1, which takes minutes (60 s)"]


def test_names_and_hostile_answers_are_plain() -> None:
    seen = Overview()
    tell(seen, "a\x1b[1m", "asked", **ASKED)
    tell(seen, "a\x1b[1m", "token", text="\x1b]0;title\x07\r\u202e")
    assert texts(seen) == ["a␛[1m: asking openai:x (0 s)", "  12 characters", "  ␛]0;title␇␍�"]
