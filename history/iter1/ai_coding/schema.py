"""What a requirement file may hold: every key has its type, and all that does not fit is told at its place.

In: the path of a requirement file and the name that diagnostics call it; or values that were already read from one.
Out: its values, and diagnostics for keys that are unknown, of the wrong type or missing; or the texts of one key.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ai_coding import toml
from ai_coding.diagnostic import Diagnostic, Span, error

STRATEGIES = ("direct",)
CRITICS = ("syntax", "flake8", "style", "interface", "tests")

# The annotations are needed: mypy takes powers this large for Any.
_NUMBERS_END: int = 2**63
_POSITIVE_END: int = 10**6

_STRING = "a string"
_STRINGS = "a list of strings"
_NAMED = "a table of strings"
_TEXTS = "a string or a table of strings"
_NUMBER = "a number"
_WHOLE = "a whole number"
_POSITIVE = "a positive number"
_POSITIVE_WHOLE = "a positive whole number"
_BOOLEAN = "true or false"
_PATTERN = "a regular expression"
_TABLE = "a table"
_TABLES = "a list of tables"

# The keys of each section, with their types in words; the top of the file is the section without a name.
_KEYS: Mapping[str, Mapping[str, str]] = {
    "": {
        "file": _TABLE,
        "project": _TABLE,
        "build": _TABLE,
        "model": _TABLE,
        "workspace": _TABLE,
        "tests": _TABLES,
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
        "uses": _STRINGS,
        "context": _STRINGS,
    },
    "build": {
        "strategy": _STRING,
        "attempts": _POSITIVE_WHOLE,
        "critics": _STRINGS,
        "committed": _BOOLEAN,
    },
    "workspace": {
        "members": _STRINGS,
        "data": _STRINGS,
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
        "covers": _STRINGS,
        "args": _STRINGS,
        "copy": _STRINGS,
        "env": _NAMED,
        "files": _NAMED,
        "creates": _NAMED,
        "stdout_matches": _PATTERN,
        "stderr_matches": _PATTERN,
        "exit_code": _WHOLE,
        "timeout": _POSITIVE,
        "held_out": _BOOLEAN,
    },
}


class Faults:
    """Collects diagnostics with their places, in its attribute `found`, a list[Diagnostic].
    name: the file in diagnostics."""

    def __init__(self, name: str, places: Mapping[toml.KeyPath, Span]) -> None:
        self.found: list[Diagnostic] = []
        self._name = name
        self._places = places

    def add(self, code: str, message: str, at: toml.KeyPath = (), help: str = "") -> None:
        """Add an error at the place of `at`, else of the longest path that begins it and has one,
        else of the file: Span(name)."""
        self.found.append(error(code, message, self._nearest(at), help))

    def choose(self, key: str, chosen: list[str], known: tuple[str, ...]) -> None:
        """Add R4 for those of chosen not in known."""
        for value in chosen:
            if value not in known:
                advice = _advice(value, known, "known: ")
                self.add(f"unknown-{key}", f"unknown {key} {value!r}", ("build", key), advice)

    def _nearest(self, at: toml.KeyPath) -> Span:
        for length in range(len(at), -1, -1):
            span = self._places.get(at[:length])
            if span is not None:
                return span
        return Span(self._name)


def read(path: Path, name: str) -> tuple[dict[str, Any], Faults]:
    """The values of a requirement file, and R2 and R3."""
    values, places, found = toml.parse(path, name)
    faults = Faults(name, places)
    faults.found.extend(found)
    if not found:
        _check_table(faults, values, "", ())
        _check_missing(faults, values)
    return values, faults


def texts(values: Mapping[str, Any], key: str) -> dict[str, str]:
    """Texts of `key`, line feeds off both ends: [project]'s, over them its own section's.
    A single string is called ''."""
    return _named_texts(_table(values, "project").get(key)) | _named_texts(values.get(key))


def _named_texts(value: object) -> dict[str, str]:
    if isinstance(value, str):
        return {"": value.strip("\n")}
    if isinstance(value, dict):
        # What is no string here was already told by `read`.
        return {name: text.strip("\n") for name, text in value.items() if isinstance(text, str)}
    return {}


def _table(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def _check_table(faults: Faults, table: Mapping[str, Any], section: str, at: toml.KeyPath) -> None:
    keys = _KEYS[section]
    where = f" in [{section}]" if section else ""
    for key, value in table.items():
        path = at + (key,)
        kind = keys.get(key)
        if kind is None:
            faults.add("unknown-key", f"unknown key `{key}`{where}", path, _advice(key, sorted(keys), "known here: "))
        elif not _TYPES[kind](value):
            faults.add("wrong-type", f"`{key}`{where} must be {kind}", path)
        elif kind == _TABLE:
            _check_table(faults, value, key, path)
        elif kind == _TABLES:
            for index, row in enumerate(value):
                _check_table(faults, row, key, path + (index,))


def _check_missing(faults: Faults, values: Mapping[str, Any]) -> None:
    if "workspace" in values:
        _check_workspace(faults, values["workspace"])
        return
    file = _table(values, "file")
    for key in ("name", "language"):
        if key not in file:
            faults.add("missing-key", f"[file] has no `{key}`", ("file",), f'add {key} = "…" below [file]')
    if "requirements" not in values and "requirements" not in _table(values, "project"):
        advice = 'add requirements = """…""" to [project]'
        faults.add("missing-key", "there are no requirements", ("project",), advice)


def _check_workspace(faults: Faults, workspace: object) -> None:
    if isinstance(workspace, dict) and "members" not in workspace:
        advice = 'add members = ["*.toml"] below [workspace]'
        faults.add("missing-key", "[workspace] has no `members`", ("workspace",), advice)


def _advice(word: str, known: Sequence[str], otherwise: str) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{close[0]}`?" if close else otherwise + ", ".join(known)


def _is_string(value: object) -> bool:
    return isinstance(value, str)


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_texts(value: object) -> bool:
    return _is_string(value) or _is_named(value)


def _is_number(value: object) -> bool:
    # To Python a boolean is an integer; nan is below nothing, so the comparison refuses it as it does inf.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -_NUMBERS_END < value < _NUMBERS_END


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and _is_number(value) and 0 < value < _POSITIVE_END


def _is_positive_whole(value: object) -> bool:
    return _is_whole(value) and _is_positive(value)


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_pattern(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError, ValueError):
        # ValueError: a repeat count with more digits than Python converts to an integer.
        return False
    return True


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_TYPES: Mapping[str, Callable[[object], bool]] = {
    _STRING: _is_string,
    _STRINGS: _is_strings,
    _NAMED: _is_named,
    _TEXTS: _is_texts,
    _NUMBER: _is_number,
    _WHOLE: _is_whole,
    _POSITIVE: _is_positive,
    _POSITIVE_WHOLE: _is_positive_whole,
    _BOOLEAN: _is_boolean,
    _PATTERN: _is_pattern,
    _TABLE: _is_table,
    _TABLES: _is_tables,
}
