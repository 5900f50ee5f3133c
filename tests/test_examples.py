"""Every example builds from its lock, without a key, a network or a sandbox; and its tests still pass."""

import shutil
import subprocess
from pathlib import Path

import pytest
from ai_coding import critics, lock, sandbox, spec
from ai_coding.diagnostic import errors
from ai_coding.lock import Lock
from conftest import REPO, Run

EXAMPLES = sorted((REPO / "examples").glob("*.toml"))


def test_there_are_examples() -> None:
    names = {path.stem for path in EXAMPLES}
    assert {"helloworld", "qsort", "askllm", "askllmpy", "wordfreq", "rpn", "roman", "stock"} <= names


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_lock_builds_it(run: Run, tmp_path: Path, path: Path) -> None:
    done = run(path, "--locked")
    assert (done.returncode, done.stderr) == (0, "")
    accepted = lock.read(path.with_suffix(".lock"))
    assert isinstance(accepted, Lock)
    for name, text in accepted.program.files.items():
        assert (tmp_path / name).read_bytes() == text.encode()
    assert run("status", path).stdout == f"{path.name}: up to date\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_its_tests_pass(path: Path) -> None:
    loaded, _ = spec.load(path)
    accepted = lock.read(path.with_suffix(".lock"))
    assert loaded and isinstance(accepted, Lock)
    missing = [
        c[0] for c in (loaded.language.check, loaded.language.run) if c and c[0] in ("node",) and not shutil.which(c[0])
    ]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    verdict = critics.judge(loaded, accepted.program, loaded.tests, {}, sandbox.BUBBLEWRAP)
    assert errors(verdict.diagnostics) == [] and sorted(verdict.passed) == sorted(accepted.passed)


def test_the_main_job(run: Run, tmp_path: Path) -> None:
    assert run(REPO / "examples/qsort.toml").stdout == "qsort.py: from the lock\n"
    command = ["python3", "qsort.py", *"5 3 8 2 7 1".split()]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout == "1 2 3 5 7 8\n"
