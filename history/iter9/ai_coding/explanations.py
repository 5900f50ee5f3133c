"""What is to be said of each code of a diagnostic, at length.

The explanations are written by hand in the data file `explanations.md` of this package. Here that
file is read, once in a process, and asked: by a code, by a code of a family such as `provider-429`,
or by a word that only resembles a code.

In: the package data file `explanations.md`; a code or a word, in any case of letters.
Out: the explanations by their codes, the one of a code, or the codes that may have been meant.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Explanation:
    """What is said of one code, or of a family of codes such as `provider-*`."""

    code: str
    title: str
    text: str  # Markdown, examples indented by four blanks


@functools.cache
def table() -> Mapping[str, Explanation]:
    """All of them by their codes, in the file's order; the same object at each call."""
    from importlib.resources import files  # start-up time: most builds explain nothing

    data = files("ai_coding").joinpath("explanations.md").read_bytes()
    return MappingProxyType({each.code: each for each in _parsed(data.decode("utf-8"))})


def find(code: str) -> Explanation | None:
    """That of a code, or of the family it belongs to; None if there is none. R2."""
    lowered = code.lower()
    for each in table().values():
        if each.code.lower() == lowered:
            return each
    for each in table().values():
        if _is_of_family(code, each.code):
            return each
    return None


def near(code: str) -> list[str]:
    """The known codes that may have been meant, [] if none is near. R3."""
    if not code:
        return []
    lowered = code.lower()
    known = {each.lower(): each for each in table()}
    begun = [each for key, each in known.items() if key.startswith(lowered)]
    if begun:
        return begun
    from difflib import get_close_matches  # start-up time: only a misspelt code needs it

    return [known[key] for key in get_close_matches(lowered, known)]


def _parsed(text: str) -> list[Explanation]:
    # Not splitlines(), str.strip() or the like: only LF and CRLF end a line, and blanks are code.
    found = []
    for section in re.split(r"^(?=##? )", text.replace("\r\n", "\n"), flags=re.MULTILINE):
        heading, _, body = section.partition("\n")
        if match := re.fullmatch(r"## ([^\s:]+): (.+)", heading):
            found.append(Explanation(match[1], match[2], body.strip("\n")))
    return found


def _is_of_family(code: str, family: str) -> bool:
    start, star, end = family.partition("*")
    # The middle ignores no case: with (?i) it would also match letters that are not from A to Z.
    pattern = f"(?i:{re.escape(start)})[A-Za-z]*[0-9]+(?i:{re.escape(end)})"
    return bool(star) and re.fullmatch(pattern, code) is not None
