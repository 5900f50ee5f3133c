"""What happens is said in words, and nothing that a stranger wrote gives orders to a terminal."""

import unicodedata
from typing import Any

import pytest
from ai_coding.ir import Event
from ai_coding.words import plain, words
from hypothesis import given, settings
from hypothesis import strategies as st

ASKED = {"attempt": 1, "model": "manual", "recorded": False}


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("started", {"why": "never built", "take": 1}, "never built"),
        ("started", {"why": ""}, ""),
        ("asked", ASKED, "asking manual"),
        ("asked", {**ASKED, "recorded": True}, "reading the answer kept from manual"),
        ("asked", {**ASKED, "attempt": 3}, "attempt 3, asking manual"),
        ("asked", {**ASKED, "continuation": 2}, "asking manual, continuation 2"),
        ("asked", {**ASKED, "attempt": 2, "recorded": True}, "attempt 2, reading the answer kept from manual"),
        ("asked", {**ASKED, "model": "command:a\x1b[2J\r\nb\tc"}, "asking command:a␛[2J b c"),
        ("token", {"text": "abc"}, "1,234 characters answered"),
        ("judged", {"passed": 1, "tests": 3, "errors": 2}, "1 of 3 tests passed, 2 errors"),
        ("judged", {"passed": 0, "tests": 1, "errors": 1}, "0 of 1 tests passed, 1 error"),
        ("waits", {"needs": ["ir.toml", "a.toml"]}, "waiting for ir.toml, a.toml"),
        ("testing", {}, "running all tests against stage 1, which takes minutes"),
        ("stage2", {}, "stage 1 builds everything again from the recorded answers"),
        ("interrupted", {}, "stopping when the answers under way are here; Ctrl-C again stops at once"),
        ("replied", {"finish": "stop"}, ""),
        ("new", {}, ""),
    ],
)
def test_events_in_words(kind: str, data: dict[str, Any], said: str) -> None:
    assert words(Event(kind, "x.toml", data), 1234) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("é 漢\n\tx", "é 漢\n\tx"),
        ("\x1b[31mred\x07\0", "␛[31mred␇␀"),
        ("a\rb\x7f", "a␍b␡"),
        ("\x9b2J\x85\u2028", "�2J��"),
        ("if x:  # \u202e\u2066 \u200f\u061c", "if x:  # �� ��"),
        ("\ud800", "�"),
    ],
)
def test_control_characters_become_visible(text: str, shown: str) -> None:
    assert plain(text) == shown


@settings(derandomize=True, deadline=None)
@given(st.text(st.characters(codec=None)))
def test_nothing_is_lost_and_nothing_controls(text: str) -> None:
    """One character for each, so that carets below a line stay where they belong."""
    shown = plain(text)
    assert len(shown) == len(text) and plain(shown) == shown
    for before, after in zip(text, shown, strict=True):
        assert unicodedata.category(after) not in ("Cc", "Cs", "Zl", "Zp") or after in "\t\n"
        assert after == before or unicodedata.category(before) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    assert shown.encode().decode() == shown
