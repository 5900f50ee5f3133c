"""Writes accepted files into the user's tree: all or nothing, and nothing that is not ours is overwritten.

All texts are first staged beside their targets; then one record commits, and the staged files move to their places.
A build that is killed before the record has changed no file; one that is killed after it is finished by the next start.

In: the files of an accepted program, the output folder, digests of what was once written, the place of the record.
Out: the files in their places, copies of what was to be kept, and Diagnostics for what stands in the way.
"""

import contextlib
import errno
import itertools
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from ai_coding import journal
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program, digest

_GONE = (FileNotFoundError, NotADirectoryError)
_LINK = ("emit-link", "a link stands where the output goes", "remove the link")
_FOLDER = ("emit-folder", "this is not a file, and the output goes here", "move it away")
_EDITED = (
    "emit-edited",
    "this file is not what a build of this unit wrote",
    "put the change into the requirement file, or build with --force: that keeps a copy",
)


def targets(program: Program, out: Path) -> dict[Path, bytes]:
    """Where each file of program goes below out, and its UTF-8."""
    return {out / name: text.encode("utf-8") for name, text in program.files.items()}


def conflicts(files: Mapping[Path, bytes], out: Path, ours: set[str]) -> list[Diagnostic]:
    """ours: digests of what we once wrote."""
    root = os.path.realpath(out)
    found = []
    for path, data in files.items():
        conflict = _conflict(path, data, root, ours)
        if conflict:
            code, message, way_out = conflict
            found.append(error(code, message, Span(os.path.relpath(path)), way_out))
    return found


def emit(files: Mapping[Path, bytes], record: Path, keep: Collection[Path] = ()) -> list[Path]:
    """Returns the copies. OSError."""
    _refuse(files)
    for folder in dict.fromkeys([*(path.parent for path in files), record.parent]):
        _make(folder)
    # Where names ignore case, a folder that was just made can be at the path of a file: that could never be finished.
    _refuse(files)
    copies = _keep(files, keep)
    moves = _stage(files)
    journal.write(record, json.dumps(moves).encode("ascii"))
    recover(record)
    return copies


def recover(record: Path) -> bool:
    """Finish what a killed build had committed; False if there is no record."""
    try:
        moves: list[list[str]] = json.loads(record.read_bytes())
    except _GONE:
        return False
    for staged, target in moves:
        with contextlib.suppress(*_GONE):
            os.replace(staged, target)
    # Also the folders of what was skipped: the build that moved it may have been killed before it synced them.
    for folder in dict.fromkeys(Path(target).parent for _, target in moves):
        with contextlib.suppress(*_GONE):
            journal.sync(folder)
    record.unlink()
    journal.sync(record.parent)
    return True


def _conflict(path: Path, new: bytes, root: str, ours: set[str]) -> tuple[str, str, str] | None:
    """Code, message and way out of what stands at path; root is the real output folder."""
    if os.path.islink(path) or not Path(os.path.realpath(path.parent)).is_relative_to(root):
        return _LINK
    if not os.path.lexists(path):
        return None
    if not os.path.isfile(path):
        return _FOLDER
    return None if _known(path, new, ours) else _EDITED


def _known(path: Path, new: bytes, ours: set[str]) -> bool:
    """Whether the file may be replaced: it is as new or was written by us. One that cannot be read is not known."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return data == new or digest(data) in ours


def _refuse(files: Collection[Path]) -> None:
    """OSError if a folder is, or would have to be, at a path, or if a name could pose as that of a staged file."""
    needed = {folder for path in files for folder in path.parents}
    for path in files:
        if path in needed or (path.is_dir() and not path.is_symlink()):
            raise IsADirectoryError(errno.EISDIR, "a folder is where the output goes", str(path))
        name = path.name.casefold()
        if name.startswith(".") and name.endswith(".staged") and name != ".staged":
            raise OSError(errno.EINVAL, "this name is reserved for staged files", str(path))


def _make(folder: Path) -> None:
    """Make the folder and those above it, durably. OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        journal.sync(each.parent)


def _keep(files: Mapping[Path, bytes], keep: Collection[Path]) -> list[Path]:
    """Copy the old contents of those files in keep that will change; returns the copies, in order of files. OSError."""
    copies = []
    for path, new in files.items():
        if path in keep and path.is_file():
            old = path.read_bytes()
            if old != new:
                copies.append(_copy(path, old, files))
    return copies


def _copy(path: Path, data: bytes, files: Collection[Path]) -> Path:
    """Write data, the contents of path, to the first free name beside it, which is returned. OSError."""
    mode = path.stat().st_mode & 0o777  # what was private stays so
    for number in itertools.count():
        copy = path.with_name(f"{path.name}.orig{number or ''}")
        if copy in files:
            continue  # not there yet perhaps, but the copy would be overwritten
        with contextlib.suppress(FileExistsError):
            _create(copy, data, mode)
            return copy
    raise AssertionError("there is always a next number")


def _stage(files: Mapping[Path, bytes]) -> list[tuple[str, str]]:
    """Write each file durably beside its target; returns (staged, target), absolute. Leaves none behind on OSError."""
    moves: list[tuple[str, str]] = []
    try:
        for path, data in files.items():
            target = path.absolute()
            staged = target.with_name(f".{target.name}.staged")
            staged.unlink(missing_ok=True)
            _create(staged, data, 0o777 if data.startswith(b"#!") else 0o666)
            moves.append((str(staged), str(target)))
        # A record whose staged files have no names after a power cut would be taken for one that is done.
        for folder in dict.fromkeys(path.parent for path in files):
            journal.sync(folder)
    except OSError:
        for name, _ in moves:
            Path(name).unlink(missing_ok=True)
        raise
    return moves


def _create(path: Path, data: bytes, mode: int) -> None:
    """Make a new file of that mode less the umask, and have its data on the disk. FileExistsError, OSError."""
    # O_EXCL follows no link, not even a dangling one.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
