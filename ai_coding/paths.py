"""Paths that come from a model or a stranger: what is wrong with them.

A path is judged by the strictest of all systems, so that what passes means the same file everywhere.

In: paths as text, of which nothing is known.
Out: the first reason why a path must not be written, and the pairs of paths that cannot stand side by side.
"""

import unicodedata
from collections.abc import Iterable, Iterator

_RELATIVE = "only a relative path with forward slashes is allowed"
_INVISIBLE = "it holds invisible characters"
_PARTS = "it has an empty, '.' or '..' part"
_LONG = "one of its parts is longer than 255 bytes"
_NAME = "that name is not possible on every system"
_GIT = "it reaches into a version control folder"

_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MAX_PART_BYTES = 255
_FORBIDDEN = frozenset('<>:"|?*')
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [port + number for port in ("com", "lpt") for number in "0123456789¹²³"]
)


def problem(path: str) -> str:
    """Why this path must not be written, or '': R1. Never raises."""
    if _is_not_relative(path):
        return _RELATIVE
    if any(unicodedata.category(character) in _INVISIBLE_CATEGORIES for character in path):
        return _INVISIBLE
    return next(filter(None, map(_part_problem, path.split("/"))), "")


def clashes(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs that are one file on some system, or folder of it: R2."""
    firsts: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    for path in sorted(paths):
        key = _key(path)
        if key in firsts:
            pairs.append((firsts[key], path))
        else:
            firsts[key] = path
    for key, path in firsts.items():
        pairs.extend((firsts[folder], path) for folder in _folders(key) if folder in firsts)
    return pairs


def _is_not_relative(path: str) -> bool:
    """Whether the path is empty, absolute, on a drive or written with backslashes."""
    has_drive = path[1:2] == ":" and path[0].isascii() and path[0].isalpha()
    return not path or path.startswith("/") or has_drive or "\\" in path


def _part_problem(part: str) -> str:
    """Why a path must not have this part, or ''. The part holds no surrogates, so it can be encoded."""
    if part in ("", ".", ".."):
        return _PARTS
    if len(part.encode("utf-8")) > _MAX_PART_BYTES:
        return _LONG
    if not _FORBIDDEN.isdisjoint(part) or part.endswith((" ", ".")) or _is_device(part):
        return _NAME
    if part.casefold() == ".git":
        return _GIT
    return ""


def _is_device(part: str) -> bool:
    """Whether Windows takes this name for a device: it ignores extensions and the blanks before them."""
    return part.partition(".")[0].rstrip(" ").casefold() in _DEVICES


def _key(path: str) -> str:
    """What all paths have in common that are alike."""
    return unicodedata.normalize("NFC", path).casefold()


def _folders(key: str) -> Iterator[str]:
    """The keys of all folders above a path, nearest first."""
    # Neither NFC nor casefold joins anything to a slash or makes one, so a folder's key is a piece of the path's key.
    while "/" in key:
        key = key.rpartition("/")[0]
        yield key
