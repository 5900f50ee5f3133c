"""The shape of requirement files: every key has a type, and all that does not fit is told at its place."""

from pathlib import Path

import pytest
from ai_coding import schema

HEAD = 'requirements = "x"\nfile = {name = "a", language = "c"}\n'
STRING, LIST, TABLE = "a string", "a list of strings", "a table of strings"
EITHER, WHOLE = "a string or a table of strings", "a whole number"
POSITIVE, BOOLEAN = "a positive whole number", "true or false"
KEYS = {
    "": [("file project build model workspace", "a table"), ("tests", "a list of tables")],
    "file": [("name language description extension", STRING)],
    "project": [("requirements specs hints", EITHER), ("interface", STRING), ("uses context", LIST)],
    "build": [("strategy", STRING), ("attempts", POSITIVE), ("critics", LIST), ("committed", BOOLEAN)],
    "workspace": [("members data", LIST), ("root output", STRING)],
    "model": [("name", STRING), ("temperature", "a number"), ("max_tokens seed", WHOLE)],
    "tests": [
        ("name command stdin stdout", STRING), ("covers args copy", LIST), ("env files creates", TABLE),
        ("stdout_matches stderr_matches", "a regular expression"), ("exit_code", WHOLE),
        ("timeout", "a positive number"), ("held_out", BOOLEAN),
    ],
}  # fmt: skip
FITS = {
    STRING: ['"x"', '""'], LIST: ["[]", '["a"]'], TABLE: ["{}", '{a = "b"}'], EITHER: ['"x"', "{}", '{R1 = "x"}'],
    WHOLE: ["0", "-1", "9223372036854775807"], "a positive whole number": ["1", "999999"],
    "a positive number": ["1", "0.5", "999999.5"], "a number": ["0", "-0.5", "1e6"], "true or false": ["true", "false"],
    "a regular expression": ['"^a.*$"', '""'], "a table": ["{}"], "a list of tables": ["[]", "[{}]"],
}  # fmt: skip
NOT = {
    STRING: ["1", "[]", "{}", "true", "1979-05-27"], LIST: ['"x"', "[1]", "{}", '["a", ["b"]]'],
    TABLE: ['"x"', "[]", "{a = 1}", '{a = {b = "c"}}'], EITHER: ["1", "[]", "{a = 1}"],
    WHOLE: ["1.0", "true", '"1"', "9223372036854775808"],
    "a positive whole number": ["0", "-1", "1.5", "1000000", "true"],
    "a positive number": ["0", "-0.1", "1e6", "inf", "nan", "true", '"1"'],
    "a number": ["nan", "inf", "-inf", "false", '"1"', "0x1000000000000000000"],
    "true or false": ["1", '"true"', "[]"], "a regular expression": ["'('", "1", "'[z-a]'", "'a{99999999999}'"],
    "a table": ["1", '"x"', "[]", "[{}]"], "a list of tables": ["{}", "1", "[1]", '[{}, "x"]'],
}  # fmt: skip
ROWS = [(s, key, kind) for s, rows in KEYS.items() for keys, kind in rows for key in keys.split()]


def read(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with text: code, line, column, message, help."""
    (tmp_path / "x.toml").write_text(text)
    _, faults = schema.read(tmp_path / "x.toml", "y.toml")
    assert all(d.severity == "error" and d.span and d.span.file == "y.toml" for d in faults.found)
    return [f"{d.code} {d.span.line}:{d.span.column} {d.message} | {d.help}" for d in faults.found if d.span]


@pytest.mark.parametrize(("section", "key", "kind"), ROWS)
def test_every_key_has_its_type(tmp_path: Path, section: str, key: str, kind: str) -> None:
    head = f"[{section}]\n".replace("[tests]", "[[tests]]") if section else ""
    fault = f"wrong-type {2 if head else 1}:1 `{key}`{f' in [{section}]' if section else ''} must be {kind} | "
    for value in FITS[kind] + NOT[kind]:
        found = [line for line in read(tmp_path, f"{head}{key} = {value}\n") if not line.startswith("missing-key")]
        assert found == ([] if value in FITS[kind] else [fault]), value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEAD, []),
        (HEAD + "[project]\n[tests]\n", ["wrong-type 4:1 `tests` must be a list of tables | "]),
        (HEAD + "[requirement]\n", ["unknown-key 3:1 unknown key `requirement` | did you mean `requirements`?"]),
        (HEAD + "x = {y = 1}\n", ["unknown-key 3:1 unknown key `x` | known here: build, file, hints, model, project, "
         "requirements, specs, tests, workspace"]),
        (HEAD + "[model]\nx = 1\n[[tests]]\n[[tests]]\n  arg = 1\nenv = 1\n[build]\n'' = 1\n", [
            "unknown-key 4:1 unknown key `x` in [model] | known here: max_tokens, name, seed, temperature",
            "unknown-key 7:3 unknown key `arg` in [tests] | did you mean `args`?",
            "wrong-type 8:1 `env` in [tests] must be a table of strings | ",
            "unknown-key 10:1 unknown key `` in [build] | known here: attempts, committed, critics, strategy"]),
        (HEAD + "[hints]\na = 'x'\n[hints.b]\nc = 'x'\n",
         ["wrong-type 3:1 `hints` must be a string or a table of strings | "]),
        ("[file]\nname = 1\n[project]\n", [
            "wrong-type 2:1 `name` in [file] must be a string | ",
            'missing-key 1:1 [file] has no `language` | add language = "…" below [file]',
            'missing-key 3:1 there are no requirements | add requirements = """…""" to [project]']),
        ("file = 'x'\nproject = 1\nrequirements = 1\n", [
            "wrong-type 1:1 `file` must be a table | ",
            "wrong-type 2:1 `project` must be a table | ",
            "wrong-type 3:1 `requirements` must be a string or a table of strings | ",
            'missing-key 1:1 [file] has no `name` | add name = "…" below [file]',
            'missing-key 1:1 [file] has no `language` | add language = "…" below [file]']),
        ("[workspace]\nroot = '..'\n",
         ['missing-key 1:1 [workspace] has no `members` | add members = ["*.toml"] below [workspace]']),
        ("workspace = 1\n", ["wrong-type 1:1 `workspace` must be a table | "]),
        ("[workspace]\nmembers = 1\n", ["wrong-type 2:1 `members` in [workspace] must be a list of strings | "]),
        ("x = = 1\n", ["toml-syntax 1:5 not TOML: Unexpected character: '=' | "]),
    ],
)  # fmt: skip
def test_faults_in_order_then_what_is_missing(tmp_path: Path, text: str, found: list[str]) -> None:
    assert read(tmp_path, text) == found


def test_the_names_that_a_build_may_choose() -> None:
    assert schema.CRITICS == ("syntax", "flake8", "style", "interface", "tests") and schema.STRATEGIES == ("direct",)


def test_texts_of_both_sections() -> None:
    values = {
        "project": {"hints": {"b": "\n\n one\n", "a": "old"}, "specs": "\nx \n\n"},
        "hints": {"a": "new", "c": ""},
    }
    assert list(schema.texts(values, "hints").items()) == [("b", " one"), ("a", "new"), ("c", "")]
    assert schema.texts(values, "specs") == {"": "x "} and schema.texts({}, "hints") == {}
    assert schema.texts({"project": {"hints": "one"}, "hints": "two"}, "hints") == {"": "two"}
