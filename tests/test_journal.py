"""The journal gives back the whole value or nothing, in a form that never changes, and knows when nothing changed."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from ai_coding import journal
from ai_coding.diagnostic import Diagnostic, Span
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = "sha256:abcdef0123"
BODY = r'{"text": "\u00e9\n", "tokens": 3}'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entry(folder: Path) -> Path:
    return folder / "replies" / "ab" / "cdef0123"


@settings(derandomize=True, deadline=None, max_examples=25)
@given(JSON, st.text("0123456789abcdef", min_size=3, max_size=64))
def test_what_was_put_is_given_back(tmp_path_factory: pytest.TempPathFactory, value: object, key: str) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal.put(folder, "replies", key, value)
    assert journal.get(folder, "replies", key) == value
    assert journal.get(folder, "verdicts", key) is None


def test_the_entry_on_disk_never_changes(tmp_path: Path) -> None:
    """Journals of older versions must stay readable, so the bytes and the place are pinned."""
    journal.put(tmp_path / "new" / "folder", "replies", KEY, {"text": "é\n", "tokens": 3})
    written = entry(tmp_path / "new" / "folder").read_bytes()
    assert written == json.dumps({"key": KEY, "sum": sha(BODY.encode()), "body": BODY}).encode()
    assert sha(written) == "eb32f094c06937131c3057a67f65e6fe9ff26a20093202e6f9bbf963c8e505df"


def test_a_later_answer_replaces_the_old_one(tmp_path: Path) -> None:
    journal.put(tmp_path, "replies", KEY, "old")
    journal.put(tmp_path, "replies", KEY, "new")
    assert journal.get(tmp_path, "replies", KEY) == "new"
    assert [p.name for p in entry(tmp_path).parent.iterdir()] == ["cdef0123"]


def test_the_prefix_is_no_part_of_the_place_but_of_the_key(tmp_path: Path) -> None:
    journal.put(tmp_path, "replies", KEY, 1)
    assert journal.get(tmp_path, "replies", KEY.removeprefix("sha256:")) is None


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe\xfd",
        b"[]",
        b"null",
        b'"key"',
        b"{}",
        json.dumps({"key": KEY, "sum": sha(b"1")}).encode(),
        json.dumps({"sum": sha(b"1"), "body": "1"}).encode(),
        json.dumps({"key": KEY, "body": "1"}).encode(),
        json.dumps({"key": KEY, "sum": sha(b"1"), "body": "2"}).encode(),
        json.dumps({"key": "sha256:abcdef9999", "sum": sha(b"1"), "body": "1"}).encode(),
        json.dumps({"key": KEY, "sum": sha(b"1"), "body": 1}).encode(),
        json.dumps({"key": KEY, "sum": sha(b"{"), "body": "{"}).encode(),
        json.dumps({"key": KEY, "sum": sha(b"1"), "body": "\ud800"}).encode(),
    ],
)
def test_a_damaged_entry_is_as_if_there_were_none(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """But it is told, once: an answer that was paid for is lost."""
    journal.put(tmp_path, "replies", KEY, 1)
    entry(tmp_path).write_bytes(damage)
    assert journal.get(tmp_path, "replies", KEY) is None
    assert journal.get(tmp_path, "replies", KEY) is None
    message = "this entry of the journal is damaged, and counts as missing"
    help = "nothing to be done: what it held is asked or found out again, and recorded anew"
    said = str(Diagnostic("warning", "journal-damaged", message, Span(str(entry(tmp_path))), help))
    assert [(row.name, row.levelname, row.getMessage()) for row in caplog.records] == [("ai_coding", "WARNING", said)]
    journal.put(tmp_path, "replies", KEY, 2)
    assert journal.get(tmp_path, "replies", KEY) == 2


def test_a_folder_or_nothing_in_its_place_is_no_entry(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert journal.get(tmp_path / "missing", "replies", KEY) is None
    entry(tmp_path).mkdir(parents=True)
    assert journal.get(tmp_path, "replies", KEY) is None and caplog.records == []


def test_write_puts_the_bytes_there_for_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    journal.write(path, b"one\r\n\x00\xff")
    assert path.read_bytes() == b"one\r\n\x00\xff" and path.stat().st_mode & 0o777 == 0o600
    journal.write(path, b"")
    assert path.read_bytes() == b"" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError):
        journal.write(tmp_path / "missing" / "a", b"x")


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, failure: BaseException
) -> None:
    def fail(*args: object, **more: object) -> None:
        raise failure

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(type(failure)) as caught:
        journal.write(tmp_path / "a", b"new")
    assert caught.value is failure
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]


def trace(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is made durable or renamed from now on: (`sync`, path) and (`name`, old path)."""
    seen: list[tuple[str, str]] = []
    sync, replace = os.fsync, os.replace

    def fsync(handle: int) -> None:
        seen.append(("sync", os.readlink(f"/proc/self/fd/{handle}")))
        sync(handle)

    def renamed(old: str, new: str) -> None:
        seen.append(("name", os.fspath(old)))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", renamed)
    return seen


def test_what_was_put_is_durable_with_all_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is on the disk before it gets its name, and the names are there when put returns."""
    seen = trace(monkeypatch)
    journal.put(tmp_path, "replies", KEY, 1)
    temporary = seen[0][1]
    assert Path(temporary).parent == entry(tmp_path).parent and Path(temporary).name.startswith(".tmp-")
    assert seen[:3] == [("sync", temporary), ("name", temporary), ("sync", str(entry(tmp_path).parent))]
    assert {("sync", str(tmp_path / "replies")), ("sync", str(tmp_path))} <= set(seen[3:])
    seen.clear()
    journal.put(tmp_path, "replies", KEY + "4", 1)
    assert [what for what, _ in seen] == ["sync", "name", "sync"], "all folders were there: no more waiting"
    seen.clear()
    journal.put(tmp_path, "replies", KEY.replace("ab", "cd"), 1)
    assert set(seen[3:]) == {("sync", str(tmp_path / "replies"))}, "one was made in it"


def test_sync_leaves_no_handle_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    journal.sync(tmp_path)
    journal.write(tmp_path / "a", b"x")
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(OSError):
        journal.sync(tmp_path / "missing")


def test_a_unit_is_a_requirement_file_and_an_output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        journal.unit(Path("/nowhere/é.toml"), Path("/nowhere/out"))
        == "c39e80908bc83c8dca442c67aa775971ffe56fab9de1957072ab20da6ec24a56"
    )
    monkeypatch.chdir(tmp_path)
    assert journal.unit(Path("a.toml"), Path("x/..")) == journal.unit(tmp_path / "a.toml", tmp_path)
    assert journal.unit(Path("a.toml"), Path("x")) != journal.unit(Path("a.toml"), Path("y"))
    assert journal.unit(Path("a.toml"), Path("x")) != journal.unit(Path("b.toml"), Path("x"))


def test_fingerprints_are_digests_of_what_is_there_now(tmp_path: Path) -> None:
    b, a, gone = tmp_path / "b", tmp_path / "a", tmp_path / "gone"
    b.write_bytes(b"text\r\n")
    a.mkdir()
    found = journal.fingerprints(iter([gone, b, a, b]))
    assert list(found.items()) == [(str(a), ""), (str(b), sha(b"text\r\n")), (str(gone), "")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "p.py"),
        ({"open": False}, "p.py"),
        ({"open": True}, ""),
        ({"version": "2"}, ""),
        ({"version": None}, ""),
        ({"seen": {}}, ""),
        ({"seen": None}, ""),
    ],
)
def test_a_unit_is_fresh_after_a_build_that_ended_well(
    tmp_path: Path, change: dict[str, object], expected: str
) -> None:
    spec, out = tmp_path / "p.toml", tmp_path / "out"
    spec.write_text("x")
    state = {"seen": journal.fingerprints([spec, out / "p.py"]), "version": "1", "entry": "p.py"} | change
    stored = {key: value for key, value in state.items() if value is not None}
    journal.put(tmp_path, "units", journal.unit(spec, out), stored)
    assert journal.fresh(tmp_path, spec, out, "1") == expected
    assert journal.fresh(tmp_path, spec, tmp_path, "1") == "", "another output folder is another unit"
    spec.write_text("y")
    assert journal.fresh(tmp_path, spec, out, "1") == "", "a file changed"
