"""Find the fenced blocks of a Markdown text, and read the words after their opening fences.

Fences are those of CommonMark 0.31, section 4.5, at the top level of the text; nothing else of
Markdown is looked at. Nothing here raises because of what a text holds.

In: a text, such as a model's answer; or the words after a fence and the path expected there.
Out: the blocks that are closed and the line of a fence that is not; or the first word and the path
that is named.
"""

import re
from dataclasses import dataclass

_BLANKS = " \t"
# Indentation, fence and all that follows. The lookahead stops at the first further backtick, so
# that giving back the backticks of a fence one by one takes no longer than the line is long.
_FENCE = re.compile(r"( {0,3})(`{3,}(?=[^`]*\Z)|~{3,})(.*)")
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
    lines = text.split("\n")
    opening: re.Match[str] | None = None
    # The line of the opening fence, from 1, and so also the index, from 0, of the line after it.
    start = 0
    for index, line in enumerate(lines):
        fence = _FENCE.match(line.removesuffix("\r"))
        if fence is None:
            continue
        if opening is None:
            opening, start = fence, index + 1
        elif fence[2].startswith(opening[2]) and not fence[3].strip(_BLANKS):
            indent = len(opening[1])
            rows = [row[:indent].lstrip(" ") + row[indent:] + "\n" for row in lines[start:index]]
            found.append(Block(start, opening[3].strip(_BLANKS), "".join(rows)))
            opening, start = None, 0
    return found, start


def words(info: str, path: str) -> tuple[str, str]:
    """The first word after a fence, in small letters, and the path named there or "". path: the expected one."""
    first, *others = re.split(r"[ \t]+", info.strip(_BLANKS), maxsplit=1)
    if others and not _ATTRIBUTES.match(others[0]):
        return first.lower(), others[0]
    looks_like_path = not others and any(mark in first for mark in "./\\")
    return first.lower(), first if first == path or looks_like_path else ""
