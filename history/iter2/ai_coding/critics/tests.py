"""Runs the tests of a requirement file in the sandbox and tells what fails, so it can be mended.

In: a Box: a program in its folder and the tests to run it against.
Out: one error for each test that fails, or a single one for a program that does not compile; and
the names of the tests that pass.
"""

import difflib
import os
import re
import shlex
import stat
from pathlib import Path

from ai_coding import sandbox
from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Test

_COMPILE_TIME = 60.0  # seconds
_SHOWN = 3_000  # characters of a diff or a stream
_END_SHOWN = 80  # characters of a text whose lines are as expected
_READ = 50_000_000  # bytes of a created file
# The lookbehind keeps the search linear: a program may print a million digits and no dot.
_DURATION = r"(?<!\d)\d+\.\d+ ?s(?:econds)?\b"


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """Errors, and the names of tests that passed."""
    if box.tests and box.spec.language.compile:
        result, _ = box.run(box.spec.language.compile, timeout=_COMPILE_TIME, keep=True)
        if result.exit_code != 0:
            message = f"it does not compile\n{_text(result.stderr)}"
            return [error("compile", message, Span(box.program.entry))], []
    found: list[Diagnostic] = []
    passed: list[str] = []
    for test in box.tests:
        problems = _problems(box, test)
        if problems:
            found.append(error("tests", _message(test, box.program.entry, problems)))
        else:
            passed.append(test.name)
    return found, passed


def _message(test: Test, entry: str, problems: list[str]) -> str:
    how = test.command or shlex.join(["run", entry, *test.args])
    first, _, rest = problems[0].partition("\n")
    below = "\n".join([rest, *problems[1:], f"(the command was: {how})"]).strip("\n")
    return f"test {test.name!r} failed: {first}\n{below}"


def _problems(box: Box, test: Test) -> list[str]:
    language = box.spec.language
    command: list[str] = []
    if test.command:
        try:
            command = shlex.split(test.command)
        except ValueError as problem:
            return [f"the command cannot be read: {problem}"]
    elif language.run:
        command = [*language.run, *test.args]
    if not command:
        return [f"no way to run {language.name} is known; give the test a `command`"]
    files: dict[str, str | bytes] = {**test.files, **test.copy}
    result, folder = box.run(command, files, test.stdin, test.env, test.timeout)
    if result.ended == "time":
        return [f"still running after {test.timeout:g} s"]
    if result.ended:
        return ["it printed without end"]
    return _result_problems(test, result) + _file_problems(test, folder)


def _result_problems(test: Test, result: sandbox.Result) -> list[str]:
    stdout, stderr = _text(result.stdout), _text(result.stderr)
    problems = []
    if result.exit_code != test.exit_code:
        # Durations differ from run to run; the same failure is to be told in the same words.
        said = re.sub(_DURATION, "… s", stderr + stdout if test.command else stderr)
        headline = f"exit code {result.exit_code}, expected {test.exit_code}"
        problems.append(headline + "\n" + said[-_SHOWN:].strip("\n"))
    if test.stdout is not None and result.stdout != test.stdout.encode("utf-8"):
        problems.append(f"standard output differs\n{_diff(test.stdout, result.stdout)}")
    for stream, pattern, text in (
        ("output", test.stdout_matches, stdout),
        ("error", test.stderr_matches, stderr),
    ):
        if pattern is not None and not re.search(pattern, text):
            headline = f"standard {stream} does not match {pattern!r}; it is"
            problems.append(f"{headline}\n{text[:_SHOWN]}")
    return problems


def _file_problems(test: Test, folder: Path) -> list[str]:
    problems = []
    for path, expected in test.creates.items():
        content = _created(folder, path)
        if content is None:
            problems.append(f"it did not create the file {path}")
        elif content != expected.encode("utf-8"):
            problems.append(f"the file {path} differs\n{_diff(expected, content)}")
    return problems


def _created(folder: Path, path: str) -> bytes | None:
    """What the program wrote to path; None if that is no file of its own inside the folder."""
    place = folder / path
    try:
        parent = place.parent.resolve()
        if not parent.is_relative_to(folder.resolve()):
            return None
        # Without O_NONBLOCK, opening a pipe would wait for somebody who writes to it.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(parent / place.name, flags)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(_READ)
    finally:
        os.close(descriptor)


def _diff(expected: str, actual: bytes) -> str:
    # A huge file would take minutes to compare, and what is far beyond the expected is not shown.
    text = _text(actual[: len(expected.encode("utf-8")) + sandbox.OUTPUT])
    lines = difflib.unified_diff(
        expected.splitlines(), text.splitlines(), "expected", "actual", n=2, lineterm=""
    )
    ends = f"expected {expected[-_END_SHOWN:]!r}\nactual   {text[-_END_SHOWN:]!r}"
    return ("\n".join(lines) or ends)[:_SHOWN]


def _text(output: bytes) -> str:
    return output.decode("utf-8", "backslashreplace")
