"""`command:WORDS`: small programs answer."""

import shlex
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from ai_coding.backends import ProviderError
from ai_coding.backends.command import answer
from ai_coding.ir import Message, Reply, Request, Settings

SETTINGS = Settings(Path("journal"), Path("."))


def start(words: str, *texts: str) -> Generator[str, None, Reply]:
    messages = tuple(Message("user", text) for text in texts or ("hi",))
    return answer(Request(f"command:{words}", 0, {"seed": 1}, messages), SETTINGS, Path("a.toml"))


def ask(words: str, *texts: str) -> tuple[str, Reply]:
    stream, pieces = start(words, *texts), list[str]()
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as done:
        return "".join(pieces), done.value


def python(code: str, *args: str) -> str:
    return shlex.join([sys.executable, "-c", code, *args])


def test_the_prompt_goes_in_and_the_answer_comes_out() -> None:
    """The messages, an empty line between them, nothing else; the answer byte for byte; its model is the words."""
    want = "be é\n\n\r\nhi\n"
    assert ask("cat", "be é", "\r\nhi\n") == (want, Reply(want, "stop", "cat", 0, 0))


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("size", [0, 3_000_000])
def test_neither_side_waits_for_the_other(size: int) -> None:
    """A prompt larger than any pipe: read while the answer is printed, or never read at all."""
    assert ask("cat", "x" * size)[1].text == "x" * size
    assert ask("echo hi", "x" * size)[1].text == "hi\n"


def test_words_are_split_like_a_shell_and_no_shell_runs() -> None:
    assert ask("""printf '%s|' "a b" c:d '$HOME' ';' ls '*'""")[0] == "a b|c:d|$HOME|;|ls|*|"


def test_pieces_come_as_they_are_printed(tmp_path: Path) -> None:
    """The program goes on only after its first piece was seen."""
    go = tmp_path / "go"
    code = "import pathlib,sys,time\nprint('one', end='', flush=True)\n"
    code += "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)\nprint('two', end='')"
    stream = start(python(code, str(go)))
    assert next(stream) == "one"
    go.touch()
    assert list(stream) == ["two"]


def test_bytes_that_are_no_text() -> None:
    """A character may be torn between two writes; what is no UTF-8 is replaced, also at the very end."""
    code = r"import sys,time; w=sys.stdout.buffer; w.write(b'\xc3'); w.flush(); time.sleep(0.1); "
    assert ask(python(code + r"w.write(b'\xa9 \xff \xe2\x82')"))[1].text == "é \ufffd \ufffd"


@pytest.mark.parametrize(("words", "code"), [("false", 1), ("sh -c 'echo half; exit 7'", 7)])
def test_a_program_that_fails_gave_no_answer(words: str, code: int) -> None:
    with pytest.raises(ProviderError) as caught:
        ask(words)
    found = caught.value.diagnostic
    assert (found.code, found.message) == ("command-failed", f"{words!r} ended with exit code {code}")
    assert found.help


@pytest.mark.parametrize("words", ["", "  ", "no-such-program-anywhere -x", "'never closed", "a\0b", "/"])
def test_words_that_start_nothing(words: str) -> None:
    with pytest.raises(ProviderError) as caught:
        ask(words)
    assert caught.value.diagnostic.code == "command-failed"
    assert caught.value.diagnostic.message.startswith(f"cannot start {words!r}: ")


def test_the_environment_and_standard_error_are_ours(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The person chose this program: it runs where they are, has their keys, and its complaints reach them."""
    monkeypatch.setenv("SOME_KEY", "k")
    monkeypatch.chdir(tmp_path)
    assert ask("sh -c 'echo $SOME_KEY; pwd -P; echo oops >&2'")[0] == f"k\n{tmp_path.resolve()}\n"
    assert capfd.readouterr().err == "oops\n"
