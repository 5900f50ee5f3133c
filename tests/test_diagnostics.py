"""The whole text of every diagnostic of requirement files and locks, as a person sees it.

tests/diagnostics/NAME.txt begins with the command line, `$ ai_coding check NAME.toml`, and then has what that prints to
standard error; beside it is NAME.toml, or a folder NAME where there is more than one file. A new case is a new file
and a new NAME.txt with its first line. `python tests/test_diagnostics.py` writes all of them anew: read the diff.
"""

import os
import re
import shutil
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import codes
import pytest
from ai_coding.cli import main
from conftest import REPO

HERE = REPO / "tests/diagnostics"
CASES = sorted(HERE.glob("*.txt"))
LOADER = ("faults", "lock", "notes", "references", "schema", "spec", "templates", "toml", "workspace")
# A workspace that is given to `check` is read as one, so that this is told only of a unit that another tool loads.
# With the other, templates are tried.
NOT_SHOWN = {"is-workspace", "tests"}


def said(line: str, folder: Path) -> tuple[int | str | None, str]:
    """The exit code, and the text of a case: the command line, and its standard error. folder: a copy of all cases."""
    # What is too big to be kept is made here.
    (folder / "file-too-big.toml").write_bytes(b"#" * 1_000_001)
    out, err, before = StringIO(), StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(line.removeprefix("$ ai_coding ").split())
    finally:
        os.chdir(before)
    return code, f"{line}\n{err.getvalue()}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(HERE, tmp_path_factory.mktemp("cases") / "diagnostics"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_whole_text(case: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AI_CODING", "OPENAI", "GROQ"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AI_CODING_JOURNAL", str(folder.parent / "journal"))
    expected = case.read_text("utf-8")
    line = expected.split("\n")[0]
    assert line.startswith("$ ai_coding ") and case.stem in line
    assert said(line, folder) == (2 if "\nerror[" in expected else 0, expected)


def test_every_code_of_the_loader_is_shown() -> None:
    texts = [case.read_text("utf-8") for case in CASES]
    shown = {code for text in texts for code in re.findall(r"^(?:error|note)\[(.+?)\]", text, re.MULTILINE)}
    assert codes.codes(LOADER) - shown == NOT_SHOWN


def test_every_file_belongs_to_a_case() -> None:
    named = {path.stem for path in HERE.iterdir() if path.name != "file-too-big.toml"}
    assert named == {case.stem for case in CASES} and len(CASES) > 30


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["AI_CODING_JOURNAL"] = f"{scratch}/journal"
        copy = Path(shutil.copytree(HERE, f"{scratch}/diagnostics"))
        for path in CASES:
            code, text = said(path.read_text("utf-8").split("\n")[0], copy)
            path.write_text(text, "utf-8")
            print(path.stem, code, file=sys.stdout if code == (2 if "\nerror[" in text else 0) else sys.stderr)
