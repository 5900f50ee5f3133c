"""Core cases: a requirement file, the replies of a model, and what must come of it. A bug fix is a new case.

AI_CODING_PACKAGE names another folder that holds the package: every archived generation passes these cases.
"""

import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import REPO, Run

CASES = sorted((REPO / "tests/cases").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(run: Run, tmp_path: Path, model: Callable[..., str], calls: Callable[[], list[str]], case: Path) -> None:
    expected = tomllib.loads((case / "expected.toml").read_text())
    shutil.copy(case / "fizz.toml", tmp_path)
    replies = [path.read_text() for path in sorted((case / "replies").iterdir())]
    done = run("fizz.toml", "-m", model(*replies))
    assert (done.returncode, len(calls())) == (expected["exit_code"], expected["requests"]), done.stderr
    assert expected.get("says", "") in done.stderr
    program = tmp_path / "fizz.py"
    if (case / "expected.txt").exists():
        assert program.read_bytes() == (case / "expected.txt").read_bytes()
        before = (tmp_path / "fizz.lock").read_bytes()
        program.unlink()
        assert run("fizz.toml", AI_CODING_JOURNAL=str(tmp_path / "empty")).returncode == 0
        assert program.read_bytes() == (case / "expected.txt").read_bytes()
        assert (tmp_path / "fizz.lock").read_bytes() == before
    else:
        assert not program.exists() and not (tmp_path / "fizz.lock").exists()
