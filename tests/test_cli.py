"""The command line finds the command, answers what is up to date, and ends as a program should."""

import os
import shlex
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import ai_coding
import pytest
from ai_coding import arguments, commands, completion, explain, group, journal, starter
from ai_coding.cli import main

FIZZ = """[file]\nname = "fizz"\nlanguage = "python"\n[project]\nrequirements = "Print Fizz."
[[tests]]\nname = "fizz"\nstdout = "Fizz\\n"\n"""
BUILD = ["fizz.toml", "-m", "command:cat reply", "--unsafe-sandbox"]
WORDS = {
    "build": "fizz.toml",
    "check": "fizz.toml",
    "show": "fizz.toml",
    "status": "fizz.toml",
    "pending": "",
    "explain": "cycle",
    "self": "",
    "init": "new.toml",
    "schema": "",
    "completion": "bash",
}
LIGHT = """
import sys, ai_coding.cli
try:
    code = ai_coding.cli.main()
except SystemExit as end:
    code = end.code
ours = {name for name in sys.modules if name.startswith("ai_coding")}
names = "cli arguments group journal settings usage".split()
assert ours == {"ai_coding", *("ai_coding." + name for name in names)}, ours
assert not {"openai", "groq", "jinja2", "tomlkit", "rich", "filelock", "platformdirs"} & set(sys.modules)
sys.exit(code)
"""
Patch = pytest.MonkeyPatch
Capture = pytest.CaptureFixture[str]
Calls = list[tuple[Namespace, Mapping[str, str]]]


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


def process(*words: str, stdout: int = subprocess.PIPE) -> tuple[int, str | None, str]:
    """Run a command line of its own that may import nothing heavy, and no module that it has no need of."""
    env = os.environ | {"PYTHONPATH": str(Path(ai_coding.__file__).parents[1]), "PYTHONUNBUFFERED": ""}
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *words], env=env, stdout=stdout, stderr=subprocess.PIPE, text=True
    )
    return done.returncode, done.stdout, done.stderr


def built(name: str, out: str = "") -> None:
    """The journal knows that this unit was built from what its requirement file says now."""
    spec = Path(f"{name}.toml")
    seen = journal.fingerprints([spec.absolute()])
    row = {"version": ai_coding.__version__, "entry": f"{name}.py", "seen": seen, "open": False}
    journal.put(Path("journal"), "units", journal.unit(spec, Path(out)), row)


def watch(monkeypatch: Patch, name: str, code: int = 0) -> Calls:
    """The command does nothing but return code; what it is given is kept."""
    calls: Calls = []

    def command(options: Namespace, env: Mapping[str, str]) -> int:
        calls.append((options, env))
        return code

    homes = {"explain": explain, "init": starter, "schema": starter, "completion": completion}
    monkeypatch.setattr(homes.get(name, commands), name, command)
    return calls


def test_a_program_is_built_and_then_up_to_date(capsys: Capture) -> None:
    """For once with all that belongs to it."""
    assert main(BUILD) == 0 and Path("fizz.py").read_text() == "print('Fizz')\n" and Path("journal/units").is_dir()
    assert capsys.readouterr().out.startswith("fizz.py: built (1 request; 1 test passed in ")
    assert process(*BUILD) == (0, "fizz.py: up to date\n", "") and process(*BUILD, "-q") == (0, "", "")
    assert main(["status", "fizz.toml"]) == 0 and capsys.readouterr().out == "fizz.toml: up to date\n"
    Path("fizz.toml").write_text(FIZZ.replace("Print Fizz", "Print it"))
    assert main(["fizz.toml", "--locked"]) == 2 and "error[lock-stale]" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1, 4])
@pytest.mark.parametrize("name", arguments.COMMANDS)
def test_a_command_gets_its_options_and_the_environment(monkeypatch: Patch, name: str, code: int) -> None:
    calls = watch(monkeypatch, name, code)
    monkeypatch.setenv("AI_CODING_MODEL", "manual")
    form = [] if name == "completion" else ["--format", "json"]
    assert main([name, *WORDS[name].split(), *form]) == code
    ((options, env),) = calls
    assert (options.command, env["AI_CODING_MODEL"]) == (name, "manual")
    assert form == [] or options.format == "json"
    found = [*getattr(options, "specs", []), *(getattr(options, key, "") for key in ("spec", "code", "shell"))]
    assert " ".join(map(str, found)).strip() == WORDS[name]


@pytest.mark.parametrize("words", [["fizz.toml"], ["-m", "manual", "fizz.toml"], ["build", "fizz.toml"]])
def test_build_need_not_be_said(monkeypatch: Patch, words: list[str]) -> None:
    calls = watch(monkeypatch, "build")
    assert main(words) == 0
    monkeypatch.setattr(sys, "argv", ["ai_coding", *words])
    assert main() == 0
    assert [(options.command, options.specs) for options, _ in calls] == [("build", [Path("fizz.toml")])] * 2


def test_what_is_up_to_date_is_not_loaded(monkeypatch: Patch, capsys: Capture) -> None:
    """A path that has not changed is left out of the build of the others, unless an option is about it."""
    calls = watch(monkeypatch, "build", 4)
    built("fizz")
    paths = [Path("no.toml"), Path("fizz.toml"), Path("buzz.toml")]
    words = [str(path) for path in paths]
    assert main([*words, "--locked", "--attempts", "7", "-j3"]) == 4
    assert capsys.readouterr() == ("fizz.py: up to date\n", "")
    options, _ = calls.pop()
    assert (options.specs, options.attempts, options.jobs, options.locked) == ([paths[0], paths[2]], 7, 3, True)
    assert main([*words, "-q"]) == 4 and calls.pop()[0].specs == [paths[0], paths[2]]
    for option in ("--anew", "--force", "--format=json", "-oelsewhere"):
        assert main([*words, option]) == 4 and calls.pop()[0].specs == paths
    assert capsys.readouterr() == ("", "")
    built("buzz")
    assert main(["buzz.toml", "fizz.toml"]) == 0 and calls == []
    assert capsys.readouterr().out == "buzz.py: up to date\nfizz.py: up to date\n"
    built("fizz", "elsewhere")
    assert main(["fizz.toml", "-oelsewhere"]) == 0 and calls == []
    Path("fizz.toml").write_text(FIZZ + "\n")
    assert main(["fizz.toml"]) == 4 and len(calls) == 1


def test_a_workspace_that_is_up_to_date_is_not_loaded(monkeypatch: Patch, capsys: Capture) -> None:
    calls = watch(monkeypatch, "build", 4)
    for name in ("buzz", "fizz"):
        built(name)
    units = [(Path(f"{name}.toml"), Path(".")) for name in ("buzz", "fizz")]
    group.remember(Path("journal"), [Path(".")], Path("."), ai_coding.__version__, units)
    assert main(["."]) == 0 and calls == []
    assert capsys.readouterr().out == "buzz.py: up to date\nfizz.py: up to date\n"
    assert process(".", "-q") == (0, "", "")
    assert main(["fizz.toml", "."]) == 0 and calls == [], "what is left after single files is looked at together"
    assert capsys.readouterr().out == "fizz.py: up to date\nbuzz.py: up to date\nfizz.py: up to date\n"
    for option in ("--anew", "--force", "--format=json", "-oelsewhere"):
        assert main([".", option]) == 4 and calls.pop()[0].specs == [Path(".")]
    Path("more.toml").write_text(FIZZ)
    assert main(["."]) == 4 and calls.pop()[0].specs == [Path(".")] and capsys.readouterr() == ("", "")


def test_what_is_answered_at_once_imports_little() -> None:
    """Help, version, and what is up to date; process() checks what was imported."""
    built("fizz")
    assert process("fizz.toml") == (0, "fizz.py: up to date\n", "")
    for words in (["--help"], ["build", "--help"], ["--version"]):
        code, out, err = process(*words)
        assert code == 0 and out and "ai_coding" in out and err == ""


def test_an_interrupt(monkeypatch: Patch, capsys: Capture) -> None:
    """It gives the terminal back, with a line of its own, and what was printed before is kept."""

    def command(options: Namespace, env: Mapping[str, str]) -> int:
        print("so far")
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "build", command)
    words = ["fizz.toml", "-m", "command:sh 'a b.sh' $x"]
    assert main(words) == 130
    out, err = capsys.readouterr()
    assert out == "so far\n" and err.startswith("\ninterrupted: ") and "kept" in err and err.count("\n") == 2
    assert shlex.split(err.strip().partition("to go on: ")[2]) == ["ai_coding", *words]


@pytest.mark.parametrize(
    ("word", "meant"), [("biuld", "build"), ("statsu", "status"), ("complete", "completion"), ("pendin", "pending")]
)
def test_a_word_that_is_nearly_a_command(folder: Path, capsys: Capture, word: str, meant: str) -> None:
    """It is not taken for a requirement file, unless there is one."""
    assert main([word, "fizz.toml"]) == 2
    assert capsys.readouterr() == ("", f"ai_coding: no command {word!r}; did you mean {meant!r}?\n")
    (folder / word).write_text(FIZZ)
    assert main([word, "-m", "command:cat reply", "--unsafe-sandbox"]) == 0


@pytest.mark.parametrize("word", ["./biuld", "biuld.toml", "shows/", "qsort"])
def test_a_word_that_is_rather_a_path(capsys: Capture, word: str) -> None:
    assert main([word]) == 2 and "error[file-unreadable]" in capsys.readouterr().err


def test_a_reader_that_is_gone() -> None:
    """Nobody is told of it, whether the program's own words or argparse's cannot be written."""
    built("fizz")
    reader, writer = os.pipe()
    os.close(reader)
    assert process("fizz.toml", stdout=writer) == process("--help", stdout=writer) == (1, None, "")
    os.close(writer)


def test_a_reader_in_memory_that_is_gone(monkeypatch: Patch, capsys: Capture) -> None:
    """It has no file descriptor to lead elsewhere."""

    def command(options: Namespace, env: Mapping[str, str]) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(commands, "pending", command)
    monkeypatch.setattr(sys, "stdout", StringIO())
    assert main(["pending"]) == 1 and capsys.readouterr().err == ""


def test_a_person_learns_how_to_learn_more(monkeypatch: Patch, capsys: Capture) -> None:
    """Once, behind everything: only on a terminal, and only where something is wrong."""
    hint = "\nFor more about an error, try `ai_coding explain CODE`.\n"
    watch(monkeypatch, "explain", 2)

    def said(*words: str, code: int = 2, terminal: bool = True) -> str:
        for name in ("check", "build"):
            watch(monkeypatch, name, code)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
        assert main(words) == (2 if words[0] == "explain" else code)
        out, err = capsys.readouterr()
        assert out == ""
        return err

    assert [said("check", "no.toml", code=code) for code in (0, 1, 2, 3, 4)] == ["", hint, hint, hint, ""]
    assert said("no.toml") == hint and said("no.toml", "-q") == said("explain", "x") == ""
    assert said("check", "no.toml", terminal=False) == said("check", "no.toml", "--format", "json") == ""
    assert said("check", "no.toml", "--format", "sarif") == ""


@pytest.mark.parametrize("name", ["build", "status", "pending"])
def test_what_the_system_refuses(monkeypatch: Patch, capsys: Capture, name: str) -> None:
    """A full disk or a journal that cannot be written is no bug of ours: it is told in words."""

    def command(options: Namespace, env: Mapping[str, str]) -> int:
        raise OSError(28, "No space left on device", "journal/x")

    monkeypatch.setattr(commands, name, command)
    assert main([name, *WORDS[name].split()]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error[system]: [Errno 28] No space left on device: 'journal/x'\n  = help: ")
    assert "AI_CODING_JOURNAL" in err and err.count("\n") == 2
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main([name, *WORDS[name].split()]) == 1
    assert capsys.readouterr().err == f"{err}\nFor more about an error, try `ai_coding explain CODE`.\n"


def test_bugs_are_not_hidden(monkeypatch: Patch) -> None:
    def command(options: Namespace, env: Mapping[str, str]) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(commands, "pending", command)
    with pytest.raises(ZeroDivisionError):
        main(["pending"])


@pytest.mark.parametrize(("words", "code"), {"": 2, "--what": 2, "fizz.toml -j0": 2, "--version": 0, "-h": 0}.items())
def test_what_argparse_answers(words: str, code: int) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == code
