"""The style critic: what flake8 only warns of is an error here."""

from pathlib import Path

from ai_coding import sandbox
from ai_coding.critics import Box, flake8, lay, style
from ai_coding.ir import Language, Program, Spec


def box(folder: Path, text: str, language: str = "python") -> Box:
    program = Program({"x.py": text}, "x.py")
    lay(folder / "program", program.files)
    spec = Spec(Path("x.toml"), "x", Language(language, "py"), {"": "…"})
    return Box(spec, program, (), {}, sandbox.UNSAFE, folder)


def test_warnings_are_errors_and_otherwise_the_same(tmp_path: Path) -> None:
    here = box(tmp_path, "import os\nx=1\nprint(y)\n" + "z = 1  # " + "x" * 120 + "\n")
    strict, passed = style.check(here)
    found, _ = flake8.check(here)
    assert {d.severity for d in found} == {"warning", "error"} and passed == []
    assert {d.severity for d in strict} == {"error"}
    assert [(d.code, d.message, d.span, d.help) for d in strict] == [(d.code, d.message, d.span, d.help) for d in found]
    assert {"flake8-F401", "flake8-E225", "flake8-F821", "flake8-E501"} == {d.code for d in strict}


def test_nothing_to_find(tmp_path: Path) -> None:
    assert style.check(box(tmp_path, "x = 1\n")) == ([], [])
    assert style.check(box(tmp_path, "x=1", "bash")) == ([], [])
