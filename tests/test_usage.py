"""Examples in the help of every command, and what a wrong word was meant to be."""

import argparse
import shlex

import pytest
from ai_coding.usage import Parser, form, nearest

COMMANDS = "build init check show status explain pending schema completion self".split()


def parser() -> Parser:
    top = Parser(prog="tool", **form(""))
    top.add_argument("--version", action="store_true")
    commands = top.add_subparsers(dest="command", required=True)
    for name in ("build", "self"):
        commands.add_parser(name, **form(name)).add_argument(f"--{name}-only", nargs="?")
    return top


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_examples(name: str) -> None:
    """Each can be typed as it is, is of that command, and fits a terminal."""
    given = form(name)
    assert given["formatter_class"] is argparse.RawDescriptionHelpFormatter and given["allow_abbrev"] is False
    title, *lines = given["epilog"].splitlines()
    assert title == "examples:" and 1 <= len(lines) <= 5 and len(set(lines)) == len(lines)
    for line in lines:
        assert line.startswith("  ") and len(line) <= 80 and f"ai_coding {name}" in line and shlex.split(line)


def test_a_command_without_examples() -> None:
    assert form("new")["epilog"] is None and list(form("new")) == ["epilog", "formatter_class", "allow_abbrev"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("build --buildonly 1", "unknown: --buildonly 1; did you mean --build-only?"),
        ("build --biuld-only=a/longer/value", "unknown: --biuld-only=a/longer/value; did you mean --build-only?"),
        ("self --versoin --self-onyl", "unknown: --versoin --self-onyl; did you mean --version --self-only?"),
        ("self --zzz", "unknown: --zzz"),
        ("self --biuld x", "unknown: --biuld x"),
        ("build -z", "unknown: -z"),
        ("build x", "unknown: x"),
    ],
)
def test_an_unknown_word(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the options of that command and of the tool itself are meant."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words.split())
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == "" and err.endswith(f"tool: error: {said}\n")


def test_known_words_are_read() -> None:
    assert vars(parser().parse_args(["build", "--build-only", "x"])) == {
        "version": False,
        "command": "build",
        "build_only": "x",
    }
    with pytest.raises(SystemExit):
        parser().parse_args(["buidl"])


@pytest.mark.parametrize(
    ("word", "near"), [("biuld", "build"), ("shwo", "show"), ("build", "build"), ("qsort", ""), ("", "")]
)
def test_the_nearest_word(word: str, near: str) -> None:
    assert nearest(word, iter(COMMANDS)) == near
