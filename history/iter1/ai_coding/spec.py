"""Reads a requirement file and all that it names into a frozen Spec, or tells all that is wrong with it.

In: the path of a requirement file, the name that diagnostics call it by, and the workspace that it belongs to, if any.
Out: a Spec and no diagnostics, or None and every fault that was found, each with its place.
"""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from ai_coding import languages, paths, schema, toml
from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Language, Spec, Test, Use, Workspace
from ai_coding.schema import Faults

_BUILD_KEYS = ("strategy", "attempts", "critics", "committed")


def load(path: Path, name: str = "", workspace: Workspace | None = None) -> tuple[Spec | None, list[Diagnostic]]:
    """Read the requirement file at path; name (default: the path as given) is how diagnostics call it.

    A Spec and [], or None and all faults, not the first alone. Never raises because of what the file holds.
    """
    name = name or str(path)
    path = Path(os.path.realpath(path.parent), path.name)
    values, faults = schema.read(path, name)
    if not faults.found and "workspace" in values:
        message = "this is a workspace, not a unit"
        faults.add("is-workspace", message, ("workspace",), "build it, or one of its members")
    if faults.found:
        return None, faults.found
    given = _given(faults, path, values, workspace)
    if faults.found:
        return None, faults.found
    return Spec(**given), []


def _given(faults: Faults, path: Path, values: Mapping[str, Any], workspace: Workspace | None) -> dict[str, Any]:
    """The fields of the Spec that are not left to their defaults; what is wrong with them is added to faults."""
    file, project = values["file"], values.get("project", {})
    root = workspace.root if workspace else path.parent
    requirements = schema.texts(values, "requirements")
    language = _language(faults, file)
    _check_name(faults, file["name"])
    context, context_files = _context(faults, root, project.get("context", []))
    uses, needs = _uses(faults, path, project.get("uses", []))
    tests, copied_files = _tests(faults, root, _rows(path, values, workspace), requirements)
    build = _build(faults, workspace.build if workspace else {}, values.get("build", {}))
    model = _model(faults, workspace.model if workspace else {}, values.get("model", {}))
    inputs = [path, *(workspace.inputs if workspace else ()), *context_files, *copied_files]
    inputs += [file_read for need in needs for file_read in (need, need.with_suffix(".lock"))]
    return {
        "path": path,
        "name": file["name"],
        "language": language,
        "requirements": requirements,
        "description": file.get("description", ""),
        "specs": schema.texts(values, "specs"),
        "hints": schema.texts(values, "hints"),
        "interface": project.get("interface", "").strip("\n"),
        "uses": uses,
        "context": context,
        "tests": tests,
        "inputs": tuple(dict.fromkeys(inputs)),
        "needs": needs,
        **build,
        **model,
        **_surroundings(workspace),
    }


def _surroundings(workspace: Workspace | None) -> dict[str, Any]:
    """The fields that only a workspace gives."""
    if workspace is None:
        return {}
    return {"shared": workspace.shared, "data": workspace.data, "output": workspace.output}


def _language(faults: Faults, file: Mapping[str, Any]) -> Language:
    """The language that [file] asks for, with the extension that it asks for."""
    written: str = file["language"]
    language = languages.find(written) or languages.find(written.lower()) or Language(written, "")
    if "extension" in file:
        language = replace(language, extension=file["extension"].lstrip("."))
    if not language.extension or paths.problem(f"x.{language.extension}"):
        close = difflib.get_close_matches(written.lower(), list(languages.table()), n=1)
        guess = f"did you mean `{close[0]}`? " if close else ""
        message = f"no extension is known for `{written}`"
        faults.add("unknown-language", message, ("file", "language"), guess + 'or add extension = "…" below [file]')
    return language


def _check_name(faults: Faults, name: str) -> None:
    """Tell if no program can be written under this name."""
    why = paths.problem(name)
    if why:
        faults.add("bad-path", f"`name` cannot be {name!r}: {why}", ("file", "name"))


def _build(faults: Faults, around: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that [build] gives, the file's own over those around it."""
    build = {**around, **own}
    faults.choose("strategy", [build["strategy"]] if "strategy" in build else [], schema.STRATEGIES)
    faults.choose("critics", list(build.get("critics", [])), schema.CRITICS)
    return {key: _frozen(build[key]) for key in _BUILD_KEYS if key in build}


def _model(faults: Faults, around: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that [model] gives, the file's own over those around it: its name, and all else as parameters."""
    model = {**around, **own}
    name: str = model.get("name", "")
    if name.startswith("command:"):
        message = "a requirement file cannot name a `command:` model"
        way_out = "a command runs on your machine: give it with -m or AI_CODING_MODEL"
        faults.add("model-not-allowed", message, ("model", "name"), way_out)
    return {"model": name, "parameters": {key: value for key, value in model.items() if key != "name"}}


def _frozen(value: Any) -> Any:
    """A list as a tuple, anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


def _real(folder: Path, path: str) -> Path | None:
    """Where path really is, after links, there or not; None if it is no good path or leads out of folder."""
    if paths.problem(path):
        return None
    try:
        # Unlike Path.resolve, this does not raise for links in a circle: those are no files, which is told elsewhere.
        real = Path(os.path.realpath(folder / path))
    except ValueError:  # a NUL
        return None
    return real if real.is_relative_to(os.path.realpath(folder)) else None


def _read(faults: Faults, folder: Path, path: str, at: toml.KeyPath) -> tuple[Path, bytes] | None:
    """The real path and the bytes of the file at path below folder; None, and a fault, if it cannot be read."""
    real = _real(folder, path)
    if real is None:
        faults.add("bad-path", f"{path!r} leads out of the folder that this file may read", at)
        return None
    try:
        if real.is_file():
            return real, real.read_bytes()
    except OSError:
        pass  # too long a path, or a file that is kept from us: for this build it is not there
    faults.add("missing-file", f"there is no file {path!r}", at)
    return None


def _context(faults: Faults, folder: Path, listed: Sequence[str]) -> tuple[dict[str, str], list[Path]]:
    """The texts of the listed files by their paths as written, and the files that were read."""
    texts: dict[str, str] = {}
    files: list[Path] = []
    for index, path in enumerate(listed):
        at: toml.KeyPath = ("project", "context", index)
        found = _read(faults, folder, path, at)
        if found is None:
            continue
        real, data = found
        files.append(real)
        try:
            texts[path] = data.decode("utf-8")
        except UnicodeDecodeError:
            faults.add("bad-encoding", f"{path!r} is not UTF-8 text", at)
    return texts, files


def _uses(faults: Faults, path: Path, listed: Sequence[str]) -> tuple[tuple[Use, ...], tuple[Path, ...]]:
    """The units that the requirement file at path uses, and the files of these and of all that they use in turn."""
    uses: list[Use] = []
    needs: dict[Path, dict[str, Any]] = {}
    this = Path(os.path.realpath(path))
    for index, used in enumerate(listed):
        at: toml.KeyPath = ("project", "uses", index)
        found = _read(faults, path.parent, used, at)
        if found is None:
            continue
        real = found[0]
        _follow(real, needs)
        use = _use(real, needs[real])
        if use is None:
            faults.add("no-interface", f"{used!r} has no `interface` that others may rely on", at)
        else:
            uses.append(use)
        if this in needs:
            faults.add("cycle", f"{used!r} uses this file in turn", at, "move what both need to a third")
            break
    return tuple(uses), tuple(dict.fromkeys([*(use.path for use in uses), *needs]))


def _use(path: Path, values: Mapping[str, Any]) -> Use | None:
    """The unit whose requirement file at path holds values, or None if it has no name or no interface."""
    name, interface = _table(values, "file").get("name"), _table(values, "project").get("interface")
    if isinstance(name, str) and isinstance(interface, str):
        return Use(path, name, interface.strip("\n"))
    return None


def _follow(start: Path, needs: dict[Path, dict[str, Any]]) -> None:
    """Add start and all that it uses in turn to needs, each with what it holds; no file is read twice."""
    waiting = [start]
    while waiting:
        file = waiting.pop()
        if file not in needs:
            needs[file] = _values(file)
            waiting += _used_by(file, needs[file])


def _used_by(file: Path, values: Mapping[str, Any]) -> list[Path]:
    """The real paths of what another requirement file, of which nothing is checked yet, uses below its own folder."""
    listed = _table(values, "project").get("uses")
    if not isinstance(listed, list):
        return []
    found = [_real(file.parent, path) for path in listed if isinstance(path, str)]
    return [real for real in found if real is not None]


def _values(file: Path) -> dict[str, Any]:
    """What a TOML file holds; nothing if it is not there or not TOML."""
    try:
        return toml.parse(file, str(file))[0] if file.is_file() else {}
    except OSError:
        return {}


def _table(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The table called key, or an empty one if there is none."""
    table = values.get(key)
    return table if isinstance(table, dict) else {}


def _rows(path: Path, values: Mapping[str, Any], workspace: Workspace | None) -> list[Mapping[str, Any]]:
    """The rows of [[tests]]: the file's own, then those of the workspace that it does not replace by name."""
    own: list[Mapping[str, Any]] = list(values.get("tests", []))
    if workspace is None:
        return own
    replaced = {row["name"] for row in own if "name" in row}
    module = values["file"]["name"].replace("/", ".").removesuffix(".__init__")
    names = {"{unit}": path.name.removesuffix(".toml"), "{module}": module}
    return [*own, *(_filled(row, names) for row in workspace.tests if row.get("name") not in replaced)]


def _filled(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The row with the placeholders that names tells replaced in its command and in its paths to copy."""
    filled = dict(row)
    for placeholder, name in names.items():
        if "command" in filled:
            filled["command"] = filled["command"].replace(placeholder, name)
        if "copy" in filled:
            filled["copy"] = [path.replace(placeholder, name) for path in filled["copy"]]
    return filled


def _tests(
    faults: Faults, folder: Path, rows: Sequence[Mapping[str, Any]], requirements: Mapping[str, str]
) -> tuple[tuple[Test, ...], list[Path]]:
    """The tests that the rows describe, and the files that were read for them."""
    tests: list[Test] = []
    files: list[Path] = []
    for index, row in enumerate(rows):
        _check_covers(faults, index, row, requirements)
        copy, read = _copied(faults, folder, index, row.get("copy", []))
        _check_paths(faults, index, row)
        files += read
        given: dict[str, Any] = {"name": f"test {index + 1}"}
        given.update((key, _frozen(value)) for key, value in row.items() if key != "copy")
        tests.append(Test(copy=copy, **given))
    _check_names(faults, tests)
    return tuple(tests), files


def _check_covers(faults: Faults, index: int, row: Mapping[str, Any], requirements: Mapping[str, str]) -> None:
    """Tell what the row covers that is no requirement."""
    for place, covered in enumerate(row.get("covers", [])):
        if covered not in requirements:
            message = f"no requirement is called {covered!r}"
            faults.add("unknown-requirement", message, ("tests", index, "covers", place))


def _copied(faults: Faults, folder: Path, index: int, listed: Sequence[str]) -> tuple[dict[str, bytes], list[Path]]:
    """The bytes of the listed files by their file names, and the files that were read."""
    copy: dict[str, bytes] = {}
    files: list[Path] = []
    names = [PurePosixPath(path).name for path in listed]
    for place, (path, name) in enumerate(zip(listed, names)):
        found = _read(faults, folder, path, ("tests", index, "copy", place))
        if found is not None:
            files.append(found[0])
            copy[name] = found[1]
    if len(set(names)) < len(names):
        faults.add("bad-path", "two files to copy have one name", ("tests", index, "copy"))
    return copy, files


def _check_paths(faults: Faults, index: int, row: Mapping[str, Any]) -> None:
    """Tell which files cannot be put beside the program or be created by it."""
    for key in ("files", "creates"):
        for path in row.get(key, {}):
            why = paths.problem(path)
            if why:
                faults.add("bad-path", f"{path!r}: {why}", ("tests", index, key))


def _check_names(faults: Faults, tests: Sequence[Test]) -> None:
    """Tell which tests are called like an earlier one."""
    seen: set[str] = set()
    for index, test in enumerate(tests):
        if test.name in seen:
            faults.add("duplicate-test", f"two tests are called {test.name!r}", ("tests", index, "name"))
        seen.add(test.name)
