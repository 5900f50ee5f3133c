"""The language table as the tool sees it."""

import tomllib
from pathlib import Path

import ai_coding.diagnostic
import pytest
from ai_coding import languages
from ai_coding.ir import Language

ROWS = tomllib.loads((Path(ai_coding.diagnostic.__file__).parent / "languages.toml").read_text("utf-8"))


def test_every_row_is_there_in_order() -> None:
    table = languages.table()
    assert list(table) == list(ROWS)
    for name, row in ROWS.items():
        lists = {key: tuple(row.get(key, [])) for key in ("aliases", "check", "compile", "run")}
        assert table[name] == Language(name=name, extension=row["extension"], **lists)
        hash(table[name])


def test_known_rows() -> None:
    """Locks depend on these, so they are pinned."""
    assert languages.find("c") == Language(
        "c",
        "c",
        (),
        ("cc", "-std=c17", "-Wall", "-fsyntax-only", "{entry}"),
        ("cc", "-std=c17", "-O2", "-o", "{stem}", "{entry}", "-lm"),
        ("./{stem}",),
    )
    assert languages.find("text") == Language("text", "txt")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("python", "python"),
        ("Python", "python"),
        (" PY\n", "python"),
        ("python3", "python"),
        ("SH", "bash"),
        ("Node", "javascript"),
        ("C++", "c++"),
        ("CXX", "c++"),
        ("C", "c"),
        ("Markdown", "markdown"),
    ],
)
def test_a_name_or_an_alias_in_any_case_finds_its_row(name: str, expected: str) -> None:
    assert languages.find(name) is languages.table()[expected]


@pytest.mark.parametrize(
    "name", ["", " ", "pyth", "pyton", "py thon", "python 3", "*", ".py", "extension", "txt", "md"]
)
def test_what_the_table_does_not_know_is_none(name: str) -> None:
    assert languages.find(name) is None


def test_every_name_and_alias_finds_its_own_row() -> None:
    for name, row in ROWS.items():
        for word in (name, *row.get("aliases", [])):
            found = languages.find(word.upper())
            assert found and found.name == name


def test_the_file_is_read_once() -> None:
    assert languages.table() is languages.table()
