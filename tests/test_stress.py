"""Many builds at once, kills, full disks, changed line ends, damage and sheer size: what a build must stand."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ai_coding import lock
from ai_coding.asking import LONGEST
from ai_coding.lock import Lock
from conftest import EDIT, FIZZ, RIGHT, WRONG, Run
from kills import TEXTS, UNITS, kills, prepare

Model = Callable[..., str]
Calls = Callable[[], list[str]]
PROGRAM = "print('Fizz')\n"


def say(folder: Path, code: str) -> str:
    """The name of a model that counts its calls in asked.txt, and then runs code; its prompt is in `prompt`."""
    path = folder / "say.py"
    count = "open(pathlib.Path(__file__).with_name('asked.txt'), 'a').write('x')\n"
    path.write_text(f"import pathlib, shutil, sys, time\nprompt = sys.stdin.read()\n{count}{code}\n")
    return f"command:{sys.executable} {path}"


def asked(folder: Path) -> int:
    path = folder / "asked.txt"
    return len(path.read_text()) if path.exists() else 0


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "ai_coding", *map(str, words)]


def test_sixteen_builds_of_one_file_ask_once(env: dict[str, str], fizz: Path) -> None:
    name = say(fizz.parent, f"time.sleep(0.3)\nprint({RIGHT!r})")
    start = {"cwd": fizz.parent, "env": env, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    builds = [subprocess.Popen(command(fizz, "-m", name), **start) for _ in range(16)]  # type: ignore[call-overload]
    said = [build.communicate(timeout=120) for build in builds]
    assert [build.returncode for build in builds] == [0] * 16, said
    assert sorted(out for out, _ in said) == [
        "fizz.py: built (1 request; 1 test passed in bubblewrap)\n",
        *["fizz.py: up to date\n"] * 15,
    ]
    assert [err for _, err in said] == [""] * 16 and asked(fizz.parent) == 1
    assert fizz.with_name("fizz.py").read_text() == PROGRAM


def test_builds_of_a_workspace_at_once_share_the_work(tmp_path: Path, env: dict[str, str]) -> None:
    """Each unit is built by one of them, the others wait for it; a unit that is used is no exception."""
    words, space = prepare(tmp_path), tmp_path / "space"
    builds = [subprocess.Popen([*words, *more], cwd=space, env=env) for more in ([], ["-j1"], ["-j4"], ["-j2"])]
    assert [build.wait(120) for build in builds] == [0] * 4
    prompts = (tmp_path / "model" / "calls").read_text().split()
    assert len(prompts) == len(set(prompts)) == len(UNITS) + 1, "one answer was wrong at first"
    for name in UNITS:
        assert (space / f"{name}.py").read_text() == TEXTS[name]
        assert isinstance(lock.read(space / f"{name}.lock"), Lock)


def test_a_workspace_that_is_killed_at_any_time(tmp_path: Path, env: dict[str, str]) -> None:
    """tests/kills.py does it a thousand times."""
    seen = kills(tmp_path / "kills", env, 10, 7)
    assert seen["killed"] == 10 and seen["requests"] >= len(UNITS) + 1, seen


def crlf(*paths: Path) -> None:
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("committed", [False, True])
def test_line_ends_that_git_changed(run: Run, fizz: Path, committed: bool) -> None:
    """A checkout with other line ends is neither stale nor edited; what is written has the accepted bytes."""
    folder = fizz.parent
    (folder / "table.csv").write_text("a,b\n1,2\n")
    build = f"context = ['table.csv']\n[build]\ncommitted = {str(committed).lower()}\n"
    fizz.write_text(
        FIZZ.replace("\n[[tests]]", f"{build}\n[[tests]]").replace('"Print Fizz."', '"""\nPrint\nFizz.\n"""')
    )
    assert run(fizz, "-m", say(folder, f"print({RIGHT!r})")).returncode == 0
    files = [fizz, folder / "table.csv", folder / "fizz.py", folder / "fizz.lock"]
    crlf(*files)
    for journal in (folder / "journal", folder / "another"):
        assert run("status", fizz, AI_CODING_JOURNAL=str(journal)).stdout == "fizz.toml: not written\n"
        done = run(fizz, "--locked", AI_CODING_JOURNAL=str(journal))
        assert (done.returncode, done.stdout, done.stderr) == (0, "fizz.py: from the lock\n", "")
        assert (folder / "fizz.py").read_text() == PROGRAM and not list(folder.glob("*.orig"))
        crlf(*files)
    fizz.write_text(fizz.read_text().replace("Fizz.", "Fizz, please."))
    done = run("show", fizz, "-m", "manual")
    assert "\r" not in done.stdout and "a,b\n1,2\n" in done.stdout, "a model is shown the same on every machine"
    assert asked(folder) == 1


def inside(*options: str) -> list[str]:
    """The words that go before a command to give it other mounts; skips where that cannot be done."""
    words = ["bwrap", "--dev-bind", "/", "/", *options, "--"]
    if subprocess.run([*words, "bwrap", "--ro-bind", "/", "/", "true"], capture_output=True).returncode:
        pytest.skip("no mounts within mounts on this machine")
    return words


@pytest.mark.parametrize("kind", ["--ro-bind", "--tmpfs"])
def test_an_output_folder_that_cannot_be_written_or_is_full(
    run: Run, env: dict[str, str], fizz: Path, kind: str
) -> None:
    """It is told, no answer is lost, and nothing is left half written."""
    out = fizz.with_name("out")
    out.mkdir()
    name = say(fizz.parent, f"print('````python fizz.py\\n' + '# x\\n' * 9000 + {PROGRAM!r} + '````')")
    mount = ["--ro-bind", str(out), str(out)] if kind == "--ro-bind" else ["--size", "16384", "--tmpfs", str(out)]
    words = [*inside(*mount), *command(fizz, "-o", "out", "-m", name)]
    for _ in range(2):
        done = subprocess.run(words, cwd=fizz.parent, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and "error[emit-failed]: cannot write: [Errno" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr and not fizz.with_name("fizz.lock").exists()
    assert run(fizz, "-o", "out", "-m", name).returncode == 0 and asked(fizz.parent) == 1
    assert [path.name for path in out.iterdir()] == ["fizz.py"]


@pytest.mark.parametrize("words", [["build"], ["build", "--format", "json"], ["status"], ["show"]])
def test_a_journal_that_cannot_be_written(env: dict[str, str], fizz: Path, words: list[str]) -> None:
    journal = Path(env["AI_CODING_JOURNAL"])
    journal.mkdir()
    before = [*inside("--ro-bind", str(journal), str(journal)), *command(*words, fizz, "-m", "command:cat")]
    done = subprocess.run(before, cwd=fizz.parent, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stderr.startswith("error[system]: [Errno 30] Read-only file system: ")
    assert "AI_CODING_JOURNAL" in done.stderr and "Traceback" not in done.stderr


def test_a_disk_that_is_full_before_the_answer_is_recorded(run: Run, env: dict[str, str], fizz: Path) -> None:
    """Nothing damaged stays in the journal."""
    name = say(fizz.parent, f"print('x\\n' * 9000 + {RIGHT!r})")
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))  # noqa: E731
    done = subprocess.run(
        command(fizz, "-m", name, "--unsafe-sandbox"),
        cwd=fizz.parent,
        env=env,
        preexec_fn=full,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.startswith("error[system]: [Errno 27] File too large"), done.stderr
    assert sorted(path.name for path in fizz.parent.iterdir()) == ["asked.txt", "fizz.toml", "journal", "say.py"]
    assert not list(Path(env["AI_CODING_JOURNAL"]).rglob(".tmp-*"))
    assert (done := run(fizz, "-m", name)).returncode == 0 and done.stderr == "", done.stderr
    assert asked(fizz.parent) == 2


@pytest.mark.parametrize("what", ["out", "journal", "fizz.toml"])
def test_what_is_removed_under_way(run: Run, fizz: Path, what: str) -> None:
    """The build ends well or says why, and the next one ends well or says what is missing."""
    fizz.with_name("out").mkdir()
    gone = f"for p in [pathlib.Path({what!r})]:\n    p.unlink() if p.is_file() else shutil.rmtree(p)\n"
    once = "if len(open(pathlib.Path(__file__).with_name('asked.txt')).read()) == 1:\n    "
    name = say(fizz.parent, once + gone.replace("\n", "\n    ") + f"\nprint({RIGHT!r})")
    done = run(fizz, "-o", "out", "-m", name)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    again = run(fizz, "-o", "out", "-m", name)
    if what == "fizz.toml":
        assert again.returncode == 2 and "error[file-unreadable]" in again.stderr
        fizz.write_text(FIZZ)
        again = run(fizz, "-o", "out", "-m", name)
    assert again.stdout == "fizz.py: up to date\n" and fizz.with_name("out").joinpath("fizz.py").read_text() == PROGRAM


def test_a_requirement_file_that_changes_while_the_model_answers(run: Run, fizz: Path) -> None:
    """What was asked is built, and the next build notices the change."""
    name = say(
        fizz.parent, f"pathlib.Path('fizz.toml').write_text({FIZZ!r}.replace('Print', 'Show'))\nprint({RIGHT!r})"
    )
    assert run(fizz, "-m", name).returncode == 0
    assert run("status", fizz).stdout == "fizz.toml: stale: requirements changed\n"
    assert run(fizz, "-m", name).stdout.startswith("fizz.py: built (1 request;") and asked(fizz.parent) == 2
    assert run(fizz).stdout == "fizz.py: up to date\n"


def test_a_damaged_entry_of_the_journal_is_told(run: Run, env: dict[str, str], fizz: Path) -> None:
    """Once for each entry and in words, on standard error; what it held is asked again."""
    name = say(fizz.parent, f"print({RIGHT!r})")
    assert run(fizz, "-m", name).returncode == 0
    entries = [path for kind in ("replies", "verdicts") for path in Path(env["AI_CODING_JOURNAL"], kind).glob("*/*")]
    assert len(entries) == 2
    for path in entries:
        path.write_bytes(path.read_bytes()[:-3])
    fizz.with_name("fizz.lock").unlink()
    done = run(fizz, "-m", name, "--format", "json")
    assert done.returncode == 0 and all(json.loads(line) for line in done.stdout.splitlines())
    assert done.stderr.count("warning[journal-damaged]") == 2
    assert all(done.stderr.count(f"--> {path}\n") == 1 for path in entries), done.stderr
    assert asked(fizz.parent) == 2 and run(fizz, "-m", name).stderr == ""


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda raw: raw[: len(raw) // 2],
    "empty": lambda raw: b"",
    "tampered": lambda raw: raw.replace(b"'Fizz'", b"'Fozz'"),
    "merged": lambda raw: raw.replace(b"take = 1\n", b"<<<<<<< ours\ntake = 1\n=======\ntake = 2\n>>>>>>> theirs\n"),
    "newer": lambda raw: raw.replace(b"version = 1\n", b"version = 2\nmore = 1\n"),
    "binary": lambda raw: os.urandom(3000),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_newer_lock_stops_every_command(run: Run, fizz: Path, damage: str) -> None:
    """It is told, nothing is asked and nothing is written, whatever option is given."""
    name, made = say(fizz.parent, f"print({RIGHT!r})"), fizz.with_name("fizz.lock")
    assert run(fizz, "-m", name).returncode == 0
    raw = DAMAGE[damage](made.read_bytes())
    made.write_bytes(raw)
    fizz.with_name("fizz.py").unlink()
    code = "lock-newer" if damage == "newer" else "lock-damaged"
    for options in ([], ["--locked"], ["--anew"], ["--force"]):
        done = run(fizz, "-m", name, *options)
        assert done.returncode == 2 and f"error[{code}]: fizz.lock " in done.stderr, done.stderr
    assert run("status", fizz).stdout.startswith("fizz.toml: fizz.lock ")
    assert asked(fizz.parent) == 1 and made.read_bytes() == raw and not fizz.with_name("fizz.py").exists()


@pytest.mark.parametrize(("one", "other"), [("fizz", "FIZZ"), ("caf\u00e9", "cafe\u0301"), ("straße", "STRASSE")])
def test_two_outputs_that_are_one_file_on_some_system(run: Run, tmp_path: Path, one: str, other: str) -> None:
    for number, name in enumerate((one, other)):
        (tmp_path / f"u{number}.toml").write_text(FIZZ.replace('"fizz"', f'"{name}"', 1))
    done = run("check", ".")
    assert done.returncode == 2 and f"error[duplicate-output]: {other}.py is also what u0.toml yields" in done.stderr


def test_a_name_in_decomposed_letters(run: Run, tmp_path: Path) -> None:
    """Models compose what they print: it is the same name, for whole files as for edits."""
    name, told = "cafe\u0301", "caf\u00e9.py"
    (tmp_path / "u.toml").write_text(FIZZ.replace('"fizz"', f'"{name}"', 1))
    first, second = (text.replace("fizz.py", told) for text in (WRONG, EDIT))
    model = say(tmp_path, f"print({second!r} if 'What is wrong' in prompt else {first!r})")
    done = run("u.toml", "-m", model)
    assert (done.returncode, done.stderr) == (0, "") and asked(tmp_path) == 2
    assert [path.name for path in tmp_path.glob("*.py") if path.name != "say.py"] == [f"{name}.py"]


def test_requirements_that_are_very_long(run: Run, fizz: Path) -> None:
    """One line of 300 kB is fine, and no fault prints it; a megabyte is over the limit."""
    long = FIZZ.replace("Print Fizz.", "Print Fizz. " + "z" * 300_000)
    fizz.write_text(long)
    assert run(fizz, "-m", say(fizz.parent, f"print({RIGHT!r})")).returncode == 0
    fizz.write_text(long.replace("requirements =", "requirement ="))
    done = run("check", fizz)
    assert done.returncode == 2 and "error[unknown-key]" in done.stderr and len(done.stderr) < 2000
    fizz.write_text(long.replace("z" * 300_000, "z" * 1_000_000))
    done = run("check", fizz)
    assert done.returncode == 2 and "error[file-too-big]: fizz.toml has 1,000,1" in done.stderr


def test_a_program_with_one_very_long_line(run: Run, fizz: Path) -> None:
    """Wrong or right, in all that is told of it; what a model is told of its faults stays short."""
    wrong = f"print('Fuzz')  # {'x' * 900_000}\n"  # the edit holds it twice: not quite all that an answer may have
    edit = f"````search fizz.py\n{wrong}````\n````replace\n{wrong.replace('Fuzz', 'Fizz')}````\n"
    first = f"````\n{wrong}````\n"
    repaired = "sys.exit(repaired and len(prompt) > 910_000)"
    code = f"repaired = 'What is wrong' in prompt\nprint({edit!r} if repaired else {first!r})\n{repaired}"
    name = say(fizz.parent, code)
    done = run(fizz, "-m", name)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    assert fizz.with_name("fizz.py").stat().st_size == len(wrong) and asked(fizz.parent) == 2


MEASURED = """
import pathlib, re, sys
from ai_coding.cli import main
code = main(sys.argv[2:])
peak = re.search("VmHWM:\\s*(\\d+) kB", pathlib.Path("/proc/self/status").read_text())
pathlib.Path(sys.argv[1]).write_text(peak[1])
sys.exit(code)
"""


def measured(env: dict[str, str], folder: Path, *words: object) -> tuple[int, str, int]:
    """Exit code, standard error and the most memory, in kB, of a build."""
    line = [sys.executable, "-c", MEASURED, str(folder / "peak"), *map(str, words)]
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=200)
    return done.returncode, done.stderr, int((folder / "peak").read_text())


def test_fifty_megabytes_of_context(env: dict[str, str], fizz: Path) -> None:
    with open(fizz.with_name("big.sql"), "wb") as file:
        file.write(b"-- x\n" * 10_000_000)
    for key, where in (("context", "[project]"), ("copy", "[[tests]]")):
        fizz.write_text(FIZZ.replace(f"{where}\n", f"{where}\n{key} = ['big.sql']\n"))
        code, said, memory = measured(env, fizz.parent, fizz, "-m", say(fizz.parent, f"print({RIGHT!r})"))
        assert code == 2 and "error[file-too-big]: 'big.sql' has more than 1,000,000 bytes" in said, said
        assert memory < 60_000 and asked(fizz.parent) == 0, memory


@pytest.mark.parametrize("size", [1_900_000, 50_000_000])
def test_a_very_long_answer(env: dict[str, str], fizz: Path, size: int) -> None:
    """It is a program, or it is told that it cannot be one; no more of it is taken than that needs."""
    fizz.write_text(
        FIZZ[: FIZZ.index("[[tests]]")] + "[build]\ncritics = ['tests']\n" + FIZZ[FIZZ.index("[[tests]]") :]
    )
    name = say(fizz.parent, f"print('````\\n' + {PROGRAM!r} + ('#' + 'x' * 98 + '\\n') * {size // 100} + '````')")
    code, said, memory = measured(env, fizz.parent, fizz, "-m", name)
    if size < LONGEST:
        assert code == 0 and fizz.with_name("fizz.py").stat().st_size == size + len(PROGRAM), said[-3000:]
    else:
        assert code == 3 and "error[provider-endless]" in said and len(said) < 2000, said[-3000:]
    assert memory < 100_000, memory


def test_fifty_megabytes_of_a_programs_output(env: dict[str, str], fizz: Path) -> None:
    name = say(fizz.parent, "print('````\\nfor _ in range(500_000): print(99 * \"x\")\\n````')")
    code, said, memory = measured(env, fizz.parent, fizz, "-m", name, "--attempts", "1")
    assert code == 1 and "test 'fizz' failed: it printed without end" in said and len(said) < 2000
    assert memory < 100_000, memory


def test_a_journal_that_is_removed_costs_no_lock(run: Run, env: dict[str, str], fizz: Path) -> None:
    """The journal may be deleted at any time: what was built is in the lock."""
    assert run(fizz, "-m", say(fizz.parent, f"print({RIGHT!r})")).returncode == 0
    shutil.rmtree(env["AI_CODING_JOURNAL"])
    assert run(fizz).stdout == "fizz.py: up to date\n" and run("status", fizz).stdout == "fizz.toml: up to date\n"
