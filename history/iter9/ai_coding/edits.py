"""Search and replace: files after a model's edits, or why an edit cannot be made.

An edit names whole lines of a file, which have to occur there exactly once, and the lines that
are to stand there instead. It is made exactly or not at all; one that cannot be made becomes an
error that says what the model needs to mend it.

In: the fenced blocks of a reply and the path that is expected there; the texts of the files.
Out: edits and the blocks that are no part of one; all files after the edits, and the errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher, get_close_matches

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.markdown import Block, words

_MOST_LINES = 10_000  # looked at to find the nearest lines: of a text, and about so many by apply
_MOST_SHOWN = 40  # lines
_MOST_COMPARED = 100  # characters of a line


@dataclass(frozen=True)
class Edit:
    """Lines of the file at path that others are to replace. line: its place in the reply, from 1; 0: the whole reply.

    search and replacement: "", or whole lines, each with its newline. replacement None: the reply gives none.
    """

    line: int
    path: str
    search: str
    replacement: str | None


def read(blocks: list[Block], path: str) -> tuple[list[Edit], list[Block]]:
    """The edits among the blocks of a reply, and the blocks that are no part of one. path: the expected file."""
    edits: list[Edit] = []
    others: list[Block] = []
    searching = False  # whether the last half was a search, which a replace would complete
    for block in blocks:
        word, named = words(block.info, path)
        if word not in ("search", "replace"):
            others.append(block)
            continue
        if word == "replace" and searching:
            edits[-1] = replace(edits[-1], replacement=block.text)
        else:
            edits.append(Edit(block.line, named or path, block.text, None))
        searching = word == "search"
    return edits, others


def apply(edits: list[Edit], files: Mapping[str, str]) -> tuple[dict[str, str], list[Diagnostic]]:
    """All these files (path -> text) after the edits, and an error for each edit that cannot be made, in order."""
    after = dict(files)
    errors: list[Diagnostic] = []
    looked = 0  # lines of the files in which the nearest lines were looked for
    for edit in edits:
        span = Span("reply", edit.line)
        if edit.replacement is None:
            message = "a search block is not followed by its replace block"
            errors.append(error("edit-pair", message, span))
            continue
        if edit.path not in after:
            errors.append(error("edit-no-file", f"there is no {edit.path!r} to edit", span))
            continue
        text = after[edit.path]
        rows, wanted = _lines(text), _lines(edit.search)
        places = _places(rows, wanted)
        if len(places) == 1:
            start, end = places[0], places[0] + len(wanted)
            changed = [*rows[:start], *_lines(edit.replacement), *rows[end:]]
            after[edit.path] = _joined(changed, text.endswith("\n"))
        elif places:
            numbers = ", ".join(str(place + 1) for place in places)
            message = f"the search text is in {edit.path} at lines {numbers}"
            help_ = "add lines around it until it occurs once"
            errors.append(error("edit-many-matches", message, span, help_))
        else:
            near = nearest(text, edit.search) if looked < _MOST_LINES else []
            looked += len(rows)
            message = _no_match(edit.path, near)
            help_ = "copy whole lines of the file exactly"
            errors.append(error("edit-no-match", message, span, help_))
    return after, errors


def nearest(text: str, search: str) -> list[tuple[int, str]]:
    """The lines of the text most like the search text, no newlines, and their numbers from 1; [] if none is alike."""
    rows, wanted = _lines(text)[:_MOST_LINES], _lines(search)[:_MOST_LINES]
    if not rows or not wanted:
        return []
    # Of several longest runs it finds the first in its first sequence, then in its second.
    run = SequenceMatcher(None, wanted, rows, autojunk=False).find_longest_match()
    if run.size:
        start = max(run.b - run.a, 0)
    else:
        short = [row[:_MOST_COMPARED] for row in rows]
        # Each line is compared once, however often it occurs: comparing is slow.
        close = get_close_matches(wanted[0][:_MOST_COMPARED], dict.fromkeys(short), n=1)
        if not close:
            return []
        start = short.index(close[0])
    end = start + min(len(wanted), _MOST_SHOWN)
    return list(enumerate(rows[start:end], start + 1))


def _lines(text: str) -> list[str]:
    """Without their newlines. Not str.splitlines, to which other characters end lines too."""
    rows = text.split("\n")
    if not rows[-1]:
        rows.pop()
    return rows


def _joined(rows: list[str], newline_at_end: bool) -> str:
    text = "".join(f"{row}\n" for row in rows)
    return text if newline_at_end else text.removesuffix("\n")


def _places(rows: list[str], wanted: list[str]) -> list[int]:
    """The indices at which the wanted lines begin, overlapping or not; [] if none are wanted.

    It is the search of Knuth, Morris and Pratt: lines that repeat do not make it slow.
    """
    if not wanted:
        return []
    # None is equal to no line, so that no border is longer than what is wanted.
    both: list[str | None] = [*wanted, None, *rows]
    # For each index: of how many lines, ending there, the wanted ones begin with the same.
    borders = [0] * len(both)
    for i in range(1, len(both)):
        size = borders[i - 1]
        while size and both[i] != both[size]:
            size = borders[size - 1]
        borders[i] = size + 1 if both[i] == both[size] else 0
    return [i - 2 * len(wanted) for i, size in enumerate(borders) if size == len(wanted)]


def _no_match(path: str, near: list[tuple[int, str]]) -> str:
    message = f"the search text is not in {path}, line for line"
    if not near:
        return message
    shown = [f"{number:5} | {line}" for number, line in near]
    return "\n".join([message, "the nearest lines are", *shown])
