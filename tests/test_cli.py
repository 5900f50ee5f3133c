"""The command line calls the compiler and answers with lines and an exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ai_coding
import pytest
from ai_coding import bootstrap, progress, proof, schedule, workspace
from ai_coding.cli import main
from ai_coding.diagnostic import error
from ai_coding.ir import Event, Outcome, Settings, Spec

FIZZ = """[file]\nname = "fizz"\nlanguage = "python"\n[project]\nrequirements = "Print Fizz."
[[tests]]\nname = "fizz"\nstdout = "Fizz\\n"\n"""
BUILD = ["fizz.toml", "-m", "command:cat reply", "--unsafe-sandbox"]
LIGHT = "assert not {'openai', 'groq', 'jinja2', 'tomlkit', 'rich', 'filelock', 'platformdirs'} & set(sys.modules)"
MODELS = [  # -m, pinned in the requirement file, the environment, what is chosen, the environment for providers
    ("a:1", "b:2", "AI_CODING_MODEL=manual OPENAI_API_KEY=k", "a:1", "OPENAI_API_KEY=k"),
    ("", "b:2", "AI_CODING_MODEL=manual GROQ_API_KEY=g", "b:2", "GROQ_API_KEY=g"),
    ("", "", "AI_CODING_MODEL=command:x GROQ_BASE_URL=h", "command:x", "GROQ_BASE_URL=h"),
    ("", "", "AI_CODING_MODEL= OPENAI_API_KEY=k OPENAI_API_MODEL=m", "openai:m", "OPENAI_API_KEY=k"),
    ("", "", "OPENAI_API_URL=u OPENAI_BASE_URL=b OPENAI_API_MODEL=", "openai:gpt-5", "OPENAI_API_URL=u"),
    ("", "", "OPENAI_API_URL= OPENAI_BASE_URL=b", "openai:gpt-5", "OPENAI_API_URL=b"),
    ("", "", "OPENAI_API_KEY= GROQ_API_KEY=g", "groq:openai/gpt-oss-20b", "GROQ_API_KEY=g"),
    ("", "", "GROQ_BASE_URL=h OPENAI_API_MODEL=m", "", "GROQ_BASE_URL=h"),
]
CODES = {"built": 0, "locked": 0, "current": 0, "failed": 1, "invalid": 2, "provider": 3, "waiting": 4}
Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: Patch) -> Path:
    """The current folder, with two requirement files and a reply, and an environment without keys."""
    for name in [name for name in os.environ if name.startswith(("AI_CODING", "OPENAI", "GROQ"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AI_CODING_JOURNAL", "journal")
    monkeypatch.chdir(tmp_path)
    files = {"fizz.toml": FIZZ, "buzz.toml": FIZZ.replace('"fizz"', '"buzz"'), "reply": "````\nprint('Fizz')\n````\n"}
    for path, text in files.items():
        Path(path).write_text(text)
    return tmp_path


def process(*words: str, stdout: int = subprocess.PIPE) -> tuple[int, str, str]:
    """Run a command line of its own that may import nothing heavy."""
    env = os.environ | {"PYTHONPATH": str(Path(ai_coding.__file__).parents[1]), "PYTHONUNBUFFERED": ""}
    command = [
        sys.executable,
        "-c",
        f"import sys, ai_coding.cli as c; code = c.main(); {LIGHT}; sys.exit(code)",
        *words,
    ]
    done = subprocess.run(command, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout, done.stderr


def watch(monkeypatch: Patch, *statuses: str) -> list[tuple[list[tuple[Spec, Settings]], int]]:
    """Builds end with these statuses, in turn, or are interrupted; returns the arguments of every call."""
    calls = []

    def build(units: Any, jobs: int) -> Iterator[Event]:
        calls.append((list(units), jobs))
        yield Event("started", "fizz.toml", {"why": "never built"})
        if not statuses:
            raise KeyboardInterrupt
        return [Outcome(status) for status in statuses[: len(units)]]

    monkeypatch.setattr(schedule, "build", build)
    return calls


def test_a_program_is_built_and_then_up_to_date(capsys: Capture) -> None:
    assert main(["status", "fizz.toml"]) == 0 and capsys.readouterr().out == "fizz.toml: never built\n"
    assert main(BUILD) == 0 and Path("fizz.py").read_text() == "print('Fizz')\n" and Path("journal/units").is_dir()
    assert capsys.readouterr().out.startswith("fizz.py: built (1 request; 1 test passed in ")
    assert process(*BUILD) == (0, "fizz.py: up to date\n", "") and process(*BUILD, "-q") == (0, "", "")
    assert main(["status", "fizz.toml", "--format=json"]) == main(["show", "fizz.toml"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"spec": str(Path("fizz.toml").absolute()), "status": "up to date"}
    assert err == "fizz.toml: nothing to ask\n"


def test_what_is_up_to_date_is_not_loaded(monkeypatch: Patch, capsys: Capture) -> None:
    """A path that has not changed is left out of the build of the others, unless an option is about it."""
    assert main(BUILD) == 0
    calls = watch(monkeypatch, "built", "waiting")
    assert main(["fizz.toml", "buzz.toml", "--locked", "--unsafe-sandbox", "--attempts", "7", "-j3"]) == 0
    assert capsys.readouterr().out.endswith("fizz.py: up to date\nbuzz.toml: built ()\n")
    for option in ("--anew", "--force", "--format=json", "-oelsewhere"):
        assert main(["fizz.toml", "buzz.toml", option]) == 4
    found = [([s.name for s, _ in units], jobs, units[-1][1]) for units, jobs in calls]
    assert [names for names, _, _ in found] == [["buzz"], *[["fizz", "buzz"]] * 4]
    words = [f"{jobs} {s.anew:d}{s.force:d}{s.locked:d}{s.unsafe:d}{s.attempts} {s.out.name}" for _, jobs, s in found]
    here = Path.cwd().name
    assert words == [f"3 00117 {here}", f"8 10000 {here}", f"8 01000 {here}", f"8 00000 {here}", "8 00000 elsewhere"]


@pytest.mark.parametrize(("status", "code"), CODES.items())
def test_exit_codes(monkeypatch: Patch, status: str, code: int) -> None:
    """The highest of all units counts; a file with faults makes it 2 at least, and keeps none from being built."""
    watch(monkeypatch, status, "locked")
    assert main(["fizz.toml", "buzz.toml"]) == code and main(["no.toml", "fizz.toml"]) == max(2, code)


@pytest.mark.parametrize(("option", "pinned", "env", "model", "kept"), MODELS)
def test_models(monkeypatch: Patch, option: str, pinned: str, env: str, model: str, kept: str) -> None:
    """Command line, requirement file, environment, and whichever key is set; empty variables count as unset."""
    for pair in env.split():
        monkeypatch.setenv(*pair.split("="))
    Path("fizz.toml").write_text(FIZZ + f'[model]\nname = "{pinned}"\n')
    calls = watch(monkeypatch, "built")
    assert main(["fizz.toml", "-m", option]) == 0
    settings = calls[0][0][0][1]
    assert (settings.model, settings.journal, settings.out) == (model, Path.cwd() / "journal", Path.cwd())
    assert settings.env == dict([kept.split("=")])


@pytest.mark.parametrize("command", ["build", "check", "status", "show"])
def test_faults_are_told(capsys: Capture, command: str) -> None:
    assert main([command, "no.toml"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error[file-unreadable]: ") and main([command, "no.toml", "--format=json"]) == 2
    out, err = capsys.readouterr()
    row = json.loads(out)
    assert err == "" and list(row) == ["event", "severity", "code", "message", "span", "help"]
    assert (row["event"], row["code"], row["span"]["file"]) == ("diagnostic", "file-unreadable", "no.toml")


def test_check_show_and_pending(capsys: Capture) -> None:
    assert main(["check", "fizz.toml"]) == main(["check", "fizz.toml", "--format", "json"]) == 0
    assert capsys.readouterr() == ("fizz.toml: fine; 1 requirement, 1 test\n", "") and main(["show", "fizz.toml"]) == 0
    out, err = capsys.readouterr()
    assert "Print Fizz." in out and err == f"fizz.toml: about {(len(out) - 3) // 3:,} tokens, for no model\n"
    assert main(["show", "fizz.toml", "-m", "manual", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == ["spec", "request", "model", "tokens", "messages"] and shown["model"] == "manual"
    assert [list(m.values())[0] for m in shown["messages"]] == ["system", "user"] and shown["messages"][1]["text"]
    assert main(["fizz.toml", "-m", "manual", "--unsafe-sandbox", "-q"]) == 4
    rows = capsys.readouterr().out.replace(f"{shown['spec']}", "").splitlines()[1:]
    assert main(["pending", "--format", "json"]) == 0
    assert [row["request"] for row in json.loads(capsys.readouterr().out)] == [shown["request"]]
    assert main(["pending"]) == 0 and capsys.readouterr().out.splitlines() == [shown["spec"], *rows]


def test_an_interrupt_and_a_closed_pipe(monkeypatch: Patch, capsys: Capture) -> None:
    """An interrupt gives the terminal back; nobody is told of a reader that is gone."""
    closed: list[object] = []
    assert main(BUILD) == 0 and watch(monkeypatch) == []
    monkeypatch.setattr(progress.Text, "close", lambda self: closed.append(self))
    assert main(["buzz.toml"]) == 130 and closed and capsys.readouterr().err.strip().startswith("interrupted")
    reader, writer = os.pipe()
    os.close(reader)
    assert process("fizz.toml", stdout=writer) == (1, None, "")
    os.close(writer)


@pytest.mark.parametrize(("words", "code"), {"": 2, "--what": 2, "fizz.toml -j0": 2, "--version": 0, "-h": 0}.items())
def test_what_argparse_answers(words: str, code: int) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == code


def test_self(folder: Path, monkeypatch: Patch, capsys: Capture) -> None:
    """It proves the tree, or carries out the plan that the options say; of many outcomes the bad ones count."""
    assert main(["self", "--check"]) == 2 and "self/ai_coder.toml" in capsys.readouterr().err
    Path("self").mkdir()
    Path("self/ai_coder.toml").touch()
    found = {folder: proof.Proof((error("differs", "it does"),), {"generated": 1234, "tests": 5}, 3)}
    monkeypatch.setattr(proof, "check", found.get)
    assert main(["self", "--check"]) == 1
    lines = "3 modules, 1 problems\n  1,234 lines generated\n      5 lines tests\n"
    assert (
        capsys.readouterr() == (lines, "error[differs]: it does\n") and main(["self", "--check", "--format=json"]) == 1
    )
    counts = {"generated": 1234, "tests": 5}
    assert json.loads(capsys.readouterr().out) == {"units": 3, "problems": 1, "lines": counts}
    found[folder] = proof.Proof((), {}, 3)
    assert main(["self", "--check"]) == 0 and capsys.readouterr().out == "3 modules, 0 problems\n"

    (spec,), _ = workspace.load([Path("fizz.toml")])
    several = [(spec, Outcome("built")), (spec, Outcome("provider", (error("x", "y"),)))]
    ends: list[Any] = [Outcome("built", summary="iteration 2"), Outcome("failed", (error("stage2", "no"),)), several]
    calls: list[Any] = []

    def rebuild(*arguments: Any) -> Iterator[Event]:
        calls.append(arguments)
        yield Event("testing", "ai_coder.toml")
        return ends.pop(0)

    monkeypatch.setattr(bootstrap, "rebuild", rebuild)
    assert main(["self", "-m", "manual", "-v"]) == 0
    out, err = capsys.readouterr()
    assert out == "ai_coder.toml: built (iteration 2)\n" and err.startswith("ai_coder.toml: running")
    assert main(["self", "-m", "manual", "--anew", "--dry-run"]) == 1 and "error[stage2]" in capsys.readouterr().err
    assert main(["self", "-m", "manual", "--anew", "ir", "--notes", "why", "-j2"]) == 3
    assert capsys.readouterr() == ("", "error[x]: y\n")
    settings = Settings(folder / "journal", folder, "manual")
    plans = [bootstrap.Plan(), bootstrap.Plan([], "", True), bootstrap.Plan(["ir"], "why", False, 2)]
    assert calls == [(folder, settings, plan) for plan in plans]
