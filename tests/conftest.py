"""Shared by the tests: the tool as a process, and a model that is a list of replies."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
PACKAGE = Path(os.environ.get("AI_CODING_PACKAGE", REPO))

FIZZ = """\
[file]
name = "fizz"
language = "python"

[project]
requirements = "Print Fizz."

[[tests]]
name = "fizz"
stdout = "Fizz\\n"
"""
WRONG = "````python fizz.py\nif True:\n    print('Fuzz')\n````\n"
RIGHT = "````python fizz.py\nprint('Fizz')\n````\n"
EDIT = "````search fizz.py\n    print('Fuzz')\n````\n````replace\n    print('Fizz')\n````\n"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A clean environment: no keys, a journal of its own."""
    keep = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return {**keep, "AI_CODING_JOURNAL": str(tmp_path / "journal"), "PYTHONPATH": str(PACKAGE), "LANG": "C.UTF-8"}


@pytest.fixture
def run(tmp_path: Path, env: dict[str, str]) -> Run:
    """Run the tool in tmp_path; returns the finished process, its output as text."""

    def call(*args: object, **extra: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "ai_coding", *map(str, args)]
        return subprocess.run(command, cwd=tmp_path, env=env | extra, capture_output=True, text=True, timeout=120)

    return call


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., str]:
    """Make a `command:` model that gives these replies in turn; every prompt it gets is kept in calls.jsonl."""

    def make(*replies: str) -> str:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        (folder / "replies.json").write_text(json.dumps(replies))
        script = folder / "model.py"
        script.write_text(
            "import json, pathlib, sys\n"
            "here = pathlib.Path(__file__).parent\n"
            "prompt = sys.stdin.read()\n"
            "with open(here / 'calls.jsonl', 'a') as calls:\n"
            "    calls.write(json.dumps(prompt) + '\\n')\n"
            "number = len((here / 'calls.jsonl').read_text().splitlines())\n"
            "print(json.loads((here / 'replies.json').read_text())[number - 1], end='')\n"
        )
        return f"command:{sys.executable} {script}"

    return make


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[str]]:
    """The prompts that the model got so far."""

    def read() -> list[str]:
        path = tmp_path / "model" / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


@pytest.fixture
def fizz(tmp_path: Path) -> Path:
    """A small requirement file."""
    path = tmp_path / "fizz.toml"
    path.write_text(FIZZ)
    return path
