"""Ctrl-C during a build: everything that was answered is kept, and the command that it names goes on from there."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EDIT, FIZZ, WRONG

SLOW = FIZZ + "\n[[tests]]\nname = 'slowly'\ncommand = 'sleep 2'\n"
MODEL = """
import json, pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
here, prompt = pathlib.Path(__file__).parent, sys.stdin.read()
with open(here / "calls.jsonl", "a") as calls:
    calls.write(json.dumps("What is wrong" in prompt) + "\\n")
reply = {edit!r} if "What is wrong" in prompt else {wrong!r}
for character in reply:
    print(character, end="", flush=True)
    time.sleep(0.03)
"""
Start = Callable[[str], "subprocess.Popen[str]"]


def wait_for(happened: Callable[[], object], build: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + 60
    while not happened():
        assert build.poll() is None and time.monotonic() < end, "the build ended before"
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path, env: dict[str, str]) -> Start:
    """Begins a build, in a process group of its own, with a tool that is called by its name."""
    (tmp_path / "fizz.toml").write_text(SLOW)
    (tmp_path / "a model.py").write_text(MODEL.format(edit=EDIT, wrong=WRONG))
    tool = tmp_path / "bin/ai_coding"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m ai_coding "$@"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    env["PATH"] = f"{tool.parent}:{env['PATH']}"

    def begin(command: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            cwd=tmp_path,
            env=env,
            stdout=-1,
            stderr=-1,
            text=True,
            start_new_session=True,
        )

    return begin


def journal(folder: Path, kind: str) -> list[Path]:
    return [path for path in folder.glob(f"journal/{kind}/*/*") if not path.name.startswith(".")]


@pytest.mark.parametrize("whole_group", [True, False], ids=["^C", "kill -INT"])
@pytest.mark.parametrize("during", ["asking", "judging", "repairing", "writing"])
def test_an_interrupted_build_goes_on(tmp_path: Path, start: Start, during: str, whole_group: bool) -> None:
    """A terminal sends the signal to all that runs in it, the model and the sandbox too."""
    calls = tmp_path / "calls.jsonl"
    moment = {
        "asking": calls.exists,
        "judging": lambda: journal(tmp_path, "replies"),
        "repairing": lambda: calls.exists() and len(calls.read_text().splitlines()) == 2,
        "writing": lambda: len(journal(tmp_path, "verdicts")) == 2,
    }[during]
    words = f"fizz.toml -m \"command:{sys.executable} 'a model.py'\""
    build = start(f"ai_coding {words}")
    wait_for(moment, build)
    if during == "judging":
        time.sleep(0.5)  # by then the tests run, which take two seconds
    (os.killpg if whole_group else os.kill)(build.pid, signal.SIGINT)
    _, err = build.communicate(timeout=60)
    if during == "writing" and build.returncode in (0, -signal.SIGINT) and not err:
        # It was done before the signal came; one that comes while Python ends kills it.
        assert (tmp_path / "fizz.py").exists() and (tmp_path / "fizz.lock").exists()
        return
    assert build.returncode == 130, err
    first, _, last = err.rpartition("\n\n") if "\n\n" in err else ("", "", err.lstrip("\n"))
    found = re.fullmatch(r"interrupted: what was answered is kept; to go on: (.*)\n", last)
    assert found and "Traceback" not in err, err
    assert "stopping when" in first or during == "writing"
    known, asked = len(journal(tmp_path, "replies")), [json.loads(line) for line in calls.read_text().splitlines()]
    calls.write_text("")
    again = start(found[1])
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0 and out.startswith("fizz.py: "), (out, err)
    assert len(calls.read_text().splitlines()) == 2 - known, f"asked before: {asked}"
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"fizz.toml", "fizz.py", "fizz.lock", "journal", "a model.py", "calls.jsonl", "bin"}
