"""The flake8 critic: what breaks a Python program is an error, the rest of what flake8 says a warning.

In: a box with a program, of which the entry alone is checked, and only if its language is Python.
Out: a diagnostic for each finding, in flake8's order, and at last a warning if flake8 could not run.
"""

import re

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span

_SECONDS = 30.0
_BREAKING = ("E9", "F63", "F7", "F82")
_FINDING = r"^.+?:(\d+):(\d+): ([A-Z]+\d+) (.+)$"
_STDERR_CHARACTERS = 1000


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """All findings of flake8; never a name."""
    if box.spec.language.name != "python":
        return [], []
    entry = box.program.entry
    result, _ = box.run(_command(entry), timeout=_SECONDS)
    found = _findings(result.stdout.decode("utf-8", "replace"), entry, box.program.files[entry])
    if result.exit_code == 0 or (result.exit_code == 1 and found):
        return found, []
    words = result.stderr.decode("utf-8", "replace")[-_STDERR_CHARACTERS:]
    message = f"flake8 could not run\n{words}"
    return [*found, Diagnostic("warning", "flake8-failed", message, Span(entry))], []


def _command(entry: str) -> list[str]:
    # Without -P a program called queue.py would be what flake8 imports.
    python = ["python3", "-P", "-m", "flake8"]
    # Neither the program's comments nor a configuration file may silence a finding.
    options = ["--isolated", "--disable-noqa", "-j1", "--max-line-length=120"]
    return [*python, *options, "--extend-ignore=E203", entry]


def _findings(output: str, entry: str, text: str) -> list[Diagnostic]:
    # Not splitlines: for Python, and so for flake8, a form feed or U+2028 ends no line.
    lines = re.split(r"\r\n|\r|\n", text)
    found = []
    for match in re.finditer(_FINDING, output, re.MULTILINE):
        line, column, code, words = int(match[1]), int(match[2]), match[3], match[4]
        severity = "error" if code.startswith(_BREAKING) else "warning"
        # flake8 gives line 0 to what concerns the file, and may point behind the last line.
        source = lines[line - 1] if 1 <= line <= len(lines) else ""
        span = Span(entry, line, column, 1, source)
        found.append(Diagnostic(severity, f"flake8-{code}", words, span))
    return found
