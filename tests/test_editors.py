"""What editors are told of requirement files, and what a newcomer gets: the whole command lines."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from ai_coding import jsonschema, schema, spec
from conftest import REPO, Run

FILES = sorted([*(REPO / "examples").glob("*.toml"), *(REPO / "self").glob("*.toml")])
WRONG: dict[str, list[Any]] = {
    "a string": [1, [], {}, True],
    "a regular expression": [1, []],
    "a list of strings": ["x", [1], {}],
    "a table of strings": ["x", [], {"a": 1}],
    "a string or a table of strings": [1, [], {"a": 1}],
    "true or false": [1, "true"],
    "a number": ["1", False],
    "a whole number": [1.5, "1", True],
    "a positive number": [0, -0.5, 1e6, "1", True],
    "a positive whole number": [0, 1.5, 1_000_000_000, True],
    "a table": [1, "x", []],
    "a list of tables": [{}, [1], "x"],
}
ROWS = [(section, key, kind) for section, rows in schema.keys().items() for key, (kind, _) in rows.items()]


@pytest.fixture(scope="module")
def refuses() -> Callable[[object], str]:
    validate = fastjsonschema.compile(jsonschema.rendered())

    def why(values: object) -> str:
        try:
            validate(values)
        except fastjsonschema.JsonSchemaException as fault:
            return str(fault)
        return ""

    return why


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_schema_takes_what_the_checks_take(refuses: Callable[[object], str], path: Path) -> None:
    assert refuses(tomllib.loads(path.read_text())) == ""


@pytest.mark.parametrize(("section", "key", "kind"), ROWS)
def test_the_schema_refuses_what_the_checks_refuse(
    refuses: Callable[[object], str], section: str, key: str, kind: str
) -> None:
    """A value of another type, and an unknown key, at every place."""
    for name, value in [*((key, wrong) for wrong in WRONG[kind]), (key + "s_", "x")]:
        values: dict[str, Any] = {"file": {"name": "a", "language": "c"}, "requirements": "x"}
        if section == "top":
            values[name] = value
        elif section == "tests":
            values["tests"] = [{}, {name: value}]
        else:
            values.setdefault(section, {})[name] = value
        assert refuses(values), (name, value)


def test_what_is_missing_is_refused(refuses: Callable[[object], str]) -> None:
    head: dict[str, Any] = {"name": "a", "language": "c"}
    assert refuses({"file": head, "requirements": {"R1": "x"}}) == ""
    assert refuses({"file": head, "project": {"requirements": "x"}}) == ""
    assert refuses({"workspace": {"members": ["*.toml"]}}) == ""
    assert refuses({"workspace": {"members": []}, "file": {}, "project": {"hints": "x"}}) == ""
    wrong: list[dict[str, Any]] = [{}, {"file": head}, {"requirements": "x"}, {"file": head, "project": {}}]
    for values in (*wrong, {"workspace": {}}):
        assert refuses(values), values
    for name in head:
        assert refuses({"file": {name: "c"}, "requirements": "x"})
    assert refuses({"file": head, "requirements": "x", "build": {"critics": ["nobody"]}})
    assert refuses({"file": head, "requirements": "x", "build": {"strategy": "x"}})


def test_from_nothing_to_a_program(run: Run, tmp_path: Path, model: Callable[..., str]) -> None:
    """What init writes is checked, fits the schema that its first line names, and builds as it stands."""
    done = run("init", "greet.toml")
    assert (done.returncode, done.stderr) == (0, "") and "ai_coding greet.toml" in done.stdout
    text = (tmp_path / "greet.toml").read_text()
    named = re.match(r"#:schema \./(.+)\n", text)
    assert named
    written = (tmp_path / named[1]).read_text()
    assert written == run("schema").stdout and json.loads(written) == jsonschema.rendered()
    fastjsonschema.compile(json.loads(written))(tomllib.loads(text))
    assert run("check", "greet.toml").stderr == ""
    program = "import sys\nfor name in sys.argv[1:] or ['world']:\n    print(f'Hello, {name}!')\n"
    done = run("greet.toml", "-m", model(f"````python greet.py\n{program}````\n"))
    assert done.returncode == 0 and done.stdout.startswith("greet.py: built (1 request; 3 tests passed"), done
    again = run("init", "greet.toml")
    assert again.returncode == 2 and "error[file-exists]" in again.stderr
    assert (tmp_path / "greet.toml").read_text() == text


def test_an_existing_file_is_improved(
    run: Run, tmp_path: Path, fizz: Path, model: Callable[..., str], calls: Callable[[], list[str]]
) -> None:
    """It is shown, and the model asked to change it; the program may take its place, as a copy says."""
    fizz.write_text(fizz.read_text().replace("[[tests]]", 'source = "fizz.py"\n[[tests]]'))
    (tmp_path / "fizz.py").write_text("def old():\n    print('Fizz')\n\n\nold()\n")
    answer = "````search fizz.py\n    print('Fizz')\n````\n````replace\n    print('Fizz', flush=True)\n````\n"
    model_name = model(answer)
    refused = run("fizz.toml", "-m", model_name)
    assert refused.returncode == 2 and calls() == [], refused.stderr
    done = run("fizz.toml", "-m", model_name, "--force")
    assert done.returncode == 0, done.stderr
    (prompt,) = calls()
    assert "def old():" in prompt and "+Print Fizz." in prompt
    assert "flush=True" in (tmp_path / "fizz.py").read_text() and "kept-copy" in done.stderr
    (tmp_path / "fizz.py").unlink()
    assert run("fizz.toml").stdout == "fizz.py: from the lock\n" and len(calls()) == 1


def test_own_templates_change_what_is_asked_and_nothing_else(
    run: Run, tmp_path: Path, fizz: Path, model: Callable[..., str], calls: Callable[[], list[str]]
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/request.j2").write_text("{% include 'ai_coding/request.j2' %}\n\nNo comments, please.\n")
    fizz.write_text(fizz.read_text() + '[build]\nprompts = "own"\n')
    done = run("fizz.toml", "-m", model("````python fizz.py\nprint('Fizz')\n````\n"))
    assert done.returncode == 0 and calls()[0].rstrip().endswith("No comments, please."), done.stderr
    (tmp_path / "own/request.j2").write_text("Other words: {{ spec.name }}")
    assert run("fizz.toml").stdout == "fizz.py: up to date\n" and len(calls()) == 1
    (tmp_path / "own/request.j2").write_text("\n{{ spec.nam }}")
    done = run("fizz.toml")
    assert done.returncode == 2 and "error[bad-template]" in done.stderr and "own/request.j2:2:1" in done.stderr


def test_a_request_that_does_not_fit(
    run: Run, fizz: Path, model: Callable[..., str], calls: Callable[[], list[str]]
) -> None:
    fizz.write_text(fizz.read_text() + "[build]\ncontext_window = 300\n")
    done = run("fizz.toml", "-m", model("x"))
    assert done.returncode == 2 and "error[too-long]" in done.stderr and calls() == []
    assert "context window of 300" in done.stderr and "what takes the most: " in done.stderr


def test_our_own_files_are_not_vague() -> None:
    """Few false alarms: no example has a note, and every requirement that could be covered is."""
    from ai_coding import notes

    for path in (REPO / "examples").glob("*.toml"):
        loaded, _ = spec.load(path)
        assert loaded and notes.find(loaded) == [], path
