"""A build killed at any point loses nothing: no stored answer is asked for again, no half file, no damaged lock."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ai_coding import lock
from ai_coding.lock import Lock
from conftest import EDIT, WRONG, Run

PROGRAM = "if True:\n    print('Fizz')\n"
KILLS = 60


def test_killed_anywhere(run: Run, env: dict[str, str], fizz: Path, model: Callable[..., str]) -> None:
    """The model answers by what it is asked, so that only the number of questions can tell a repeated one."""
    folder = fizz.parent / "model"
    model(WRONG, EDIT)
    script = folder / "model.py"
    script.write_text(
        "import json, pathlib, sys\n"
        "here, prompt = pathlib.Path(__file__).parent, sys.stdin.read()\n"
        f"print({EDIT!r} if 'What is wrong' in prompt else {WRONG!r}, end='', flush=True)\n"
        "with open(here / 'calls.jsonl', 'a') as calls:\n"
        "    calls.write(json.dumps('What is wrong' in prompt) + '\\n')\n"
    )
    name = f"command:{sys.executable} {script}"
    command = [sys.executable, "-m", "ai_coding", str(fizz), "-m", name]
    start = time.monotonic()
    assert subprocess.run(command, cwd=fizz.parent, env=env, capture_output=True).returncode == 0
    whole = time.monotonic() - start
    chance, finished = random.Random(5), 0
    program, lock_path = fizz.with_name("fizz.py"), fizz.with_name("fizz.lock")
    for _ in range(KILLS):
        if lock_path.exists():
            lock_path.unlink()
            program.unlink(missing_ok=True)
            subprocess.run(["rm", "-rf", env["AI_CODING_JOURNAL"]], check=True)
        build = subprocess.Popen(command, cwd=fizz.parent, env=env, stdout=-3, stderr=-3, start_new_session=True)
        time.sleep(chance.uniform(0, whole * 1.1))
        os.killpg(build.pid, signal.SIGKILL)
        finished += build.wait() == 0
        found = lock.read(lock_path)
        assert found is None or isinstance(found, Lock), found
        assert not program.exists() or program.read_text() == PROGRAM
        (folder / "calls.jsonl").write_text("")
        journal = Path(env["AI_CODING_JOURNAL"])
        stored = sum(1 for path in journal.glob("replies/*/*") if not path.name.startswith(".tmp-"))
        done = run(fizz, "-m", name)
        assert done.returncode == 0, done.stderr
        asked = [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
        assert len(asked) == (0 if isinstance(found, Lock) else 2 - stored), "a stored answer was asked for again"
        assert program.read_text() == PROGRAM and isinstance(lock.read(lock_path), Lock)
        left = {path.name for path in fizz.parent.iterdir()}
        assert left == {"fizz.toml", "fizz.py", "fizz.lock", "journal", "model"}
    assert finished < KILLS, "every build had ended before it was killed"


def test_two_builds_of_one_file_at_once(env: dict[str, str], fizz: Path, model: Callable[..., str]) -> None:
    command = [sys.executable, "-m", "ai_coding", str(fizz), "-m", model(WRONG, EDIT)]
    builds = [subprocess.Popen(command, cwd=fizz.parent, env=env, stdout=-3, stderr=-3) for _ in range(4)]
    assert [build.wait() for build in builds] == [0] * 4
    assert len((fizz.parent / "model/calls.jsonl").read_text().splitlines()) == 2


def test_a_damaged_journal_entry_is_a_miss(
    run: Run, env: dict[str, str], fizz: Path, model: Callable[..., str]
) -> None:
    name = model(WRONG, EDIT, WRONG, EDIT)
    assert run(fizz, "-m", name).returncode == 0
    for path in Path(env["AI_CODING_JOURNAL"]).rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-3])
    fizz.with_name("fizz.lock").unlink()
    fizz.with_name("fizz.py").unlink()
    assert run(fizz, "-m", name).returncode == 0
