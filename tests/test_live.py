"""On a terminal: rows that are overwritten, lines that stay, coloured diagnostics, and the cursor back at the end."""

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import ai_coding
import pytest

START = """
import sys, time
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Event
from ai_coding.live import Live, paint, usable
asked = {"attempt": 1, "model": "command:[bold]", "recorded": False}
"""
BUILD = """
live = Live()
live.event(Event("asked", "x.toml", asked))
live.event(Event("token", "x.toml", {"text": "print(\\x1b[2J'é')" + "漢 " * 45}))
time.sleep(0.4)
live.say("[bold]it\\x1b[31m stays" + "!" * 90)
print("warning", file=sys.stderr)
print("result")
live.close()
live.close()
live.event(Event("token", "x.toml", {"text": "z"}))
time.sleep(0.4)
live.close()
"""
PAINT = """
paint([error("bad\\x1b[5m", "no `[red]c`\\nmore", Span("x.toml", 12, 3, 2, "\\x1b[1mcd = 1" + "=" * 99), "try\\nthis"),
       Diagnostic("warning", "w", "x" * 200), Diagnostic("note", "n", "m", Span("f"))])
"""


def show(code: str, **env: str) -> tuple[str, str]:
    """What code writes to a terminal of 60 columns that is its standard error, and to standard output, a pipe."""
    top, terminal = pty.openpty()
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(ai_coding.__file__).parents[1]), "LANG": "C.UTF-8"}
    given |= {"TERM": "xterm-256color", "COLUMNS": "60", "LINES": "10"} | env
    with subprocess.Popen(
        [sys.executable, "-c", START + code], env=given, stdout=-1, stderr=terminal, text=True
    ) as run:
        os.close(terminal)
        written = b""
        while select.select([top], [], [], 30)[0]:
            try:
                written += os.read(top, 65536)
            except OSError:
                break
        os.close(top)
        assert run.stdout
        out = run.stdout.read()
    assert run.returncode == 0, written.decode()
    return written.decode().replace("\r\n", "\n"), out


def test_rows_are_overwritten_and_lines_stay() -> None:
    err, out = show(BUILD)
    assert "x.toml: asking command:[bold] (0 s)" in err and "104 characters" in err and "105 characters" in err
    assert "[bold]it␛[31m stays" + "!" * 90 + "\n" in err, "whole, however long"
    assert "warning\n" in err and out == "result\n", "what others print goes where it should"
    assert re.search("\x1b\\[2m  print\\(␛\\[2J'é'\\)[漢 ]+… *\x1b\\[0m", err), "dimmed, and cut to the width"
    assert "\x1b[2J" not in err and "\x1b[31m" not in err
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") == 2 and err.rindex("\x1b[?25h") > err.rindex(
        "105 characters"
    )
    assert err.endswith("\x1b[2K") and err[err.rindex("\x1b[?25h") :].count("\x1b[2K") == 3, "the rows are taken away"


def test_no_row_is_wider_than_the_terminal() -> None:
    err, _ = show(BUILD)
    for frame in re.split("\x1b\\[[0-9;?]*[A-Za-z]|\n", err):
        cells = sum(2 if char == "漢" else 1 for char in frame.rstrip())
        assert cells <= 60 or "!" in frame, frame


@pytest.mark.parametrize(("env", "able"), [({}, True), ({"NO_COLOR": "1"}, True), ({"TERM": "dumb"}, False)])
def test_where_rows_can_be_overwritten(env: dict[str, str], able: bool) -> None:
    assert show("print(usable())", **env) == ("", f"{able}\n")


def test_diagnostics_in_colour() -> None:
    """The text is that of str(), line by line, however long; the colours stand for severity and place."""
    err, _ = show(PAINT)
    assert (
        "\x1b[1;31merror[bad␛[5m]\x1b[0m" in err and "\x1b[1;33mwarning[w]\x1b[0m" in err and "\x1b[1;36mnote[n]" in err
    )
    assert re.search("\x1b\\[1;31m *\\^\\^\x1b\\[0m", err) and "\x1b[5m" not in err and "\x1b[1mcd" not in err
    plain = re.sub("\x1b\\[[0-9;]*m", "", err)
    assert plain.splitlines() == [
        "error[bad␛[5m]: no `[red]c`",
        *("  --> x.toml:12:3", "   |", "12 | ␛[1mcd = 1" + "=" * 99, "   |   ^^", "  more"),
        *("  = help: try", "  = help: this", ""),
        *("warning[w]: " + "x" * 200, "", "note[n]: m", "--> f"),
    ]


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(env: dict[str, str]) -> None:
    err, _ = show(PAINT, **env)
    assert not re.search("\x1b\\[[0-9;]*3[0-9]m", err) and "error[bad␛[5m]: no `[red]c`" in re.sub(
        "\x1b\\[[0-9;]*m", "", err
    )
