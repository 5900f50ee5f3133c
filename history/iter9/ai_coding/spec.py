"""Turns a requirement file into a frozen Spec, or tells all that is wrong with it.

In: the path of a TOML file, what diagnostics call it, and the workspace that it belongs to, if any.
Out: the Spec and no diagnostics, or no Spec and the diagnostics of all faults, in a fixed order.
"""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ai_coding import languages, paths, references, schema, templates
from ai_coding.diagnostic import Diagnostic
from ai_coding.faults import Faults, nearest
from ai_coding.ir import Language, Spec, Test, Workspace


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
    # Path.resolve would raise for links in a circle, and would follow the file's own name.
    path = Path(os.path.realpath(path.parent), path.name)
    around = workspace or _empty_workspace(path)
    spec = _spec(values, faults, path, around)
    _check_choices(faults, spec)
    faults.found.extend(templates.check(spec, around.root))
    return (None if faults.found else spec), faults.found


def _empty_workspace(path: Path) -> Workspace:
    """What a file without a workspace is in: its own folder, and nothing that is given."""
    return Workspace(
        path=path,
        members=(),
        root=path.parent,
        output=None,
        shared={},
        data={},
        build={},
        model={},
        inputs=(),
    )


def _spec(values: Mapping[str, Any], faults: Faults, path: Path, around: Workspace) -> Spec:
    """The Spec of the values, of use only if no faults are found; the order of the calls is theirs."""
    file, project = values["file"], values.get("project", {})
    name: str = file["name"]
    language = _language(faults, file)
    if why := paths.problem(name):
        faults.add("bad-path", f"`name` cannot be {name!r}: {why}", ("file", "name"))
    requirements = schema.texts(values, "requirements")
    context, read = references.context(faults, around.root, project.get("context", ()))
    source, started = _source(faults, path, around.root, project)
    uses, needs = references.uses(faults, path, project.get("uses", ()))
    rows = _rows(values, path, around)
    tests, copied = _tests(faults, rows, around.root, requirements)
    _check_names(faults, tests)
    build = {**around.build, **values.get("build", {})}
    if "prompts" in build:
        build["prompts"], found = templates.read(faults, around.root, build["prompts"])
        read.extend(found)
    needed = [each for need in needs for each in (need, need.with_suffix(".lock"))]
    parameters = {**around.model, **values.get("model", {})}
    model = parameters.pop("name", "")
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
        model=model,
        parameters=parameters,
        inputs=tuple(dict.fromkeys([path, *around.inputs, *read, *started, *copied, *needed])),
        needs=needs,
        shared=around.shared,
        data=around.data,
        output=around.output,
        source=source,
        **_tuples(build),
    )


def _source(
    faults: Faults, path: Path, root: Path, project: Mapping[str, Any]
) -> tuple[str, list[Path]]:
    """The text of the program to start from, if any, and the real paths of the files read for it."""
    lock = path.with_suffix(".lock")
    # A link that leads nowhere counts too; unlike those of Path, these two never raise.
    if "source" not in project or os.path.isfile(lock) or os.path.islink(lock):
        return "", []
    texts, read = references.context(faults, root, [project["source"]], ("project", "source"))
    return "".join(texts.values()), read


def _language(faults: Faults, file: Mapping[str, Any]) -> Language:
    name: str = file["language"]
    # The table's names are in lower case, people write "Python".
    language = languages.find(name) or languages.find(name.lower()) or Language(name, "")
    if "extension" in file:
        language = replace(language, extension=file["extension"].lstrip("."))
    if not language.extension or paths.problem(f"x.{language.extension}"):
        close = difflib.get_close_matches(name.lower(), list(languages.table()), n=1)
        guess = f"did you mean `{close[0]}`? or " if close else ""
        faults.add(
            "unknown-language",
            f"no extension is known for `{name}`",
            ("file", "language"),
            f'{guess}add extension = "…" below [file]',
        )
    return language


def _rows(values: Mapping[str, Any], path: Path, around: Workspace) -> list[Mapping[str, Any]]:
    """This file's own rows of tests, then those of the workspace that they do not replace."""
    own: list[Mapping[str, Any]] = values.get("tests", [])
    replaced = {row["name"] for row in own if "name" in row}
    names = {
        "{unit}": path.name.removesuffix(".toml"),
        "{module}": values["file"]["name"].replace("/", ".").removesuffix(".__init__"),
    }
    given = [
        {
            **row,
            "command": _filled(row.get("command", ""), names),
            "copy": [_filled(listed, names) for listed in row.get("copy", ())],
        }
        for row in around.tests
        if row.get("name") not in replaced
    ]
    return [*own, *given]


def _filled(text: str, names: Mapping[str, str]) -> str:
    # In one pass: a file's name may itself hold a placeholder, which is to be left alone.
    parts = re.split(r"(\{unit\}|\{module\})", text)
    return "".join(names.get(part, part) for part in parts)


def _tests(
    faults: Faults,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    requirements: Mapping[str, str],
) -> tuple[tuple[Test, ...], list[Path]]:
    """The tests, and the real paths of the files that were read for their copies."""
    tests: list[Test] = []
    read: list[Path] = []
    named = [each for each in requirements if each]
    for index, row in enumerate(rows):
        for number, key in enumerate(row.get("covers", ())):
            if key not in requirements:
                faults.add(
                    "unknown-requirement",
                    f"no requirement is called {key!r}",
                    ("tests", index, "covers", number),
                    nearest(key, named, "known")
                    if named
                    else 'give each requirement a name: R1 = "…" below [requirements]',
                )
        copy, copied = references.copies(
            faults, folder, row.get("copy", ()), ("tests", index, "copy")
        )
        read.extend(copied)
        for key in ("files", "creates"):
            for file in row.get(key, {}):
                if why := paths.problem(file):
                    message = f"`{key}` cannot name {file!r}: {why}"
                    faults.add("bad-path", message, ("tests", index, key))
        fields: dict[str, Any] = {"name": f"test {index + 1}", **_tuples(row), "copy": copy}
        tests.append(Test(**fields))
    return tuple(tests), read


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _check_names(faults: Faults, tests: Sequence[Test]) -> None:
    seen: set[str] = set()
    for index, test in enumerate(tests):
        if test.name in seen:
            faults.add(
                "duplicate-test",
                f"two tests are called {test.name!r}",
                ("tests", index, "name"),
                "give each a name of its own",
            )
        seen.add(test.name)


def _check_choices(faults: Faults, spec: Spec) -> None:
    """Tell of a strategy, critics and a model that cannot be had, whoever chose them."""
    faults.choose("strategy", [spec.strategy], schema.STRATEGIES)
    faults.choose("critics", spec.critics, schema.CRITICS)
    for kind, why in (("command:", "a command runs"), ("local:", "a model file lies")):
        if spec.model.startswith(kind):
            faults.add(
                "model-not-allowed",
                f"a requirement file cannot name a `{kind}` model",
                ("model", "name"),
                f"{why} on your machine: give it with -m or AI_CODING_MODEL",
            )
