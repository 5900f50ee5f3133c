"""The flake8 critic: runs flake8 on a Python program and turns what it prints into diagnostics.

In: a Box, that is a program laid out in a folder, with its specification.
Out: a diagnostic for each finding, an error for what breaks programs and a warning for the rest; and
a last warning if flake8 itself could not do its work. Never a name of what passed.
"""

import re

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span

_COMMAND = (
    "python3",
    "-P",  # else a program called queue.py would be what flake8 imports
    "-m",
    "flake8",
    "--isolated",
    "--disable-noqa",
    "-j1",
    "--max-line-length=120",
    "--extend-ignore=E203",  # extend: flake8's own defaults stay ignored
)
_TIMEOUT = 30.0  # seconds
_SHOWN = 1000  # characters of standard error
_BREAKING = ("E9", "F63", "F7", "F82")
_FINDING = re.compile(r".+?:([0-9]+):([0-9]+): ([A-Z]+[0-9]*) (.*)")
# Not str.splitlines: it also splits at form feeds and the like, where flake8 sees no new line.
_NEWLINE = re.compile(r"\r\n?|\n")


def _findings(output: str, entry: str, text: str) -> list[Diagnostic]:
    lines = ["", *_NEWLINE.split(text)]  # flake8 counts from 1, and says 0 of a file as a whole
    found = []
    for match in filter(None, map(_FINDING.fullmatch, output.split("\n"))):
        line, column = int(match[1]), int(match[2])
        severity = "error" if match[3].startswith(_BREAKING) else "warning"
        span = Span(entry, line, column, 1, lines[line] if line < len(lines) else "")
        found.append(Diagnostic(severity, f"flake8-{match[3]}", match[4], span))
    return found


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """All findings of flake8; never a name."""
    if box.spec.language.name != "python":
        return [], []
    entry = box.program.entry
    result, _ = box.run((*_COMMAND, entry), timeout=_TIMEOUT)
    found = _findings(result.stdout.decode("utf-8", "replace"), entry, box.program.files[entry])
    if not (result.exit_code == 0 or result.exit_code == 1 and found):
        words = result.stderr.decode("utf-8", "replace")[-_SHOWN:]
        message = f"flake8 could not run\n{words}"
        found.append(Diagnostic("warning", "flake8-failed", message, Span(entry)))
    return found, []
