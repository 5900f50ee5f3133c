"""Faults: told at the nearest place, with what could have been meant."""

import subprocess
import sys

import pytest
from ai_coding.diagnostic import Span
from ai_coding.faults import Faults, nearest

KNOWN = ("syntax", "flake8", "style", "interface", "tests")


def test_an_error_is_placed_at_the_nearest_table_that_has_a_place() -> None:
    faults = Faults("x.toml", {("a",): Span("x.toml", 1), ("a", "b", 0): Span("x.toml", 2)})
    for at in ((), ("b",), ("a",), ("a", "b", 1), ("a", "b", 0, "c")):
        faults.add("code", "words", at, "help")
    assert [d.span and d.span.line for d in faults.found] == [0, 0, 1, 1, 2]
    assert {(d.severity, d.code, d.message, d.help) for d in faults.found} == {("error", "code", "words", "help")}
    assert faults.found[0].span == Span("x.toml")


def test_choices_that_are_not_known() -> None:
    faults = Faults("x.toml", {("build",): Span("x.toml", 3)})
    faults.choose("critics", ["tests", "test", "it's", "flake8"], KNOWN)
    assert [(d.code, d.message, d.help, d.span) for d in faults.found] == [
        ("unknown-critics", "unknown critics 'test'", "did you mean `tests`?", Span("x.toml", 3)),
        ("unknown-critics", 'unknown critics "it\'s"', "known: " + ", ".join(KNOWN), Span("x.toml", 3)),
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("test", "did you mean `tests`?"),
        ("sytle", "did you mean `style`?"),
        ("TESTS", "known: syntax, flake8, style, interface, tests"),
        ("", "known: syntax, flake8, style, interface, tests"),
    ],
)
def test_what_could_have_been_meant(word: str, expected: str) -> None:
    assert nearest(word, KNOWN, "known") == expected
    assert nearest(word, [], "known here") == "known here: "


def test_files_without_a_fault_do_not_pay_for_it() -> None:
    code = (
        "import sys\nfrom ai_coding.faults import Faults\nfaults = Faults('x', {})\n"
        "faults.choose('critics', ['a'], ('a',))\n"
        "faults.add('code', 'words')\nassert 'difflib' not in sys.modules\nfaults.choose('critics', ['b'], ('a',))\n"
        "assert 'difflib' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
