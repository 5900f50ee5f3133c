"""Files are written all or none, nothing that is not ours is overwritten, and links lead nowhere."""

import contextlib
import json
import os
from pathlib import Path

import pytest
from ai_coding import emit
from ai_coding.diagnostic import Diagnostic, Span
from ai_coding.ir import Program, digest

LINK = ("emit-link", "a link stands where the output goes", "remove the link")
FOLDER = ("emit-folder", "this is not a file, and the output goes here", "move it away")
EDITED = (
    "emit-edited",
    "this file is not what a build of this unit wrote",
    "put the change into the requirement file, or build with --force: that keeps a copy",
)


class Killed(BaseException):
    """The process ends here."""


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below folder, path -> bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_targets_are_the_files_below_the_output_folder() -> None:
    program = Program({"a.py": "é\r\n", "sub/b.py": ""}, "a.py")
    assert emit.targets(program, Path("out")) == {Path("out/a.py"): "é\r\n".encode(), Path("out/sub/b.py"): b""}


def test_conflicts_are_links_folders_and_foreign_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each file, in order; our own outputs and what would not change are none."""
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "inner").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "x").write_bytes(b"new")
    for name, goal in {"good.py": elsewhere / "x", "dangling.py": elsewhere / "y", "looped.py": out / "dir.py"}.items():
        (out / name).symlink_to(goal)
    (out / "leads_out").symlink_to(elsewhere)
    (out / "leads_in").symlink_to(out / "inner")
    (out / "dir.py").mkdir()
    for name, data in {"edited.py": b"mine", "ours.py": b"old", "same.py": b"new"}.items():
        (out / name).write_bytes(data)
    rows = {
        "good.py": LINK, "dangling.py": LINK, "looped.py": LINK, "leads_out/x": LINK, "leads_out/sub/x": LINK,
        "dir.py": FOLDER, "leads_in/x.py": None, "edited.py": EDITED, "ours.py": None, "same.py": None,
        "missing/new.py": None, "../x.py": LINK,
    }  # fmt: skip
    monkeypatch.chdir(out / "inner")
    files, ours = {out / name: b"new" for name in rows}, {digest(b"old")}
    expected = [
        Diagnostic("error", row[0], row[1], Span(os.path.normpath(f"../{name}")), row[2])
        for name, row in rows.items()
        if row
    ]
    assert emit.conflicts(files, out, ours) == expected
    (tmp_path / "linked").symlink_to(out)
    assert emit.conflicts({tmp_path / "linked" / "new": b"x"}, tmp_path / "linked", set()) == []


def test_a_difference_in_line_ends_alone_is_no_edit(tmp_path: Path) -> None:
    """Version control may put CRLF for LF and back, in what we wrote last as in what we write now."""
    for old, new, ours in [
        (b"a\r\nb\r\n", b"a\nb\n", b""), (b"a\nb\n", b"a\r\nb\r\n", b""), (b"a\r\nb\n", b"a\nb\r\n", b""),
        (b"a\r\nb\r\n", b"new\n", b"a\nb\n"), (b"a\r\nb\r\n", b"new\n", b"a\r\nb\r\n"),
    ]:  # fmt: skip
        (tmp_path / "a").write_bytes(old)
        assert emit.conflicts({tmp_path / "a": new}, tmp_path, {digest(ours)}) == [], (old, new)
    for old in (b"a\rb\n", b"a\nb", b"a\n\nb\n", b"a \nb\n"):
        (tmp_path / "a").write_bytes(old)
        assert [d.code for d in emit.conflicts({tmp_path / "a": b"a\nb\n"}, tmp_path, set())] == ["emit-edited"], old


def test_all_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    files = {tmp_path / "a": b"1\r\n\xff", tmp_path / "deep" / "er" / "b": b""}
    assert emit.emit(files, tmp_path / "cache" / "commits" / "record") == []
    assert tree(tmp_path) == {"a": b"1\r\n\xff", "deep/er/b": b""}
    assert emit.emit({tmp_path / "a": b"2"}, tmp_path / "record") == []
    assert tree(tmp_path) == {"a": b"2", "deep/er/b": b""}


def test_old_contents_are_kept_where_asked(tmp_path: Path) -> None:
    """Only those that differ, and no copy takes the place of another."""
    a, b, same, new = (tmp_path / name for name in ("a.py", "b.py", "same.py", "new.py"))
    record = tmp_path / "record"
    for path in (a, b, same):
        path.write_bytes(b"v0")
    keep = [a, same, new]
    assert emit.emit({a: b"v1", b: b"v1", same: b"v0", new: b"v1"}, record, keep) == [tmp_path / "a.py.orig"]
    assert emit.emit({a: b"v2"}, record, keep) == [tmp_path / "a.py.orig1"]
    assert emit.emit({a: b"v3", same: b"v3"}, record, keep) == [tmp_path / "a.py.orig2", tmp_path / "same.py.orig"]
    assert tree(tmp_path) == {
        "a.py": b"v3", "a.py.orig": b"v0", "a.py.orig1": b"v1", "a.py.orig2": b"v2", "b.py": b"v1", "new.py": b"v1",
        "same.py": b"v3", "same.py.orig": b"v0",
    }  # fmt: skip


def test_scripts_are_executable(tmp_path: Path) -> None:
    """The user's mask decides the rest, and not the mode of the old file."""
    (tmp_path / "y.py").touch(0o700)
    old = os.umask(0o027)
    try:
        emit.emit({tmp_path / "x.sh": b"#!/bin/sh\n", tmp_path / "y.py": b"pass #!\n"}, tmp_path / "record")
    finally:
        os.umask(old)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("x.sh", "y.py")]
    assert modes == [0o750, 0o640]


@pytest.mark.parametrize("moment", range(6))
def test_a_kill_at_any_rename_leaves_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Before the record nothing has changed; after it the next start finishes, from whatever folder, also twice."""
    old, new = {"a": b"old", "sub/b": b"old"}, {"a": b"new", "sub/b": b"new", "c": b"new"}
    (tmp_path / "out" / "sub").mkdir(parents=True)
    for name, data in old.items():
        (tmp_path / "out" / name).write_bytes(data)
    replace, left = os.replace, [moment]

    def dying(source: str, target: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        replace(source, target)

    monkeypatch.chdir(tmp_path / "out")
    record = tmp_path / "record"
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(os, "replace", dying)
        emit.emit({Path(name): data for name, data in new.items()}, record)
    found = {name: data for name, data in tree(tmp_path / "out").items() if not name.endswith(".staged")}
    monkeypatch.chdir("/")
    committed = record.exists()
    assert committed == (1 <= moment <= 3)
    assert committed or found == (old if moment == 0 else new)
    assert emit.recover(record) is committed
    assert emit.recover(record) is False
    assert moment == 0 or tree(tmp_path) == {f"out/{name}": data for name, data in new.items()}


def test_the_record_says_what_is_to_be_moved(tmp_path: Path) -> None:
    """The form on disk: a newer tool finishes what an older one began, and skips what is done."""
    a, b, record = tmp_path / "a", tmp_path / "b", tmp_path / "record"
    a.write_bytes(b"1")
    b.write_bytes(b"2")
    (tmp_path / ".a.staged").write_bytes(b"new")
    assert emit.recover(record) is False and a.read_bytes() == b"1", "staged but not committed"
    moves = [[f"{tmp_path}/.gone.staged", str(b)], [f"{tmp_path}/.a.staged", str(a)]]
    record.write_text(json.dumps(moves))
    assert emit.recover(record) is True
    assert tree(tmp_path) == {"a": b"new", "b": b"2"}


def test_everything_is_durable_before_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are on the disk before the record, the record before the moves, the moves before it is removed."""
    seen: list[str] = []
    sync, replace = os.fsync, os.replace
    moves = [[str(tmp_path / x / ".f.staged"), str(tmp_path / x / "f")] for x in ("a", "b")]

    def fsync(handle: int) -> None:
        seen.append("sync " + os.path.relpath(os.readlink(f"/proc/self/fd/{handle}"), tmp_path))
        sync(handle)

    def renamed(source: str, target: str) -> None:
        seen.append("name " + os.path.relpath(target, tmp_path))
        if Path(target).name == "record":
            assert json.loads(Path(source).read_bytes()) == moves
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", renamed)
    emit.emit({tmp_path / "a" / "f": b"1", tmp_path / "b" / "f": b"2"}, tmp_path / "cache" / "record")
    at = seen.index("name cache/record")
    assert {"sync a/.f.staged", "sync b/.f.staged"} <= set(seen[:at])
    assert seen[at : at + 3] == ["name cache/record", "sync cache", "name a/f"]
    assert {"sync a", "sync b"} <= set(seen[at:]) and seen[-1] == "sync cache" and seen.count("sync cache") == 2


def test_what_lies_where_files_are_staged_is_never_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"theirs")
    (tmp_path / ".a.staged").symlink_to(elsewhere)
    (tmp_path / "b").symlink_to(elsewhere)
    (tmp_path / ".c.staged").write_bytes(b"a longer text of a build that was killed")
    emit.emit({tmp_path / "a": b"1", tmp_path / "b": b"2", tmp_path / "c": b"3"}, tmp_path / "record")
    assert tree(tmp_path) == {"a": b"1", "b": b"2", "c": b"3", "elsewhere": b"theirs"}
    (tmp_path / "goal").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "goal")
    emit.emit({tmp_path / n: b"1" for n in ("a.staged", ".staging", ".env", "link")}, tmp_path / "record")
    assert {"a.staged", ".staging", ".env", "link"} <= set(tree(tmp_path)), "links are replaced, also those to folders"


@pytest.mark.parametrize("name", ["folder", ".lock.staged", ".Lock.STAGED", "sub/.x.staged"])
def test_what_cannot_be_put_there_is_refused_before_anything_is_done(tmp_path: Path, name: str) -> None:
    """A folder would stop every later build; a file named like a staged one would end up as another's text."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        emit.emit({tmp_path / "a": b"1", tmp_path / name: b"2"}, tmp_path / "record")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_file_where_a_folder_is_needed_stops_all(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"theirs")
    with pytest.raises(OSError):
        emit.emit({tmp_path / "a": b"1", tmp_path / "b" / "c": b"2"}, tmp_path / "record")
    assert not (tmp_path / "a").exists() and not (tmp_path / "record").exists()
    assert (tmp_path / "b").read_bytes() == b"theirs"
