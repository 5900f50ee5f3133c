"""The command line is read into a namespace, or refused with exit code 2."""

import re
from pathlib import Path
from typing import Any

import pytest
from ai_coding import __version__, arguments

BUILD: dict[str, Any] = {
    "command": "build", "specs": [Path("a.toml")], "out": None, "model": "", "format": "text", "jobs": 8,
    "max_cost": 0.0, "unsafe_sandbox": False, "quiet": False, "verbose": False,
    "attempts": 0, "locked": False, "anew": False, "force": False,
}  # fmt: skip
ASK = {key: BUILD[key] for key in ("specs", "out", "model", "format")}
SELF: dict[str, Any] = {
    "command": "self", "model": "", "format": "text", "jobs": 8, "max_cost": 0.0,
    "unsafe_sandbox": False, "quiet": False, "verbose": False, "check": False,
    "anew": None, "dry_run": False, "notes": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("build a.toml", BUILD),
        ("build a.toml b -o out -j2", BUILD | {"specs": [Path("a.toml"), Path("b")], "out": Path("out"), "jobs": 2}),
        ("build -m manual --attempts 3 a.toml", BUILD | {"model": "manual", "attempts": 3}),
        ("build a.toml --locked --anew --force -q", BUILD | dict.fromkeys(("locked", "anew", "force", "quiet"), True)),
        ("build a.toml --unsafe-sandbox -v", BUILD | {"unsafe_sandbox": True, "verbose": True}),
        ("build --max-cost 0.5 a.toml", BUILD | {"max_cost": 0.5}),
        ("self --max-cost 12", SELF | {"max_cost": 12.0}),
        ("build --jobs 1 --quiet a.toml --verbose", BUILD | {"jobs": 1, "quiet": True, "verbose": True}),
        ("check a.toml --format json", {"command": "check", **ASK, "format": "json"}),
        ("show a.toml --model x:y", {"command": "show", **ASK, "model": "x:y"}),
        ("status --out o a.toml", {"command": "status", **ASK, "out": Path("o")}),
        ("pending --format text", {"command": "pending", "format": "text"}),
        ("check a.toml --format sarif", {"command": "check", **ASK, "format": "sarif"}),
        ("explain", {"command": "explain", "format": "text", "code": ""}),
        ("explain cycle --format json", {"command": "explain", "format": "json", "code": "cycle"}),
        ("init a.toml", {"command": "init", "spec": Path("a.toml"), "language": "python", "format": "text"}),
        ("init a.toml --language c", {"command": "init", "spec": Path("a.toml"), "language": "c", "format": "text"}),
        (
            "init -l c++ x/a --format json",
            {"command": "init", "spec": Path("x/a"), "language": "c++", "format": "json"},
        ),
        ("schema", {"command": "schema", "format": "text"}),
        ("self", SELF),
        ("self --check --dry-run -j 3 --notes why", SELF | {"check": True, "dry_run": True, "jobs": 3, "notes": "why"}),
        ("self --anew", SELF | {"anew": []}),
        ("completion zsh", {"command": "completion", "shell": "zsh"}),
        ("self --anew ir toml -q", SELF | {"anew": ["ir", "toml"], "quiet": True}),
    ],
)
def test_a_command_line_is_read(words: str, expected: dict[str, Any]) -> None:
    assert vars(arguments.parser().parse_args(words.split())) == expected


@pytest.mark.parametrize(
    "words",
    [
        "", "bild a.toml", "build", "check", "show", "status", "pending a.toml", "self a.toml",
        "build a.toml --format sarif", "explain a b", "explain -m manual", "explain --format sarif",
        "build a.toml --what", "build a.toml --check", "pending -m manual",
        "status a.toml -q", "show a.toml --anew", "self -o out", "self --attempts 2", "self --force",
        "build a.toml --max-cost 0", "build a.toml --max-cost -1", "build a.toml --max-cost nan", "self --max-cost inf",
        "init", "init a.toml b.toml", "init a.toml -m manual", "init a.toml --format sarif",
        "schema a.toml", "schema -m manual", "completion", "completion tcsh", "completion bash --format json",
        "build a.toml --max-cost x", "show a.toml --max-cost 1",
        "build a.toml -j 0", "build a.toml -j -1", "build a.toml -j x", "self -j 0",
        "build a.toml --attempts 0", "build a.toml --attempts 1.5", "build a.toml --attempts=-1",
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments.parser().parse_args(words.split())
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == "" and "ai_coding" in err


def test_an_option_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments.parser().parse_args(["build", "a.toml", "--atempts", "3"])
    assert capsys.readouterr().err.endswith("unknown: --atempts 3; did you mean --attempts?\n")


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Help is as wide as a terminal of this width."""
    monkeypatch.setenv("COLUMNS", "80")


def test_help_shows_commands_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command has a line of help; the examples keep their lines."""
    names = ["build", "init", "check", "show", "status", "explain", "pending", "schema", "completion", "self"]
    assert list(arguments.COMMANDS) == names
    with pytest.raises(SystemExit) as ended:
        arguments.parser().parse_args(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0 and text.startswith("usage: ai_coding ")
    lines = [line.strip() for line in text.splitlines()]
    assert max(map(len, text.splitlines())) <= 80
    examples = lines[lines.index("examples:") + 1 :]
    for start in ("ai_coding ", "ai_coding -m openai:gpt-5 ", "ai_coding -m 'command:llm' ", "ai_coding -m manual "):
        assert any(line.startswith(start) and ".toml" in line for line in examples), start
    for name, help in arguments.COMMANDS.items():
        assert "\n" not in help and help[:30] in text and any(line.startswith(name) for line in lines)


@pytest.mark.parametrize("name", arguments.COMMANDS)
def test_every_option_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In the help of a command, words follow every option, in its line or in the next."""
    with pytest.raises(SystemExit):
        arguments.parser().parse_args([name, "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    options, _, examples = text.partition("options:\n")[2].partition("\n\nexamples:\n")
    assert all(f"ai_coding {name}" in line for line in examples.splitlines()) and examples
    for line in re.sub(r"\n {6,}", "  ", options).splitlines():
        assert re.match(r"  -\S.*\S  +\w", line), line


def test_the_version_names_the_iteration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rebuild writes iteration.txt beside the modules; the bootstrap has none and is iteration 0."""

    def version() -> str:
        with pytest.raises(SystemExit) as ended:
            module.parser().parse_args(["--version"])
        assert ended.value.code == 0
        return capsys.readouterr().out

    module = type(pytest)("copied")
    module.__file__ = str(tmp_path / "arguments.py")
    source = Path(arguments.__file__).read_text("utf-8")
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    assert version() == f"ai_coding {__version__}, iteration 0\n"
    (tmp_path / "iteration.txt").write_text(" 12\n")
    assert version() == f"ai_coding {__version__}, iteration 12\n"
