"""What a requirement file may hold, and what is said of the rest.

In: the path of a requirement file and the name it goes by in diagnostics.
Out: its values, and the faults in their shape: unknown keys, wrong types, missing keys.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ai_coding.faults import Faults, nearest
from ai_coding.toml import KeyPath, parse

STRATEGIES = ("direct",)
CRITICS = ("syntax", "flake8", "style", "interface", "tests")

# By section, "" being the top: each key with its type, in the words that diagnostics use.
_KEYS: dict[str, dict[str, str]] = {
    "": {
        "file": "a table",
        "project": "a table",
        "build": "a table",
        "model": "a table",
        "workspace": "a table",
        "tests": "a list of tables",
        "requirements": "a string or a table of strings",
        "specs": "a string or a table of strings",
        "hints": "a string or a table of strings",
    },
    "file": {
        "name": "a string",
        "language": "a string",
        "description": "a string",
        "extension": "a string",
    },
    "project": {
        "requirements": "a string or a table of strings",
        "specs": "a string or a table of strings",
        "hints": "a string or a table of strings",
        "interface": "a string",
        "uses": "a list of strings",
        "context": "a list of strings",
    },
    "build": {
        "strategy": "a string",
        "attempts": "a positive whole number",
        "critics": "a list of strings",
        "committed": "true or false",
    },
    "workspace": {
        "members": "a list of strings",
        "data": "a list of strings",
        "root": "a string",
        "output": "a string",
    },
    "model": {
        "name": "a string",
        "temperature": "a number",
        "max_tokens": "a whole number",
        "seed": "a whole number",
    },
    "tests": {
        "name": "a string",
        "command": "a string",
        "stdin": "a string",
        "stdout": "a string",
        "covers": "a list of strings",
        "args": "a list of strings",
        "copy": "a list of strings",
        "env": "a table of strings",
        "files": "a table of strings",
        "creates": "a table of strings",
        "stdout_matches": "a regular expression",
        "stderr_matches": "a regular expression",
        "exit_code": "a whole number",
        "timeout": "a positive number",
        "held_out": "true or false",
    },
}


def read(path: Path, name: str) -> tuple[dict[str, Any], Faults]:
    """The values of a requirement file, and R2 and R3."""
    values, places, found = parse(path, name)
    faults = Faults(name, places)
    faults.found.extend(found)
    if not found:
        _check_keys(values, "", (), faults)
        _check_missing(values, faults)
    return values, faults


def texts(values: Mapping[str, Any], key: str) -> dict[str, str]:
    """Texts of `key`, line feeds off both ends: [project]'s, over them its own section's.
    A single string is called ''."""
    found: dict[str, str] = {}
    for given in (values.get("project", {}).get(key, {}), values.get(key, {})):
        found.update({"": given} if isinstance(given, str) else given)
    return {name: text.strip("\n") for name, text in found.items()}


def _check_keys(table: Mapping[str, Any], section: str, at: KeyPath, faults: Faults) -> None:
    known = _KEYS[section]
    where = f" in [{section}]" if section else ""
    for key, value in table.items():
        here: KeyPath = (*at, key)
        kind = known.get(key)
        if kind is None:
            meant = nearest(key, sorted(known), "known here")
            faults.add("unknown-key", f"unknown key `{key}`{where}", here, meant)
        elif not _fits(value, kind):
            faults.add("wrong-type", f"`{key}`{where} must be {kind}", here)
        elif kind == "a table":
            _check_keys(value, key, here, faults)
        elif kind == "a list of tables":
            for index, row in enumerate(value):
                _check_keys(row, key, (*here, index), faults)


def _check_missing(values: Mapping[str, Any], faults: Faults) -> None:
    if "workspace" in values:
        workspace = values["workspace"]
        if isinstance(workspace, dict) and "members" not in workspace:
            way_out = 'add members = ["*.toml"] below [workspace]'
            faults.add("missing-key", "[workspace] has no `members`", ("workspace",), way_out)
        return
    for key in ("name", "language"):
        if key not in _table(values, "file"):
            way_out = f'add {key} = "…" below [file]'
            faults.add("missing-key", f"[file] has no `{key}`", ("file",), way_out)
    if "requirements" not in values and "requirements" not in _table(values, "project"):
        way_out = 'add requirements = """…""" to [project]'
        faults.add("missing-key", "there are no requirements", ("project",), way_out)


def _table(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The table of that key, empty if there is none or something else is in its place."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "a string":
            return isinstance(value, str)
        case "a list of strings":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case "a table of strings":
            return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        case "a string or a table of strings":
            return _fits(value, "a string") or _fits(value, "a table of strings")
        case "a table":
            return isinstance(value, dict)
        case "a list of tables":
            return isinstance(value, list) and all(isinstance(item, dict) for item in value)
        case "true or false":
            return isinstance(value, bool)
        case "a regular expression":
            return isinstance(value, str) and _compiles(value)
        case _:
            return _is_number(value, kind)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    # ValueError: flags that clash, as in (?a)(?u), and counts of thousands of digits.
    except (re.error, RecursionError, OverflowError, ValueError):
        return False
    return True


def _is_number(value: Any, kind: str) -> bool:
    """Whether value is a number of that kind: any, whole, positive or both."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if "whole" in kind and not isinstance(value, int):
        return False
    # Both ranges are asked for from within, since nan fails every comparison.
    if "positive" in kind:
        return 0 < value < 1_000_000
    return -(2**63) < value < 2**63
