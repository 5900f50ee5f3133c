"""The flake8 critic: what breaks programs is an error, the rest of what flake8 says is a warning."""

from pathlib import Path

import pytest
from ai_coding import ir, sandbox
from ai_coding.critics import Box, flake8, lay
from ai_coding.diagnostic import Diagnostic, Span

PYTHON, BASH = ir.Language("python", "py"), ir.Language("bash", "sh")


def make(folder: Path, text: str, name: str = "x", kind: type[Box] = Box, language: ir.Language = PYTHON) -> Box:
    spec = ir.Spec(Path("x.toml"), name, language, {"": "…"})
    program = ir.Program({spec.entry: text, "other.py": "import os\nundefined\n"}, spec.entry)
    lay(folder / "program", {".flake8": "[flake8]\nignore = F, E\n", **program.files})
    return kind(spec, program, (), {}, sandbox.UNSAFE, folder)


def check(folder: Path, text: str, name: str = "x") -> list[Diagnostic]:
    found, passed = flake8.check(make(folder, text, name))
    assert passed == []
    return found


CLEAN = f"""x = [1, 2]
print(x[0 + 0 : 1], 1
      + 2)
y = 'a' * 3 + '{"b" * 104}'
"""
MANY = f"""import os  # noqa; flake8: noqa
print(nowhere)
import sys
print(1 is '1')
assert (1, 'x')
break
print('%s %s' % (1,))
z = 'a' * 3 + '{"b" * 105}'
x=1


def f():
    x = 2
    y += 1"""
FOUND = """warning F401 1:1, error F821 2:7, warning F401 3:1, warning E402 3:1, error F632 4:7, error F631 5:1,
error F701 6:1, warning F507 7:7, warning E501 8:121, warning E225 9:2, warning F841 13:5, warning F841 14:5, error
F821 14:5, warning W292 14:11"""


@pytest.mark.parametrize("text, expected", [(CLEAN, ""), (MANY, FOUND)])
def test_findings_have_a_severity_a_code_and_a_place(tmp_path: Path, text: str, expected: str) -> None:
    found = check(tmp_path, text)
    brief = [f"{d.severity} {d.code.removeprefix('flake8-')} {d.span.line}:{d.span.column}" for d in found if d.span]
    assert len(found) == len(brief)
    assert sorted(brief) == sorted(filter(None, expected.replace("\n", " ").split(", ")))


def test_a_finding_in_full(tmp_path: Path) -> None:
    (found,) = check(tmp_path, "\nprint(1, there, 'é')\n", "sub/folder/x")
    span = Span("sub/folder/x.py", 2, 10, 1, "print(1, there, 'é')")
    assert found == Diagnostic("error", "flake8-F821", "undefined name 'there'", span)


def test_what_does_not_parse_is_an_error(tmp_path: Path) -> None:
    assert [d.code for d in check(tmp_path, "def f(:\n    pass\n") if d.severity == "error"] == ["flake8-E999"]


@pytest.mark.parametrize("name", ["queue", "flake8"])
def test_a_program_with_the_name_of_a_module_is_checked_and_not_run(tmp_path: Path, name: str) -> None:
    """Whatever the program is called, flake8 imports its own modules."""
    assert [d.code for d in check(tmp_path, "print(there)\n", name)] == ["flake8-F821"]


def test_other_languages_are_not_checked(tmp_path: Path) -> None:
    assert flake8.check(make(tmp_path, "if\n", language=BASH)) == ([], [])


class Ended(Box):
    """A box in which flake8 ends as a test says."""

    result = sandbox.Result(0, b"", b"")

    def run(self, *_: object, **__: object) -> tuple[sandbox.Result, Path]:
        return self.result, self.folder


@pytest.mark.parametrize(
    "result",
    [sandbox.Result(1, b"", b"-" * 2000 + b"+" * 999 + b"\xff"), sandbox.Result(None, b"", b"", "time"),
     sandbox.Result(2, b"x.py:1:1: F401 'os' imported but unused\nnonsense\n", b"why")],
)  # fmt: skip
def test_flake8_that_cannot_run_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: sandbox.Result
) -> None:
    monkeypatch.setattr(Ended, "result", result)
    *before, found = flake8.check(make(tmp_path, "import os\n", kind=Ended))[0]
    words = result.stderr.decode("utf-8", "replace")[-1000:]
    assert found == Diagnostic("warning", "flake8-failed", f"flake8 could not run\n{words}", Span("x.py"))
    assert [d.code for d in before] == (["flake8-F401"] if result.stdout else [])
