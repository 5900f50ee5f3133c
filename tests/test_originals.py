"""Requirement files as the first version of the format allowed them pass `check` and `show` unchanged."""

import shutil
from pathlib import Path

import pytest
from conftest import Run

ORIGINALS = sorted((Path(__file__).parent / "originals").glob("*.toml"))


@pytest.mark.parametrize("path", ORIGINALS, ids=lambda path: path.stem)
def test_it_is_fine_and_makes_a_request(run: Run, tmp_path: Path, path: Path) -> None:
    shutil.copy(path, tmp_path)
    done = run("check", path.name)
    assert done.returncode == 0 and done.stdout.startswith(f"{path.name}: fine; 1 requirement"), done.stderr
    assert done.stderr == ""
    done = run("show", path.name)
    text = path.read_text("utf-8")
    asked = [line.strip() for line in text.splitlines() if line.startswith(("- ", "1. "))]
    assert done.returncode == 0 and asked and all(line in done.stdout for line in asked)
    assert f"{path.name}: about" in done.stderr and "no model" in done.stderr


def test_there_are_eight() -> None:
    names = ["ai_coder", "askllm", "askllmplus", "askllmpy", "helloworld", "qsort", "setup", "test"]
    assert [path.stem for path in ORIGINALS] == names
