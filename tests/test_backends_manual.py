"""`manual`: a prompt file now, a reply file some day."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ai_coding.backends.manual import answer, done, pending, rendered
from ai_coding.ir import Message, Reply, Request, Settings, Waiting

QUESTION = Request("manual", 0, {"seed": 1}, (Message("system", "be é"), Message("user", "hi\n")))
SPEC = Path("a.toml")


def ask(folder: Path, request: Request = QUESTION, spec: Path = SPEC) -> tuple[list[str], Reply | Waiting]:
    stream, pieces = answer(request, Settings(folder, Path(".")), spec), list[str]()
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as end:
        return pieces, end.value


def wait(folder: Path, request: Request = QUESTION, spec: Path = SPEC) -> Waiting:
    pieces, waiting = ask(folder, request, spec)
    assert pieces == [] and isinstance(waiting, Waiting)
    return waiting


def test_the_files_of_a_request(tmp_path: Path) -> None:
    """Other tools read these paths and request.json; asking again changes nothing."""
    journal = tmp_path / "not" / "there yet"
    folder = journal / "pending" / QUESTION.digest.removeprefix("sha256:")[:20]
    expected = Waiting(SPEC, QUESTION.digest, folder / "prompt.md", folder / "reply.md")
    for _ in range(2):
        assert wait(journal) == expected
        assert (folder / "prompt.md").read_bytes() == "be é\n\nhi\n".encode()
        assert json.loads((folder / "request.json").read_bytes()) == {"spec": "a.toml", "request": QUESTION.digest}
        assert sorted(path.name for path in folder.iterdir()) == ["prompt.md", "request.json"]
        assert list(pending(journal)) == [expected]


def test_a_prompt_is_the_messages_with_an_empty_line_between() -> None:
    assert rendered(QUESTION) == "be é\n\nhi\n"
    assert rendered(replace(QUESTION, messages=())) == ""


@pytest.mark.parametrize(("data", "text"), [(b"  ok\r\n", "  ok\r\n"), ("é".encode(), "é"), (b"\xff", "\ufffd")])
def test_a_reply_is_taken_as_it_is(tmp_path: Path, data: bytes, text: str) -> None:
    """One piece, then the reply. Its files stay until the caller has recorded it."""
    waiting = wait(tmp_path)
    waiting.reply.write_bytes(data)
    request = replace(QUESTION, model="manual")
    for _ in range(2):
        assert ask(tmp_path, request) == ([text], Reply(text, "stop", "manual", 0, 0))
    assert list(pending(tmp_path)) == [] and waiting.prompt.is_file()
    done(tmp_path, QUESTION.digest)
    assert not waiting.prompt.parent.exists() and waiting.prompt.parent.parent.is_dir()
    done(tmp_path, QUESTION.digest)
    assert wait(tmp_path) == waiting


@pytest.mark.parametrize("blank", [b"", b"\n", b" \t\r\n"])
def test_a_blank_reply_file_is_about_to_be_filled(tmp_path: Path, blank: bytes) -> None:
    """An editor or a `touch` made it: it still waits, is still listed, and is left alone."""
    waiting = wait(tmp_path)
    waiting.reply.write_bytes(blank)
    assert wait(tmp_path) == waiting and list(pending(tmp_path)) == [waiting]
    assert waiting.reply.read_bytes() == blank


def test_a_newer_question_replaces_the_older_of_the_same_unit(tmp_path: Path) -> None:
    """Nobody should answer what nobody asks any more; but an answer that was given, and other units, stay."""
    old, answered, new = (replace(QUESTION, take=take) for take in (1, 2, 3))
    other = wait(tmp_path, replace(QUESTION, take=4), Path("b.toml"))
    given = wait(tmp_path, answered)
    given.reply.write_text("ok")
    first = wait(tmp_path, old)
    second = wait(tmp_path, new)
    assert not first.prompt.parent.exists()
    assert given.reply.read_text() == "ok"
    want = sorted([other, second], key=lambda waiting: waiting.prompt)
    assert list(pending(tmp_path)) == want


def test_pending_is_in_the_order_of_the_folders(tmp_path: Path) -> None:
    assert list(pending(tmp_path / "none")) == []
    made = [wait(tmp_path, replace(QUESTION, take=take), Path(f"{take}.toml")) for take in range(6)]
    assert list(pending(tmp_path)) == sorted(made, key=lambda waiting: waiting.prompt)
    (tmp_path / "pending" / "unfinished").mkdir()
    assert len(list(pending(tmp_path))) == 6
    listed = pending(tmp_path)
    next(listed)
    for path in (tmp_path / "pending").iterdir():
        shutil.rmtree(path)
    assert list(listed) == [], "another build took them away"
    for number, text in enumerate(("", "[]", "{}", "not json")):
        (tmp_path / "pending" / str(number)).mkdir()
        (tmp_path / "pending" / str(number) / "request.json").write_text(text)
    assert list(pending(tmp_path)) == []
