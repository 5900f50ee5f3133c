"""Workspaces: requirement files that are built together and share a context.

In: the paths of requirement files, workspaces and folders. Out: their Specs, each with what its workspace shares.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from ai_coding import schema
from ai_coding import spec as specs
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Spec, Workspace
from ai_coding.schema import Faults


def load(paths: Sequence[Path]) -> tuple[list[Spec], list[Diagnostic]]:
    """All units that paths stand for: a unit, a workspace with its members, or a folder with all that is in it."""
    found, units, known = list[Diagnostic](), dict[Path, Workspace | None](), dict[Path, Workspace | None]()

    def workspace(file: Path) -> Workspace | None:
        """Read once, so that what is wrong with it is told once."""
        if file not in known:
            known[file], faults = read(file) if _is_workspace(file) else (None, [])
            found.extend(faults)
        return known[file]

    for path in paths:
        files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if path.is_dir() and not files:
            found.append(error("no-files", "there is no requirement file in this folder", Span(str(path))))
        for file in (file.parent.resolve() / file.name for file in files):
            if _is_workspace(file):
                for member in one.members if (one := workspace(file)) else ():
                    units.setdefault(member, one)
            elif file not in units:
                beside = map(workspace, sorted(file.parent.glob("*.toml")))
                units[file] = next((one for one in beside if one and file in one.members), None)
    loaded = list[Spec]()
    for file, around in units.items():
        spec, faults = specs.load(file, _shown(file), around)
        found += faults
        loaded += [spec] if spec else []
    return loaded, found + _clashes(loaded)


def read(path: Path) -> tuple[Workspace | None, list[Diagnostic]]:
    """The workspace at path. Its root may lie above its folder, but not outside the checkout that both are in."""
    path = path.parent.resolve() / path.name
    values, faults = schema.read(path, _shown(path))
    if not faults.found and "workspace" not in values:
        faults.add("missing-key", "there is no [workspace]")
    if faults.found:
        return None, faults.found
    table, folder = values["workspace"], path.parent
    root = _resolved(folder, table.get("root", "."))
    checkout = next((p for p in [folder, *folder.parents] if (p / ".git").exists()), folder)
    if not root or not folder.is_relative_to(root) or not (root == folder or root.is_relative_to(checkout)):
        help = "it has to be a folder around this file, in the same version-controlled tree"
        faults.add("bad-path", f"`root` cannot be {table['root']!r}", ("workspace", "root"), help)
        return None, faults.found
    members = _glob(folder, table["members"], "members", faults)
    data = _glob(root, table.get("data", []), "data", faults)
    output = _resolved(root, table["output"]) if "output" in table else None
    if "output" in table and not (output and output.is_relative_to(root)):
        faults.add("bad-path", "`output` lies outside `root`", ("workspace", "output"))
    sections = {key: schema.texts(values, key) for key in ("requirements", "specs", "hints")}
    shared = {f"{key} {name}".strip(): text for key, texts in sections.items() for name, text in texts.items()}
    members = [member for member in members if not _is_workspace(member)]
    if faults.found:
        return None, faults.found
    return Workspace(
        path,
        tuple(members),
        root,
        output,
        shared,
        {file.relative_to(root).as_posix(): file.read_bytes() for file in data},
        values.get("build", {}),
        values.get("model", {}),
        (path, *data),
        tuple(values.get("tests", ())),
    ), []


def _glob(folder: Path, patterns: list[str], key: str, faults: Faults) -> list[Path]:
    """The files below folder that match; a pattern that matches nothing, or leads out, is a fault."""
    found = dict[Path, None]()
    for i, pattern in enumerate(patterns):
        bad = pattern.startswith("/") or ".." in pattern.split("/")
        try:
            matches = [] if bad else sorted(p for p in folder.glob(pattern) if p.is_file())
        except (OSError, ValueError, IndexError, RuntimeError):  # patterns that no glob takes
            matches = []
        if not matches or any(not p.resolve().is_relative_to(folder.resolve()) for p in matches):
            faults.add("bad-path", f"{pattern!r} matches no file below {folder.name}/", ("workspace", key, i))
        found |= dict.fromkeys(matches)
    return list(found)


def _resolved(folder: Path, relative: str) -> Path | None:
    try:
        return (folder / relative).resolve()
    except (OSError, ValueError, RuntimeError):
        return None


def _is_workspace(path: Path) -> bool:
    """Whether path has [workspace]; a file that cannot be parsed has it if a line says so."""
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        return b"workspace" in data and isinstance(tomllib.loads(data.decode()).get("workspace"), dict)
    except OSError:
        return False
    except (ValueError, RecursionError):
        return any(line.strip() == b"[workspace]" for line in data.split(b"\n"))


def _clashes(loaded: list[Spec]) -> list[Diagnostic]:
    """Units that would write the same file."""
    seen: dict[tuple[Path | None, str], Spec] = {}
    found = []
    for spec in loaded:
        key = spec.output, spec.entry.casefold()
        if key in seen:
            message = f"{spec.entry} is also what {seen[key].path.name} yields"
            found.append(error("duplicate-output", message, Span(_shown(spec.path)), "give one of them another name"))
        seen[key] = spec
    return found


def _shown(path: Path) -> str:
    """The path relative to the current folder where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
