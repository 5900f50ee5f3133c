"""The journal: answers by the digest of their question, in the cache folder; it may be deleted or shared.

In: a kind, a digest and a JSON value. Out: the same value, whole, or nothing. Beside it, what the builds of one
unit left behind on this machine: the inputs and outputs of the last, and the take in progress.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def put(folder: Path, kind: str, key: str, value: object) -> None:
    """Store value as the answer to key, durably: after this returns, no crash loses it."""
    path = _path(folder, kind, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = json.dumps(value)
    write(path, json.dumps({"key": key, "sum": _sum(body.encode()), "body": body}).encode())
    for above in (path.parent.parent, folder):  # they may be new themselves
        sync(above)


def get(folder: Path, kind: str, key: str) -> Any:
    """The value stored for key, or None: also where the entry is damaged."""
    try:
        entry = json.loads(_path(folder, kind, key).read_bytes())
        if entry["key"] == key and entry["sum"] == _sum(entry["body"].encode()):
            return json.loads(entry["body"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def write(path: Path, data: bytes) -> None:
    """Put data at path in one step: readers see the old file or the new one, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unit(spec: Path, out: Path) -> str:
    """The key of what the builds of spec into out left behind."""
    return _sum(json.dumps([str(spec.resolve()), str(out.resolve())]).encode())


def fingerprints(files: Iterable[Path]) -> dict[str, str]:
    """Path -> digest of what it holds now; '' where there is no file."""
    found = {}
    for path in sorted(set(files)):
        try:
            found[str(path)] = _sum(path.read_bytes())
        except OSError:
            found[str(path)] = ""
    return found


def fresh(folder: Path, spec: Path, out: Path, version: str) -> str:
    """The program's name if nothing changed since the last build that ended well, else ''. Parses nothing."""
    state = get(folder, "units", unit(spec, out)) or {}
    seen: dict[str, str] = state.get("seen", {})
    same = bool(seen) and state.get("version") == version and not state.get("open")
    return str(state["entry"]) if same and seen == fingerprints(map(Path, seen)) else ""


def _path(folder: Path, kind: str, key: str) -> Path:
    name = key.removeprefix("sha256:")
    return folder / kind / name[:2] / name[2:]


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
