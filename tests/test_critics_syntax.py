"""The syntax critic says in the words of the language's own tool whether a program parses."""

from dataclasses import replace
from pathlib import Path

import pytest
from ai_coding import ir, sandbox
from ai_coding.critics import Box, lay, syntax
from ai_coding.diagnostic import Diagnostic, Span

PYTHON = "import ast, sys; ast.parse(open(sys.argv[1], 'rb').read(), sys.argv[1])"
LANGUAGES = {
    "python": ir.Language("python", "py", (), ("python3", "-c", PYTHON, "{entry}")),
    "shell": ir.Language("shell", "sh", (), ("sh", "-n", "{entry}")),
    "text": ir.Language("text", "txt"),
    "rare": ir.Language("rare", "ra", (), ("no-such-tool", "{entry}")),
    "loud": ir.Language("loud", "l", (), ("sh", "-c", "printf ' o %04000d\\n\\n' 1; printf '\\n ee' >&2; exit 1")),
    "silent": ir.Language("silent", "s", (), ("sh", "-c", "echo out; echo warning >&2")),
    "endless": ir.Language("endless", "e", (), ("yes",)),
}


def check(folder: Path, language: str, text: str, name: str = "sub/x") -> list[Diagnostic]:
    row = LANGUAGES[language]
    spec = ir.Spec(Path("x.toml"), name, row, {"": "…"})
    program = ir.Program({spec.entry: text}, spec.entry)
    lay(folder / "program", program.files)
    found, passed = syntax.check(Box(spec, program, (), {}, sandbox.UNSAFE, folder))
    assert passed == []
    return found


@pytest.mark.parametrize(
    "language, text",
    [("python", "print('é')\n"), ("python", ""), ("python", "import no_such_module\n1 / 0\n"), ("shell", "exit 1\n"),
     ("silent", "?")],
)  # fmt: skip
def test_what_parses_is_fine_and_is_not_run(tmp_path: Path, language: str, text: str) -> None:
    assert check(tmp_path, language, text) == []


@pytest.mark.parametrize(
    "language, text, words",
    [
        ("python", "def f(:\n", "SyntaxError: invalid syntax"),
        ("python", "x = 1\n  y = 2\n", 'File "sub/x.py", line 2'),
        ("python", "a = '\x00'\n", "null bytes"),
        ("shell", "if true; then\n", "sub/x.sh"),
    ],
)
def test_what_does_not_is_one_error_with_the_words_of_the_tool(
    tmp_path: Path, language: str, text: str, words: str
) -> None:
    (found,) = check(tmp_path, language, text)
    assert words in found.message and found.message == found.message.strip()
    entry = f"sub/x.{LANGUAGES[language].extension}"
    assert found == Diagnostic("error", "syntax", found.message, Span(entry))
    assert found.message.startswith(f"this is not valid {language}\n")


def test_standard_error_comes_first_and_the_end_is_kept(tmp_path: Path) -> None:
    (found,) = check(tmp_path, "loud", "")
    assert found.message == "this is not valid loud\n" + "0" * 2999 + "1"


def test_a_tool_that_does_not_end_in_time_or_output_is_no_pass(tmp_path: Path) -> None:
    (found,) = check(tmp_path, "endless", "")
    assert (found.severity, found.code) == ("error", "syntax") and found.message.endswith("y\ny")


def test_both_streams_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(LANGUAGES["loud"], check=("sh", "-c", "echo out; echo; echo err >&2; exit 2"))
    monkeypatch.setitem(LANGUAGES, "loud", row)
    assert check(tmp_path, "loud", "")[0].message == "this is not valid loud\nerr\nout"


def test_a_language_without_a_check_is_noted(tmp_path: Path) -> None:
    found = check(tmp_path, "text", "\x00")
    assert found == [Diagnostic("note", "syntax-unchecked", "no syntax check is known for text")]


def test_a_missing_tool_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (found,) = check(tmp_path, "rare", "")
    assert (found.severity, found.code, found.span) == ("error", "syntax-no-tool", None)
    assert found.message == "`no-such-tool` is not installed" and found.help == "install it and build again"
