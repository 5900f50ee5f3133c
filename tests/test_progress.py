"""A build is shown to programs as JSON lines, and to people as results, diagnostics and one line of progress."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Event, Outcome, Program, Waiting
from ai_coding.progress import Json, Reader, Text, show

PROGRAM = Program({"x.py": "b", "lib/a.py": "a"}, "x.py")
WAIT = Waiting(Path("/s/x.toml"), "sha256:1", Path("/j/prompt.md"), Path("/j/reply.md"))
COPY = Diagnostic("note", "kept-copy", "a copy was kept", Span("x.py.orig"))
STYLE = Diagnostic("warning", "E501", "line too long")
BROKEN = Diagnostic("warning", "flake8-failed", "flake8 could not run")
ASKED = {"attempt": 1, "model": "manual", "recorded": False}
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
    ("started", {"why": "never built", "take": 1}, "never built"),
    ("started", {"why": ""}, ""),
    ("asked", ASKED, "asking manual"),
    ("asked", {**ASKED, "recorded": True}, "reading the answer kept from manual"),
    ("asked", {**ASKED, "attempt": 3}, "attempt 3, asking manual"),
    ("judged", {"passed": 1, "tests": 3, "errors": 2}, "1 of 3 tests passed, 2 errors"),
    ("testing", {}, "running the whole test-suite against stage 1, which takes minutes"),
    ("stage2", {}, "stage 1 builds everything again from the recorded answers"),
    ("replied", {"finish": "stop"}, ""),
    ("token", {"text": "abc"}, ""),
]


@pytest.mark.parametrize(("kind", "data", "words"), EVENTS)
def test_steps_are_told_when_asked_for(capsys: Capture, kind: str, data: dict[str, Any], words: str) -> None:
    Text(True, False).event(Event(kind, "x.toml", data))
    assert capsys.readouterr() == ("", f"x.toml: {words}\n" if words else "")
    Text(True, True).event(Event(kind, "x.toml", data))
    assert capsys.readouterr() == ("", "")
    Text(False, False).event(Event(kind, "x.toml", data))
    long = kind in ("testing", "stage2")
    assert capsys.readouterr() == ("", f"x.toml: {words}\n" if long else ""), "what takes minutes is always said"


def test_on_a_terminal_one_line_says_what_is_going_on(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unit's characters are counted apart, nothing is taken for markup, and the cursor comes back."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    reader, written = Text(False, False), ""
    for spec in ("x", "y"):
        reader.event(Event("asked", spec, ASKED))
        written += capsys.readouterr().err
    assert "\x1b[?25l" in written and "\x1b[?25h" not in written
    for spec, length, shown in (("x", 1200, "1,200"), ("y", 7, "7"), ("x", 34, "1,234"), ("y", 0, "7")):
        reader.event(Event("token", spec, {"text": "é" * length}))
        reader.close()
        reader.close()
        out, err = capsys.readouterr()
        assert out == "" and f"{spec}: {shown} characters answered" in err and err.count("\x1b[?25h") == 1
    reader.event(Event("asked", "x", {**ASKED, "model": "command:[bold]"}))
    reader.close()
    assert "x: asking command:[bold]" in capsys.readouterr().err
    reader.event(Event("token", "x", {"text": "1"}))
    reader.outcome("x", Outcome("failed", (STYLE,)))
    err = capsys.readouterr().err
    assert "x: 1 characters answered" in err and err.index("\x1b[?25h") < err.index(str(STYLE))


def test_rich_is_for_terminals_alone() -> None:
    code = "import sys\nfrom ai_coding import ir, progress\nprogress.Text(True, False).event(ir.Event('testing', 's'))"
    tail = "\nprogress.Text(False, False).outcome('s', ir.Outcome('failed'))\nassert 'rich' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code + tail], stderr=subprocess.DEVNULL).returncode == 0
