"""Finds the requirement files that paths stand for, and the workspaces they share a context in.

In: paths of requirement files, of workspaces (requirement files with a table [workspace]) and of
folders. Out: the parsed units, each once and with what its workspace gives it, and everything that
is wrong with any of them.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from os.path import isdir, isfile
from pathlib import Path
from typing import Any
from unicodedata import normalize

from ai_coding import schema, spec, toml
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.faults import Faults
from ai_coding.ir import Spec, Workspace

_HEADER = re.compile(rb"^[ \t]*\[[ \t]*workspace[ \t]*\][ \t]*\r?$", re.MULTILINE)
_ROOT_HELP = "it has to be a folder around this file, in the same version-controlled tree"


def load(paths: Sequence[Path]) -> tuple[list[Spec], list[Diagnostic]]:
    """All units that paths stand for: a unit, a workspace with its members, or a folder with all that is in it."""
    found: list[Diagnostic] = []
    spaces: dict[Path, Workspace | None] = {}
    nearby: dict[Path, list[Path]] = {}
    units: dict[Path, Workspace | None] = {}
    for path in paths:
        files = _toml_files(path.resolve()) if isdir(path) else [_known(path)]
        if not files:
            message = "there is no requirement file in this folder"
            way_out = "the name of a requirement file ends in .toml"
            found.append(error("no-files", message, Span(str(path)), way_out))
        for file in files:
            if _is_workspace(file):
                space = _read_once(file, spaces, found)
                for member in space.members if space else ():
                    units.setdefault(member, space)
            elif file not in units:
                units[file] = _around(file, nearby, spaces, found)
    specs: list[Spec] = []
    for file, space in units.items():
        unit, wrong = spec.load(file, _called(file), space)
        found.extend(wrong)
        if unit is not None:
            specs.append(unit)
    return specs, found + _duplicates(specs)


def read(path: Path) -> tuple[Workspace | None, list[Diagnostic]]:
    "The workspace, or None and what is wrong: R3."
    path = _known(path)
    values, faults = schema.read(path, _called(path))
    if not faults.found and "workspace" not in values:
        faults.add("missing-key", "there is no [workspace]")
    if faults.found:
        return None, faults.found
    table: Mapping[str, Any] = values["workspace"]
    given = table.get("root", ".")
    root = _root(path.parent, given)
    if root is None:
        faults.add("bad-path", f"`root` cannot be {given!r}", ("workspace", "root"), _ROOT_HELP)
        return None, faults.found
    members = _files(faults, table, "members", path.parent)
    files = _files(faults, table, "data", root)
    data = _contents(faults, files, root)
    output = _resolved(root / table["output"]) if "output" in table else None
    if "output" in table and (output is None or not output.is_relative_to(root)):
        faults.add("bad-path", "`output` lies outside `root`", ("workspace", "output"))
    build: Mapping[str, Any] = values.get("build", {})
    # Each member would object to these, too, but only here do they have a place.
    if "strategy" in build:
        faults.choose("strategy", [build["strategy"]], schema.STRATEGIES)
    faults.choose("critics", build.get("critics", ()), schema.CRITICS)
    if faults.found:
        return None, faults.found
    space = Workspace(
        path=path,
        members=tuple(member for member in members if not _is_workspace(member)),
        root=root,
        output=output,
        shared={
            f"{key} {name}" if name else key: text
            for key in ("requirements", "specs", "hints")
            for name, text in schema.texts(values, key).items()
        },
        data=data,
        build=build,
        model=values.get("model", {}),
        inputs=(path, *files),
        tests=tuple(values.get("tests", ())),
    )
    return space, []


def _resolved(path: Path) -> Path | None:
    """The path without links, or None if there is none: it has a NUL, or its links go round."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def _known(path: Path) -> Path:
    """What the file is known by; a link is another file than its target."""
    return (_resolved(path.parent) or path.parent.absolute()) / path.name


def _called(path: Path) -> str:
    """What diagnostics call the file."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _toml_files(folder: Path) -> list[Path]:
    try:
        # A dangling link stays in the list: loading it says what is wrong with it.
        return sorted(path for path in folder.glob("*.toml") if not isdir(path))
    except OSError:
        return []


def _is_workspace(path: Path) -> bool:
    if not isfile(path):  # a pipe could not be read a second time
        return False
    try:
        content = path.read_bytes().removeprefix(BOM_UTF8)
    except OSError:
        return False
    values = toml.values(content)
    if values is None:
        return _HEADER.search(content) is not None
    return isinstance(values.get("workspace"), dict)


def _read_once(
    path: Path, spaces: dict[Path, Workspace | None], found: list[Diagnostic]
) -> Workspace | None:
    """The workspace, or None if it is wrong. spaces keeps what was read, found its faults."""
    if path not in spaces:
        spaces[path], wrong = read(path)
        found.extend(wrong)
    return spaces[path]


def _around(
    file: Path,
    nearby: dict[Path, list[Path]],
    spaces: dict[Path, Workspace | None],
    found: list[Diagnostic],
) -> Workspace | None:
    """The first workspace in the file's own folder that has it as a member.

    nearby keeps the workspaces' files by folder, so that a folder is searched once.
    """
    folder = file.parent
    if folder not in nearby:
        nearby[folder] = [path for path in _toml_files(folder) if _is_workspace(path)]
    for path in nearby[folder]:
        space = _read_once(path, spaces, found)
        if space is not None and file in space.members:
            return space
    return None


def _root(own: Path, given: str) -> Path | None:
    """The folder that is given as root, seen from the workspace's own, or None if it cannot be."""
    root = _resolved(own / given)
    if root is None or not own.is_relative_to(root):
        return None
    folders = (own, *own.parents)
    # Outside of any checkout nothing but the own folder is left.
    checkout = next((folder for folder in folders if (folder / ".git").exists()), own)
    return root if root.is_relative_to(checkout) else None


def _files(faults: Faults, table: Mapping[str, Any], key: str, folder: Path) -> list[Path]:
    """The files in folder that the patterns under key match, each once."""
    files: dict[Path, None] = {}
    for index, pattern in enumerate(table.get(key, ())):
        matches = _matches(folder, pattern)
        if not matches:
            message = f"{pattern!r} matches no file below {folder.name}/"
            faults.add("bad-path", message, ("workspace", key, index))
        files.update(dict.fromkeys(matches))
    return list(files)


def _matches(folder: Path, pattern: str) -> list[Path]:
    """The files that the pattern matches, sorted; none if it or one of them leads out of folder."""
    if pattern.startswith("/") or ".." in pattern.split("/"):
        return []
    try:
        files = sorted({_known(path) for path in folder.glob(pattern) if isfile(path)})
        targets = [path.resolve() for path in files]
    except (ValueError, IndexError, OSError, RuntimeError, re.error):
        # All that glob raises for patterns that it does not take; RecursionError is a RuntimeError.
        return []
    return files if all(path.is_relative_to(folder) for path in files + targets) else []


def _contents(faults: Faults, files: Sequence[Path], root: Path) -> dict[str, bytes]:
    """The bytes of the files by their paths from root."""
    contents: dict[str, bytes] = {}
    for path in files:
        try:
            contents[path.relative_to(root).as_posix()] = path.read_bytes()
        except OSError as problem:
            message = f"cannot read {_called(path)}: {problem.strerror}"
            faults.add("file-unreadable", message, ("workspace", "data"))
    return contents


def _duplicates(specs: Sequence[Spec]) -> list[Diagnostic]:
    """A fault for each unit whose program is, on some system, one file with an earlier one's."""
    found: list[Diagnostic] = []
    earlier: dict[tuple[Path | None, str], str] = {}
    for unit in specs:
        name = _called(unit.path)
        key = (unit.output, normalize("NFC", unit.entry).casefold())
        if key in earlier:
            message = f"{unit.entry} is also what {earlier[key]} yields"
            way_out = "give one of them another name"
            found.append(error("duplicate-output", message, Span(name), way_out))
        earlier[key] = name
    return found
