"""What a requirement file may hold. In: its values and places. Out: diagnostics for what has no place in it."""

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ai_coding import toml
from ai_coding.diagnostic import Diagnostic, Span, error

STRATEGIES = ("direct",)
CRITICS = ("syntax", "flake8", "style", "interface", "tests")


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63  # no nan, no inf


TYPES: dict[str, Callable[[Any], bool]] = {
    "a string": lambda v: isinstance(v, str),
    "a list of strings": lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v),
    "a table of strings": _texts,
    "a string or a table of strings": lambda v: isinstance(v, str) or _texts(v),
    "a whole number": lambda v: _number(v) and isinstance(v, int),
    "a positive whole number": lambda v: _number(v) and isinstance(v, int) and 0 < v < 1e6,
    "a positive number": lambda v: _number(v) and 0 < v < 1e6,
    "a number": _number,
    "true or false": lambda v: isinstance(v, bool),
    "a regular expression": lambda v: isinstance(v, str) and _compiles(v),
    "a table": lambda v: isinstance(v, dict),
    "a list of tables": lambda v: isinstance(v, list) and all(isinstance(x, dict) for x in v),
}
NAMED = {key: "a string or a table of strings" for key in ("requirements", "specs", "hints")}
SCHEMA: dict[str, dict[str, str]] = {
    "": {key: "a table" for key in ("file", "project", "build", "model", "workspace")}
    | NAMED
    | {"tests": "a list of tables"},
    "file": {key: "a string" for key in ("name", "language", "description", "extension")},
    "project": NAMED | {"interface": "a string", "uses": "a list of strings", "context": "a list of strings"},
    "build": {
        "strategy": "a string",
        "attempts": "a positive whole number",
        "critics": "a list of strings",
        "committed": "true or false",
    },
    "workspace": {
        **{key: "a list of strings" for key in ("members", "data")},
        **{key: "a string" for key in ("root", "output")},
    },
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


class Faults:
    """Collects diagnostics with their places."""

    def __init__(self, name: str, places: Mapping[toml.KeyPath, Span]) -> None:
        self.name, self.places, self.found = name, places, list[Diagnostic]()

    def add(self, code: str, message: str, at: toml.KeyPath = (), help: str = "") -> None:
        """Report an error at the place of `at`, or of the nearest table around it that has one."""
        while at and at not in self.places:
            at = at[:-1]
        self.found.append(error(code, message, self.places.get(at, Span(self.name)), help))

    def choose(self, key: str, chosen: list[str], known: tuple[str, ...]) -> None:
        """Report those of [build] `key` that are not known."""
        for value in chosen:
            if value not in known:
                near = difflib.get_close_matches(value, known, 1)
                help = f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(known)
                self.add("unknown-" + key, f"unknown {key} {value!r}", ("build", key), help)


def read(path: Path, name: str) -> tuple[dict[str, Any], Faults]:
    """The values of the requirement file at path, and what is wrong with their shape."""
    values, places, found = toml.parse(path, name)
    faults = Faults(name, places)
    faults.found += found
    if not found:
        _shape(values, faults)
    return values, faults


def texts(values: Mapping[str, Any], key: str) -> dict[str, str]:
    """The named texts of `key` in [project] and in a section of its own; a single string has the name ''."""
    found: dict[str, str] = {}
    for value in (values.get("project", {}).get(key, {}), values.get(key, {})):
        found |= {"": value} if isinstance(value, str) else value
    return {name: text.strip("\n") for name, text in found.items()}


def _shape(values: dict[str, Any], faults: Faults) -> None:

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
    if "workspace" in values:
        if "members" not in (values["workspace"] if isinstance(values["workspace"], dict) else {"members": 0}):
            help = 'add members = ["*.toml"] below [workspace]'
            faults.add("missing-key", "[workspace] has no `members`", ("workspace",), help)
        return
    for key in ("name", "language"):
        if not file or key not in file:
            faults.add("missing-key", f"[file] has no `{key}`", ("file",), f'add {key} = "…" below [file]')
    if "requirements" not in values and "requirements" not in (project or {}):
        faults.add("missing-key", "there are no requirements", ("project",), 'add requirements = """…""" to [project]')
