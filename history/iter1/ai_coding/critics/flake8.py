"""Run flake8 on a Python program: errors for what breaks programs, warnings for the rest.

In: a Box with the program that is to be judged.
Out: a Diagnostic for each finding in the program's entry, in flake8's order, and a last one if flake8 could not run;
and the names of passed tests, of which there are none here.
"""

import re

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span

# -P: a program called queue.py would else be what flake8 imports.
_COMMAND = (
    "python3", "-P", "-m", "flake8",
    "--isolated", "--disable-noqa", "-j1", "--max-line-length=120", "--extend-ignore=E203",
)  # fmt: skip
_SECONDS = 30.0
_BREAKING = ("E9", "F63", "F7", "F82")
# The numbers are bounded because messages can quote the program, line ends and all, and int() refuses endless digits.
_FINDING = r".+?:([0-9]{1,9}):([0-9]{1,9}): ([A-Z]+[0-9]+) (.*)"
_LINE_END = r"\r\n|\r|\n"
_STDERR_CHARACTERS = 1000


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    "All findings of flake8; never a name."
    if box.spec.language.name != "python":
        return [], []
    entry = box.program.entry
    # With ./ before it no entry is taken for an option.
    result, _ = box.run((*_COMMAND, f"./{entry}"), timeout=_SECONDS)
    found = _findings(result.stdout.decode("utf-8", "replace"), entry, box.program.files[entry])
    if result.exit_code == 0 or (result.exit_code == 1 and found):
        return found, []
    words = result.stderr.decode("utf-8", "replace")[-_STDERR_CHARACTERS:]
    failed = Diagnostic("warning", "flake8-failed", f"flake8 could not run\n{words}", Span(entry))
    return [*found, failed], []


def _findings(output: str, entry: str, program: str) -> list[Diagnostic]:
    """The diagnostics that flake8's output tells of, in order; lines of another form are passed over."""
    # Not splitlines(): it also splits at form feeds and the like, where flake8 counts no new line.
    lines = re.split(_LINE_END, program)
    matches = (re.fullmatch(_FINDING, line) for line in output.split("\n"))
    return [_diagnostic(match, entry, lines) for match in matches if match]


def _diagnostic(match: re.Match[str], entry: str, lines: list[str]) -> Diagnostic:
    """The diagnostic of one line of flake8's output."""
    line, column, code, words = int(match[1]), int(match[2]), match[3], match[4]
    severity = "error" if code.startswith(_BREAKING) else "warning"
    text = lines[line - 1] if 1 <= line <= len(lines) else ""
    return Diagnostic(severity, f"flake8-{code}", words, Span(entry, line, column, 1, text))
