"""Finds the fenced blocks of a Markdown text and reads the words after their opening fences.

Fences are those of CommonMark 0.31, section 4.5, at the top level of the text; nothing else of
Markdown is looked at. Texts are a model's: nothing raises because of what they hold.

In: a text in Markdown; or the words after an opening fence and the path that is expected there.
Out: the closed blocks and the line of a fence that is never closed; or the first of the words, in
small letters, and the path that is named.
"""

import re
import unicodedata
from dataclasses import dataclass

_BLANKS = " \t"
# Indentation, fence, and what follows. The lookahead is cheap however long the fence is: where it
# is tried again with a shorter fence, it stops at the next backtick.
_FENCE = re.compile(r"( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)")
_ATTRIBUTES = re.compile(r"\{|[\w-]+=")


@dataclass(frozen=True)
class Block:
    """A fenced block. line: of its opening fence, from 1. info: the words after it, as they are, but no blanks around.

    text: what lies between the fences: "", or lines, each with its newline.
    """

    line: int
    info: str
    text: str


def blocks(text: str) -> tuple[list[Block], int]:
    """The fenced blocks, in order, and the line, from 1, of the fence that is never closed, 0 if there is none."""
    found: list[Block] = []
    # Not splitlines: only "\n" ends a line. Both loops read on in the same lines.
    lines = enumerate(text.split("\n"), 1)
    for number, line in lines:
        indent, fence, info = _fence(line)
        if not fence:
            continue
        body: list[str] = []
        for _, inner in lines:
            _, closing, behind = _fence(inner)
            if closing.startswith(fence) and not behind:
                found.append(Block(number, info, "".join(body)))
                break
            body.append(inner[:indent].lstrip(" ") + inner[indent:] + "\n")
        else:
            return found, number
    return found, 0


def words(info: str, path: str) -> tuple[str, str]:
    """The first word after a fence, in small letters, and the path named there or "". path: the expected one."""
    first, *rest = re.split(f"[{_BLANKS}]+", info.strip(_BLANKS), maxsplit=1)
    first = _as_expected(first, path)
    if rest and not _ATTRIBUTES.match(rest[0]):
        return first.lower(), _as_expected(rest[0], path)
    is_path = first == path or (not rest and any(sign in first for sign in "./\\"))
    return first.lower(), first if is_path else ""


def _as_expected(named: str, path: str) -> str:
    """The expected path if what is named equals it after NFC, else what is named, as it is."""
    # No character stands for more than four others, so what is longer cannot be equal; and on
    # long runs of accents, normalize takes quadratic time.
    is_expected = len(named) <= 4 * len(path) and (
        unicodedata.normalize("NFC", named) == unicodedata.normalize("NFC", path)
    )
    return path if is_expected else named


def _fence(line: str) -> tuple[int, str, str]:
    """How many spaces a fence is indented by, the fence ("" if there is none), the words after it."""
    match = _FENCE.match(line)
    if match is None:
        return 0, "", ""
    return len(match[1]), match[2], match[3].removesuffix("\r").strip(_BLANKS)
