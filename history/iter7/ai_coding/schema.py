"""The shape of requirement files: which keys there are, of which types, and which must be there.

In: the path of a requirement file and its name in diagnostics; or the values of such a file and
the key of some of its texts.
Out: the values as they were read, with the diagnostics of all that does not fit, each at its
place; or the texts of that key by their names.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ai_coding import toml
from ai_coding.faults import Faults, nearest

STRATEGIES = ("direct",)
CRITICS = ("syntax", "flake8", "style", "interface", "tests")

# The types, in the words in which diagnostics name them.
_STRING = "a string"
_PATTERN = "a regular expression"
_BOOLEAN = "true or false"
_NUMBER = "a number"
_WHOLE = "a whole number"
_POSITIVE = "a positive number"
_POSITIVE_WHOLE = "a positive whole number"
_LIST = "a list of strings"
_ROWS = "a list of tables"
_TABLE = "a table"
_STRINGS = "a table of strings"
_TEXTS = "a string or a table of strings"

# Section, key, type. The top of the file has no name; a table or row is the section of its key.
_KEYS: dict[str, dict[str, str]] = {
    "": {
        "file": _TABLE,
        "project": _TABLE,
        "build": _TABLE,
        "model": _TABLE,
        "workspace": _TABLE,
        "tests": _ROWS,
        "requirements": _TEXTS,
        "specs": _TEXTS,
        "hints": _TEXTS,
    },
    "file": {
        "name": _STRING,
        "language": _STRING,
        "description": _STRING,
        "extension": _STRING,
    },
    "project": {
        "requirements": _TEXTS,
        "specs": _TEXTS,
        "hints": _TEXTS,
        "interface": _STRING,
        "uses": _LIST,
        "context": _LIST,
    },
    "build": {
        "strategy": _STRING,
        "attempts": _POSITIVE_WHOLE,
        "critics": _LIST,
        "committed": _BOOLEAN,
    },
    "workspace": {
        "members": _LIST,
        "data": _LIST,
        "root": _STRING,
        "output": _STRING,
    },
    "model": {
        "name": _STRING,
        "temperature": _NUMBER,
        "max_tokens": _WHOLE,
        "seed": _WHOLE,
    },
    "tests": {
        "name": _STRING,
        "command": _STRING,
        "stdin": _STRING,
        "stdout": _STRING,
        "covers": _LIST,
        "args": _LIST,
        "copy": _LIST,
        "env": _STRINGS,
        "files": _STRINGS,
        "creates": _STRINGS,
        "stdout_matches": _PATTERN,
        "stderr_matches": _PATTERN,
        "exit_code": _WHOLE,
        "timeout": _POSITIVE,
        "held_out": _BOOLEAN,
    },
}


def read(path: Path, name: str) -> tuple[dict[str, Any], Faults]:
    """The values of a requirement file, and R2 and R3."""
    values, places, found = toml.parse(path, name)
    faults = Faults(name, places)
    faults.found.extend(found)
    if not found:
        _check(values, "", (), faults)
        _check_missing(values, faults)
    return values, faults


def texts(values: Mapping[str, Any], key: str) -> dict[str, str]:
    """Texts of `key`, line feeds off both ends: [project]'s, over them its own section's.

    A single string is called ''.
    """
    merged: dict[str, str] = {}
    for table in (values.get("project", {}), values):
        value = table.get(key, {})
        merged.update({"": value} if isinstance(value, str) else value)
    return {name: text.strip("\n") for name, text in merged.items()}


def _check(table: Mapping[str, Any], section: str, at: toml.KeyPath, faults: Faults) -> None:
    """Add what is wrong with the keys of the table at `at`, and with those of the tables in it."""
    known = _KEYS[section]
    where = f" in [{section}]" if section else ""
    for key, value in table.items():
        kind = known.get(key)
        if kind is None:
            near = nearest(key, sorted(known), "known here")
            faults.add("unknown-key", f"unknown key `{key}`{where}", (*at, key), near)
        elif not _fits(value, kind):
            faults.add("wrong-type", f"`{key}`{where} must be {kind}", (*at, key))
        elif kind == _TABLE:
            _check(value, key, (*at, key), faults)
        elif kind == _ROWS:
            for index, row in enumerate(value):
                _check(row, key, (*at, key, index), faults)


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, str):
        return kind in (_STRING, _TEXTS) or (kind == _PATTERN and _compiles(value))
    # To Python a boolean is an integer too, so it has to be told apart before the numbers.
    if isinstance(value, bool):
        return kind == _BOOLEAN
    if isinstance(value, (int, float)):
        return _number_fits(value, kind)
    if isinstance(value, list):
        if kind == _ROWS:
            return all(isinstance(item, dict) for item in value)
        return kind == _LIST and all(isinstance(item, str) for item in value)
    if isinstance(value, dict):
        if kind in (_STRINGS, _TEXTS):
            return all(isinstance(item, str) for item in value.values())
        return kind == _TABLE
    return False


def _number_fits(value: int | float, kind: str) -> bool:
    if kind in (_WHOLE, _POSITIVE_WHOLE) and not isinstance(value, int):
        return False
    if kind in (_POSITIVE, _POSITIVE_WHOLE):
        return 0 < value < 1_000_000
    # Written so that nan, of which no comparison is true, does not fit.
    return kind in (_NUMBER, _WHOLE) and abs(value) < 2**63


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _check_missing(values: Mapping[str, Any], faults: Faults) -> None:
    if "workspace" in values:
        if isinstance(values["workspace"], dict) and not _has(values, "workspace", "members"):
            way_out = 'add members = ["*.toml"] below [workspace]'
            faults.add("missing-key", "[workspace] has no `members`", ("workspace",), way_out)
        return
    for key in ("name", "language"):
        if not _has(values, "file", key):
            way_out = f'add {key} = "…" below [file]'
            faults.add("missing-key", f"[file] has no `{key}`", ("file",), way_out)
    if "requirements" not in values and not _has(values, "project", "requirements"):
        way_out = 'add requirements = """…""" to [project]'
        faults.add("missing-key", "there are no requirements", ("project",), way_out)


def _has(values: Mapping[str, Any], section: str, key: str) -> bool:
    """Whether section is a table and key is in it."""
    table = values.get(section)
    return isinstance(table, dict) and key in table
