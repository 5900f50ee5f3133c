"""Run a requirement file's tests in the sandbox and tell what fails so that a model can mend it.

In: a Box, that is a program in a folder, the tests to run and a way to run commands in the sandbox.
Out: one error for each test that fails, or one if the program does not compile; the names of the tests that passed.
"""

import difflib
import os
import re
import shlex
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Test
from ai_coding.sandbox import OUTPUT, Result

_COMPILE_SECONDS = 60.0
_SHOWN = 3_000  # characters of an output or a diff that are told
_TAIL = 80  # characters that are told where a diff shows nothing
_READ = 50_000_000  # bytes of a created file
# Without the look-behind, a long run of digits would be tried from each of its digits: quadratic time.
_DURATION = r"(?<![0-9])[0-9]+\.[0-9]+ ?(?:seconds|s)\b"


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """Errors, and the names of tests that passed."""
    if box.tests and box.spec.language.compile:
        result, _ = box.run(_filled(box, box.spec.language.compile), timeout=_COMPILE_SECONDS, keep=True)
        if result.exit_code != 0:
            return [error("compile", f"it does not compile\n{_text(result.stderr)}", Span(box.program.entry))], []
    found: list[Diagnostic] = []
    passed: list[str] = []
    for test in box.tests:
        problems = _problems(box, test)
        if problems:
            found.append(_failure(box, test, problems))
        else:
            passed.append(test.name)
    return found, passed


def _failure(box: Box, test: Test, problems: Sequence[str]) -> Diagnostic:
    how = test.command or shlex.join(["run", box.program.entry, *test.args])
    headline, _, rest = problems[0].partition("\n")
    below = "\n".join([rest, *problems[1:], f"(the command was: {how})"]).strip("\n")
    return error("tests", f"test {test.name!r} failed: {headline}\n{below}")


def _problems(box: Box, test: Test) -> list[str]:
    try:
        command = _command(box, test)
    except ValueError as problem:
        return [f"the command cannot be read: {problem}"]
    if not command:
        return [f"no way to run {box.spec.language.name} is known; give the test a `command`"]
    files: dict[str, str | bytes] = {**test.files, **test.copy}
    result, folder = box.run(command, files, test.stdin, test.env, test.timeout)
    if result.ended == "time":
        return [f"still running after {test.timeout:g} s"]
    if result.ended == "output":
        return ["it printed without end"]
    return [*_output_problems(test, result), *_file_problems(test, folder)]


def _command(box: Box, test: Test) -> list[str]:
    """The words to run, none if no way is known. Raises ValueError for a command that shlex cannot read."""
    if test.command:
        return _filled(box, shlex.split(test.command))
    if not box.spec.language.run:
        return []
    return _filled(box, [*box.spec.language.run, *test.args])


def _filled(box: Box, command: Sequence[str]) -> list[str]:
    entry = box.program.entry
    stem = entry.removesuffix(f".{box.spec.language.extension}")
    return [word.replace("{entry}", entry).replace("{stem}", stem) for word in command]


def _output_problems(test: Test, result: Result) -> Iterator[str]:
    stdout, stderr = _text(result.stdout), _text(result.stderr)
    if result.exit_code != test.exit_code:
        # Only a command may be a test tool, which tells on standard output what is wrong.
        said = _said(stderr + stdout if test.command else stderr)
        yield f"exit code {result.exit_code}, expected {test.exit_code}\n{said}"
    if test.stdout is not None and result.stdout != test.stdout.encode("utf-8"):
        yield f"standard output differs\n{_diff(test.stdout, stdout)}"
    streams = (("output", test.stdout_matches, stdout), ("error", test.stderr_matches, stderr))
    for stream, pattern, text in streams:
        if pattern is not None and re.search(pattern, text) is None:
            yield f"standard {stream} does not match {pattern!r}; it is\n{text[:_SHOWN]}"


def _file_problems(test: Test, folder: Path) -> Iterator[str]:
    for path, expected in test.creates.items():
        actual = _created(folder, path)
        if actual is None:
            yield f"it did not create the file {path}"
        elif actual != expected.encode("utf-8"):
            yield f"the file {path} differs\n{_diff(expected, _text(actual))}"


def _created(folder: Path, path: str) -> bytes | None:
    """The first 50 MB of a file that the program made; None if it is missing or anything but a plain file inside."""
    file = folder / path
    try:
        parent = file.parent.resolve(strict=True)
        if not parent.is_relative_to(folder.resolve(strict=True)):
            return None
        # Opening a pipe would wait for a writer, were it not for O_NONBLOCK.
        descriptor = os.open(parent / file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _content(descriptor)
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError):  # RuntimeError: Path.resolve met links in a circle
        return None


def _content(descriptor: int) -> bytes | None:
    # What was opened is looked at, not its path: that cannot be exchanged in between.
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        return None
    with open(descriptor, "rb", closefd=False) as stream:
        return stream.read(_READ)


def _said(text: str) -> str:
    # Durations differ from run to run; with them the same failure would be another question to a model.
    return re.sub(_DURATION, "… s", text)[-_SHOWN:].strip("\n")


def _diff(expected: str, actual: str) -> str:
    # Only the beginning is told, and to compare 50 MB of empty lines would take gigabytes of memory.
    compared = actual[: len(expected) + OUTPUT]
    lines = difflib.unified_diff(
        expected.splitlines(), compared.splitlines(), "expected", "actual", n=2, lineterm=""
    )
    shown = "\n".join(lines) or f"expected {expected[-_TAIL:]!r}\nactual   {actual[-_TAIL:]!r}"
    return shown[:_SHOWN]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
