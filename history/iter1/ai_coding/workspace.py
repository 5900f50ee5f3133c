"""Workspaces: requirement files that are built together and share a context.

In: paths of requirement files, of workspaces and of folders.
Out: the Specs that they stand for, each with what its workspace shares, or one Workspace; and all that is wrong.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ai_coding import schema, spec
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Spec, Workspace

_HEADER = r"^[ \t]*\[[ \t]*workspace[ \t]*\][ \t]*\r?$"
_ROOT_HELP = "it has to be a folder around this file, in the same version-controlled tree"


@dataclass(frozen=True)
class _Seen:
    """What was read so far, so that nothing is read or told twice.

    kinds: whether a file is a workspace. folders: the workspaces directly in a folder, sorted.
    spaces: the workspaces that were read, None for one that is wrong. found: what is wrong, as met.
    """

    kinds: dict[Path, bool] = field(default_factory=dict)
    folders: dict[Path, list[Path]] = field(default_factory=dict)
    spaces: dict[Path, Workspace | None] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)


def load(paths: Sequence[Path]) -> tuple[list[Spec], list[Diagnostic]]:
    """All units that paths stand for: a unit, a workspace with its members, or a folder with all that is in it."""
    seen = _Seen()
    met: dict[Path, Workspace | None] = {}
    for path in paths:
        for file in _expand(path, seen.found):
            _meet(_known(file), met, seen)
    units: dict[Path, Spec] = {}
    for file, around in met.items():
        unit, faults = spec.load(file, _name(file), around)
        seen.found.extend(faults)
        if unit is not None:
            units[file] = unit
    return list(units.values()), seen.found + _duplicates(units)


def read(path: Path) -> tuple[Workspace | None, list[Diagnostic]]:
    """The workspace, or None and what is wrong: R3."""
    return _read(_known(path), {})


def _resolved(path: Path) -> Path | None:
    """The path without symbolic links, None if there is no such thing."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def _known(path: Path) -> Path:
    """What a file is known by. A parent that cannot be resolved stays, for whoever reads the file to tell."""
    return (_resolved(path.parent) or path.parent.absolute()) / path.name


def _name(path: Path) -> str:
    """How diagnostics call a file."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _tomls(folder: Path) -> list[Path]:
    """All `*.toml` directly in the folder, sorted."""
    if not os.path.isdir(folder):
        return []
    # Not "is a file": a dangling link is to be told of, not skipped.
    return sorted(path for path in folder.glob("*.toml") if not os.path.isdir(path))


def _expand(path: Path, found: list[Diagnostic]) -> list[Path]:
    """The files in a folder, or the path itself."""
    if not os.path.isdir(path):
        return [path]
    files = _tomls(path)
    if not files:
        found.append(error("no-files", "there is no requirement file in this folder", Span(str(path))))
    return files


def _meet(file: Path, met: dict[Path, Workspace | None], seen: _Seen) -> None:
    """Add the units that a file stands for to those met, unless they are there."""
    if _is_workspace(file, seen.kinds):
        space = _space(file, seen)
        for member in space.members if space else ():
            met.setdefault(member, space)
    elif file not in met:
        met[file] = _around(file, seen)


def _around(file: Path, seen: _Seen) -> Workspace | None:
    """The first workspace in the file's own folder that it is a member of."""
    folder = file.parent
    if folder not in seen.folders:
        seen.folders[folder] = [path for path in _tomls(folder) if _is_workspace(path, seen.kinds)]
    for path in seen.folders[folder]:
        space = _space(path, seen)
        if space and file in space.members:
            return space
    return None


def _space(file: Path, seen: _Seen) -> Workspace | None:
    """The workspace, which is read and whose faults are told when it is first met."""
    if file not in seen.spaces:
        seen.spaces[file], faults = _read(file, seen.kinds)
        seen.found.extend(faults)
    return seen.spaces[file]


def _is_workspace(file: Path, kinds: dict[Path, bool]) -> bool:
    """Whether a file is a workspace; kinds remembers it."""
    if file not in kinds:
        kinds[file] = _says_workspace(file)
    return kinds[file]


def _says_workspace(file: Path) -> bool:
    """Whether what a file holds makes it a workspace. One that cannot be read is none: loading it tells why."""
    # A pipe could be read but once, and that is for who loads it.
    if not os.path.isfile(file):
        return False
    try:
        content = file.read_bytes()
    except OSError:
        return False
    try:
        return isinstance(tomllib.loads(content.decode("utf-8-sig")).get("workspace"), dict)
    except (RecursionError, ValueError):
        return re.search(_HEADER, content.decode("utf-8-sig", "replace"), re.MULTILINE) is not None


def _read(path: Path, kinds: dict[Path, bool]) -> tuple[Workspace | None, list[Diagnostic]]:
    """The workspace at a known path, or None and what is wrong."""
    values, faults = schema.read(path, _name(path))
    if faults.found:
        return None, faults.found
    if "workspace" not in values:
        faults.add("missing-key", "there is no [workspace]")
        return None, faults.found
    table: Mapping[str, Any] = values["workspace"]
    chosen: str = table.get("root", ".")
    root = _root(path.parent, chosen)
    if root is None:
        faults.add("bad-path", f"`root` cannot be {chosen!r}", ("workspace", "root"), _ROOT_HELP)
        return None, faults.found
    members = _files(path.parent, "members", table, faults)
    data = _data(root, table, faults)
    output = _output(root, table, faults)
    if faults.found:
        return None, faults.found
    around = Workspace(
        path=path,
        members=tuple(file for file in members if not _is_workspace(file, kinds)),
        root=root,
        output=output,
        shared=_shared(values),
        data=data,
        build=values.get("build", {}),
        model=values.get("model", {}),
        inputs=(path, *(root / name for name in data)),
        tests=tuple(values.get("tests", ())),
    )
    return around, []


def _root(own: Path, chosen: str) -> Path | None:
    """The chosen root of a workspace in the folder `own`, None if it cannot be that."""
    # Without a checkout, its own folder is all that is left between the two bounds below.
    checkout = next((folder for folder in (own, *own.parents) if os.path.lexists(folder / ".git")), own)
    root = _resolved(own / chosen)
    if root is None or not own.is_relative_to(root) or not root.is_relative_to(checkout):
        return None
    return root


def _files(folder: Path, key: str, table: Mapping[str, Any], faults: schema.Faults) -> dict[Path, int]:
    """The files that the patterns of `key` match, each with the number of the first pattern that does."""
    found: dict[Path, int] = {}
    for number, pattern in enumerate(table.get(key, ())):
        files = _matches(folder, pattern)
        if not files:
            message = f"{pattern!r} matches no file below {folder.name}/"
            faults.add("bad-path", message, ("workspace", key, number))
        for file in files:
            found.setdefault(file, number)
    return found


def _matches(folder: Path, pattern: str) -> list[Path]:
    """The files that a pattern matches, sorted; none if it leads out of the folder or is no pattern."""
    if pattern.startswith("/") or ".." in pattern.split("/"):
        return []
    try:
        files = sorted({_known(path) for path in folder.glob(pattern) if os.path.isfile(path)})
    except (IndexError, OSError, RecursionError, ValueError, re.error):
        return []
    return files if all(_lies_in(folder, file) for file in files) else []


def _lies_in(folder: Path, file: Path) -> bool:
    """Whether a known file, and what it links to, lie in the folder."""
    real = _resolved(file)
    return real is not None and real.is_relative_to(folder) and file.is_relative_to(folder)


def _data(root: Path, table: Mapping[str, Any], faults: schema.Faults) -> dict[str, bytes]:
    """What the files of `data` hold, by their paths from root."""
    contents: dict[str, bytes] = {}
    for file, number in _files(root, "data", table, faults).items():
        try:
            contents[file.relative_to(root).as_posix()] = file.read_bytes()
        except OSError as problem:
            message = f"cannot read {_name(file)}: {problem.strerror}"
            faults.add("file-unreadable", message, ("workspace", "data", number))
    return contents


def _output(root: Path, table: Mapping[str, Any], faults: schema.Faults) -> Path | None:
    """The output folder, None if the workspace names none."""
    if "output" not in table:
        return None
    output = _resolved(root / table["output"])
    if output is None or not output.is_relative_to(root):
        faults.add("bad-path", "`output` lies outside `root`", ("workspace", "output"))
    return output


def _shared(values: Mapping[str, Any]) -> dict[str, str]:
    """The texts that every member shares, by key and name."""
    return {
        f"{key} {name}" if name else key: text
        for key in ("requirements", "specs", "hints")
        for name, text in schema.texts(values, key).items()
    }


def _duplicates(units: Mapping[Path, Spec]) -> list[Diagnostic]:
    """An error for each unit that yields the same file as an earlier one, be it in other letter case."""
    found: list[Diagnostic] = []
    last: dict[tuple[Path | None, str], str] = {}
    for file, unit in units.items():
        name = _name(file)
        target = (unit.output, unit.entry.casefold())
        if target in last:
            message = f"{unit.entry} is also what {last[target]} yields"
            found.append(error("duplicate-output", message, Span(name), "give one of them another name"))
        last[target] = name
    return found
