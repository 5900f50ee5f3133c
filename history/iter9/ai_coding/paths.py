"""Judge paths that come from a model or a stranger before anything is written to them.

In: paths as texts, whatever they hold.
Out: why a path is refused, or nothing; the pairs of paths that cannot stand side by side.
"""

import re
import unicodedata
from collections.abc import Iterable

_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_FORBIDDEN = r'[<>:"|?*]|[ .]\Z'
# For casefolded names: re.IGNORECASE would also take a dotless i for an i.
_DEVICE = r"(con|prn|aux|nul|(com|lpt)[0-9¹²³]|con(in|out)\$) *(\..*)?"


def problem(path: str) -> str:
    """Why this path must not be written, or '': R1. Never raises."""
    if not path or "\\" in path or re.match("/|[A-Za-z]:", path):
        return "only a relative path with forward slashes is allowed"
    if any(unicodedata.category(char) in _INVISIBLE for char in path):
        return "it holds invisible characters"
    reasons = (_part_problem(part) for part in path.split("/"))
    return next((reason for reason in reasons if reason), "")


def _part_problem(part: str) -> str:
    """Why this part must not be in a path, or ''. It holds no surrogates, so it can be encoded."""
    folded = part.casefold()
    if part in ("", ".", ".."):
        return "it has an empty, '.' or '..' part"
    if len(part.encode("utf-8")) > 255:
        return "one of its parts is longer than 255 bytes"
    if re.search(_FORBIDDEN, part) or re.fullmatch(_DEVICE, folded):
        return "that name is not possible on every system"
    if folded == ".git":
        return "it reaches into a version control folder"
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
        # NFC and casefold neither make nor change a slash: a folder of the key is a folder's key.
        folder = key
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if folder in firsts:
                pairs.append((firsts[folder], path))
    return pairs
