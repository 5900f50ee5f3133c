"""The commands that help to begin: a first requirement file that builds as it stands, and a schema for editors."""

import json
import subprocess
import sys
from pathlib import Path

import ai_coding
import pytest
from ai_coding import arguments, jsonschema, languages, spec, starter
from ai_coding.ir import Spec

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*words: str) -> int:
    return starter.init(arguments.parser().parse_args(["init", *words]), {})


def load(path: str) -> Spec:
    loaded, found = spec.load(Path(path))
    assert loaded and found == []
    return loaded


def test_a_first_requirement_file(here: Path, capsys: Capture) -> None:
    (here / "sub").mkdir()
    assert init("sub/größe x.toml") == 0
    name = "sub/größe x.toml"
    lines = [
        f"{name}: written",
        f"sub/{starter.SCHEMA}: written",
        f"  check it  ai_coding check '{name}'",
        f"  build it  ai_coding '{name}' -m MODEL",
    ]
    assert capsys.readouterr() == ("\n".join(lines) + "\n", "")
    text = Path(name).read_bytes().decode("utf-8")
    assert text.startswith(f"#:schema ./{starter.SCHEMA}\n") and text.endswith("\n") and "größe x.toml" in text
    assert "{{" not in text and "{%" not in text and "\n\n\n" not in text
    assert Path("sub", starter.SCHEMA).read_bytes().decode("utf-8") == jsonschema.text()
    loaded = load(name)
    assert loaded.name == "größe x" and loaded.language.name == "python" and "R1" in loaded.requirements


@pytest.mark.parametrize("name", languages.table())
def test_any_language_of_the_table(name: str) -> None:
    """Every requirement is covered by a test; where nothing can be run, tests have commands."""
    assert init("greet.toml", "--language", name.upper()) == 0
    loaded = load("greet.toml")
    assert loaded.language == languages.table()[name] and loaded.name == "greet"
    assert loaded.tests and {key for test in loaded.tests for key in test.covers} == set(loaded.requirements)
    assert all(bool(test.command) != bool(loaded.language.run) for test in loaded.tests)


def test_nothing_is_overwritten(here: Path, capsys: Capture) -> None:
    Path(starter.SCHEMA).write_text("mine")
    assert init("a.toml", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == {"spec": "a.toml", "files": ["a.toml"]}
    Path("a.toml").write_text("mine")
    Path("link.toml").symlink_to("gone.toml")
    for name in ("a.toml", "link.toml"):
        assert init(name) == 2
        message = (
            f"error[file-exists]: there is a file already\n--> {name}\n  = help: edit it, or choose another name\n"
        )
        assert capsys.readouterr() == ("", message)
    assert Path("a.toml").read_text() == Path(starter.SCHEMA).read_text() == "mine" and not Path("gone.toml").exists()
    assert init("no/a.toml", "--format", "json") == 2
    message = "error[cannot-write]: cannot write: No such file or directory\n--> no/a.toml\n"
    assert capsys.readouterr() == ("", message)
    assert sorted(path.name for path in here.iterdir()) == ["a.toml", starter.SCHEMA, "link.toml"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("x.txt", "error[bad-path]: 'x.txt' does not end in .toml\n--> x.txt\n  = help: call it x.toml"),
        ("s/greet", "error[bad-path]: 'greet' does not end in .toml\n--> s/greet\n  = help: call it greet.toml"),
        ("nul.toml", "error[bad-path]: no program can be called 'nul': that name is not possible on every system\n"
         "--> nul.toml"),
        ('a"b.toml', "error[bad-path]: no program can be called 'a\"b': that name is not possible on every system\n"
         '--> a"b.toml'),
        ("a.toml -l Pyton", "error[unknown-language]: unknown language 'Pyton'\n  = help: did you mean `python`?"),
        ("a -l x", "error[unknown-language]: unknown language 'x'\n  = help: known: python, bash, javascript, c, c++, "
         "text, markdown\n\nerror[bad-path]: 'a' does not end in .toml\n--> a\n  = help: call it a.toml"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(here: Path, capsys: Capture, words: str, message: str) -> None:
    assert init(*words.split()) == 2 and capsys.readouterr() == ("", message + "\n") and list(here.iterdir()) == []


def test_the_schema_is_printed(capsys: Capture) -> None:
    assert starter.schema(arguments.parser().parse_args(["schema"]), {}) == 0
    assert capsys.readouterr() == (jsonschema.text(), "")


def test_importing_costs_little() -> None:
    code = (
        "import sys, ai_coding.starter; print(sorted(m for m in sys.modules if m.startswith(('ai_coding.', 'jinja2'))))"
    )
    env = {"PYTHONPATH": str(Path(ai_coding.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{['ai_coding.' + name for name in ('diagnostic', 'ir', 'progress', 'starter', 'words')]}\n"
