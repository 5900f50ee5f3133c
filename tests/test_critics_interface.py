"""The interface critic: Python programs offer what their requirement file's interface says."""

from pathlib import Path

import pytest
from ai_coding import interface, sandbox
from ai_coding.critics import Box
from ai_coding.critics.interface import check
from ai_coding.ir import Language, Program, Spec


def box(folder: Path, language: str, wanted: str, text: str) -> Box:
    spec = Spec(Path("x.toml"), "x", Language(language, "py"), {"": "…"}, interface=wanted)
    return Box(spec, Program({"x.py": text}, "x.py"), (), {}, sandbox.UNSAFE, folder)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [("def f(a): ...\nx: int", "def f(): ..."), ("x: int", "x = 1"), ("no python", ""), ("x: int", "no python")],
)
def test_python_is_compared_with_its_interface(tmp_path: Path, wanted: str, text: str) -> None:
    found, passed = check(box(tmp_path, "python", wanted, text))
    assert found == interface.differences(wanted, Program({"x.py": text}, "x.py")) and passed == []
    assert bool(found) == (text != "x = 1")
    assert list(tmp_path.iterdir()) == [], "nothing is run"


@pytest.mark.parametrize(("language", "wanted"), [("bash", "x: int"), ("python3", "x: int"), ("python", "")])
def test_other_languages_and_units_without_interface_are_not_checked(
    tmp_path: Path, language: str, wanted: str
) -> None:
    assert check(box(tmp_path, language, wanted, "no python")) == ([], [])
