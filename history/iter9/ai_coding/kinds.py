"""The kinds of values in a requirement file, and what is said of a value that is of another.

In: a value as TOML gives it, or the key it stands under, and the name of a kind, which is the
words in which people read of it.
Out: what is wrong with the value, in words that go on after "must be a string, but ", or how a
value of that kind is written. A name that no kind has is a bug: KeyError.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SIZE = 2**63


@dataclass(frozen=True)
class _Kind:
    """Types of the value and of what it holds; a number lies between the bounds, not on them."""

    form: str
    types: tuple[type, ...]
    held: type = object
    over: float = -_SIZE
    under: float = _SIZE


_KINDS = {
    "a string": _Kind('{key} = "…"', (str,)),
    "a regular expression": _Kind("{key} = '…'", (str,)),
    "true or false": _Kind("{key} = true", (bool,)),
    "a number": _Kind("{key} = 1", (int, float)),
    "a whole number": _Kind("{key} = 1", (int,)),
    "a positive number": _Kind("{key} = 1", (int, float), over=0, under=1_000_000),
    "a positive whole number": _Kind("{key} = 1", (int,), over=0, under=1_000_000_000),
    "a list of strings": _Kind('{key} = ["…"]', (list,), held=str),
    "a list of tables": _Kind("[[{key}]] above each of them", (list,), held=dict),
    "a table": _Kind("[{key}] on a line of its own, and its keys below", (dict,)),
    "a table of strings": _Kind('{key} = {{ "…" = "…" }}', (dict,), held=str),
    "a string or a table of strings": _Kind('{key} = """…"""', (str, dict), held=str),
}


def misfit(value: object, kind: str) -> str:
    """What value is, or holds, that is not of this kind; empty if it is of this kind."""
    wanted = _KINDS[kind]
    if not _fits(value, wanted):
        return f"is {_said(value)}"
    if isinstance(value, str) and kind == "a regular expression":
        return _flaw(value)
    held: Iterable[object] = ()
    if isinstance(value, dict):
        held = value.values()
    elif isinstance(value, list):
        held = value
    for item in held:
        if not isinstance(item, wanted.held):
            return f"holds {_said(item)}"
    return ""


def form(key: str, kind: str) -> str:
    """How a value of this kind is written under this key, as the text of a help."""
    return "write " + _KINDS[kind].form.format(key=key)


def _fits(value: object, wanted: _Kind) -> bool:
    """Whether the value is of this kind, whatever it holds or says."""
    if isinstance(value, bool):  # to Python it is an int as well
        return bool in wanted.types
    if not isinstance(value, wanted.types):
        return False
    if isinstance(value, (int, float)):
        return wanted.over < value < wanted.under  # never so for nan
    return True


def _flaw(pattern: str) -> str:
    try:
        re.compile(pattern)
    # ValueError: flags at odds, as in "(?a)(?u)", or a count of too many digits for int
    except (re.error, RecursionError, OverflowError, ValueError) as error:
        return f"is none: {error}"
    return ""


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (int, float)):
        return str(value) if abs(value) < _SIZE else "out of range"
    return "a date or time"
