"""A tree, its archive and its transcripts agree; every broken byte is told with its file."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from ai_coding import generation, lock, proof, workspace
from ai_coding.ir import Judge, Program, Reply, Request, Spec
from ai_coding.lock import Lock
from ai_coding.strategies.direct import direct

WORKSPACE = """\
[workspace]
members = ["*.toml"]
root = ".."
output = "."
data = ["ai_coding/table.txt", "setup.py"]
[build]
committed = true
[project]
requirements = "Small modules."
"""
UNIT = '[file]\nname = "ai_coding/extra"\nlanguage = "python"\n[project]\nrequirements = "WORD is extra."\n'
REPLY = "````python ai_coding/extra.py\nWORD = 'extra'\n````\n"
CODE = "WORD = 'extra'\n"


def archive(root: Path, number: int, steps: list[object], name: str = "extra") -> None:
    """Archive the tree as generation number, with this transcript of its only unit."""
    (root / "ai_coding/iteration.txt").write_text(f"{number}\n")
    target = root / f"history/iter{number}"
    for path in proof_tree(root):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes((root / path).read_bytes())
    (target / "transcripts").mkdir()
    record = {"model": "manual", "take": 1, "base": None, "steps": steps}
    (target / f"transcripts/{name}.json").write_text(json.dumps(record))
    (target / "report.json").write_text(json.dumps({"files": generation.manifest(target)}))
    (target / "NOTES.md").write_text("Not in the manifest.\n")


def proof_tree(root: Path) -> list[str]:
    files = [
        p for p in root.rglob("*") if p.is_file() and p.relative_to(root).parts[0] in ("ai_coding", "self", "setup.py")
    ]
    return [p.relative_to(root).as_posix() for p in files]


def walk(spec: Spec, *base: object) -> list[object]:
    """The steps of a build that passes at once."""
    strategy = direct(spec, *base)  # type: ignore[arg-type]
    ask = next(strategy)
    assert not isinstance(ask, Judge)
    request = Request("manual", 1, spec.parameters, ask.messages)
    judge = strategy.send(REPLY)
    assert isinstance(judge, Judge)
    reply = {"request": request.digest, "model": "manual", "reply": asdict(Reply(REPLY))}
    return [reply, {"program": judge.program.digest, "diagnostics": []}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    texts = {
        "self/ai_coder.toml": WORKSPACE, "self/extra.toml": UNIT, "ai_coding/table.txt": "1\n2\n", "setup.py": "pass\n",
        "ai_coding/extra.py": CODE, ".git/x": "", "tests/test_x.py": "pass\npass\npass\n",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (spec,), found = workspace.load([tmp_path / proof.SELF])
    assert not found
    program = Program({"ai_coding/extra.py": CODE}, "ai_coding/extra.py")
    (tmp_path / "self/extra.lock").write_text(lock.write(Lock(lock.asked(spec), {}, program), committed=True))
    archive(tmp_path, 0, walk(spec))
    return tmp_path


def problems(root: Path) -> set[str]:
    return {f"{d.code} {d.span.file if d.span else ''}" for d in proof.check(root).problems}


def test_a_tree_that_is_what_it_says(root: Path) -> None:
    found = proof.check(root)
    assert (found.problems, found.units) == ((), 1)
    lines = {"generated": 1, "not generated": 0, "requirement files": 14, "templates and tables": 3, "tests": 3}
    assert found.counts == lines
    assert generation.iterations(root) == [0]


@pytest.mark.parametrize(
    ("path", "expected"),
    {
        "ai_coding/extra.py": {"differs ai_coding/extra.py", "other-bytes ai_coding/extra.py"},
        "ai_coding/table.txt": {"differs ai_coding/table.txt"},
        "self/extra.lock": {"differs self/extra.lock"},
        "setup.py": {"differs setup.py"},
        "history/iter0/ai_coding/extra.py": {
            "differs ai_coding/extra.py",
            "damaged-archive history/iter0/ai_coding/extra.py",
        },
        "history/iter0/transcripts/extra.json": {"damaged-archive history/iter0/transcripts/extra.json"},
        "history/iter0/report.json": {"damaged-archive history/iter0/report.json"},
    }.items(),
)
def test_a_broken_byte_is_told_with_its_file(root: Path, path: str, expected: set[str]) -> None:
    (root / path).write_bytes((root / path).read_bytes() + b"#")
    assert problems(root) == expected


def test_a_changed_requirement_makes_another_request(root: Path) -> None:
    (root / "self/extra.toml").write_text(UNIT.replace("is extra", "is more"))
    assert problems(root) == {"differs self/extra.toml", "other-request self/extra.toml"}
    (root / "self/extra.toml").write_text("[file]\n")
    assert "differs self/extra.toml" in problems(root) and any(p.startswith("missing-key") for p in problems(root))


def test_files_that_nothing_yields(root: Path) -> None:
    (root / "ai_coding/sneaky.py").write_text("x\n")
    assert problems(root) == {"not-generated ai_coding/sneaky.py", "not-listed ai_coding/sneaky.py"}
    assert proof.check(root).counts["not generated"] == 1


def test_without_generations_and_without_transcripts(root: Path) -> None:
    (root / "history/iter0").rename(root / "history/old")
    assert problems(root) == {"no-generation "}
    (root / "history/old").rename(root / "history/iter3")
    (root / "history/iter3/transcripts/extra.json").unlink()
    assert "no-transcript self/extra.toml" in problems(root)


def test_an_older_generation_replays_its_units_itself(root: Path) -> None:
    """Its own program is asked, in one process, and what it says is told."""
    (root / "self/more.toml").write_text(UNIT.replace("extra", "more"))
    (root / "history/iter0/transcripts/more.json").write_text("{}")
    archive(root, 1, [], name="none")
    program = root / "history/iter0/ai_coding/proof.py"
    program.with_name("__init__.py").write_text("")
    row = {"code": "other-request", "path": "self/extra.toml", "help": "do"}
    program.write_text(f"import json, sys\nprint(json.dumps([{row!r} | {{'message': str(sys.argv[2:])}}]))\n")
    found = [d for d in proof.check(root).problems if d.code.startswith("other")]
    assert [(d.message, d.help, str(d.span)) for d in found] == [
        ("['0', 'extra.toml', 'more.toml']", "do", "self/extra.toml")
    ]


def test_a_unit_whose_tests_changed_since_is_replayed_by_this_program(root: Path) -> None:
    """The program of then would render its request with the tests of now, and object."""
    program = root / "history/iter0/ai_coding/proof.py"
    program.with_name("__init__.py").write_text("")
    row = {"code": "other-request", "path": "self/extra.toml", "message": "no", "help": "do"}
    program.write_text(f"import json\nprint(json.dumps([{row!r}]))\n")
    archive(root, 1, [], name="none")
    assert "other-request self/extra.toml" in problems(root)
    (root / "self/extra.toml").write_text(UNIT + '[[tests]]\nname = "a"\n')
    assert not [problem for problem in problems(root) if problem.startswith("other")]
    (root / "ai_coding/extra.py").write_text("changed")
    assert "other-bytes ai_coding/extra.py" in problems(root)


def test_run_as_a_program_it_answers_another_generation(root: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(proof.__file__).parent.parent)}
    command = [sys.executable, "-P", "-m", "ai_coding.proof"]
    done = subprocess.run([*command, str(root), "0", "extra.toml"], env=env, capture_output=True)
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr
    (root / "ai_coding/extra.py").write_text("changed")
    done = subprocess.run([*command, str(root), "0", "extra.toml"], env=env, capture_output=True)
    (row,) = json.loads(done.stdout)
    assert done.returncode == 0 and sorted(row) == ["code", "help", "message", "path"]
    assert (row["code"], row["path"]) == ("other-bytes", "ai_coding/extra.py")
    assert subprocess.run(command, env=env, capture_output=True).returncode == 2


def test_damage_of_old_generations_and_of_reports(root: Path) -> None:
    archive(root, 1, walk(workspace.load([root / proof.SELF])[0][0]))
    assert problems(root) == set()
    (root / "history/iter0/more").write_text("x")
    (root / "history/iter0/setup.py").unlink()
    (root / "history/iter1/NOTES.md").write_text("edited later")
    assert problems(root) == {"damaged-archive history/iter0/more", "damaged-archive history/iter0/setup.py"}
    for text in ("", "[]", "{}", '{"files": []}', '{"files": {"setup.py": 1}}', "[" * 100_000):
        (root / "history/iter0/report.json").write_text(text)
        assert problems(root) == {"damaged-archive history/iter0/report.json"}


def test_problems_are_errors_with_a_place_and_a_way_out_in_order(root: Path) -> None:
    (root / "ai_coding/extra.py").write_text("changed")
    (root / "ai_coding/new.py").write_text("new")
    (root / "history/iter0/zero").write_text("x")
    (root / "self/faulty.toml").write_text("[file]\n")
    (root / "self/more.toml").write_text(UNIT.replace("extra", "more"))
    found = proof.check(root).problems
    assert all(d.severity == "error" and d.help and d.span and (root / d.span.file).exists() for d in found)
    codes = [(d.code, d.span.file) for d in found if d.span and d.span.file != "self/faulty.toml"]
    assert codes == [
        ("differs", "ai_coding/extra.py"), ("not-generated", "ai_coding/new.py"), ("not-generated", "self/more.toml"),
        ("damaged-archive", "history/iter0/zero"), ("not-listed", "ai_coding/new.py"),
        ("no-transcript", "self/more.toml"), ("other-bytes", "ai_coding/extra.py"),
    ]  # fmt: skip
    assert any(d.span and d.span.file == "self/faulty.toml" and d.span.line for d in found)
