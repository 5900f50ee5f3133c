"""Requirement file -> Spec: puts together what a unit's file, its workspace and the files it names say.

In: the path of a TOML file, what diagnostics call it, and the workspace it is a member of, if any.
Out: a frozen Spec and no diagnostics, or no Spec and all that is wrong with the file.
"""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ai_coding import languages, paths, references, schema
from ai_coding.diagnostic import Diagnostic
from ai_coding.faults import Faults
from ai_coding.ir import Language, Spec, Test, Workspace

_BUILD_KEYS = ("strategy", "attempts", "critics", "committed")


def load(
    path: Path, name: str = "", workspace: Workspace | None = None
) -> tuple[Spec | None, list[Diagnostic]]:
    """Read the requirement file at path; name (default: the path as given) is how diagnostics call it.

    A Spec and [], or None and all faults, not the first alone. Never raises because of what the file holds.
    """
    values, faults = schema.read(path, name or str(path))
    if not faults.found and "workspace" in values:
        faults.add(
            "is-workspace",
            "this is a workspace, not a unit",
            ("workspace",),
            "build it, or one of its members",
        )
    if faults.found:
        return None, faults.found
    # Not Path.resolve: it raises for links in a circle, and would follow the file's own name.
    absolute = Path(os.path.realpath(path.parent), path.name)
    if workspace is None:
        workspace = Workspace(
            path=absolute,
            members=(),
            root=absolute.parent,
            output=None,
            shared={},
            data={},
            build={},
            model={},
            inputs=(),
        )
    spec = _spec(faults, values, absolute, workspace)
    _check_build(faults, spec)
    return None if faults.found else spec, faults.found


def _spec(faults: Faults, values: Mapping[str, Any], path: Path, workspace: Workspace) -> Spec:
    """The Spec as far as it can be told; what is wrong with it is added to faults."""
    file: Mapping[str, Any] = values.get("file", {})
    project: Mapping[str, Any] = values.get("project", {})
    build: dict[str, Any] = _with_tuples({**workspace.build, **values.get("build", {})})
    model: dict[str, Any] = {**workspace.model, **values.get("model", {})}
    requirements = schema.texts(values, "requirements")
    name: str = file.get("name", "")

    language = _language(faults, file)
    why = paths.problem(name)
    if why:
        faults.add("bad-path", f"`name` cannot be {name!r}: {why}", ("file", "name"))
    context, read = references.context(faults, workspace.root, project.get("context", ()))
    uses, needs = references.uses(faults, path, project.get("uses", ()))
    words = {
        "{unit}": path.name.removesuffix(".toml"),
        "{module}": name.replace("/", ".").removesuffix(".__init__"),
    }
    rows = _rows(values.get("tests", ()), workspace.tests, words)
    tests, copied = _tests(faults, rows, requirements, workspace.root)

    locks = [need.with_suffix(".lock") for need in needs]
    inputs = dict.fromkeys((path, *workspace.inputs, *read, *copied, *needs, *locks))
    given: dict[str, Any] = {key: build[key] for key in _BUILD_KEYS if key in build}
    return Spec(
        path=path,
        name=name,
        language=language,
        requirements=requirements,
        description=file.get("description", ""),
        specs=schema.texts(values, "specs"),
        hints=schema.texts(values, "hints"),
        interface=project.get("interface", "").strip("\n"),
        uses=uses,
        context=context,
        tests=tests,
        model=model.get("name", ""),
        parameters={key: value for key, value in model.items() if key != "name"},
        inputs=tuple(inputs),
        needs=needs,
        shared=workspace.shared,
        data=workspace.data,
        output=workspace.output,
        **given,
    )


def _with_tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _language(faults: Faults, file: Mapping[str, Any]) -> Language:
    name: str = file.get("language", "")
    # People write `Python` where the table has `python`.
    language = languages.find(name) or languages.find(name.lower()) or Language(name, "")
    if "extension" in file:
        language = replace(language, extension=file["extension"].lstrip("."))
    if not language.extension or paths.problem("x." + language.extension):
        way_out = 'or add extension = "…" below [file]'
        close = difflib.get_close_matches(name.lower(), list(languages.table()), 1)
        if close:
            way_out = f"did you mean `{close[0]}`? {way_out}"
        message = f"no extension is known for `{name}`"
        faults.add("unknown-language", message, ("file", "language"), way_out)
    return language


def _rows(
    own: Sequence[Mapping[str, Any]],
    common: Sequence[Mapping[str, Any]],
    words: Mapping[str, str],
) -> list[Mapping[str, Any]]:
    """The own rows, then the common ones that no own row replaces, with words filled in."""
    given = {row["name"] for row in own if "name" in row}
    rows = list(own)
    for row in common:
        if "name" in row and row["name"] in given:
            continue
        filled: dict[str, Any] = dict(row)
        if "command" in row:
            filled["command"] = _fill(row["command"], words)
        if "copy" in row:
            filled["copy"] = [_fill(text, words) for text in row["copy"]]
        rows.append(filled)
    return rows


def _fill(text: str, words: Mapping[str, str]) -> str:
    # In one pass: what was filled in may itself look like a word.
    parts = re.split(r"(\{unit\}|\{module\})", text)
    return "".join(words.get(part, part) for part in parts)


def _tests(
    faults: Faults,
    rows: Sequence[Mapping[str, Any]],
    requirements: Mapping[str, str],
    folder: Path,
) -> tuple[tuple[Test, ...], list[Path]]:
    """The tests, and the files that were read for their `copy`, which are found from folder."""
    tests: list[Test] = []
    read: list[Path] = []
    for index, row in enumerate(rows):
        for number, key in enumerate(row.get("covers", ())):
            if key not in requirements:
                message = f"no requirement is called {key!r}"
                faults.add("unknown-requirement", message, ("tests", index, "covers", number))
        at = ("tests", index, "copy")
        copy, copied = references.copies(faults, folder, row.get("copy", ()), at)
        _check_paths(faults, row, index)
        values: dict[str, Any] = {"name": f"test {index + 1}", **_with_tuples(row), "copy": copy}
        tests.append(Test(**values))
        read.extend(copied)

    seen: set[str] = set()
    for index, test in enumerate(tests):
        if test.name in seen:
            message = f"two tests are called {test.name!r}"
            faults.add("duplicate-test", message, ("tests", index, "name"))
        seen.add(test.name)
    return tuple(tests), read


def _check_paths(faults: Faults, row: Mapping[str, Any], index: int) -> None:
    for key in ("files", "creates"):
        for path in row.get(key, ()):
            why = paths.problem(path)
            if why:
                faults.add("bad-path", f"{path!r}: {why}", ("tests", index, key))


def _check_build(faults: Faults, spec: Spec) -> None:
    """Strategy, critics and model, whether the file or its workspace chose them."""
    faults.choose("strategy", [spec.strategy], schema.STRATEGIES)
    faults.choose("critics", spec.critics, schema.CRITICS)
    if spec.model.startswith("command:"):
        faults.add(
            "model-not-allowed",
            "a requirement file cannot name a `command:` model",
            ("model", "name"),
            "a command runs on your machine: give it with -m or AI_CODING_MODEL",
        )
