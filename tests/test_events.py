"""The README's table of events is what builds really print with `--format json`."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ai_coding.ir import Event
from ai_coding.progress import Json
from conftest import EDIT, FIZZ, REPO, RIGHT, WRONG, Run

KINDS = {"text": str, "number": (int, float), "boolean": bool, "list": list, "object": dict, "null": type(None)}
Rows = list[dict[str, Any]]
OPTIONAL = {"asked": {"continuation"}}  # there only now and then, as the README says


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, list[str]]]:
    """Kind -> key -> what its value may be, as the README says."""
    section = (REPO / "README.md").read_text("utf-8").partition("\n## Events\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")][1:]
    found = {}
    for first, *cells in rows:
        keys = re.findall(r"`(\w+)` (\w+(?: or \w+)?)", cells[0]) if len(cells) > 1 else []
        found[first.strip("`")] = {key: kinds.split(" or ") for key, kinds in keys}
    return found


def lines(text: str) -> Rows:
    return [json.loads(line) for line in text.splitlines()]


def builds(folder: Path, run: Run, env: dict[str, str], model: Callable[..., str]) -> Rows:
    """Of all sorts: repaired, failed, from the lock, waiting, invalid, one that needs another, interrupted."""
    spec, rows = folder / "fizz.toml", Rows()
    spec.write_text(FIZZ + '[[tests]]\nname = "hidden"\nheld_out = true\nstdout = "Fizz\\n"\n')
    for answers in ([WRONG, WRONG], [WRONG, EDIT]):
        name = model(*answers)
        (folder / "model/calls.jsonl").unlink(missing_ok=True)
        rows += lines(run(spec, "-m", name, "--anew", "--format=json").stdout)
    spec.with_name("fizz.py").unlink()
    rows += lines(run(spec, "--format=json").stdout) + lines(run(spec, "--anew", "-mmanual", "--format=json").stdout)
    (folder / "bad.toml").write_text(FIZZ.replace("language", "langauge"))
    rows += lines(run("bad.toml", "--format=json").stdout)
    library = FIZZ.replace('"fizz"', '"library"', 1).replace("[project]", "[project]\ninterface = 'x: int'")
    (folder / "library.toml").write_text(library)
    (folder / "user.toml").write_text(
        FIZZ.replace('"fizz"', '"user"', 1).replace("[project]", "[project]\nuses = ['library.toml']")
    )
    (folder / "model/calls.jsonl").unlink()
    answers = [
        RIGHT.replace("fizz.py", f"{name}.py").replace("print", "x: int = 1\nprint") for name in ("user", "library")
    ]
    done = run("user.toml", "library.toml", "-j1", "-m", model(*answers), "--format=json")
    assert done.returncode == 0, done.stdout
    rows += lines(done.stdout)
    command = [sys.executable, "-m", "ai_coding", "fizz.toml", "--anew", "-m", "command:sleep 2", "--format=json"]
    with subprocess.Popen(command, cwd=folder, env=env, stdout=-1, text=True) as build:
        assert build.stdout
        while '"asked"' not in (line := build.stdout.readline()):
            assert line
        build.send_signal(signal.SIGINT)
        rows += lines(build.stdout.read())
    return rows


def test_every_event_is_documented(
    table: dict[str, dict[str, list[str]]], tmp_path: Path, run: Run, env: dict[str, str], model: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for kind in ("testing", "stage2"):  # those of `ai_coding self`, which takes too long
        Json().event(Event(kind, "ai_coder.toml"))
    seen: set[str] = set()
    for row in lines(capsys.readouterr().out) + builds(tmp_path, run, env, model):
        kind = row.pop("event")
        assert isinstance(row.pop("spec", ""), str) and set(row) | OPTIONAL.get(kind, set()) == set(table[kind]), kind
        for key, value in row.items():
            sorts = [KINDS[word] for word in table[kind][key]]
            assert any(isinstance(value, sort) for sort in sorts), (kind, key, value)  # type: ignore[arg-type]
            assert not isinstance(value, bool) or "boolean" in table[kind][key]
        seen.add(kind)
    assert seen == set(table), "all that is documented happens"


def test_the_table_can_be_read(table: dict[str, dict[str, list[str]]]) -> None:
    assert table["replied"]["cost"] == ["number", "null"] and table["testing"] == {} and len(table) == 14
    assert {word for keys in table.values() for words in keys.values() for word in words} == set(KINDS)
