"""The journal: answers by the digest of their question, in the cache folder.

The folder may be deleted or shared: an answer that is gone or damaged is as if it had never been
there, but damage is told, once. What is written is written whole and durably, and the form of an
entry never changes.

In: the journal's folder, a kind, a key and a value; or the files of a build.
Out: the value as it was put, or None; files on the disk; whether a build has nothing to do;
a warning in the log for each damaged entry.
"""

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def put(folder: Path, kind: str, key: str, value: object) -> None:
    """Store value as the answer to key, durably; makes the folders."""
    data = _entry(key, json.dumps(value))
    path = _place(folder, kind, key)
    missing = [place for place in (path.parent, folder / kind) if not place.is_dir()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(path, data)
    finally:
        # Even if that failed: the next put finds these folders there, and leaves them alone.
        for place in missing:
            sync(place.parent)


def get(folder: Path, kind: str, key: str) -> Any:
    """The value, or None: no entry, one of another key, or damaged in any way."""
    path = _place(folder, kind, key)
    data = _read(path)
    if data is None:
        return None
    try:
        match json.loads(data):
            case {"body": str(body)}:
                value = json.loads(body)
                # The form never changes, so whatever is not exactly what put writes is damaged.
                if data == _entry(key, json.dumps(value)):
                    return value
    except (ValueError, RecursionError):
        pass
    _tell_damaged(path)
    return None


def write(path: Path, data: bytes) -> None:
    """Readers see the old file or the new one, never a part. OSError without a folder."""
    new = path.parent / f".tmp-{os.urandom(16).hex()}"
    try:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        # What went wrong first is what the caller has to hear of, not a failing clean-up.
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    # From here on the new file has the name: if sync fails, there is no old one to go back to.
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unit(spec: Path, out: Path) -> str:
    """The digest of the JSON list of both resolved paths."""
    # Unlike Path.resolve, realpath does not raise where symbolic links form a loop.
    return _digest(json.dumps([os.path.realpath(spec), os.path.realpath(out)]).encode())


def fingerprints(files: Iterable[Path]) -> dict[str, str]:
    """Path -> digest, in order of path; '' where no file can be read."""
    found: dict[str, str] = {}
    for path in sorted(set(files)):
        data = _read(path)
        found[str(path)] = "" if data is None else _digest(data)
    return found


def fresh(folder: Path, spec: Path, out: Path, version: str) -> str:
    """The program's name if nothing changed, else ''."""
    match get(folder, "units", unit(spec, out)):
        case {"version": str(built), "entry": str(entry), "seen": dict(seen), **rest}:
            ended_well = built == version and rest.get("open", False) is False
            if ended_well and seen and fingerprints(Path(name) for name in seen) == seen:
                return entry
    return ""


def _place(folder: Path, kind: str, key: str) -> Path:
    digest = key.removeprefix("sha256:")
    return folder / kind / digest[:2] / digest[2:]


def _entry(key: str, body: str) -> bytes:
    """The bytes of an entry. UnicodeEncodeError where body has lone surrogates."""
    return json.dumps({"key": key, "sum": _digest(body.encode()), "body": body}).encode()


@functools.cache
def _tell_damaged(path: Path) -> None:
    """Warn of a damaged entry; cached, so that each file is told once in a process."""
    # Hardly any build needs these, and start-up time is a feature.
    import logging

    from ai_coding.diagnostic import Diagnostic, Span

    message = "this entry of the journal is damaged, and counts as missing"
    way_out = "nothing to be done: what it held is asked or found out again, and recorded anew"
    damage = Diagnostic("warning", "journal-damaged", message, Span(str(path)), way_out)
    logging.getLogger("ai_coding").warning(str(damage))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> bytes | None:
    """What the file holds; None where there is no regular file or it cannot be read."""
    try:
        # Reading a pipe or a device could block, never end, or take the data from its reader.
        return path.read_bytes() if path.is_file() else None
    except (OSError, ValueError):
        return None
