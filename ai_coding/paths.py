"""Say what is wrong with paths that come from a model or a stranger.

A path is fine only if every system reads it alike, as a file within the folder it is put in.

In: paths as text, untrusted, with forward slashes; nothing is looked up on the disk.
Out: the first reason to refuse a path, or the pairs of paths that cannot stand side by side.
"""

import re
import unicodedata
from collections.abc import Iterable

_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_MAX_PART_BYTES = 255
_PORTS = tuple(port + digit for port in ("com", "lpt") for digit in "0123456789¹²³")
_DEVICES = frozenset(("con", "prn", "aux", "nul", "conin$", "conout$", *_PORTS))


def problem(path: str) -> str:
    """Why this path must not be written, or '': R1. Never raises."""
    if not path or path.startswith("/") or "\\" in path or re.match("[A-Za-z]:", path):
        return "only a relative path with forward slashes is allowed"
    # This also keeps out lone surrogates, which could not be encoded further down.
    if any(unicodedata.category(char) in _INVISIBLE for char in path):
        return "it holds invisible characters"
    for part in path.split("/"):
        reason = _part_problem(part)
        if reason:
            return reason
    return ""


def clashes(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs that are one file on some system, or folder of it: R2."""
    firsts: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    for path in sorted(paths):
        key = unicodedata.normalize("NFC", path).casefold()
        if key in firsts:
            pairs.append((firsts[key], path))
        else:
            firsts[key] = path
    for key, path in firsts.items():
        # A slash combines with nothing, so what is before it in a key is the key of the folder.
        folder = key
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if folder in firsts:
                pairs.append((firsts[folder], path))
    return pairs


def _part_problem(part: str) -> str:
    if part in ("", ".", ".."):
        return "it has an empty, '.' or '..' part"
    if len(part.encode("utf-8")) > _MAX_PART_BYTES:
        return f"one of its parts is longer than {_MAX_PART_BYTES} bytes"
    # Windows takes a device for itself whatever extension follows, and drops blanks before it.
    stem = part.partition(".")[0].rstrip(" ").lower()
    if re.search(r'[<>:"|?*]', part) or part.endswith((" ", ".")) or stem in _DEVICES:
        return "that name is not possible on every system"
    if part.lower() == ".git":
        return "it reaches into a version control folder"
    return ""
