"""Requirement file -> Spec.

In: the path of a TOML file, and the workspace it is a member of. Out: a frozen Spec, or Diagnostics for all its faults.
"""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ai_coding import languages, paths, schema, toml
from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Language, Spec, Test, Use, Workspace
from ai_coding.schema import Faults


def load(path: Path, name: str = "", workspace: Workspace | None = None) -> tuple[Spec | None, list[Diagnostic]]:
    """Read the requirement file at path; name (default: the path as given) is how diagnostics call it.

    All faults are reported, not the first alone; nothing raises because of what the file holds.
    """
    values, faults = schema.read(path, name or str(path))
    if not faults.found and "workspace" in values:
        faults.add("is-workspace", "this is a workspace, not a unit", ("workspace",), "build it, or one of its members")
    if faults.found:
        return None, faults.found
    spec = _build(path.parent.resolve() / path.name, values, faults, workspace)
    return (None if faults.found else spec), faults.found


def inside(root: Path, relative: str, at: toml.KeyPath, faults: Faults) -> Path | None:
    """The existing file that relative names below root; None, and a fault, if there is none or it lies elsewhere."""
    try:
        target = None if paths.problem(relative) else (root / relative).resolve()
        if target and target.is_relative_to(root.resolve()):
            if target.is_file():
                return target
            faults.add("missing-file", f"there is no file {relative!r}", at)
        else:
            faults.add("bad-path", f"{relative!r} leads out of the folder that this file may read", at)
    except (OSError, RuntimeError):  # too long, or links in a circle
        faults.add("missing-file", f"there is no file {relative!r}", at)
    return None


def _build(path: Path, values: dict[str, Any], faults: Faults, workspace: Workspace | None) -> Spec | None:
    """A Spec of well-shaped values; what does not fit goes to faults."""
    file, project = values["file"], values.get("project", {})
    build = {**(workspace.build if workspace else {}), **values.get("build", {})}
    model = {**(workspace.model if workspace else {}), **values.get("model", {})}
    root = workspace.root if workspace else path.parent
    language = _language(file, faults)
    if why := paths.problem(file["name"]):
        faults.add("bad-path", f"`name` cannot be {file['name']!r}: {why}", ("file", "name"))
    inputs = [path, *(workspace.inputs if workspace else ())]

    def read(relative: str, at: toml.KeyPath) -> bytes:
        target = inside(root, relative, at, faults)
        inputs.extend([target] if target else [])
        return target.read_bytes() if target else b""

    context = {}
    for i, relative in enumerate(project.get("context", [])):
        try:
            context[relative] = read(relative, ("project", "context", i)).decode()
        except UnicodeDecodeError:
            faults.add("bad-encoding", f"{relative!r} is not UTF-8 text", ("project", "context", i))
    uses, needs = _uses(path, project.get("uses", []), faults)
    inputs += [p for need in needs for p in (need, need.with_suffix(".lock"))]
    requirements = schema.texts(values, "requirements")
    tests, own = [], values.get("tests", [])
    names = [row["name"] for row in own if "name" in row]
    given = [row for row in workspace.tests if row.get("name") not in names] if workspace else []
    rows = [*own, *(_filled(row, path, file["name"]) for row in given)]
    for i, row in enumerate(rows):
        for j, key in enumerate(row.get("covers", [])):
            if key not in requirements:
                faults.add("unknown-requirement", f"no requirement is called {key!r}", ("tests", i, "covers", j))
        copies = {Path(c).name: read(c, ("tests", i, "copy", j)) for j, c in enumerate(row.get("copy", []))}
        if len(copies) < len(row.get("copy", [])):
            faults.add("bad-path", "two files to copy have one name", ("tests", i, "copy"))
        for key in ("files", "creates"):
            for relative in row.get(key, {}):
                if why := paths.problem(relative):
                    faults.add("bad-path", f"{relative!r}: {why}", ("tests", i, key))
        lists = {key: tuple(row[key]) for key in ("args", "covers") if key in row}
        tests.append(Test(**{"name": f"test {i + 1}", **row, **lists, "copy": copies}))
    names = [test.name for test in tests]
    for i, test_name in enumerate(names):
        if test_name in names[:i]:
            faults.add("duplicate-test", f"two tests are called {test_name!r}", ("tests", i, "name"))
    faults.choose("strategy", [build.get("strategy", "direct")], schema.STRATEGIES)
    faults.choose("critics", build.get("critics", []), schema.CRITICS)
    model_name = model.pop("name", "")
    if model_name.startswith("command:"):
        help = "a command runs on your machine: give it with -m or AI_CODING_MODEL"
        faults.add("model-not-allowed", "a requirement file cannot name a `command:` model", ("model", "name"), help)
    if faults.found or not language:
        return None
    return Spec(
        path=path,
        name=file["name"],
        language=language,
        requirements=requirements,
        description=file.get("description", ""),
        specs=schema.texts(values, "specs"),
        hints=schema.texts(values, "hints"),
        interface=project.get("interface", "").strip("\n"),
        uses=uses,
        context=context,
        tests=tuple(tests),
        strategy=build.get("strategy", "direct"),
        attempts=int(build.get("attempts", Spec.attempts)),
        critics=tuple(build.get("critics", Spec.critics)),
        model=model_name,
        parameters=model,
        inputs=tuple(inputs),
        needs=needs,
        shared=workspace.shared if workspace else {},
        data=workspace.data if workspace else {},
        output=workspace.output if workspace else None,
        committed=build.get("committed", False),
    )


def _filled(row: Mapping[str, Any], path: Path, name: str) -> dict[str, Any]:
    """A test that a workspace gives to all: {unit} and {module} in its command and copies are this member's."""
    words = {"{unit}": path.stem, "{module}": name.replace("/", ".").removesuffix(".__init__")}

    def fill(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    filled = {**row}
    if "command" in row:
        filled["command"] = fill(row["command"])
    if "copy" in row:
        filled["copy"] = [fill(path) for path in row["copy"]]
    return filled


def _language(file: dict[str, Any], faults: Faults) -> Language | None:
    known = languages.find(file["language"])
    extension = file.get("extension", known.extension if known else "").lstrip(".")
    if not extension or paths.problem("x." + extension):
        near = difflib.get_close_matches(file["language"].lower(), languages.table(), 1)
        help = (f"did you mean `{near[0]}`? " if near else "") + 'or add extension = "…" below [file]'
        faults.add("unknown-language", f"no extension is known for `{file['language']}`", ("file", "language"), help)
        return None
    row = known or Language(file["language"], extension)
    return Language(row.name, extension, row.aliases, row.check, row.compile, row.run)


def _uses(path: Path, names: list[str], faults: Faults) -> tuple[tuple[Use, ...], tuple[Path, ...]]:
    """The units that names (requirement files beside path) stand for, and the files of all that they need in turn."""
    found, needs = list[Use](), list[Path]()
    for i, relative in enumerate(names):
        at: toml.KeyPath = ("project", "uses", i)
        target = inside(path.parent, relative, at, faults)
        values = _quick(target) if target else None
        if target and not values:
            faults.add("no-interface", f"{relative!r} has no `interface` that others may rely on", at)
        if not target or not values:
            continue
        found.append(Use(target, values["file"]["name"], values["project"]["interface"].strip("\n")))
        needs.append(target)
        ahead = [target]
        while ahead:
            here = ahead.pop()
            for need in _further(here):
                if need == path.resolve():
                    faults.add("cycle", f"{relative!r} uses this file in turn", at, "move what both need to a third")
                    return tuple(found), tuple(needs)
                if need not in needs:
                    needs.append(need)
                    ahead.append(need)
    return tuple(found), tuple(needs)


def _further(path: Path) -> list[Path]:
    """The requirement files that the one at path uses, as far as they lie where they may."""
    uses = (_quick(path) or {}).get("project", {}).get("uses", [])
    names = [name for name in uses if isinstance(name, str)] if isinstance(uses, list) else []
    try:
        found = [(path.parent / name).resolve() for name in names if not paths.problem(name)]
    except (OSError, RuntimeError):
        return []
    return [need for need in found if need.is_relative_to(path.parent)]


def _quick(path: Path) -> dict[str, Any] | None:
    """The values of a used requirement file if it offers an interface; its own faults are told when it is loaded."""
    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
        fine = isinstance(values["file"]["name"], str) and isinstance(values["project"]["interface"], str)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return values if fine else None
