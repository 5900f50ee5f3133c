"""Requirement file -> Spec.

In: the path of a TOML file. Out: a frozen Spec, or Diagnostics for everything that is wrong with it.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ai_coding import languages, paths, toml
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Language, Spec, Test, Use

STRATEGIES = ("direct",)
CRITICS = ("syntax", "flake8", "tests")


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: dict[str, Callable[[Any], bool]] = {
    "a string": lambda v: isinstance(v, str),
    "a list of strings": lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v),
    "a table of strings": _texts,
    "a string or a table of strings": lambda v: isinstance(v, str) or _texts(v),
    "a whole number": lambda v: _number(v) and isinstance(v, int),
    "a positive number": lambda v: _number(v) and 0 < v < 1e6,
    "a number": _number,
    "true or false": lambda v: isinstance(v, bool),
    "a regular expression": lambda v: isinstance(v, str) and _compiles(v),
    "a table": lambda v: isinstance(v, dict),
    "a list of tables": lambda v: isinstance(v, list) and all(isinstance(x, dict) for x in v),
}
NAMED = {key: "a string or a table of strings" for key in ("requirements", "specs", "hints")}
SCHEMA: dict[str, dict[str, str]] = {
    "": {key: "a table" for key in ("file", "project", "build", "model")} | NAMED | {"tests": "a list of tables"},
    "file": {key: "a string" for key in ("name", "language", "description", "extension")},
    "project": NAMED | {"interface": "a string", "uses": "a list of strings", "context": "a list of strings"},
    "build": {"strategy": "a string", "attempts": "a positive number", "critics": "a list of strings"},
    "model": {"name": "a string", "temperature": "a number", "max_tokens": "a whole number", "seed": "a whole number"},
    "tests": {
        **{key: "a string" for key in ("name", "command", "stdin", "stdout")},
        **{key: "a list of strings" for key in ("covers", "args", "copy")},
        **{key: "a table of strings" for key in ("env", "files", "creates")},
        **{key: "a regular expression" for key in ("stdout_matches", "stderr_matches")},
        **{"exit_code": "a whole number", "timeout": "a positive number", "held_out": "true or false"},
    },
}


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


class _Faults:
    """Collects diagnostics with their places."""

    def __init__(self, name: str, places: Mapping[toml.KeyPath, Span]) -> None:
        self.name, self.places, self.found = name, places, list[Diagnostic]()

    def add(self, code: str, message: str, at: toml.KeyPath = (), help: str = "") -> None:
        while at and at not in self.places:
            at = at[:-1]
        self.found.append(error(code, message, self.places.get(at, Span(self.name)), help))


def load(path: Path, name: str = "") -> tuple[Spec | None, list[Diagnostic]]:
    """Read the requirement file at path; name (default: the path as given) is how diagnostics call it.

    All faults are reported, not the first alone; nothing raises because of what the file holds.
    """
    name = name or str(path)
    values, places, found = toml.parse(path, name)
    if found:
        return None, found
    faults = _Faults(name, places)
    _shape(values, faults)
    if faults.found:
        return None, faults.found
    spec = _build(path.absolute(), values, faults)
    return (None if faults.found else spec), faults.found


def _shape(values: dict[str, Any], faults: _Faults) -> None:
    """Unknown keys, wrong types, missing sections."""

    def table(value: dict[str, Any], section: str, at: toml.KeyPath) -> None:
        known = SCHEMA[section]
        for key, item in value.items():
            where = f" in [{section}]" if section else ""
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                help = f"did you mean `{near[0]}`?" if near else "known here: " + ", ".join(sorted(known))
                faults.add("unknown-key", f"unknown key `{key}`{where}", (*at, key), help)
            elif not TYPES[known[key]](item):
                faults.add("wrong-type", f"`{key}`{where} must be {known[key]}", (*at, key))
            elif not section and key in SCHEMA:
                for i, row in enumerate(item) if isinstance(item, list) else [(-1, item)]:
                    table(row, key, (key,) if i < 0 else (key, i))

    table(values, "", ())
    file = values.get("file") if isinstance(values.get("file"), dict) else {}
    project = values.get("project") if isinstance(values.get("project"), dict) else {}
    for key in ("name", "language"):
        if not file or key not in file:
            faults.add("missing-key", f"[file] has no `{key}`", ("file",), f'add {key} = "…" below [file]')
    if "requirements" not in values and "requirements" not in (project or {}):
        faults.add("missing-key", "there are no requirements", ("project",), 'add requirements = """…""" to [project]')


def _build(path: Path, values: dict[str, Any], faults: _Faults) -> Spec | None:
    """A Spec of well-shaped values; what does not fit goes to faults."""
    file, project = values["file"], values.get("project", {})
    build, model = values.get("build", {}), dict(values.get("model", {}))
    language = _language(file, faults)
    if why := paths.problem(file["name"]):
        faults.add("bad-path", f"`name` cannot be {file['name']!r}: {why}", ("file", "name"))
    inputs = [path]

    def named(key: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for value in (project.get(key, {}), values.get(key, {})):
            found |= {"": value} if isinstance(value, str) else value
        return {k: v.strip("\n") for k, v in found.items()}

    def read(relative: str, at: toml.KeyPath) -> bytes:
        target = (path.parent / relative).resolve()
        if paths.problem(relative) or not target.is_relative_to(path.parent.resolve()):
            faults.add("bad-path", f"{relative!r} is not a path below the requirement file's folder", at)
        elif not target.is_file():
            faults.add("missing-file", f"there is no file {relative!r} beside {path.name}", at)
        else:
            inputs.append(target)
            return target.read_bytes()
        return b""

    context = {}
    for i, relative in enumerate(project.get("context", [])):
        try:
            context[relative] = read(relative, ("project", "context", i)).decode()
        except UnicodeDecodeError:
            faults.add("bad-encoding", f"{relative!r} is not UTF-8 text", ("project", "context", i))
    uses = [_use(path, relative, i, faults, inputs) for i, relative in enumerate(project.get("uses", []))]
    requirements = named("requirements")
    tests = []
    for i, row in enumerate(values.get("tests", [])):
        for j, key in enumerate(row.get("covers", [])):
            if key not in requirements:
                faults.add("unknown-requirement", f"no requirement is called {key!r}", ("tests", i, "covers", j))
        copies = {Path(c).name: read(c, ("tests", i, "copy", j)) for j, c in enumerate(row.get("copy", []))}
        for relative in [*row.get("files", {}), *row.get("creates", {})]:
            if why := paths.problem(relative):
                faults.add("bad-path", f"{relative!r}: {why}", ("tests", i, "files"))
        lists = {key: tuple(row[key]) for key in ("args", "covers") if key in row}
        tests.append(Test(**{"name": f"test {i + 1}", **row, **lists, "copy": copies}))
    names = [test.name for test in tests]
    for i, test_name in enumerate(names):
        if test_name in names[:i]:
            faults.add("duplicate-test", f"two tests are called {test_name!r}", ("tests", i, "name"))
    _choices("strategy", [build.get("strategy", "direct")], STRATEGIES, faults)
    _choices("critics", build.get("critics", []), CRITICS, faults)
    model_name = model.pop("name", "")
    if model_name.startswith("command:"):
        faults.add(
            "model-not-allowed",
            "a requirement file cannot name a `command:` model",
            ("model", "name"),
            "a command runs on your machine: give it with -m or AI_CODING_MODEL",
        )
    if faults.found or not language:
        return None
    return Spec(
        path, file["name"], language, requirements, file.get("description", ""), named("specs"), named("hints"),
        project.get("interface", "").strip("\n"), tuple(u for u in uses if u), context, tuple(tests),
        build.get("strategy", "direct"), int(build.get("attempts", Spec.attempts)),
        tuple(build.get("critics", Spec.critics)), model_name, model, tuple(inputs),
    )  # fmt: skip


def _language(file: dict[str, Any], faults: _Faults) -> Language | None:
    known = languages.find(file["language"])
    extension = file.get("extension", known.extension if known else "").lstrip(".")
    if not extension or paths.problem("x." + extension):
        near = difflib.get_close_matches(file["language"].lower(), languages.table(), 1)
        help = (f"did you mean `{near[0]}`? " if near else "") + 'or add extension = "…" below [file]'
        faults.add("unknown-language", f"no extension is known for `{file['language']}`", ("file", "language"), help)
        return None
    row = known or Language(file["language"], extension)
    return Language(row.name, extension, row.aliases, row.check, row.compile, row.run)


def _use(path: Path, relative: str, i: int, faults: _Faults, inputs: list[Path]) -> Use | None:
    at, target = ("project", "uses", i), (path.parent / relative).resolve()
    if paths.problem(relative) or not target.is_relative_to(path.parent.resolve()):
        faults.add("bad-path", f"{relative!r} is not a path below the requirement file's folder", at)
        return None
    values, _, found = toml.parse(target, relative)
    faults.found += found
    inputs += [target, target.with_suffix(".lock")]
    file, project = values.get("file"), values.get("project")
    name = file.get("name") if isinstance(file, dict) else None
    interface = project.get("interface") if isinstance(project, dict) else None
    if isinstance(name, str) and isinstance(interface, str):
        return Use(target, name, interface.strip("\n"))
    if not found:
        faults.add("no-interface", f"{relative!r} has no `interface` that others may rely on", at)
    return None


def _choices(key: str, chosen: list[str], known: tuple[str, ...], faults: _Faults) -> None:
    for value in chosen:
        if value not in known:
            near = difflib.get_close_matches(value, known, 1)
            help = f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(known)
            faults.add("unknown-" + key, f"unknown {key} {value!r}", ("build", key), help)
