"""The journal: answers by the digest of their question, in the cache folder, which may be deleted or shared.

An entry is given back whole or not at all: whatever is missing or damaged in the folder is as if it had never been
answered. The form of an entry never changes, so that old journals stay readable.

In: the journal's folder, the kind and the key of a question, and values that JSON can hold; for freshness, the
requirement file, the output folder and the version of the program.
Out: the stored values, files that are written whole or not at all, digests of files, and the name of a program that
needs no new build.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def put(folder: Path, kind: str, key: str, value: object) -> None:
    "Store value as the answer to key, durably; makes the folders."
    body = json.dumps(value)
    entry = {"key": key, "sum": _digest(body.encode("utf-8")), "body": body}
    path = _place(folder, kind, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, json.dumps(entry).encode("utf-8"))
    sync(folder / kind)
    sync(folder)


def get(folder: Path, kind: str, key: str) -> Any:
    "The value, or None: no entry, one of another key, or damaged in any way."
    data = _content(_place(folder, kind, key))
    if data is None:
        return None
    # ValueError covers wrong UTF-8, wrong JSON and lone surrogates; RecursionError is JSON that is nested too deeply.
    try:
        entry = json.loads(data.decode("utf-8"))
        if not isinstance(entry, dict) or entry.get("key") != key:
            return None
        body = entry.get("body")
        if not isinstance(body, str) or entry.get("sum") != _digest(body.encode("utf-8")):
            return None
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def write(path: Path, data: bytes) -> None:
    "Readers see the old file or the new one, never a part. OSError without a folder."
    # The name is chosen before the file is made, so that an interrupt at any point still finds what to remove.
    temporary = path.parent / f".tmp-{os.urandom(16).hex()}"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        # After a replacement nothing has this name any more; after a failure, that failure is the one to report.
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    sync(path.parent)


def sync(folder: Path) -> None:
    "Make the names in folder durable."
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unit(spec: Path, out: Path) -> str:
    "The digest of the JSON list of both resolved paths."
    # Unlike Path.resolve, realpath raises nothing for a loop of symbolic links.
    return _digest(json.dumps([os.path.realpath(spec), os.path.realpath(out)]).encode("utf-8"))


def fingerprints(files: Iterable[Path]) -> dict[str, str]:
    "Path -> digest, in order of path; '' where no file can be read."
    found: dict[str, str] = {}
    for path in sorted(set(files)):
        data = _content(path)
        found[str(path)] = "" if data is None else _digest(data)
    return found


def fresh(folder: Path, spec: Path, out: Path, version: str) -> str:
    "The program's name if nothing changed, else ''."
    state = get(folder, "units", unit(spec, out))
    if not isinstance(state, dict) or state.get("version") != version or state.get("open", False) is not False:
        return ""
    entry, seen = state.get("entry"), state.get("seen")
    if not isinstance(entry, str) or not isinstance(seen, dict) or not seen:
        return ""
    return entry if fingerprints(Path(name) for name in seen) == seen else ""


def _digest(data: bytes) -> str:
    """The plain hex SHA-256 of data."""
    return hashlib.sha256(data).hexdigest()


def _place(folder: Path, kind: str, key: str) -> Path:
    """Where the entry of key is, if there is one."""
    plain = key.removeprefix("sha256:")
    return folder / kind / plain[:2] / plain[2:]


def _content(path: Path) -> bytes | None:
    """The bytes of the file, or None where no file can be read."""
    # Only regular files are opened, since reading a pipe or a device might never end. A name from a shared journal may
    # be one that no file can have, which is a ValueError.
    try:
        return path.read_bytes() if path.is_file() else None
    except (OSError, ValueError):
        return None
