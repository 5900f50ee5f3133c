"""flake8 on Python programs. In: a program. Out: errors for what breaks programs, warnings for style."""

import re

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span

BREAKING = ("E9", "F63", "F7", "F82")


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """All findings of `flake8` with its defaults and lines of up to 120 characters."""
    if box.spec.language.name != "python":
        return [], []
    entry = box.program.entry
    command = [
        "python3",
        "-P",  # else a program called queue.py is what flake8 imports
        "-m",
        "flake8",
        "--isolated",
        "--disable-noqa",
        "-j1",
        "--extend-ignore=E203",
        "--max-line-length=120",
        entry,
    ]
    result, _ = box.run(command, timeout=30)
    lines = box.program.files[entry].split("\n")
    found = []
    for row in result.stdout.decode("utf-8", "replace").splitlines():
        if match := re.match(r".*?:(\d+):(\d+): (\w+) (.*)", row):
            line, column, code, words = int(match[1]), int(match[2]), match[3], match[4]
            severity = "error" if code.startswith(BREAKING) else "warning"
            text = lines[line - 1] if 0 < line <= len(lines) else ""
            found.append(Diagnostic(severity, f"flake8-{code}", words, Span(entry, line, column, 1, text)))
    if result.exit_code not in (0, 1) or (result.exit_code == 1 and not found):
        words = result.stderr.decode("utf-8", "replace")[-1000:]
        found.append(Diagnostic("warning", "flake8-failed", f"flake8 could not run\n{words}", Span(entry)))
    return found, []
