"""What is of a kind, and what is said of the rest."""

import tomllib
from typing import Any

import pytest
from ai_coding.kinds import form, misfit

STRING, LIST, TABLE = "a string", "a list of strings", "a table of strings"
EITHER, WHOLE = "a string or a table of strings", "a whole number"
POSITIVE, BOOLEAN = "a positive whole number", "true or false"
FITS = {
    STRING: ['"x"', '""'], LIST: ["[]", '["a"]'], TABLE: ["{}", '{a = "b"}'], EITHER: ['"x"', "{}", '{R1 = "x"}'],
    WHOLE: ["0", "-1", "9223372036854775807"], "a positive whole number": ["1", "999999999"],
    "a positive number": ["1", "0.5", "999999.5"], "a number": ["0", "-0.5", "1e6"], "true or false": ["true", "false"],
    "a regular expression": ['"^a.*$"', '""'], "a table": ["{}", "{a = 1, b = []}"], "a list of tables": ["[]", "[{}]"],
}  # fmt: skip
NOT = {
    STRING: ["1", "[]", "{}", "true", "1979-05-27"], LIST: ['"x"', "[1]", "{}", '["a", ["b"]]'],
    TABLE: ['"x"', "[]", "{a = 1}", '{a = {b = "c"}}'], EITHER: ["1", "[]", "{a = 1}"],
    WHOLE: ["1.0", "true", '"1"', "9223372036854775808"],
    "a positive whole number": ["0", "-1", "1.5", "1000000000", "true"],
    "a positive number": ["0", "-0.1", "1e6", "inf", "nan", "true", '"1"'],
    "a number": ["nan", "inf", "-inf", "false", '"1"', "0x1000000000000000000"],
    "true or false": ["1", '"true"', "[]"], "a regular expression": ["'('", "1", "'[z-a]'", "'a{99999999999}'"],
    "a table": ["1", '"x"', "[]", "[{}]"], "a list of tables": ["{}", "1", "[1]", '[{}, "x"]'],
}  # fmt: skip
FORMS = {
    STRING: '{} = "…"', LIST: '{} = ["…"]', TABLE: '{} = {{ "…" = "…" }}', EITHER: '{} = """…"""', WHOLE: "{} = 1",
    POSITIVE: "{} = 1", "a positive number": "{} = 1", "a number": "{} = 1", BOOLEAN: "{} = true",
    "a regular expression": "{} = '…'", "a table": "[{}] on a line of its own, and its keys below",
    "a list of tables": "[[{}]] above each of them",
}  # fmt: skip


def value(text: str) -> Any:
    return tomllib.loads(f"value = {text}")["value"]


@pytest.mark.parametrize("kind", FITS)
def test_what_is_of_a_kind(kind: str) -> None:
    assert [misfit(value(text), kind) for text in FITS[kind]] == [""] * len(FITS[kind])
    for text in NOT[kind]:
        assert misfit(value(text), kind).startswith(("is ", "holds ")), text


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("1.5", LIST, "is 1.5"), ("-3", LIST, "is -3"), ("true", LIST, "is true"), ("'x'", LIST, "is a string"),
        ("{}", LIST, "is a table"), ("[]", STRING, "is a list"), ("1979-05-27", STRING, "is a date or time"),
        ("07:32:00", STRING, "is a date or time"), ("nan", "a number", "is out of range"), ("0", POSITIVE, "is 0"),
        ("1e6", "a positive number", "is 1000000.0"), ("1.0", WHOLE, "is 1.0"),
        ("9223372036854775808", WHOLE, "is out of range"),
        ("0x" + "f" * 9999, WHOLE, "is out of range"), ("['x', 1, true]", LIST, "holds 1"),
        ("[['x']]", LIST, "holds a list"),
        ("{a = 'x', b = {}}", TABLE, "holds a table"), ("{a = false}", EITHER, "holds false"),
        ("['x']", TABLE, "is a list"),
        ("{}", "a list of tables", "is a table"), ("[{}, 'x']", "a list of tables", "holds a string"),
        ("'('", "a regular expression", "is none: missing ), unterminated subpattern at position 0"),
        ("1", "a regular expression", "is 1"),
    ],
)  # fmt: skip
def test_what_it_is_instead(text: str, kind: str, words: str) -> None:
    """Nobody needs to look for what is wrong with the value."""
    assert misfit(value(text), kind) == words


@pytest.mark.parametrize("kind", FITS)
def test_how_it_is_written(kind: str) -> None:
    assert form("key", kind) == "write " + FORMS[kind].format("key")
