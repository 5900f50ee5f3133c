"""The journal: answers by the digest of their question, in the cache folder.

The folder may be deleted at any time, or shared with other processes and machines. So what is
read from it is checked, whatever is not whole counts as not there, and what is written gets its
name only when it is on the disk.

In: the folder, a kind of question, the key of one question (a digest) and, to store it, its
answer as a JSON value; for units, a requirement file, an output folder and a version.
Out: the stored value or None; files that are whole and durable; the digests of files; whether
a build is still fresh.
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
    place = _place(folder, kind, key)
    place.parent.mkdir(parents=True, exist_ok=True)
    write(place, json.dumps(entry).encode("utf-8"))
    sync(folder / kind)
    sync(folder)


def get(folder: Path, kind: str, key: str) -> Any:
    "The value, or None: no entry, one of another key, or damaged in any way."
    try:
        entry = json.loads(_place(folder, kind, key).read_bytes().decode("utf-8"))
        if not isinstance(entry, dict) or entry.get("key") != key:
            return None
        body = entry.get("body")
        if not isinstance(body, str) or entry.get("sum") != _digest(body.encode("utf-8")):
            return None
        return json.loads(body)
    except (OSError, ValueError, RecursionError):
        # ValueError is bad JSON and bad Unicode; RecursionError is JSON that is nested too deeply.
        return None


def write(path: Path, data: bytes) -> None:
    "Readers see the old file or the new one, never a part. OSError without a folder."
    # The name is chosen before the file is made: no interrupt can leave a file unknown to us.
    temporary = path.parent / f".tmp-{os.urandom(16).hex()}"
    try:
        with open(
            temporary, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)
        ) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException:
        # A failure to clean up must not hide the error that made it necessary.
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def sync(folder: Path) -> None:
    "Make the names in folder durable."
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unit(spec: Path, out: Path) -> str:
    "The digest of the JSON list of both resolved paths."
    return _digest(json.dumps([str(spec.resolve()), str(out.resolve())]).encode("utf-8"))


def fingerprints(files: Iterable[Path]) -> dict[str, str]:
    "Path -> digest, in order of path; '' where no file can be read."
    found: dict[str, str] = {}
    for path in sorted(set(files)):
        try:
            # Reading a pipe or a device might never end.
            found[str(path)] = _digest(path.read_bytes()) if path.is_file() else ""
        except (OSError, ValueError):
            found[str(path)] = ""
    return found


def fresh(folder: Path, spec: Path, out: Path, version: str) -> str:
    "The program's name if nothing changed, else ''."
    state = get(folder, "units", unit(spec, out))
    if not isinstance(state, dict):
        return ""
    entry, seen = state.get("entry"), state.get("seen")
    if not isinstance(entry, str) or not isinstance(seen, dict) or not seen:
        return ""
    if state.get("version") != version or state.get("open", False) is not False:
        return ""
    return entry if fingerprints(map(Path, seen)) == seen else ""


def _place(folder: Path, kind: str, key: str) -> Path:
    digest = key.removeprefix("sha256:")
    return folder / kind / digest[:2] / digest[2:]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
