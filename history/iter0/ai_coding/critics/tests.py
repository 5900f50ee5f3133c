"""Runs the requirement file's tests in the sandbox. In: a program, its tests. Out: a diagnostic for each that fails."""

import difflib
import os
import re
import shlex
import stat
from pathlib import Path

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Test
from ai_coding.sandbox import Result

SHOWN = 3000


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """Compile if the language asks for it, then run every test in a fresh folder. Also returns who passed."""
    language, entry = box.spec.language, box.program.entry
    if box.tests and language.compile:
        result, _ = box.run(language.compile, timeout=60, keep=True)
        if result.exit_code != 0:
            return [error("compile", f"it does not compile\n{_text(result.stderr)}", Span(entry))], []
    found, passed = list[Diagnostic](), list[str]()
    for test in box.tests:
        problems = _run(box, test)
        if problems:
            how = test.command or shlex.join(["run", entry, *test.args])
            headline = f"test {test.name!r} failed: {problems[0].partition(chr(10))[0]}"
            detail = "\n".join([problems[0].partition("\n")[2], *problems[1:], f"(the command was: {how})"]).strip("\n")
            found.append(error("tests", f"{headline}\n{detail}"))
        else:
            passed.append(test.name)
    return found, passed


def _run(box: Box, test: Test) -> list[str]:
    """What is wrong, each a headline and perhaps a diff below it; nothing that changes from run to run."""
    try:
        command = shlex.split(test.command) if test.command else [*box.spec.language.run, *test.args]
    except ValueError as e:
        return [f"the command cannot be read: {e}"]
    if not test.command and not box.spec.language.run:
        return [f"no way to run {box.spec.language.name} is known; give the test a `command`"]
    files: dict[str, str | bytes] = {**test.files, **test.copy}
    result, folder = box.run(command, files, test.stdin, test.env, test.timeout)
    if result.ended:
        limit = f"still running after {test.timeout:g} s" if result.ended == "time" else "it printed without end"
        return [limit]
    problems = []
    if result.exit_code != test.exit_code:
        problems.append(f"exit code {result.exit_code}, expected {test.exit_code}\n{_words(result, test)}")
    stdout, stderr = _text(result.stdout), _text(result.stderr)
    if test.stdout is not None and result.stdout != test.stdout.encode():
        problems.append("standard output differs\n" + _diff(test.stdout, stdout))
    for name, pattern, text in (("output", test.stdout_matches, stdout), ("error", test.stderr_matches, stderr)):
        if pattern is not None and not re.search(pattern, text):
            problems.append(f"standard {name} does not match {pattern!r}; it is\n{text[:SHOWN]}")
    for path, expected in test.creates.items():
        created = _created(folder, path)
        if created is None:
            problems.append(f"it did not create the file {path}")
        elif created != expected.encode():
            problems.append(f"the file {path} differs\n" + _diff(expected, _text(created)))
    return problems


def _words(result: Result, test: Test) -> str:
    """The end of what it said: standard error, and what a test command printed."""
    said = _text(result.stderr) + (_text(result.stdout) if test.command else "")
    said = re.sub(r"\b\d+\.\d+ ?s(econds)?\b", "… s", said)
    return said[-SHOWN:].strip("\n")


def _created(folder: Path, path: str) -> bytes | None:
    """What a regular file with one link holds, at most 50 MB; programs are not trusted to leave only such."""
    try:
        if not (folder / path).parent.resolve().is_relative_to(folder.resolve()):
            return None
        handle = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(handle)
        return None
    with os.fdopen(handle, "rb") as file:
        return file.read(50_000_000)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _diff(expected: str, actual: str) -> str:
    lines = difflib.unified_diff(expected.splitlines(), actual.splitlines(), "expected", "actual", lineterm="", n=2)
    text = "\n".join(lines)
    return (text or f"expected {expected[-80:]!r}\nactual   {actual[-80:]!r}")[:SHOWN]
