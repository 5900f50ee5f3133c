"""The command explain: one code, all codes, or what may have been meant."""

import json
import subprocess
import sys
from dataclasses import asdict

import pytest
from ai_coding import arguments, explanations
from ai_coding.explain import explain

Capture = pytest.CaptureFixture[str]
TABLE = explanations.table()


def run(*words: str) -> int:
    return explain(arguments.parser().parse_args(["explain", *words]), {})


@pytest.mark.parametrize(
    ("word", "code"), [("cycle", "cycle"), ("Flake8-e501", "flake8-*"), ("lock-stale", "lock-stale")]
)
def test_a_code_is_explained(capsys: Capture, word: str, code: str) -> None:
    each = TABLE[code]
    assert run(word) == 0 and capsys.readouterr() == (f"{code}: {each.title}\n\n{each.text}\n", "")
    assert run(word, "--format", "json") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert out.count("\n") == 1 and err == "" and found == asdict(each) and list(found) == ["code", "title", "text"]


def test_all_codes_are_listed(capsys: Capture) -> None:
    assert run() == 0
    out, err = capsys.readouterr()
    width = max(map(len, TABLE)) + 2
    assert err == "" and out.splitlines() == [code.ljust(width) + each.title for code, each in TABLE.items()]
    assert run("--format=json") == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and err == "" and json.loads(out) == [asdict(each) for each in TABLE.values()]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("cycel", "did you mean `cycle`?"),
        ("toml", "did you mean `toml-encoding` or `toml-syntax`?"),
        ("lock", "did you mean `lock-missing`, `lock-stale`, `lock-damaged` or `lock-newer`?"),
        ("it's", ""),
    ],
)
def test_an_unknown_code(capsys: Capture, word: str, meant: str) -> None:
    lines = [f"error[unknown-code]: there is no code {word!r}", meant, "`ai_coding explain` lists all codes"]
    text = "\n  = help: ".join(line for line in lines if line) + "\n"
    for form in ("text", "json"):
        assert run(word, "--format", form) == 2 and capsys.readouterr() == ("", text)


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, ai_coding.explain\n"
    code += "print([m for m in ('rich', 'tomlkit', 'difflib', 'jinja2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
