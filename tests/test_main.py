"""`python -m ai_coding` is the command `ai_coding`: its words, and its exit code."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import ai_coding
import pytest
from ai_coding import cli


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PYTHONPATH": str(Path(ai_coding.__file__).parents[1]), "AI_CODING_JOURNAL": str(folder / "j")}
    command = [sys.executable, "-m", "ai_coding", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def test_it_runs_the_command_line(tmp_path: Path) -> None:
    done = run(tmp_path, "--version")
    assert done.returncode == 0 and done.stdout.startswith(f"ai_coding {ai_coding.__version__}, iteration ")
    done = run(tmp_path)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("usage: ai_coding ")


@pytest.mark.parametrize("code", [0, 1, 4, 130])
def test_its_exit_code_is_what_main_returns(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    calls: list[tuple[object, ...]] = []

    def main(*args: object) -> int:
        calls.append(args)
        return code

    monkeypatch.setattr(cli, "main", main)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("ai_coding", run_name="__main__")
    assert (ended.value.code or 0) == code and calls == [()]


def test_importing_it_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "main", lambda *args: pytest.fail("it ran"))
    runpy.run_module("ai_coding.__main__", run_name="ai_coding.__main__")
