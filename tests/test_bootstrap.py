"""Rebuilding: what stops it leaves everything as it was, and what was decided is finished whatever kills it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import ai_coding
import pytest
from ai_coding import archive, bootstrap, lock, proof, stages
from ai_coding.diagnostic import error
from ai_coding.ir import Outcome, Program, Settings
from ai_coding.lock import Lock
from ai_coding.transcript import Judgement, Question, Unit
from filelock import FileLock

WORKSPACE = """\
[workspace]
members = ["*.toml"]
root = ".."
output = "."
[build]
committed = true
critics = ["syntax"]
[project]
requirements = "Small modules."
"""
UNIT = '[file]\nname = "ai_coding/extra"\nlanguage = "python"\n[project]\nrequirements = "WORD is extra."\n'
REPLY = "````python ai_coding/extra.py\nWORD = 'extra'\n````\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    texts = {"self/ai_coder.toml": WORKSPACE, "self/extra.toml": UNIT, ".git/x": "", "ai_coding/kept.py": "old = 1\n"}
    for name, text in texts.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(text)
    return tmp_path / "tree"


def rebuild(root: Path, reply: str, plan: bootstrap.Plan) -> tuple[list[str], object]:
    """The kinds of events, and what it returned. The model gives this reply to everything."""
    script = root.parent / "model.py"
    script.write_text(f"import sys\nsys.stdin.read()\nprint({reply!r}, end='')\n")
    model = f"command:{sys.executable} {script}"
    steps = bootstrap.rebuild(root, Settings(root.parent / "journal", root, model, unsafe=True), plan)
    kinds = []
    try:
        while True:
            kinds.append(next(steps).kind)
    except StopIteration as done:
        return [kind for kind in kinds if kind != "token"], done.value


def test_units_that_fail_are_returned(root: Path) -> None:
    kinds, ended = rebuild(root, "````python ai_coding/extra.py\nnot python(\n````\n", bootstrap.Plan())
    assert isinstance(ended, list)
    ((spec, outcome),) = ended
    assert (spec.entry, outcome.status) == ("ai_coding/extra.py", "failed")
    assert "testing" not in kinds and not (root / "history").exists() and not (root / "ai_coding/extra.py").exists()


def test_a_failing_suite_stops_it(root: Path) -> None:
    """The suite runs in the stage against what was built there."""
    (root / "tests").mkdir()
    test = "def test_it():\n    assert WORD == os.environ['AI_CODING_STAGE']\n"
    suite = f"import os\nfrom ai_coding.extra import WORD\n\n\n{test}"
    (root / "tests/test_it.py").write_text(suite)
    kinds, ended = rebuild(root, REPLY, bootstrap.Plan())
    assert isinstance(ended, Outcome) and ended.status == "failed", ended
    assert ended.diagnostics[0].code == "tests"
    assert ended.diagnostics[0].message.startswith("the test-suite fails on stage 1\n")
    assert kinds[-1] == "testing" and "stage2" not in kinds
    assert (root / ".self/stage/ai_coding/extra.py").read_text() == "WORD = 'extra'\n"
    assert "WORD == " in (root / ".self/tests.log").read_text()
    assert not (root / "history").exists() and not (root / "self/extra.lock").exists()


def test_a_name_that_is_no_unit(root: Path) -> None:
    _, ended = rebuild(root, REPLY, bootstrap.Plan(anew=["extra", "nothing"]))
    assert isinstance(ended, Outcome) and [d.code for d in ended.diagnostics] == ["no-unit"]
    assert "nothing" in ended.diagnostics[0].message


def decide(root: Path, word: str = "new") -> None:
    """An archived generation, and the mark that it is to be promoted."""
    home = root / "history/iter4"
    accepted = lock.write(Lock({}, {}, Program({"ai_coding/extra.py": word}, "ai_coding/extra.py")), committed=True)
    files = {"ai_coding/extra.py": word, "ai_coding/prompts/x.j2": word, "setup.py": word, "self/extra.lock": accepted}
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / "report.json").write_text(json.dumps({}))
    (root / ".self").mkdir(exist_ok=True)
    (root / ".self/promoting").write_text("4")


def test_finish_puts_the_generation_in_place(root: Path) -> None:
    bootstrap.finish(root)
    assert (root / "ai_coding/kept.py").exists(), "nothing was decided"
    (root / "self/gone.lock").write_text("an old lock")
    decide(root)
    bootstrap.finish(root)
    inside = sorted(path.relative_to(root).as_posix() for path in (root / "ai_coding").rglob("*") if path.is_file())
    assert inside == ["ai_coding/extra.py", "ai_coding/prompts/x.j2"]
    assert (root / "setup.py").read_text() == "new" and (root / "self/extra.lock").exists()
    assert (root / "self/extra.toml").read_text() == UNIT and not (root / "self/gone.lock").exists()
    assert not (root / ".self/promoting").exists() and not (root / ".self/fresh").exists()


def test_finish_without_anything_decided_makes_nothing(root: Path) -> None:
    bootstrap.finish(root)
    assert not (root / ".self").exists()


def test_a_run_waits_for_the_other(root: Path) -> None:
    """While one holds the lock, another neither promotes nor builds; when it is free it goes on."""
    decide(root)
    code = (
        "import sys\nfrom pathlib import Path\nfrom ai_coding import bootstrap\nfrom ai_coding.ir import Settings\n"
        "print('go', flush=True)\n"
    )
    calls = (
        "bootstrap.finish(Path(sys.argv[1]))",
        "next(bootstrap.rebuild(Path(sys.argv[1]), Settings(Path('j'), Path('o')), bootstrap.Plan()), 0)",
    )
    env = {**os.environ, "PYTHONPATH": str(Path(ai_coding.__file__).parent.parent)}
    with FileLock(root / ".self/lock"):
        runs = [
            subprocess.Popen([sys.executable, "-c", code + call, str(root)], cwd=root, stdout=subprocess.PIPE, env=env)
            for call in calls
        ]
        for run in runs:
            assert run.stdout and run.stdout.readline() == b"go\n"
        time.sleep(0.5)
        assert [run.poll() for run in runs] == [None, None]
        assert (root / ".self/promoting").exists() and not (root / ".self/stage").exists()
    assert [run.wait(60) for run in runs] == [0, 0]
    assert (root / "setup.py").read_text() == "new" and not (root / ".self/promoting").exists()


def test_a_rebuild_that_is_closed_lets_the_next_one_in(root: Path) -> None:
    settings = Settings(root.parent / "journal", root, "command:cat", unsafe=True)
    steps = bootstrap.rebuild(root, settings, bootstrap.Plan())
    assert next(steps).kind == "building"
    steps.close()
    _, ended = rebuild(root, REPLY.replace("'extra'", "("), bootstrap.Plan())
    assert isinstance(ended, list) and ended[0][1].status == "failed"


def test_a_rebuild_first_finishes_what_was_decided(root: Path) -> None:
    decide(root)
    _, ended = rebuild(root, REPLY, bootstrap.Plan(anew=["nothing"]))
    assert isinstance(ended, Outcome) and ended.status == "invalid"
    assert (root / "setup.py").read_text() == "new" and not (root / ".self/promoting").exists()


def test_faults_and_names_that_are_no_units_are_told_together(root: Path) -> None:
    (root / "self/faulty.toml").write_text("[file]\n")
    kinds, ended = rebuild(root, REPLY, bootstrap.Plan(anew=["nothing", "extra", "none", "nothing"]))
    assert isinstance(ended, Outcome) and ended.status == "invalid" and kinds == []
    *faults, first, second = ended.diagnostics
    assert faults and all(fault.code != "no-unit" for fault in faults)
    assert [first.message, second.message] == ["there is no unit nothing", "there is no unit none"]
    assert "extra" in first.help


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[object]]:
    """The suite and stage 2 without their work: what they were called with, and the problems that they tell."""
    calls: dict[str, list[object]] = {"suite": [], "again": [], "write": [], "promote": []}

    def fake(module: object, name: str, result: object) -> None:
        def call(*args: object) -> object:
            calls[name].append(args)
            return result

        monkeypatch.setattr(module, name, call)

    fake(stages, "suite", [])
    fake(stages, "again", [])
    fake(archive, "write", 7)
    fake(archive, "promote", None)
    return calls


def test_the_whole_story(root: Path, fakes: dict[str, list[object]]) -> None:
    kinds, ended = rebuild(root, REPLY, bootstrap.Plan(notes="Why."))
    assert ended == Outcome("built", summary="iteration 7")
    assert kinds == "building started asked replied judged emitted ended testing stage2".split()
    ((_, settings, units),) = cast("list[tuple[Path, Settings, list[Unit]]]", fakes["again"])
    assert fakes["write"] == [(root, root / ".self/one", units, "Why.")] and len(fakes["promote"]) == 2
    (unit,) = units
    assert unit.before is None and (unit.lock.take, unit.lock.requests) == (1, 1) and settings.unsafe
    question, judgement = unit.steps
    assert isinstance(question, Question) and question.reply["text"] == REPLY
    assert isinstance(judgement, Judgement) and judgement.answer["diagnostics"] == []


def test_the_lock_before_is_that_of_the_tree(root: Path, fakes: dict[str, list[object]]) -> None:
    """A dry run ends after stage 2; asked anew, the unit gets the next take, and its lock before is told."""
    rebuild(root, REPLY, bootstrap.Plan())
    for name in ("self/extra.lock", "ai_coding/extra.py"):
        (root / name).write_bytes((root / ".self/stage" / name).read_bytes())
    fakes["write"].clear()
    _, ended = rebuild(root, REPLY.replace("'extra'", "'more'"), bootstrap.Plan(anew=[], dry=True))
    said = "dry run: all tests passed, the new modules are in .self/stage, nothing was put in place"
    assert ended == Outcome("built", summary=said) and fakes["write"] == []
    _, _, (unit,) = cast("tuple[Path, Settings, list[Unit]]", fakes["again"][-1])
    assert unit.before and (unit.before.take, unit.lock.take) == (1, 2)


def test_nothing_to_do_only_if_the_proof_says_so(
    root: Path, fakes: dict[str, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild(root, REPLY, bootstrap.Plan())
    for name in ("self/extra.lock", "ai_coding/extra.py"):
        (root / name).write_bytes((root / ".self/stage" / name).read_bytes())
    kinds, ended = rebuild(root, "", bootstrap.Plan())
    assert isinstance(ended, Outcome) and ended.status == "built", "there is no generation yet"
    monkeypatch.setattr(proof, "check", lambda root: proof.Proof((), {}, 1))
    kinds, ended = rebuild(root, "", bootstrap.Plan())
    assert isinstance(ended, Outcome) and ended.status == "current" and "testing" not in kinds


def test_a_stage_2_that_differs_stops_it(
    root: Path, fakes: dict[str, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = error("stage2", "it differs")
    monkeypatch.setattr(stages, "again", lambda *_: [problem])
    kinds, ended = rebuild(root, REPLY, bootstrap.Plan())
    assert ended == Outcome("failed", (problem,)) and kinds[-1] == "stage2" and fakes["write"] == []


def test_events_of_the_rebuild_itself(root: Path, fakes: dict[str, list[object]]) -> None:
    steps = bootstrap.rebuild(
        root, Settings(root.parent / "journal", root, f"command:{sys.executable} -c 'print({REPLY!r})'", unsafe=True),
        bootstrap.Plan(),
    )  # fmt: skip
    events = {event.kind: (event.spec, dict(event.data)) for event in steps}
    assert events["testing"] == events["stage2"] == ("ai_coder.toml", {})


def test_a_kill_leaves_a_whole_package_and_the_next_start_finishes(root: Path) -> None:
    decide(root)
    bootstrap.finish(root)
    code = (
        "import sys\nfrom pathlib import Path\nfrom ai_coding import bootstrap\nroot = Path(sys.argv[1])\n"
        "print('go', flush=True)\n"
        "while True:\n    (root / '.self/promoting').write_text('4')\n    bootstrap.finish(root)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(ai_coding.__file__).parent.parent)}
    for delay in (0.0, 0.002, 0.004, 0.007, 0.01, 0.015, 0.02, 0.03):
        run = subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, env=env)
        assert run.stdout and run.stdout.readline() == b"go\n"
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert (root / "ai_coding/extra.py").read_text() == "new" and (root / "ai_coding/prompts/x.j2").exists()
        decide(root)
        bootstrap.finish(root)
        assert (root / "setup.py").read_text() == "new" and not (root / ".self/promoting").exists()
