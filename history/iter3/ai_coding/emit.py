"""Writes accepted files into the user's tree: all or nothing, and nothing foreign is overwritten.

In: an accepted program or its files (path -> bytes), the output folder, the digests of what we
once wrote there, and the path of the record that commits a set of moves.
Out: diagnostics for what stands in the way; the files in their places, and copies of what they
replaced where that was asked for.
"""

import errno
import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path

from ai_coding import journal
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program, digest


def targets(program: Program, out: Path) -> dict[Path, bytes]:
    """Where each file of program goes below out, and its UTF-8."""
    return {out / name: text.encode("utf-8") for name, text in program.files.items()}


def conflicts(files: Mapping[Path, bytes], out: Path, ours: set[str]) -> list[Diagnostic]:
    """ours: digests of what we once wrote."""
    found = (_conflict(path, data, out, ours) for path, data in files.items())
    return [diagnostic for diagnostic in found if diagnostic]


def emit(
    files: Mapping[Path, bytes], record: Path, keep: Collection[Path] = ()
) -> list[Path]:
    """Returns the copies. OSError."""
    _refuse(files)
    folders = dict.fromkeys(path.parent for path in files)
    for folder in (*folders, record.parent):
        _make(folder)
    copies = [
        _copy(path, files)
        for path, data in files.items()
        if path in keep and path.is_file() and path.read_bytes() != data
    ]
    moves: list[list[str]] = []
    for path, data in files.items():
        staged = _stage(path, data, 0o777 if data.startswith(b"#!") else 0o666)
        moves.append([str(staged.absolute()), str(path.absolute())])
    # A staged name that a power cut takes away after the record is there would be skipped.
    for folder in folders:
        journal.sync(folder)
    journal.write(record, json.dumps(moves).encode("ascii"))
    recover(record)
    return copies


def recover(record: Path) -> bool:
    """Finish what a killed build had committed; False if there is no record."""
    try:
        moves: list[list[str]] = json.loads(record.read_bytes())
    except FileNotFoundError:
        return False
    for staged, target in moves:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.replace(staged, target)
    for folder in dict.fromkeys(Path(target).parent for _, target in moves):
        # The user may have removed the folder since the build was killed.
        with suppress(FileNotFoundError, NotADirectoryError):
            journal.sync(folder)
    record.unlink()
    journal.sync(record.parent)
    return True


def _conflict(path: Path, data: bytes, out: Path, ours: set[str]) -> Diagnostic | None:
    span = Span(os.path.relpath(path))
    # Not Path.resolve: it raises RuntimeError where links form a loop.
    parent = Path(os.path.realpath(path.parent))
    if path.is_symlink() or not parent.is_relative_to(os.path.realpath(out)):
        return error(
            "emit-link", "a link stands where the output goes", span, "remove the link"
        )
    if not path.exists():
        return None
    if not path.is_file():
        return error(
            "emit-folder",
            "this is not a file, and the output goes here",
            span,
            "move it away",
        )
    # What cannot be read cannot be shown to be ours.
    with suppress(PermissionError):
        old = path.read_bytes()
        if old == data or digest(old) in ours:
            return None
    return error(
        "emit-edited",
        "this file is not what a build of this unit wrote",
        span,
        "put the change into the requirement file, or build with --force: that keeps a copy",
    )


def _refuse(files: Mapping[Path, bytes]) -> None:
    """Raise OSError for what could not be moved into place after the commit."""
    needed = {parent for path in files for parent in path.parents}
    for path in files:
        if path in needed or (path.is_dir() and not path.is_symlink()):
            raise IsADirectoryError(errno.EISDIR, "a folder is where the output goes", str(path))
        if fnmatchcase(path.name.casefold(), ".?*.staged"):
            raise OSError(errno.EINVAL, "this name is reserved for staged files", str(path))


def _make(folder: Path) -> None:
    """Make folder and its parents, as durable as what will be put into them."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        journal.sync(folder.parent)


def _copy(path: Path, files: Mapping[Path, bytes]) -> Path:
    names = (path.with_name(f"{path.name}.orig{number or ''}") for number in count())
    # A name that is about to be written is not free: the copy would be lost at once.
    copy = next(name for name in names if name not in files and not os.path.lexists(name))
    # With the old mode: the copy of a private file stays private.
    os.replace(_stage(copy, path.read_bytes(), path.stat().st_mode & 0o777), copy)
    return copy


def _stage(path: Path, data: bytes, mode: int) -> Path:
    """Put data, durably, beside path; the umask is taken from mode."""
    staged = path.with_name(f".{path.name}.staged")
    staged.unlink(missing_ok=True)
    # O_EXCL follows no link, should one have been put there in the meantime.
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return staged
