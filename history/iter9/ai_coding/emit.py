"""Writes accepted files into the user's tree: all or nothing, and nothing not ours is overwritten.

Each text is first staged beside its target. A record of the moves to be made is the commit: a build
that is killed before it has changed nothing, and one that is killed after it is finished by `recover`.

In: the files of a program, the output folder, the digests of what we once wrote, the record's path.
Out: Diagnostics of what stands in the way; the files in their places, and copies of what was there.
"""

import contextlib
import errno
import itertools
import json
import os
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from ai_coding import journal
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program, digest

_LINK = ("emit-link", "a link stands where the output goes", "remove the link")
_FOLDER = ("emit-folder", "this is not a file, and the output goes here", "move it away")
_EDITED = (
    "emit-edited",
    "this file is not what a build of this unit wrote",
    "put the change into the requirement file, or build with --force: that keeps a copy",
)


def targets(program: Program, out: Path) -> dict[Path, bytes]:
    "Where each file of program goes below out, and its UTF-8."
    return {out / name: text.encode("utf-8") for name, text in program.files.items()}


def conflicts(files: Mapping[Path, bytes], out: Path, ours: set[str]) -> list[Diagnostic]:
    "ours: digests of what we once wrote."
    root = Path(os.path.realpath(out))
    diagnostics = []
    for path, data in files.items():
        conflict = _conflict(path, data, root, ours)
        if conflict is not None:
            code, message, way_out = conflict
            diagnostics.append(error(code, message, Span(os.path.relpath(path)), way_out))
    return diagnostics


def emit(files: Mapping[Path, bytes], record: Path, keep: Collection[Path] = ()) -> list[Path]:
    "Returns the copies. OSError."
    for path in files:
        _refuse(path)
    folders = list(dict.fromkeys(path.parent for path in files))
    for folder in [*folders, record.parent]:
        _make_folder(folder)
    copies = _keep_copies(files, keep)
    moves = []
    for path, data in files.items():
        # The next start may be in another folder. Nothing is normalized: `..` may follow a link.
        target = path.absolute()
        moves.append([str(_stage(target, data)), str(target)])
    # A staged name lost in a crash would later be skipped as if it had been moved already.
    for folder in folders:
        journal.sync(folder)
    journal.write(record, json.dumps(moves).encode("ascii"))
    recover(record)
    return copies


def recover(record: Path) -> bool:
    "Finish what a killed build had committed; False if there is no record."
    try:
        data = record.read_bytes()
    except FileNotFoundError:
        return False
    moves: list[list[str]] = json.loads(data)
    for staged, target in moves:
        # Moved before the kill, or gone together with its folder.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.replace(staged, target)
    for folder in dict.fromkeys(Path(target).parent for _, target in moves):
        if folder.is_dir():
            journal.sync(folder)
    record.unlink()
    journal.sync(record.parent)
    return True


def _conflict(
    path: Path, data: bytes, root: Path, ours: set[str]
) -> tuple[str, str, str] | None:
    """Code, message and way out; root is the real path of the output folder."""
    # Not Path.resolve: that raises RuntimeError for links that lead in a circle.
    parent = Path(os.path.realpath(path.parent))
    if path.is_symlink() or not parent.is_relative_to(root):
        return _LINK
    if not path.exists():
        return None
    if not path.is_file():
        return _FOLDER
    old = path.read_bytes()
    # Version control may put CRLF for LF and back, and that is no edit.
    plain = old.replace(b"\r\n", b"\n")
    as_new = plain == data.replace(b"\r\n", b"\n")
    return None if as_new or digest(old) in ours or digest(plain) in ours else _EDITED


def _refuse(path: Path) -> None:
    """OSError for what could not be moved to path, or would be taken for a staged file there."""
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # Case-folded, since on some file systems names that differ in case are the same.
    if fnmatchcase(path.name.casefold(), ".?*.staged"):
        raise OSError(errno.EINVAL, "names like this are kept for staged files", str(path))


def _make_folder(folder: Path) -> None:
    """With its parents, and durable: the record must not outlive the folders it speaks of."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        journal.sync(folder.parent)


def _keep_copies(files: Mapping[Path, bytes], keep: Collection[Path]) -> list[Path]:
    copies = []
    for path, data in files.items():
        if path not in keep or not path.is_file():
            continue
        old = path.read_bytes()
        if old != data:
            names = (f"{path.name}.orig{number or ''}" for number in itertools.count())
            places = (path.with_name(name) for name in names)
            # A place that one of the new files is about to take is not free either.
            copy = next(p for p in places if p not in files and not os.path.lexists(p))
            # The old mode, so that what was private stays private.
            _create(copy, old, path.stat().st_mode & 0o777)
            copies.append(copy)
    return copies


def _stage(target: Path, data: bytes) -> Path:
    staged = target.with_name(f".{target.name}.staged")
    staged.unlink(missing_ok=True)
    _create(staged, data, 0o777 if data.startswith(b"#!") else 0o666)
    return staged


def _create(path: Path, data: bytes, mode: int) -> None:
    """The umask is taken from mode. FileExistsError for whatever is there, even a dangling link."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
