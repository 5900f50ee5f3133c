"""Diagnostics: the text that a person or a model reads, to the letter."""

from dataclasses import FrozenInstanceError, asdict

import pytest
from ai_coding.diagnostic import Diagnostic, Span, count, error, errors
from hypothesis import given, settings
from hypothesis import strategies as st

FIXED = settings(derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("diagnostic", "expected"),
    [
        (Diagnostic("note", "reply-unfenced", "no fence"), ["note[reply-unfenced]: no fence"]),
        (error("a", "b", Span("x.toml"), "try"), ["error[a]: b", "--> x.toml", "  = help: try"]),
        (error("a", "b", Span("reply", 7, 3)), ["error[a]: b", " --> reply:7:3"]),
        (error("a", "", Span("é.py", 120)), ["error[a]: ", "   --> é.py:120:1"]),
        (
            error("unknown-key", "no `c`", Span("x.toml", 12, 3, 2, "  cd = 1"), "did you mean `d`?"),
            [
                "error[unknown-key]: no `c`",
                "  --> x.toml:12:3",
                "   |",
                "12 |   cd = 1",
                "   |   ^^",
                "  = help: did you mean `d`?",
            ],
        ),
        (
            Diagnostic("warning", "a", "b\n-1\n\n  +2 \n", Span("x", 3, 1, 1, "y"), "one\ntwo"),
            [
                "warning[a]: b",
                *(" --> x:3:1", "  |", "3 | y", "  | ^"),
                *("  -1", "", "    +2"),
                *("  = help: one", "  = help: two"),
            ],
        ),
        (error("a", "b\nc"), ["error[a]: b", "  c"]),
        (error("a", "\r\n\x85", None, "c\rd"), ["error[a]: ", "  = help: c", "  = help: d"]),
        (error("a", "b", Span("x.toml", 0, 1, 1, "text"), "c"), ["error[a]: b", "--> x.toml", "  = help: c"]),
        (error("a", "b", None, "c"), ["error[a]: b", "  = help: c"]),
    ],
)
def test_the_text_of_a_diagnostic(diagnostic: Diagnostic, expected: list[str]) -> None:
    assert str(diagnostic) == "\n".join(expected)


@pytest.mark.parametrize(
    ("column", "length", "text", "expected"),
    [
        (1, 3, "abc", "^^^"),
        (2, 1, "abc", " ^"),
        (3, 9, "abcd", "  ^^"),
        (4, 9, "abc", "   ^"),
        (9, 9, "abc", "   ^"),
        (1, 0, "abc", "^"),
        (3, 1, "\t b", "\t ^"),
        (4, 2, "a\t\tbc", " \t\t^^"),
    ],
)
def test_carets_stand_below_the_marked_characters(column: int, length: int, text: str, expected: str) -> None:
    """Tabs are kept, carets do not run past the line, and there is always one."""
    assert str(error("a", "b", Span("x", 5, column, length, text))).splitlines()[-1] == "  | " + expected


LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.just("\t"), min_size=1)


@FIXED
@given(LINE, st.integers(1, 99), st.integers(0, 99), st.integers(1, 10**6))
def test_text_and_carets_are_lined_up(text: str, column: int, length: int, line: int) -> None:
    shown = str(error("a", "b", Span("x", line, column, length, text))).split("\n")
    assert len({row.index("|") for row in shown[2:]}) == 1 and shown[1].index("-->") == len(str(line))
    under = shown[4].partition(" | ")[2]
    assert len(under.rstrip("^")) == min(column - 1, len(text)) and "^" in under
    assert len(under) <= max(len(text), 1) or under.count("^") == 1


@pytest.mark.parametrize(("span", "expected"), [(Span("a.py"), "a.py"), (Span("a.py", 2), "a.py:2:1")])
def test_a_place(span: Span, expected: str) -> None:
    assert str(span) == expected


@pytest.mark.parametrize(
    ("column", "length", "text", "shown", "carets"),
    [
        (1, 3, "x" * 200, "x" * 200, "^^^"),
        (1, 3, "x" * 201, "x" * 200 + "…", "^^^"),
        (101, 1, "x" * 201, "x" * 200 + "…", " " * 100 + "^"),
        (102, 2, "x" + "y" * 200, "…" + "y" * 200, " " * 101 + "^^"),
        (501, 9, "x" * 1000, "…" + "x" * 200 + "…", " " * 101 + "^" * 9),
        (501, 999, "x" * 1000, "…" + "x" * 200 + "…", " " * 101 + "^" * 101),
    ],
)
def test_of_a_long_line_only_a_part_is_shown(column: int, length: int, text: str, shown: str, carets: str) -> None:
    lines = str(error("a", "b", Span("x", 1, column, length, text))).splitlines()
    assert lines[1:] == [f" --> x:1:{column}", "  |", f"1 | {shown}", f"  | {carets}"]


def test_they_are_values() -> None:
    """Other modules write them to JSON field by field, and read them back."""
    made = error("a", "b", Span("x", 1, 2, 3, "four"), "five")
    span = {"file": "x", "line": 1, "column": 2, "length": 3, "text": "four"}
    assert asdict(made) == {"severity": "error", "code": "a", "message": "b", "span": span, "help": "five"}
    assert list(asdict(made)) == ["severity", "code", "message", "span", "help"] and list(asdict(made)["span"]) == [
        *span
    ]
    assert made == Diagnostic("error", "a", "b", Span(**span), "five") and hash(made)  # type: ignore[arg-type]
    assert error("a", "b") == Diagnostic("error", "a", "b", None, "") and Span("x") == Span("x", 0, 1, 1, "")
    with pytest.raises(FrozenInstanceError):
        made.code = "z"  # type: ignore[misc]


def test_only_errors_count() -> None:
    kinds = ["note", "error", "warning", "error", "fatal"]
    found = [Diagnostic(kind, str(i), "") for i, kind in enumerate(kinds)]
    assert [d.code for d in errors(iter(found))] == ["1", "3"] and errors([]) == []


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 tests"), (1, "1 test"), (2, "2 tests"), (-1, "-1 tests"), (12345, "12,345 tests")]
)
def test_counts(number: int, expected: str) -> None:
    assert count(number, "test") == expected
