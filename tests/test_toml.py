"""TOML with places: plain values, where each key stands, and what is said about the rest."""

import tomllib
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ai_coding import toml
from ai_coding.diagnostic import Span
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SHARED = [HealthCheck.function_scoped_fixture]
FIXED = settings(derandomize=True, deadline=None, max_examples=300, suppress_health_check=SHARED)


def parsed(folder: Path, text: str | bytes) -> tuple[dict[str, Any], dict[toml.KeyPath, Span], str]:
    """Values, places and the text of all diagnostics."""
    path = folder / "a.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    values, places, found = toml.parse(path, "x.toml")
    assert not found or (values, places) == ({}, {})
    return values, places, "\n".join(map(str, found))


def nearest(places: dict[toml.KeyPath, Span], at: toml.KeyPath) -> str:
    """The marked text of a key, else of the nearest that encloses it, as line:column text."""
    while at and at not in places:
        at = at[:-1]
    span = places[at]
    return f"{span.line}:{span.column} {span.text[span.column - 1 : span.column - 1 + span.length]}"


OPEN = """\
error[toml-syntax]: not TOML: a string is not closed in its line
 --> x.toml:1:7
  |
1 | a = "x
  |       ^
  = help: close it with a quote, or put three quotes around text of several lines"""
BARE = '  = help: text stands in quotes, "…"; true and false are in small letters'
ENCODING = "error[toml-encoding]: this is not UTF-8 text\n --> x.toml:3:1\n  = help: save the file as UTF-8"
TESTS = '# hi\n[[tests]]  # one\nname="a"\n[[tests]]\n\t name  = "b"\n  [tests.env]\nX = "1"\n'


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ('\n\n  "é b"=1', ("é b",), '3:3 "é'),
        ("[t]\nx.y = 1\nx.z = 2\n", ("t", "x", "z"), "3:1 x.z"),
        ("\n  [ a ] # b\n", ("a",), "2:3 [ a ] # b"),
        ("[a.b]\nc = 1\n[d]\n[a.e]\nf = 2\n[a]\ng = 3\n", ("a", "g"), "7:1 g"),
        ("[a.b]\nc = 1\n", ("a", "b"), "1:1 [a.b]"),
        (TESTS, ("tests", 0), "2:1 [[tests]]  # one"),
        (TESTS, ("tests", 1), "4:1 [[tests]]"),
        (TESTS, ("tests", 1, "name"), "5:3 name"),
        (TESTS, ("tests", 1, "env"), "6:3 [tests.env]"),
        ("[[a.b]]\n[[a.b]]\n[[a.b.c]]\nd = 1\n", ("a", "b", 1, "c", 0, "d"), "4:1 d"),
        ("a = { b = 1, c = [{x = 1},\n {y = 2}] }\n", ("a", "c", 1, "y"), "2:3 y"),
        ("a = [1, 2]", ("a", 1), "1:1 a"),
        ("x = 1\na.b.c = 1\na.d = 2\n", ("a",), "2:1 a.b.c"),
        ("x = 1\na.b.c = 1\na.b.d = 2\n", ("a", "b"), "2:1 a.b.c"),
        ("x = 1\n[a.b]\n[a.c]\n", ("a",), "2:1 [a.b]"),
        ("[a.b]\n[a]\n", ("a",), "2:1 [a]"),
        ("[t]\na.b = 1\n", ("t", "a"), "2:1 a.b"),
        ('a = """\n\nb = 1\n"""\nb = 2\n', ("b",), "5:1 b"),
        ('a = "\u2028\x85"\nb = 2\n', ("b",), "2:1 b"),
    ],
)
def test_every_key_has_a_place(tmp_path: Path, text: str | bytes, at: toml.KeyPath, expected: str) -> None:
    _, places, found = parsed(tmp_path, text)
    assert not found and nearest(places, at) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# \u2028 \x85\n\nx = = 1\n",
            "error[toml-syntax]: not TOML: Unexpected character: '='\n --> x.toml:3:5\n  |\n3 | x = = 1\n  |     ^",
        ),
        ("\ufeffa = 1\r\nx = = 1\r\n", "error[toml-syntax]: not TOML: Unexpected character: '='\n --> x.toml:2:5\n"),
        ("x = 1\nx = 2\n", 'error[toml-syntax]: not TOML: Key "x" already exists.\n --> x.toml:2:1\n'),
        ("\n[a]\n  b = 1\n  b = 2\n", 'error[toml-syntax]: not TOML: Key "b" already exists.\n --> x.toml:4:3\n'),
        (
            "[a]\nb.c = 1\n[a.b]\nd = 1\n",
            "error[toml-syntax]: not TOML: Redefinition of an existing table\n"
            " --> x.toml:3:1\n  |\n3 | [a.b]\n  | ^^^^^",
        ),
        ('a = "x\nb = 1', OPEN),
        ("a = 'x\nb = 1", OPEN.replace('"', "'")),
        ('a = "\x01"', "error[toml-syntax]: not TOML: Control characters"),
        ("b = 1\na = 1\v\n", "error[toml-syntax]: not TOML: "),
        ("b = 1\na = 1\u0660\n", "error[toml-syntax]: not TOML: "),
        ("a =\tgo on\n", "error[toml-syntax]: not TOML: Unexpected character: 'g'\n --> x.toml:1:5@"),
        ("a = “go”\n", "error[toml-syntax]: not TOML: Unexpected character: '“'\n --> x.toml:1:5@"),
        (" é}:\tx", "error[toml-syntax]: not TOML: Empty key\n --> x.toml:1:2\n  |\n1 |  é}:\tx\n  |  ^^^"),
        ("a = " + "[" * 5000, "error[toml-syntax]: not TOML: "),
        (b"\n\n'\xff", ENCODING),
        (b"#" * 1_000_001, "error[file-too-big]: x.toml has 1,000,001 bytes; at most 1,000,000\n--> x.toml"),
    ],
)
def test_what_is_not_toml(tmp_path: Path, text: str | bytes, expected: str) -> None:
    found = parsed(tmp_path, text)[2]
    assert found.startswith(expected.rstrip("@")) and (BARE in found) == expected.endswith("@"), found


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    found = toml.parse(tmp_path / "gone", "the name")[2]
    assert str(found[0]) == "error[file-unreadable]: cannot read the name: No such file or directory\n--> the name"
    assert [d.code for d in toml.parse(tmp_path, "x")[2]] == ["file-unreadable"]


def test_line_ends_and_a_mark_do_not_count_and_a_million_bytes_are_fine(tmp_path: Path) -> None:
    assert parsed(tmp_path, b"\xef\xbb\xbfa = '''x\r\ny'''\r\n")[0] == {"a": "x\ny"}
    assert parsed(tmp_path, b"#" * 1_000_000) == ({}, {}, "")


def leaves(value: object, at: toml.KeyPath = ()) -> Iterator[toml.KeyPath]:
    """The paths of all values that are neither tables nor lists nor in a list; they are of Python's own types."""
    assert type(value) in (dict, list, int, float, bool, str, date)
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(child, (*at, key))
    elif isinstance(at[-1], str):
        yield at


NAMES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3).map(".".join)
VALUES = st.sampled_from(["1", "'x'", "1.5", "true", "{a=1, b={c=2}}", "[{a=1},{b=[2]}]", "1979-05-27"])
LINES = NAMES.map("[{}]".format) | NAMES.map("[[{}]]".format) | st.builds("{} = {}".format, NAMES, VALUES)


@FIXED
@given(st.lists(LINES, max_size=9).map("\n".join))
@example("[[c.a]]\n[a]\n[[c.a]]\na = 1")
def test_values_are_plain_and_places_name_their_keys(tmp_path: Path, text: str) -> None:
    values, places, found = parsed(tmp_path, text)
    with suppress(tomllib.TOMLDecodeError):
        assert found or values == tomllib.loads(text) == toml.values(text.encode())
    assert set(leaves(values)) <= set(places)
    for at, span in places.items():
        inside: Any = values
        for step in at:
            inside = inside[step]
        key = [k for k in at if isinstance(k, str)][-1]
        assert span.file == "x.toml" and key in span.text[span.column - 1 :].split("=")[0].strip("[] ").split("."), (
            at,
            span,
        )


@FIXED
@given(st.binary() | st.text(st.sampled_from("[]{}=.,'\"\n #ab1\\é\r\u2028\x00")))
def test_no_content_makes_it_raise(tmp_path: Path, text: str | bytes) -> None:
    parsed(tmp_path, text)
    toml.values(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("data", [b"a = ", b"a = '\xff'", b"#" * 1_000_001, b"a = " + b"[" * 9000])
def test_no_values(data: bytes) -> None:
    assert toml.values(data) is None and toml.values(b"#" * 1_000_000) == {}
    assert toml.values(b"\xef\xbb\xbfa = '''x\r\ny'''\r\n") == {"a": "x\ny"}


@pytest.mark.parametrize("text", ["a" + " . a" * 12_000 + " = 1\n", "[a" + ".a" * 12_000 + "]\nx = 1\n"])
def test_a_key_of_many_parts_costs_no_memory(tmp_path: Path, text: str) -> None:
    """tomllib would take some 500 MB for these. Text with many dots is fine."""
    tracemalloc.start()
    assert toml.values(text.encode()) is None and "toml-syntax" in parsed(tmp_path, text)[2]
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    assert toml.values(f"a.b = '{'.' * 2000}'".encode()) == {"a": {"b": "." * 2000}}
