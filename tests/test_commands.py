"""Each command is a function: parsed options and the environment in, lines and an exit code out."""

import json
import re
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Generator
from pathlib import Path
from typing import Any

import ai_coding
import pytest
from ai_coding import __version__, arguments, bootstrap, commands, group, progress, proof, schedule, workspace
from ai_coding.diagnostic import error
from ai_coding.ir import Event, Outcome, Settings, Spec

FIZZ = """[file]\nname = "fizz"\nlanguage = "python"\n[project]\nrequirements = "Print Fizz."
[[tests]]\nname = "fizz"\nstdout = "Fizz\\n"\n"""
BUILD = "build fizz.toml --unsafe-sandbox -m"
CODES = {"built": 0, "locked": 0, "current": 0, "failed": 1, "invalid": 2, "provider": 3, "waiting": 4}
Patch = pytest.MonkeyPatch
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: Patch) -> Path:
    """The current folder, with two requirement files and a reply, and a process with an environment of no use."""
    monkeypatch.setenv("AI_CODING_MODEL", "nobody:0")
    monkeypatch.setenv("AI_CODING_JOURNAL", str(tmp_path / "wrong"))
    monkeypatch.chdir(tmp_path)
    files = {"fizz.toml": FIZZ, "buzz.toml": FIZZ.replace('"fizz"', '"buzz"'), "reply": "````\nprint('Fizz')\n````\n"}
    for path, text in files.items():
        Path(path).write_text(text)
    return tmp_path


def parsed(*words: str) -> Namespace:
    return arguments.parser().parse_args(words)


def run(line: str, *words: str, **env: str) -> int:
    """The exit code of the command of these words."""
    options = parsed(*line.split(), *words)
    command: commands.Command = getattr(commands, options.command)
    return command(options, {"AI_CODING_JOURNAL": "journal", **env})


def watch(monkeypatch: Patch, *statuses: str) -> list[tuple[list[tuple[Spec, Settings]], int]]:
    """Builds end with these statuses, in turn; returns the arguments of every call."""
    calls = []

    def build(units: Any, jobs: int) -> Generator[Event, None, list[Outcome]]:
        calls.append((list(units), jobs))
        yield Event("started", "fizz.toml", {"why": "never built"})
        return [Outcome(status, summary="1 request") for status in statuses[: len(units)]]

    monkeypatch.setattr(schedule, "build", build)
    return calls


def test_a_program_is_built(capsys: Capture) -> None:
    assert run("status fizz.toml") == 0 and capsys.readouterr().out == "fizz.toml: never built\n"
    assert run(BUILD, "command:cat reply") == 0 and Path("fizz.py").read_text() == "print('Fizz')\n"
    assert Path("journal/units").is_dir() and not Path("wrong").exists()
    assert capsys.readouterr().out.startswith("fizz.py: built (1 request; 1 test passed in ")
    assert run("status fizz.toml --format=json") == run("show fizz.toml") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"spec": str(Path("fizz.toml").absolute()), "status": "up to date"}
    assert err == "fizz.toml: nothing to ask\n"
    assert run("show fizz.toml --format=json") == 0 and capsys.readouterr() == ("", "fizz.toml: nothing to ask\n")
    assert run("build fizz.toml") == 0 and capsys.readouterr().out == "fizz.py: up to date\n"


def test_a_build_gets_units_with_their_settings(folder: Path, monkeypatch: Patch, capsys: Capture) -> None:
    """Each unit has what the options, the environment given and its own file decide; one build has them all."""
    calls = watch(monkeypatch, "built", "waiting")
    Path("buzz.toml").write_text(FIZZ.replace('"fizz"', '"buzz"') + '[model]\nname = "b:2"\n')
    line = "build fizz.toml buzz.toml -o o --locked --anew --force --unsafe-sandbox --attempts 7 -j3"
    assert run(line, AI_CODING_MODEL="a:1", GROQ_API_KEY="g") == 4
    ((units, jobs),) = calls
    out, env = folder / "o", {"GROQ_API_KEY": "g"}
    expected = [Settings(folder / "journal", out, model, 7, True, True, True, True, env) for model in ("a:1", "b:2")]
    assert jobs == 3 and [spec.name for spec, _ in units] == ["fizz", "buzz"]
    assert [settings for _, settings in units] == expected
    assert capsys.readouterr().out == "fizz.toml: built (1 request)\n"


def test_what_ended_well_is_remembered(folder: Path, monkeypatch: Patch, capsys: Capture) -> None:
    """A folder whose units are all up to date need not be loaded next time; a unit alone is known already."""
    Path("all").mkdir()
    for name in ("fizz", "buzz"):
        Path(f"all/{name}.toml").write_text(FIZZ.replace('"fizz"', f'"{name}"', 1))
    words = ["-m", "command:cat reply", "--unsafe-sandbox", "-q"]

    def known(*paths: str, out: str = "") -> list[str]:
        return group.fresh(folder / "journal", list(map(Path, paths)), folder / out, __version__)

    assert run("build", "all/fizz.toml", *words) == 0 and not (folder / "journal/groups").exists()
    assert run("build", "all", *words) == 0 and known("all") == ["buzz.py", "fizz.py"] and known() == []
    assert run("build", "all/fizz.toml", "all/buzz.toml", *words, "-oo") == 0
    both = ("all/fizz.toml", "all/buzz.toml")
    assert known(*both, out="o") == ["fizz.py", "buzz.py"] and known(*both) == []
    Path("all/no.toml").write_text("x = =")
    assert run("build", "all", *words) == 2 and known("all") == []
    Path("all/no.toml").unlink()
    Path("all/fizz.toml").write_text(FIZZ.replace("Print", "Show"))
    assert run("build", "all", "-m", "manual", "-q", "--unsafe-sandbox") == 4 and known("all") == []


@pytest.mark.parametrize(("status", "code"), CODES.items())
def test_exit_codes(monkeypatch: Patch, status: str, code: int) -> None:
    """The highest of all units counts; a file with faults makes it 2 at least, and keeps none from being built."""
    calls = watch(monkeypatch, status, "locked")
    assert run("build fizz.toml buzz.toml") == code and run("build no.toml fizz.toml") == max(2, code)
    assert run("build no.toml") == 2 and len(calls) == 2
    ends = [("a", Outcome("built")), ("b", Outcome(status)), ("c", Outcome("locked"))]
    assert commands.conclude(progress.Text(False, True), iter(ends)) == code


def test_json_of_a_build(monkeypatch: Patch, capsys: Capture) -> None:
    watch(monkeypatch, "failed", "built")
    assert run("build fizz.toml no.toml buzz.toml --format json") == 2
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert err == "" and [row["event"] for row in rows] == ["diagnostic", "started", "finished", "finished"]
    assert [row.get("spec") for row in rows] == [None, "fizz.toml", "fizz.toml", "buzz.toml"]


@pytest.mark.parametrize("command", ["build", "check", "status", "show"])
def test_faults_are_told(capsys: Capture, command: str) -> None:
    assert run(command, "no.toml") == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error[file-unreadable]: ") and run(command, "no.toml", "--format=json") == 2
    out, err = capsys.readouterr()
    row = json.loads(out)
    assert err == "" and list(row) == ["event", "severity", "code", "message", "span", "help"]
    assert (row["event"], row["code"], row["span"]["file"]) == ("diagnostic", "file-unreadable", "no.toml")


def test_valid_files_are_loaded_beside_others(capsys: Capture) -> None:
    specs, code = commands.load(parsed("check", "buzz.toml", "no.toml", "fizz.toml"))
    assert ([spec.name for spec in specs], code) == (["buzz", "fizz"], 2)
    assert capsys.readouterr().err.count("error[") == 1
    specs, code = commands.load(parsed("check", "fizz.toml"))
    assert ([spec.name for spec in specs], code) == (["fizz"], 0) and capsys.readouterr() == ("", "")
    assert run("check no.toml fizz.toml") == 2
    assert capsys.readouterr().out == "fizz.toml: fine; 1 requirement, 1 test\n"


def test_check_show_and_pending(capsys: Capture) -> None:
    assert run("check fizz.toml") == run("check fizz.toml --format json") == 0
    assert capsys.readouterr() == ("fizz.toml: fine; 1 requirement, 1 test\n", "") and run("show fizz.toml") == 0
    out, err = capsys.readouterr()
    assert "Print Fizz." in out and err == f"fizz.toml: about {(len(out) - 3) // 3:,} tokens, for no model\n"
    assert run("show fizz.toml -m manual --format json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == ["spec", "request", "model", "tokens", "at_most", "messages"]
    assert (shown["model"], shown["at_most"]) == ("manual", 0)
    assert [list(m.values())[0] for m in shown["messages"]] == ["system", "user"] and shown["messages"][1]["text"]
    assert [list(m) for m in shown["messages"]] == [["role", "text"]] * 2
    assert run("pending") == run("pending --format json") == 0 and capsys.readouterr().out == "[]\n"
    assert run(BUILD, "manual", "-q") == 4
    rows = capsys.readouterr().out.replace(f"{shown['spec']}", "").splitlines()[1:]
    assert run("pending --format json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["request"] == shown["request"] and list(row) == ["spec", "request", "prompt", "reply"]
    assert run("pending") == 0 and capsys.readouterr().out.splitlines() == [shown["spec"], *rows]


def test_check_tells_notes(capsys: Capture) -> None:
    """They change no exit code, and no other command tells them."""
    Path("buzz.toml").write_text(FIZZ.replace("Fizz.", "Fizz fast.").replace('"fizz"', '"buzz"', 1))
    assert run("check fizz.toml buzz.toml") == 0
    out, err = capsys.readouterr()
    assert out == "fizz.toml: fine; 1 requirement, 1 test\nbuzz.toml: fine; 1 requirement, 1 test, 1 note\n"
    assert err.startswith("note[vague-word]: ") and "--> buzz.toml:5:28\n" in err and err.count("note[") == 1
    assert run("check buzz.toml no.toml --format json") == 2
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["event"], row["severity"], row["span"]["file"]) for row in rows] == [
        ("diagnostic", "error", "no.toml"),
        ("diagnostic", "note", "buzz.toml"),
    ]
    assert run("check buzz.toml no.toml --format sarif") == 2
    (made,) = json.loads(capsys.readouterr().out)["runs"]
    assert [(each["level"], each["ruleId"]) for each in made["results"]] == [
        ("error", "file-unreadable"),
        ("note", "vague-word"),
    ]
    assert run("status buzz.toml") == 0 and "note" not in capsys.readouterr().err


def test_notes_are_told_in_order_of_their_places(capsys: Capture) -> None:
    """Also those of one file; the order of its requirements is another, if some have a section of their own."""
    texts = '[requirements]\nR1 = "Be fast."\n[project]\nrequirements = { R2 = "Be robust." }\n'
    Path("b.toml").write_text(texts + '[file]\nname = "b"\nlanguage = "c"\n')
    assert run("check b.toml fizz.toml --format json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["code"], row["span"]["line"]) for row in rows] == [("vague-word", 2), ("vague-word", 4)]


def test_show_says_what_a_request_can_cost(capsys: Capture) -> None:
    assert run("show fizz.toml -m openai:gpt-5") == 0
    _, err = capsys.readouterr()
    assert re.fullmatch(r"fizz\.toml: about \d+ tokens, for openai:gpt-5, at most \$0\.3\d\d\d\n", err), err
    assert run("show fizz.toml -m nobody:x --format json") == 0
    assert json.loads(capsys.readouterr().out)["at_most"] is None
    assert run("show fizz.toml -m manual") == 0
    assert capsys.readouterr().err.endswith(" tokens, for manual\n")


def test_faults_are_told_in_order_of_their_places(capsys: Capture) -> None:
    """File by file, as they come; what concerns the whole file comes last."""
    text = '[[tests]]\ncovers = ["R1"]\n[model]\nname = "command:x"\n[project]\nrequirements = ""\n[file]\nname = "/"\n'
    Path("b.toml").write_text(text + 'language = "zz"\n')
    places = ["b.toml:2:1", "b.toml:4:1", "b.toml:8:1", "b.toml:9:1"]
    Path("c.toml").write_text('x = 1\n[project]\ny = 1\nrequirements = ""\n')
    others = ["c.toml:1:1", "c.toml:3:1", "c.toml", "c.toml"]
    assert run("check b.toml c.toml no.toml b.toml") == 2
    shown = [line.split("--> ")[1] for line in capsys.readouterr().err.splitlines() if "--> " in line]
    assert shown == [*places, *others, "no.toml"]
    assert run("check b.toml --format json") == 2
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["span"]["line"] for row in rows] == [2, 4, 8, 9]


def test_a_sarif_log_of_all_files(capsys: Capture) -> None:
    """One log, whether there are faults or not, and nothing beside it."""
    Path("b.toml").write_text("x = 1\ny = 2\n" + FIZZ)
    for words, code, count in (("b.toml fizz.toml no.toml", 2, 3), ("fizz.toml", 0, 0)):
        assert run(f"check {words} --format sarif") == code
        out, err = capsys.readouterr()
        (made,) = json.loads(out)["runs"]
        lines = [
            each["locations"][0]["physicalLocation"].get("region", {}).get("startLine") for each in made["results"]
        ]
        assert err == "" and lines == [1, 2, None][:count]


def test_a_request_gives_no_orders_to_a_terminal(monkeypatch: Patch, capsys: Capture) -> None:
    Path("fizz.toml").write_text(FIZZ.replace("Print Fizz.", "Print Fizz\\u001B[2J."))
    assert run("show fizz.toml") == 0 and "Print Fizz\x1b[2J." in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("show fizz.toml") == 0 and "Print Fizz␛[2J." in capsys.readouterr().out


@pytest.mark.parametrize("end", [None, KeyboardInterrupt, ZeroDivisionError])
def test_a_build_is_left_in_order(monkeypatch: Patch, capsys: Capture, end: type[BaseException] | None) -> None:
    """Whatever ends it, workers are waited for before the terminal is given back, and the end goes on."""
    steps: list[str] = []
    monkeypatch.setattr(progress.Text, "close", lambda reader: steps.append("closed"))

    def event(reader: object, event: Event) -> None:
        steps.append(event.kind)
        if event.kind == "asked" and end:
            raise end

    def events() -> Generator[Event, None, int]:
        try:
            yield Event("started", "x.toml")
            yield Event("asked", "x.toml")
            return 7
        finally:
            steps.append("left")

    monkeypatch.setattr(progress.Text, "event", event)
    options = Namespace(format="text")  # a command without --quiet and --verbose
    if end:
        with pytest.raises(end):
            commands.follow(options, events())
    else:
        reader, result = commands.follow(options, events())
        assert result == 7 and isinstance(reader, progress.Text)
    said = ["interrupted"] if end is KeyboardInterrupt else []
    assert steps == ["started", "asked", *said, "left", "closed"]


def test_the_reader_is_as_the_options_say(capsys: Capture) -> None:
    def events() -> Generator[Event, None, None]:
        yield Event("started", "x.toml", {"why": "never built"})

    for words in ("--format=json", "-v", "-q", ""):
        reader, _ = commands.follow(parsed("build", "x.toml", *words.split()), events())
        commands.conclude(reader, [("x.toml", Outcome("built", summary="s"))])
        out, err = capsys.readouterr()
        assert ('"event": "started"' in out) == (words == "--format=json")
        assert ("never built" in err) == (words == "-v")
        assert ("x.toml: built (s)" in out) == (words in ("-v", ""))


def test_an_interrupt_is_passed_on(monkeypatch: Patch) -> None:
    def build(units: Any, jobs: int) -> Generator[Event, None, list[Outcome]]:
        yield Event("started", "fizz.toml", {"why": ""})
        raise KeyboardInterrupt

    monkeypatch.setattr(schedule, "build", build)
    with pytest.raises(KeyboardInterrupt):
        run("build fizz.toml")


def test_a_command_imports_what_it_needs() -> None:
    """To list what waits, no unit is loaded or compiled."""
    code = "import sys; from ai_coding import commands, arguments"
    code += "; commands.pending(arguments.parser().parse_args(['pending']), {'AI_CODING_JOURNAL': 'j'})"
    code += "; print([m for m in 'tomlkit jinja2 rich filelock platformdirs openai groq'.split() if m in sys.modules])"
    code += "; print([m for m in ('compiler', 'workspace', 'proof') if 'ai_coding.' + m in sys.modules])"
    env = os.environ | {"PYTHONPATH": str(Path(ai_coding.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"


def here() -> None:
    """The current folder is that of the tool, as far as `self` looks."""
    Path("self").mkdir()
    Path("self/ai_coder.toml").touch()


@pytest.mark.parametrize("line", ["self --check", "self -m manual"])
def test_self_is_elsewhere(capsys: Capture, line: str) -> None:
    assert run(line) == 2
    out, err = capsys.readouterr()
    assert out == "" and "self/ai_coder.toml" in err and err.count("\n") == 1


def test_self_proves_the_tree(folder: Path, monkeypatch: Patch, capsys: Capture) -> None:
    here()
    found = {folder: proof.Proof((error("differs", "it does"),), {"generated": 1234, "tests": 5}, 3)}
    monkeypatch.setattr(proof, "check", found.get)
    assert run("self --check") == 1
    lines = "3 modules, 1 problems\n  1,234 lines generated\n      5 lines tests\n"
    assert capsys.readouterr() == (lines, "error[differs]: it does\n")
    assert run("self --check --format=json") == 1
    out, err = capsys.readouterr()
    counts = {"generated": 1234, "tests": 5}
    assert json.loads(out) == {"units": 3, "problems": 1, "lines": counts} and err == "error[differs]: it does\n"
    found[folder] = proof.Proof((), {}, 3)
    assert run("self --check") == 0 and capsys.readouterr().out == "3 modules, 0 problems\n"


def test_self_rebuilds_the_tool(folder: Path, monkeypatch: Patch, capsys: Capture) -> None:
    """It carries out the plan that the options say; of many outcomes the bad ones count."""
    here()
    (spec,), _ = workspace.load([Path("fizz.toml")])
    several = [(spec, Outcome("built")), (spec, Outcome("provider", (error("x", "y"),)))]
    ends: list[Any] = [Outcome("built", summary="iteration 2"), Outcome("failed", (error("stage2", "no"),)), several]
    calls: list[Any] = []

    def rebuild(*arguments: Any) -> Generator[Event, None, Any]:
        calls.append(arguments)
        yield Event("testing", "ai_coder.toml")
        return ends.pop(0)

    monkeypatch.setattr(bootstrap, "rebuild", rebuild)
    assert run("self -m manual -v") == 0
    out, err = capsys.readouterr()
    assert out == "ai_coder.toml: built (iteration 2)\n" and err.startswith("ai_coder.toml: running")
    assert run("self -m manual --anew --dry-run") == 1 and "error[stage2]" in capsys.readouterr().err
    assert run("self -m manual --anew ir --notes why -j2") == 3
    out, err = capsys.readouterr()
    running, *rest = err.splitlines()
    assert out == "" and running.startswith("ai_coder.toml: running")
    assert rest == ["error[x]: y", "fizz.toml: not built"]
    settings = Settings(folder / "journal", folder, "manual")
    plans = [bootstrap.Plan(), bootstrap.Plan([], "", True), bootstrap.Plan(["ir"], "why", False, 2)]
    assert calls == [(folder, settings, plan) for plan in plans]
