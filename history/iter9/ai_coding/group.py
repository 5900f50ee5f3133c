"""Knows without loading anything that all units of a workspace or folder are up to date.

In: the paths of a command line, the folder for programs, the version, and what the journal holds.
Out: a record in the journal of all that the answer rested on, and, as long as that is unchanged,
the names of the programs.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ai_coding import journal


def remember(
    folder: Path, paths: Sequence[Path], out: Path, version: str, units: Sequence[tuple[Path, Path]]
) -> None:
    """Leave the record that all these units are up to date now: R2.

    folder: the journal. units: requirement file, its out.
    Raises OSError if the journal cannot be written.
    """
    programs: list[str] = []
    seen: dict[str, str] = {}
    for spec, place in units:
        state = journal.get(folder, "units", journal.unit(spec, place))
        if not isinstance(state, dict) or state.get("open") or state.get("version") != version:
            return
        entry, files = state.get("entry"), state.get("seen")
        if not isinstance(entry, str) or not isinstance(files, dict):
            return
        # Two units that saw one file differently: it changed under way.
        if any(seen.get(path, digest) != digest for path, digest in files.items()):
            return
        programs.append(entry)
        seen.update(files)
    patterns = dict.fromkeys(_patterns(paths))
    globs = [[base, pattern, _names(base, pattern)] for base, pattern in patterns]
    record = {"version": version, "programs": programs, "seen": seen, "globs": globs}
    journal.put(folder, "groups", _key(paths, out), record)


def fresh(folder: Path, paths: Sequence[Path], out: Path, version: str) -> list[str]:
    """The programs of all units of these paths, in order, if nothing changed since the record
    was left; else []."""
    record = journal.get(folder, "groups", _key(paths, out))
    if not isinstance(record, dict) or record.get("version") != version:
        return []
    seen, globs = record.get("seen"), record.get("globs")
    programs = _strings(record.get("programs"))
    if programs != record.get("programs"):
        return []
    if not isinstance(seen, dict) or not isinstance(globs, list):
        return []
    # Listing folders is cheaper than reading files, so it comes first.
    if not all(_finds_the_same(glob) for glob in globs):
        return []
    return programs if journal.fingerprints(map(Path, seen)) == seen else []


def _key(paths: Sequence[Path], out: Path) -> str:
    # Unlike Path.resolve, realpath does not raise for links that go round in a circle.
    names = [os.path.realpath(path) for path in (*paths, out)]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def _patterns(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Pairs of a folder, resolved, and a pattern that is matched in it; some may come again."""
    for path in paths:
        if os.path.isdir(path):
            folder = os.path.realpath(path)
            yield folder, "*.toml"
            for name in _names(folder, "*.toml"):
                yield from _workspace_patterns(Path(folder, name))
        else:
            yield from _workspace_patterns(path)


def _workspace_patterns(path: Path) -> Iterator[tuple[str, str]]:
    """The patterns of a workspace; none if the file is no workspace."""
    table = _workspace(path)
    own = os.path.realpath(path.parent)
    for pattern in _strings(table.get("members")):
        yield own, pattern
    base, root = own, table.get("root")
    # No folder has a NUL in its name, and realpath raises ValueError for one.
    if isinstance(root, str) and "\0" not in root:
        base = os.path.realpath(os.path.join(own, root))
    for pattern in _strings(table.get("data")):
        yield base, pattern


def _workspace(path: Path) -> dict[str, Any]:
    """The table `workspace` of the file; empty if it has none or cannot be read."""
    import tomllib  # Here, because a build that has nothing to do never needs it.

    # Opening a pipe would wait until somebody writes to it.
    if not os.path.isfile(path):
        return {}
    try:
        with path.open("rb") as file:
            table = tomllib.load(file).get("workspace")
    except (OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}


def _strings(value: object) -> list[str]:
    """The strings of a list; none if it is no list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _names(folder: str, pattern: str) -> list[str]:
    """What the pattern finds, relative to the folder; nothing if glob does not take it."""
    base = Path(folder)
    try:
        return sorted(path.relative_to(base).as_posix() for path in base.glob(pattern))
    except (ValueError, IndexError, NotImplementedError, OSError, RecursionError):
        return []


def _finds_the_same(glob: object) -> bool:
    """Whether this is an entry of a record's globs, and its pattern finds what it found then."""
    match glob:
        case [str(folder), str(pattern), names]:
            return _names(folder, pattern) == names
    return False
