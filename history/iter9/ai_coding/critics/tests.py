"""Runs the requirement file's tests in the sandbox and tells what fails so that it can be mended.

In: a box, which is a program, the tests to run and the sandbox to run them in.
Out: a diagnostic for each test that fails, or a single one if the program does not compile, and
the names of the tests that pass.
"""

import difflib
import re
import shlex
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Test
from ai_coding.sandbox import OUTPUT, Result

_COMPILE_TIMEOUT = 60.0  # seconds
_SHOWN = 3000  # characters of any one output or diff
_TAIL = 80  # characters of texts that differ only in their line ends
_FILE_LIMIT = 50_000_000  # bytes
# The look-behind changes no match: without it, a megabyte of digits would take hours.
_DURATION = r"(?<!\d)\d+\.\d+ ?s(?:econds)?\b"


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """Errors, and the names of tests that passed."""
    command = box.spec.language.compile
    if box.tests and command:
        filled = _filled(command, box.program.entry)
        result, _ = box.run(filled, timeout=_COMPILE_TIMEOUT, keep=True)
        if result.exit_code != 0:
            message = f"it does not compile\n{_text(result.stderr)}"
            return [error("compile", message, Span(box.program.entry))], []
    errors: list[Diagnostic] = []
    passed: list[str] = []
    for test in box.tests:
        problems = _problems(box, test)
        if problems:
            errors.append(_failure(box, test, problems))
        else:
            passed.append(test.name)
    return errors, passed


def _failure(box: Box, test: Test, problems: Sequence[str]) -> Diagnostic:
    how = test.command or shlex.join(["run", box.program.entry, *test.args])
    first, _, rest = problems[0].partition("\n")
    details = "\n".join([rest, *problems[1:], f"(the command was: {how})"]).strip("\n")
    return error("tests", f"test {test.name!r} failed: {first}\n{details}")


def _problems(box: Box, test: Test) -> list[str]:
    """Run one test. Each problem is a headline and perhaps lines below it."""
    language = box.spec.language
    try:
        words = shlex.split(test.command) if test.command else list(language.run)
    except ValueError as reason:
        return [f"the command cannot be read: {reason}"]
    if not words:
        return [f"no way to run {language.name} is known; give the test a `command`"]
    if not test.command:
        words.extend(test.args)
    files: dict[str, str | bytes] = {**test.files, **test.copy}
    filled = _filled(words, box.program.entry)
    result, folder = box.run(filled, files, test.stdin, test.env, test.timeout)
    if result.ended == "time":
        return [f"still running after {test.timeout:g} s"]
    if result.ended == "output":
        return ["it printed without end"]
    return [*_result_problems(test, result), *_file_problems(test, folder)]


def _filled(words: Sequence[str], entry: str) -> list[str]:
    """The words with {entry} and {stem} filled in; what is filled already stays as it is."""
    stem = str(PurePosixPath(entry).with_suffix(""))
    return [word.replace("{entry}", entry).replace("{stem}", stem) for word in words]


def _result_problems(test: Test, result: Result) -> Iterator[str]:
    stdout, stderr = _text(result.stdout), _text(result.stderr)
    if result.exit_code != test.exit_code:
        # Durations differ from run to run: the same failure must be told in the same words.
        said = re.sub(_DURATION, "… s", stderr + (stdout if test.command else ""))
        shown = said[-_SHOWN:].strip("\n")
        yield f"exit code {result.exit_code}, expected {test.exit_code}\n{shown}"
    if test.stdout is not None and test.stdout.encode("utf-8") != result.stdout:
        yield f"standard output differs\n{_diff(test.stdout, result.stdout)}"
    streams = (("output", test.stdout_matches, stdout), ("error", test.stderr_matches, stderr))
    for name, pattern, text in streams:
        if pattern is not None and not re.search(pattern, text):
            yield f"standard {name} does not match {pattern!r}; it is\n{text[:_SHOWN]}"


def _file_problems(test: Test, folder: Path) -> Iterator[str]:
    for path, expected in test.creates.items():
        actual = _created(folder, path)
        if actual is None:
            yield f"it did not create the file {path}"
        elif actual != expected.encode("utf-8"):
            yield f"the file {path} differs\n{_diff(expected, actual)}"


def _created(folder: Path, path: str) -> bytes | None:
    """The file's first bytes; None if it is not there or could lead to what is elsewhere."""
    file = folder / path
    try:
        if not file.parent.resolve().is_relative_to(folder.resolve()):
            return None
        status = file.lstat()
        # Looked at before it is opened: opening a pipe would wait for its other end.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return None
        with file.open("rb") as stream:
            return stream.read(_FILE_LIMIT)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle, or too long a chain of them
        return None


def _diff(expected: str, actual: bytes) -> str:
    # No standard output is longer than this, but a file can be so long that comparing all of it
    # would take minutes.
    limit = len(expected.encode("utf-8")) + OUTPUT
    lines = difflib.unified_diff(
        expected.splitlines(),
        _text(actual[:limit]).splitlines(),
        "expected",
        "actual",
        n=2,
        lineterm="",
    )
    diff = "\n".join(lines)
    if not diff:
        diff = f"expected {expected[-_TAIL:]!r}\nactual   {_text(actual)[-_TAIL:]!r}"
    return diff[:_SHOWN]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
