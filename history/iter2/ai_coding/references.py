"""Reads the files that a requirement file names, none of them outside the folder that it may read.

In: paths as a requirement file lists them for context, for files to copy and for used units, and
the folder that they are relative to.
Out: texts, bytes and used units with the real paths of the files they came from, all that the used
units use in turn, and the faults, each at the element that it concerns.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ai_coding import paths, toml
from ai_coding.faults import Faults
from ai_coding.ir import Use
from ai_coding.toml import KeyPath


@dataclass(frozen=True)
class _File:
    """What counts of a requirement file: its unit, if it has an interface, and what it uses."""

    unit: Use | None
    uses: tuple[Path, ...]


def context(
    faults: Faults, folder: Path, listed: Sequence[str]
) -> tuple[dict[str, str], list[Path]]:
    """R2: texts by their paths as written, in the order listed, and the real paths of the files
    that were read.

    Faults are added at ("project", "context", index). Never raises because of what is listed or
    found there.
    """
    texts: dict[str, str] = {}
    files: list[Path] = []
    for index, path in enumerate(listed):
        at = ("project", "context", index)
        found = _read(faults, folder, path, at)
        if found is None:
            continue
        file, data = found
        try:
            texts[path] = data.decode("utf-8")
        except UnicodeDecodeError:
            faults.add("bad-encoding", f"{path!r} is not UTF-8 text", at)
        else:
            files.append(file)
    return texts, files


def copies(
    faults: Faults, folder: Path, listed: Sequence[str], at: KeyPath
) -> tuple[dict[str, bytes], list[Path]]:
    """R3: bytes by file name, in the order listed, and the real paths of the files that were read.

    at: the path of the `copy` key; an element is at (*at, index). Never raises because of what is
    listed or found there.
    """
    contents: dict[str, bytes] = {}
    files: list[Path] = []
    names = [PurePosixPath(path).name for path in listed]
    for index, (path, name) in enumerate(zip(listed, names)):
        found = _read(faults, folder, path, (*at, index))
        if found is not None:
            file, contents[name] = found
            files.append(file)
    if len(set(names)) < len(names):
        faults.add("bad-path", "two files to copy have one name", at)
    return contents, files


def uses(
    faults: Faults, path: Path, listed: Sequence[str]
) -> tuple[tuple[Use, ...], tuple[Path, ...]]:
    """R4, R5, R6: the used units, in the order listed, and the needs: the real paths of all
    requirement files they rest on.

    path: the requirement file that lists them. Faults are added at ("project", "uses", index).
    Never raises, as above.
    """
    this = Path(os.path.realpath(path))
    known: dict[Path, _File] = {}
    used: list[Use] = []
    for index, name in enumerate(listed):
        at = ("project", "uses", index)
        file = _locate(faults, path.parent, name, at)
        if file is None:
            continue
        _explore(file, known)
        unit = known[file].unit
        if unit is None:
            message = f"{name!r} has no `interface` that others may rely on"
            faults.add("no-interface", message, at)
        else:
            used.append(unit)
        # The elements before did not lead here, or the loop would have ended: this one does.
        if this in known:
            message = f"{name!r} uses this file in turn"
            faults.add("cycle", message, at, help="move what both need to a third")
            break
    return tuple(used), _needs(used, known)


def _inside(folder: Path, path: str) -> Path | None:
    """Where a path really leads, whether a file is there or not; None if out of the folder."""
    if paths.problem(path):
        return None
    try:
        real = Path(os.path.realpath(folder / path))
        return real if real.is_relative_to(os.path.realpath(folder)) else None
    except (OSError, ValueError, RecursionError):
        # A link that may not be followed (as in /proc), a name that no file system can hold, or
        # more links than the stack is deep: what cannot be shown to be inside counts as outside.
        return None


def _is_readable(path: Path) -> bool:
    """Whether it is a regular file that may be read. Opens nothing: a pipe would wait for ever."""
    return os.path.isfile(path) and os.access(path, os.R_OK)


def _add_missing(faults: Faults, path: str, at: KeyPath) -> None:
    faults.add("missing-file", f"there is no file {path!r}", at)


def _locate(faults: Faults, folder: Path, path: str, at: KeyPath) -> Path | None:
    """The real path of a regular file that may be read; None if a fault was added instead."""
    real = _inside(folder, path)
    if real is None:
        message = f"{path!r} leads out of the folder that this file may read"
        faults.add("bad-path", message, at)
        return None
    # Asked of the path as written: where its links are in a circle or broken, the system finds
    # nothing, but the real path was put together from what was left and may name a file.
    if not _is_readable(folder / path):
        _add_missing(faults, path, at)
        return None
    return real


def _read(faults: Faults, folder: Path, path: str, at: KeyPath) -> tuple[Path, bytes] | None:
    """The real path and the bytes of a file; None if a fault was added instead."""
    file = _locate(faults, folder, path, at)
    if file is None:
        return None
    try:
        return file, file.read_bytes()
    except OSError:
        _add_missing(faults, path, at)
        return None


def _value(values: dict[str, Any], table: str, key: str) -> object:
    """What is at table.key; None if nothing is or the table is none."""
    found = values.get(table)
    return found.get(key) if isinstance(found, dict) else None


def _load(path: Path) -> _File:
    """Read a requirement file at its real path; one that is not there or no TOML has nothing."""
    values: dict[str, Any] = toml.parse(path, path.name)[0] if _is_readable(path) else {}
    name = _value(values, "file", "name")
    interface = _value(values, "project", "interface")
    unit = None
    if isinstance(name, str) and isinstance(interface, str):
        unit = Use(path, name, interface.strip("\n"))
    listed = _value(values, "project", "uses")
    elements = listed if isinstance(listed, list) else []
    used = [_inside(path.parent, element) for element in elements if isinstance(element, str)]
    return _File(unit, tuple(file for file in used if file is not None))


def _explore(start: Path, known: dict[Path, _File]) -> None:
    """Add to known a file and all that it uses in turn; what is known already is not read again."""
    ahead = [start]
    while ahead:
        path = ahead.pop()
        if path not in known:
            known[path] = _load(path)
            ahead.extend(known[path].uses)


def _needs(used: Sequence[Use], known: dict[Path, _File]) -> tuple[Path, ...]:
    """The files of used units, in their order, then all that these use in turn, each once."""
    needs = dict.fromkeys(unit.path for unit in used)
    ahead = list(needs)
    while ahead:
        for path in known[ahead.pop()].uses:
            if path not in needs:
                needs[path] = None
                ahead.append(path)
    return tuple(needs)
