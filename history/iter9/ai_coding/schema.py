"""The shape of requirement files: which keys there are, of which types, and which must be there.

In: the path of a requirement file and its name in diagnostics; or the values of such a file and
the key of some of its texts; and the table of keys, which is the package's data file `keys.toml`.
Out: the values as they were read, with the diagnostics of all that does not fit, each at its
place; or the texts of that key by their names; or the table of keys.
"""

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ai_coding import kinds, toml
from ai_coding.faults import Faults, nearest

STRATEGIES = ("direct",)
CRITICS = ("syntax", "flake8", "style", "interface", "tests")

# The section of the keys outside of all sections.
_TOP = "top"
# The kinds whose values are sections themselves, in the words of the table of keys.
_TABLE = "a table"
_ROWS = "a list of tables"


@functools.cache
def keys() -> dict[str, dict[str, tuple[str, str]]]:
    """R1: section -> key -> its type and its line of documentation, in the order of the file;
    the same object at each call.
    """
    # Slow to import, and needed by nothing else here.
    from importlib import resources

    text = resources.files("ai_coding").joinpath("keys.toml").read_text(encoding="utf-8")
    return {
        section: {key: (kind, line) for key, (kind, line) in rows.items()}
        for section, rows in tomllib.loads(text).items()
    }


def read(path: Path, name: str) -> tuple[dict[str, Any], Faults]:
    """The values of a requirement file, and R2 and R3."""
    values, places, found = toml.parse(path, name)
    faults = Faults(name, places)
    faults.found.extend(found)
    if not found:
        _check(values, _TOP, (), faults)
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
    known = keys()[section]
    where = "" if section == _TOP else f" in {_header(section)}"
    for key, value in table.items():
        place = (*at, key)
        if key not in known:
            way_out = _where_known(key, section)
            faults.add("unknown-key", f"unknown key `{key}`{where}", place, way_out)
            continue
        kind, _ = known[key]
        misfit = kinds.misfit(value, kind)
        if misfit:
            message = f"`{key}`{where} must be {kind}, but {misfit}"
            faults.add("wrong-type", message, place, kinds.form(key, kind))
        elif kind == _TABLE:
            _check(value, key, place, faults)
        elif kind == _ROWS:
            for index, row in enumerate(value):
                _check(row, key, (*place, index), faults)


def _header(section: str) -> str:
    """The line above the keys of a section other than the top."""
    kind, _ = keys()[_TOP][section]
    return f"[[{section}]]" if kind == _ROWS else f"[{section}]"


def _where_known(key: str, section: str) -> str:
    """The help for a key that section does not have."""
    owners = [_header(name) for name, rows in keys().items() if name != _TOP and key in rows]
    if not owners:
        return nearest(key, sorted(keys()[section]), "known here")
    *others, last = owners
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"`{key}` belongs below {listed}"


def _check_missing(values: Mapping[str, Any], faults: Faults) -> None:
    if "workspace" in values:
        if isinstance(values["workspace"], dict) and not _has(values, "workspace", "members"):
            way_out = 'add members = ["*.toml"] below [workspace]'
            faults.add("missing-key", "[workspace] has no `members`", ("workspace",), way_out)
        return
    # A `file` that is no table was told already, as a wrong type.
    if isinstance(values.get("file", {}), dict):
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
