"""Workspaces: requirement files that are built together and share a context.

In: paths of requirement files, of workspaces and of folders, as given on the command line.
Out: the Specs that they stand for, each with what its workspace shares, and all that is wrong.
"""

import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from ai_coding import schema, spec
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.faults import Faults
from ai_coding.ir import Spec, Workspace

_ROOT_HELP = "it has to be a folder around this file, in the same version-controlled tree"
_DUPLICATE_HELP = "give one of them another name"
_HEADER = re.compile(r"^[ \t]*\[[ \t]*workspace[ \t]*\][ \t\r]*$", re.MULTILINE)
_LONG_TEXT = re.compile(r"(\"{3}|'{3}).*?\1", re.DOTALL)

# What was looked at: None is no workspace, an empty tuple is one that is wrong.
_Seen = dict[Path, tuple[Workspace, ...] | None]


def load(paths: Sequence[Path]) -> tuple[list[Spec], list[Diagnostic]]:
    """All units that paths stand for: a unit, a workspace with its members, or a folder with all that is in it."""
    found: list[Diagnostic] = []
    seen: _Seen = {}
    units: dict[Path, Workspace | None] = {}
    for path in paths:
        files = _toml_files(path) if os.path.isdir(path) else [path]
        if not files:
            message = "there is no requirement file in this folder"
            found.append(error("no-files", message, Span(str(path))))
        for file in map(_known, files):
            spaces = _look(file, seen, found)
            for space in spaces or ():
                for member in space.members:
                    units.setdefault(member, space)
            if spaces is None and file not in units:
                units[file] = _around(file, seen, found)
    specs: list[Spec] = []
    for file, around in units.items():
        unit, faults = spec.load(file, _called(file), around)
        found += faults
        if unit is not None:
            specs.append(unit)
    return specs, found + _duplicates(specs)


def read(path: Path) -> tuple[Workspace | None, list[Diagnostic]]:
    """The workspace, or None and what is wrong: R3."""
    path = _known(path)
    values, faults = schema.read(path, _called(path))
    if faults.found:
        return None, faults.found
    if "workspace" not in values:
        faults.add("missing-key", "there is no [workspace]")
        return None, faults.found
    table = values["workspace"]
    wanted = table.get("root", ".")
    root = _root(path.parent, wanted)
    if root is None:
        at = ("workspace", "root")
        faults.add("bad-path", f"`root` cannot be {wanted!r}", at, _ROOT_HELP)
        return None, faults.found
    members = _gather(path.parent, "members", table.get("members", ()), faults)
    files = _gather(root, "data", table.get("data", ()), faults)
    data = _contents(files, root, faults)
    output = _inside(root / table["output"], root) if "output" in table else None
    if "output" in table and output is None:
        faults.add("bad-path", "`output` lies outside `root`", ("workspace", "output"))
    if faults.found:
        return None, faults.found
    shared = {
        f"{key} {name}" if name else key: text
        for key in ("requirements", "specs", "hints")
        for name, text in schema.texts(values, key).items()
    }
    around = Workspace(
        path=path,
        members=tuple(file for file in members if not _is_workspace(file)),
        root=root,
        output=output,
        shared=shared,
        data=data,
        build=values.get("build", {}),
        model=values.get("model", {}),
        inputs=(path, *files),
        tests=tuple(values.get("tests", ())),
    )
    return around, []


def _look(path: Path, seen: _Seen, found: list[Diagnostic]) -> tuple[Workspace, ...] | None:
    """The workspace at path, read and its faults added to found at the first look only."""
    if path not in seen:
        seen[path] = None
        if _is_workspace(path):
            around, faults = read(path)
            found += faults
            seen[path] = () if around is None else (around,)
    return seen[path]


def _around(file: Path, seen: _Seen, found: list[Diagnostic]) -> Workspace | None:
    """The first workspace beside file that file is a member of."""
    for beside in _toml_files(file.parent):
        for space in _look(beside, seen, found) or ():
            if file in space.members:
                return space
    return None


def _is_workspace(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except (OSError, ValueError):
        return False  # whoever loads it as a unit says why
    try:
        values = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        text = content.decode("utf-8-sig", errors="replace")
        return _HEADER.search(_LONG_TEXT.sub("''", text)) is not None
    return isinstance(values.get("workspace"), dict)


def _duplicates(specs: Sequence[Spec]) -> list[Diagnostic]:
    """An error for each Spec whose program would overwrite that of an earlier one."""
    found: list[Diagnostic] = []
    last: dict[tuple[Path | None, str], str] = {}
    for unit in specs:
        # Some file systems do not tell upper from lower case.
        key = (unit.output, unit.entry.casefold())
        name = _called(unit.path)
        if key in last:
            message = f"{unit.entry} is also what {last[key]} yields"
            found.append(error("duplicate-output", message, Span(name), _DUPLICATE_HELP))
        last[key] = name
    return found


def _root(folder: Path, text: str) -> Path | None:
    """What text stands for, resolved, if it may be the root of a workspace in folder."""
    root = _resolved(folder / text)
    if root is None or not folder.is_relative_to(root):
        return None
    if root == folder:
        return root
    for checkout in (folder, *folder.parents):
        if os.path.exists(checkout / ".git"):
            return root if root.is_relative_to(checkout) else None
    return None


def _gather(folder: Path, key: str, patterns: Sequence[str], faults: Faults) -> list[Path]:
    """The files of all patterns, each once; a fault for each pattern that has none."""
    files: dict[Path, None] = {}
    for index, pattern in enumerate(patterns):
        matches = _matches(folder, pattern)
        if not matches:
            message = f"{pattern!r} matches no file below {folder.name}/"
            faults.add("bad-path", message, ("workspace", key, index))
        files.update(dict.fromkeys(matches))
    return list(files)


def _matches(folder: Path, pattern: str) -> list[Path]:
    """The files of a pattern, sorted; none if glob does not take it or if it leads out of folder."""
    if pattern.startswith("/") or ".." in pattern.split("/"):
        return []
    try:
        files = sorted({_known(file) for file in folder.glob(pattern) if os.path.isfile(file)})
    except (ValueError, IndexError, OSError, RuntimeError):  # RecursionError is a RuntimeError
        return []
    # A link can lead out by way of a folder or by itself, and from there even back in.
    if all(file.is_relative_to(folder) and _inside(file, folder) for file in files):
        return files
    return []


def _contents(files: Sequence[Path], root: Path, faults: Faults) -> dict[str, bytes]:
    data: dict[str, bytes] = {}
    for file in files:
        try:
            data[file.relative_to(root).as_posix()] = file.read_bytes()
        except OSError as problem:
            message = f"cannot read {_called(file)}: {problem.strerror}"
            faults.add("file-unreadable", message, ("workspace", "data"))
    return data


def _toml_files(folder: Path) -> list[Path]:
    """All `*.toml` directly in folder, sorted; links that lead nowhere too, so that they are told."""
    if not os.path.isdir(folder):  # glob raises for some folders that are not there
        return []
    return [file for file in sorted(folder.glob("*.toml")) if not os.path.isdir(file)]


def _known(path: Path) -> Path:
    """What a file is known by: its parent resolved and its own name."""
    return (_resolved(path.parent) or path.parent.absolute()) / path.name


def _called(path: Path) -> str:
    """How diagnostics call the file at an absolute path."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _resolved(path: Path) -> Path | None:
    """None for what cannot be a path, or is a loop of links."""
    try:
        return path.resolve()
    except (ValueError, OSError, RuntimeError):
        return None


def _inside(path: Path, folder: Path) -> Path | None:
    """The path resolved, if it then lies in folder."""
    real = _resolved(path)
    return real if real is not None and real.is_relative_to(folder) else None
