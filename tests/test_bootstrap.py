"""Rebuilding: what stops it leaves everything as it was, and what was decided is finished whatever kills it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ai_coding
import pytest
from ai_coding import bootstrap, lock
from ai_coding.ir import Outcome, Program, Settings
from ai_coding.lock import Lock

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
    assert isinstance(ended, Outcome) and ended.status == "failed"
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
    archive = root / "history/iter4"
    accepted = lock.write(Lock({}, {}, Program({"ai_coding/extra.py": word}, "ai_coding/extra.py")), committed=True)
    files = {"ai_coding/extra.py": word, "ai_coding/prompts/x.j2": word, "setup.py": word, "self/extra.lock": accepted}
    for name, text in files.items():
        (archive / name).parent.mkdir(parents=True, exist_ok=True)
        (archive / name).write_text(text)
    (archive / "report.json").write_text(json.dumps({}))
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
