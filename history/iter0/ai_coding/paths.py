"""Paths that come from a model or a stranger. In: relative paths. Out: what is wrong with them."""

import re
import unicodedata
from collections.abc import Iterable

RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\..*)?")


def problem(path: str) -> str:
    """Why this path must not be written, or ''. Only plain relative paths with forward slashes are fine."""
    if not path or path.startswith("/") or "\\" in path or re.match(r"[A-Za-z]:", path):
        return "only a relative path with forward slashes is allowed"
    if any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in path):
        return "it holds invisible characters"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "it has an empty, '.' or '..' part"
        if len(part.encode()) > 255:
            return "one of its parts is longer than 255 bytes"
        if re.search(r'[<>:"|?*]', part) or part[-1] in " ." or RESERVED.fullmatch(part):
            return "that name is not possible on every system"
        if part.casefold() == ".git":
            return "it reaches into a version control folder"
    return ""


def clashes(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of paths that are one file on some system, or of which one is a folder of the other."""
    seen: dict[str, str] = {}
    pairs = []
    paths = sorted(paths)
    for path in paths:
        key = unicodedata.normalize("NFC", path).casefold()
        if key in seen:
            pairs.append((seen[key], path))
        seen.setdefault(key, path)
    for key, path in seen.items():
        while "/" in key:
            key = key.rpartition("/")[0]
            if key in seen:
                pairs.append((seen[key], path))
    return pairs
