"""The shape of requirement files: every key has a type, and all that does not fit is told at its place."""

import tomllib
from pathlib import Path

import pytest
from ai_coding import kinds, schema

HEAD = 'requirements = "x"\nfile = {name = "a", language = "c"}\n'
STRING, LIST, TABLE = "a string", "a list of strings", "a table of strings"
EITHER, WHOLE = "a string or a table of strings", "a whole number"
POSITIVE, BOOLEAN = "a positive whole number", "true or false"
TABLE_OF_KEYS = tomllib.loads(Path(schema.__file__).with_name("keys.toml").read_text("utf-8"))
FITS = {
    STRING: '""', LIST: '["a"]', TABLE: '{a = "b"}', EITHER: '{R1 = "x"}', WHOLE: "0", POSITIVE: "1", BOOLEAN: "true",
    "a positive number": "0.5", "a number": "-0.5", "a regular expression": '"^a.*$"', "a table": "{}",
    "a list of tables": "[{}]",
}  # fmt: skip
# None of these is of any other kind but those behind it.
NOT: dict[str, list[str]] = {
    "1979-05-27": [], "'('": [STRING, EITHER], "-1.5": ["a number"], "false": [BOOLEAN], "[1]": [],
    "{a = 1}": ["a table"],
}  # fmt: skip
ROWS = [(section, key, row[0]) for section, rows in TABLE_OF_KEYS.items() for key, row in rows.items()]


def read(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with text: code, line, column, message, help."""
    (tmp_path / "x.toml").write_text(text)
    _, faults = schema.read(tmp_path / "x.toml", "y.toml")
    assert all(d.severity == "error" and d.span and d.span.file == "y.toml" for d in faults.found)
    return [f"{d.code} {d.span.line}:{d.span.column} {d.message} | {d.help}" for d in faults.found if d.span]


@pytest.mark.parametrize(("section", "key", "kind"), ROWS)
def test_every_key_has_its_type(tmp_path: Path, section: str, key: str, kind: str) -> None:
    head = {"top": "", "tests": "[[tests]]\n"}.get(section, f"[{section}]\n")
    where = f" in {head.strip()}" if head else ""

    def told(value: str) -> list[str]:
        found = read(tmp_path, f"{head}{key} = {value}\n")
        return [line for line in found if not line.startswith(("missing-key", "unknown-key"))]

    assert told(FITS[kind]) == []
    for value, but in NOT.items():
        if kind not in but:
            wrong = kinds.misfit(tomllib.loads(f"value = {value}")["value"], kind)
            start = f"wrong-type {2 if head else 1}:1 `{key}`{where} must be {kind}"
            assert wrong and told(value) == [f"{start}, but {wrong} | {kinds.form(key, kind)}"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEAD, []),
        (HEAD + "[project]\n[tests]\n", [
            "wrong-type 4:1 `tests` must be a list of tables, but is a table | write [[tests]] above each of them"]),
        (HEAD + "[requirement]\n", ["unknown-key 3:1 unknown key `requirement` | did you mean `requirements`?"]),
        (HEAD + "x = {y = 1}\n", ["unknown-key 3:1 unknown key `x` | known here: build, file, hints, model, project, "
         "requirements, specs, tests, workspace"]),
        (HEAD + "name = ''\n[project]\nmember = 1\noutput = 1\nstdout = 1\ntests = 1\n", [
            "unknown-key 3:1 unknown key `name` | `name` belongs below [file], [model] or [[tests]]",
            "unknown-key 5:1 unknown key `member` in [project] | known here: context, hints, interface, requirements, "
            "source, specs, uses",
            "unknown-key 6:1 unknown key `output` in [project] | `output` belongs below [workspace]",
            "unknown-key 7:1 unknown key `stdout` in [project] | `stdout` belongs below [[tests]]",
            "unknown-key 8:1 unknown key `tests` in [project] | known here: context, hints, interface, requirements, "
            "source, specs, uses"]),
        (HEAD + "[model]\nx = 1\n[[tests]]\n[[tests]]\n  arg = 1\nenv = 1\n[build]\n'' = 1\n", [
            "unknown-key 4:1 unknown key `x` in [model] | known here: max_tokens, name, seed, temperature",
            "unknown-key 7:3 unknown key `arg` in [[tests]] | did you mean `args`?",
            "wrong-type 8:1 `env` in [[tests]] must be a table of strings, but is 1 | "
            'write env = { "…" = "…" }',
            "unknown-key 10:1 unknown key `` in [build] | known here: attempts, committed, context_window, critics, "
            "notes, prompts, strategy"]),
        (HEAD + "[hints]\na = 'x'\n[hints.b]\nc = 'x'\n",
         ["wrong-type 3:1 `hints` must be a string or a table of strings, but holds a table | "
          'write hints = """…"""']),
        ("[file]\nname = 1\n[project]\n", [
            'wrong-type 2:1 `name` in [file] must be a string, but is 1 | write name = "…"',
            'missing-key 1:1 [file] has no `language` | add language = "…" below [file]',
            'missing-key 3:1 there are no requirements | add requirements = """…""" to [project]']),
        (HEAD + "[top]\nname = 1\n", ["unknown-key 3:1 unknown key `top` | known here: build, file, hints, model, "
         "project, requirements, specs, tests, workspace"]),
        ("file = 'x'\nproject = 1\nrequirements = 1\n", [
            "wrong-type 1:1 `file` must be a table, but is a string | "
            "write [file] on a line of its own, and its keys below",
            "wrong-type 2:1 `project` must be a table, but is 1 | "
            "write [project] on a line of its own, and its keys below",
            "wrong-type 3:1 `requirements` must be a string or a table of strings, but is 1 | "
            'write requirements = """…"""']),
        ("[workspace]\nroot = '..'\n",
         ['missing-key 1:1 [workspace] has no `members` | add members = ["*.toml"] below [workspace]']),
        ("workspace = 1\n", ["wrong-type 1:1 `workspace` must be a table, but is 1 | "
         "write [workspace] on a line of its own, and its keys below"]),
        ("[workspace]\nmembers = 1\n", [
            "wrong-type 2:1 `members` in [workspace] must be a list of strings, but is 1 | "
            'write members = ["…"]']),
        ("x = = 1\n", ["toml-syntax 1:5 not TOML: Unexpected character: '=' | "]),
    ],
)  # fmt: skip
def test_faults_in_order_then_what_is_missing(tmp_path: Path, text: str, found: list[str]) -> None:
    assert read(tmp_path, text) == found


def test_the_table_of_keys() -> None:
    """All of it, as it is written by hand; every line of documentation is one sentence, or more, on one line."""
    expected = {s: {key: tuple(row) for key, row in rows.items()} for s, rows in TABLE_OF_KEYS.items()}
    assert schema.keys() == expected and schema.keys() is schema.keys()
    assert [list(rows) for rows in schema.keys().values()] == [list(rows) for rows in expected.values()]
    for _, _, (kind, line) in ((s, key, row) for s, rows in expected.items() for key, row in rows.items()):
        assert kind in FITS and line.endswith(".") and "\n" not in line, line


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
