"""A build is shown to programs as JSON lines, and to people as results, diagnostics and progress."""

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import ai_coding
import pytest
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Event, Outcome, Program, Waiting
from ai_coding.progress import Json, Reader, Text, show

PROGRAM = Program({"x.py": "b", "lib/a.py": "a"}, "x.py")
WAIT = Waiting(Path("/s/x.toml"), "sha256:1", Path("/j/prompt.md"), Path("/j/reply.md"))
COPY = Diagnostic("note", "kept-copy", "a copy was kept", Span("x.py.orig"))
STYLE = Diagnostic("warning", "E501", "line too long")
BROKEN = Diagnostic("warning", "flake8-failed", "flake8 could not run")
Capture = pytest.CaptureFixture[str]


def test_json_is_one_object_a_line(capsys: Capture) -> None:
    reader: Reader = Json()
    reader.event(Event("asked", "x.toml", {"attempt": 2, "where": Path("/é")}))
    found = error("bad", "worse\nworst", Span("x.py", 3))
    reader.outcome("x.toml", Outcome("waiting", (found,), PROGRAM, (WAIT,), "so so"))
    reader.outcome("y.toml", Outcome("failed"))
    reader.close()
    show(iter([]))
    out, err = capsys.readouterr()
    first, second, third = map(json.loads, out.splitlines())
    assert err == "" and first == {"event": "asked", "spec": "x.toml", "attempt": 2, "where": "/é"}
    assert list(second) == ["event", "spec", "status", "files", "waiting", "diagnostics", "summary"]
    assert second["event"] == "finished" and second["files"] == ["lib/a.py", "x.py"]
    wait = {"spec": "/s/x.toml", "request": "sha256:1", "prompt": "/j/prompt.md", "reply": "/j/reply.md"}
    assert second["waiting"] == [wait]
    span = {"file": "x.py", "line": 3, "column": 1, "length": 1, "text": ""}
    words = {"severity": "error", "code": "bad", "message": "worse\nworst", "help": ""}
    assert second["diagnostics"] == [{**words, "span": span}] and second["summary"] == "so so"
    assert (third["status"], third["files"], third["waiting"], third["diagnostics"]) == ("failed", [], [], [])


def test_json_lines_are_there_at_once() -> None:
    """The reader of a pipe sees each event when it happens, not when the build ends."""
    code = "import os\nfrom ai_coding import ir, progress\nprogress.Json().event(ir.Event('k', 's'))\nos._exit(0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert json.loads(done.stdout) == {"event": "k", "spec": "s"}


@pytest.mark.parametrize(
    ("outcome", "verbose", "out"),
    [
        (Outcome("built", (), PROGRAM, (), "1 request; no tests"), False, "x.py: built (1 request; no tests)\n"),
        (Outcome("locked", (), PROGRAM, (), "0 requests"), False, "x.py: from the lock\n"),
        (Outcome("current", (), PROGRAM, (), "0 requests"), True, "x.py: up to date\n"),
        (Outcome("current", (STYLE,), PROGRAM), False, "x.py: up to date, 1 style warning (-v shows more)\n"),
        (Outcome("built", (STYLE, BROKEN, COPY, STYLE), PROGRAM, (), "s"), False,
         "x.py: built (s), 2 style warnings (-v shows more)\n"),
        (Outcome("built", (BROKEN, COPY), PROGRAM, (), "s"), False, "x.py: built (s)\n"),
        (Outcome("built", (STYLE, COPY), PROGRAM, (), "s"), True, "x.py: built (s)\n"),
        (Outcome("current", (), None, (), "all is well"), False, "x.toml: up to date (all is well)\n"),
        (Outcome("built", (), PROGRAM), False, "x.py: built\n"),
        (Outcome("current"), False, "x.toml: up to date\n"),
        (Outcome("built", (), None, (), "iteration 2"), False, "x.toml: built (iteration 2)\n"),
        (Outcome("failed", (STYLE, error("tests", "no")), None, (), "s"), False, ""),
        (Outcome("provider", (error("no-model", "none"),)), False, ""),
    ],
)  # fmt: skip
def test_results_go_to_standard_output(capsys: Capture, outcome: Outcome, verbose: bool, out: str) -> None:
    """A build that ended well shows of its diagnostics only what a person has to know; one that did not, all."""
    Text(verbose, False).outcome("x.toml", outcome)
    well = outcome.status in ("built", "locked", "current")
    shown = [d for d in outcome.diagnostics if verbose or not well or d in (COPY, BROKEN)]
    err = "\n\n".join(map(str, shown)) + "\n" if shown else ""
    err += "" if well else "x.toml: not built\n"
    assert capsys.readouterr() == (out, err)
    Text(verbose, True).outcome("x.toml", outcome)
    assert capsys.readouterr() == ("", err), "quiet leaves out the result alone"


@pytest.mark.parametrize("quiet", [False, True])
def test_what_is_waited_for_is_always_said(capsys: Capture, quiet: bool) -> None:
    Text(False, quiet).outcome("x.toml", Outcome("waiting", (), None, (WAIT,)))
    lines = "x.toml: waiting for a reply\n  prompt  /j/prompt.md\n  reply   /j/reply.md\n"
    assert capsys.readouterr() == (lines, "")


EVENTS: list[Any] = [
    ("asked", {"attempt": 3, "model": "m\x1b[2J", "recorded": False}, "attempt 3, asking m␛[2J"),
    ("testing", {}, "running all tests against stage 1, which takes minutes"),
    ("stage2", {}, "stage 1 builds everything again from the recorded answers"),
    ("interrupted", {}, "stopping when the answers under way are here; Ctrl-C again stops at once"),
    ("replied", {"finish": "stop"}, ""),
    ("token", {"text": "abc"}, ""),
]


@pytest.mark.parametrize(("kind", "data", "words"), EVENTS)
def test_steps_are_told_when_asked_for(capsys: Capture, kind: str, data: dict[str, Any], words: str) -> None:
    """What takes long is told without being asked for: silence would look like a standstill."""
    line = f"x.toml: {words}\n" if words else ""
    for verbose, quiet, told in ((True, False, True), (False, False, not data), (True, True, False)):
        Text(verbose, quiet).event(Event(kind, "x.toml", data))
        assert capsys.readouterr() == ("", line if told else "")


def test_steps_of_no_unit(capsys: Capture) -> None:
    Text(True, False).event(Event("interrupted", ""))
    assert capsys.readouterr().err.startswith("stopping when")


def test_hostile_text_is_plain(capsys: Capture) -> None:
    """A model or a file may hold what gives orders to a terminal: in diagnostics and results it is visible instead."""
    bad = error("tests", "it printed \x1b[2J", Span("x.py", 1, 2, 1, "a\x9b\u202eb"), "\x07")
    Text(False, False).outcome("x\x1b[1m.toml", Outcome("built", summary="\x1b[8m"))
    Text(False, False).outcome("x\x1b[1m.toml", Outcome("waiting", (bad,), None, (WAIT,)))
    out, err = capsys.readouterr()
    assert out.startswith("x␛[1m.toml: built (␛[8m)\nx␛[1m.toml: waiting")
    assert err == "error[tests]: it printed ␛[2J\n --> x.py:1:2\n  |\n1 | a��b\n  |  ^\n  = help: ␇\n"
    Json().outcome("x", Outcome("failed", (bad,)))
    out = capsys.readouterr().out
    assert json.loads(out)["diagnostics"][0]["message"] == "it printed \x1b[2J" and "\x1b" not in out


TERMINAL = """
import sys
from ai_coding import progress
from ai_coding.diagnostic import error
from ai_coding.ir import Event, Outcome
reader = progress.Text({verbose}, {quiet})
assert "rich" not in sys.modules
reader.event(Event("asked", "x.toml", {{"attempt": 1, "model": "manual", "recorded": False}}))
reader.event(Event("token", "x.toml", {{"text": "12345"}}))
reader.close()
reader.event(Event("testing", "x.toml"))
reader.outcome("x.toml", Outcome("failed", (error("code", "message"),)))
reader.outcome("x.toml", Outcome("built"))
"""


def terminal(code: str, **env: str) -> str:
    """What code writes to a terminal that is its standard output and standard error."""
    top, bottom = pty.openpty()
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(ai_coding.__file__).parents[1]), "LANG": "C.UTF-8"}
    given |= {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "10"} | env
    with subprocess.Popen([sys.executable, "-c", code], env=given, stdout=bottom, stderr=bottom) as run:
        os.close(bottom)
        written = b""
        while select.select([top], [], [], 30)[0]:
            try:
                written += os.read(top, 65536)
            except OSError:
                break
    os.close(top)
    assert run.returncode == 0, written.decode()
    return written.decode().replace("\r\n", "\n")


def test_on_a_terminal_rows_say_what_is_going_on() -> None:
    """They are gone, and the cursor is back, before anything else is said; a later event shows them again."""
    shown = terminal(TERMINAL.format(verbose=False, quiet=False))
    assert "x.toml: asking manual" in shown and "5 characters" in shown and "x.toml: running all" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 2
    end = shown[shown.rindex("\x1b[?25h") :]
    assert "error[code]\x1b[0m" in end and "\x1b[1;31m" in end and end.endswith("x.toml: built\n")
    shown = terminal(TERMINAL.format(verbose=True, quiet=False))
    assert "x.toml: asking manual\n" in shown, "a step that was asked for stays"


def test_where_no_rows_can_be_shown() -> None:
    shown = terminal(TERMINAL.format(verbose=False, quiet=True))
    assert "\x1b[?25" not in shown and shown.startswith("\x1b[1;31merror[code]")
    assert shown.endswith("\nx.toml: not built\n"), "and nothing of what was built"
    shown = terminal(TERMINAL.format(verbose=False, quiet=False), TERM="dumb")
    assert shown == EVENTS[1][2].join(("x.toml: ", "\nerror[code]: message\nx.toml: not built\nx.toml: built\n"))


def test_rich_is_for_terminals_alone() -> None:
    code = "import sys\nfrom ai_coding import ir, progress\nprogress.Text(True, False).event(ir.Event('testing', 's'))"
    tail = "\nprogress.Text(False, False).outcome('s', ir.Outcome('failed'))\nassert 'rich' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code + tail], stderr=subprocess.DEVNULL).returncode == 0
    code = "import sys\nfrom ai_coding import ir, progress\n"
    code += "progress.Text(False, False).outcome('s', ir.Outcome('built'))"
    assert terminal(code + "\nassert 'rich' not in sys.modules") == "s: built\n", "nor for a result alone"
