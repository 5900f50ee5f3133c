"""Writes accepted files into the user's tree: all or nothing.

In: target path -> bytes. Out: those files, or diagnostics and an untouched tree. The files are staged beside their
targets, then one rename of a record commits them; a build that was killed after it is rolled forward by `recover`.
"""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from ai_coding import journal
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Program, digest


def targets(program: Program, out: Path) -> dict[Path, bytes]:
    """Where each file of program goes below out."""
    return {out / path: text.encode() for path, text in program.files.items()}


def conflicts(files: Mapping[Path, bytes], out: Path, ours: set[str]) -> list[Diagnostic]:
    """What keeps files from being written. ours: the digests of contents that a build of this unit once wrote."""
    found = []
    for path, data in files.items():
        span = Span(os.path.relpath(path))
        if path.is_symlink() or not path.parent.resolve().is_relative_to(out.resolve()):
            found.append(error("emit-link", "a link stands where the output goes", span, "remove the link"))
        elif path.exists() and not path.is_file():
            found.append(error("emit-folder", "this is not a file, and the output goes here", span, "move it away"))
        elif path.exists() and digest(path.read_bytes()) not in ours | {digest(data)}:
            help = "put the change into the requirement file, or build with --force: that keeps a copy"
            found.append(error("emit-edited", "this file is not what a build of this unit wrote", span, help))
    return found


def emit(files: Mapping[Path, bytes], record: Path, keep: Collection[Path] = ()) -> list[Path]:
    """Write all files or none; record, a path in the cache folder, is the commit point. Raises OSError.

    keep: those of them whose old content is kept as NAME.orig; the paths of the copies are returned.
    """
    for path in files:
        # A file named as staged ones are could take the place of another file's text, such as the lock's.
        name = path.name.casefold()
        if path.is_dir() and not path.is_symlink() or name.startswith(".") and name.endswith(".staged"):
            raise OSError(f"no output can be put at {path}")
    moves, kept = [], []
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if path in keep and path.is_file() and path.read_bytes() != data:
            kept.append(next(c for n in range(10**6) if not (c := Path(f"{path}.orig{n or ''}")).exists()))
            journal.write(kept[-1], path.read_bytes())
        moves.append([str(_stage(path.absolute(), data)), str(path.absolute())])
    record.parent.mkdir(parents=True, exist_ok=True)
    journal.write(record, json.dumps(moves).encode())
    recover(record)
    return kept


def recover(record: Path) -> bool:
    """Finish what a killed build had committed. Returns whether there was anything to finish."""
    try:
        moves = json.loads(record.read_bytes())
    except FileNotFoundError:
        return False
    for staged, target in moves:
        if os.path.lexists(staged):
            os.replace(staged, target)
            journal.sync(Path(target).parent)
    record.unlink()
    journal.sync(record.parent)
    return True


def _stage(path: Path, data: bytes) -> Path:
    """The same data beside path, durable, under a name that the next build uses again."""
    staged = path.with_name(f".{path.name}.staged")
    staged.unlink(missing_ok=True)
    mode = 0o777 if data.startswith(b"#!") else 0o666
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return staged
