"""Search and replace: files after a model's edits, or why an edit cannot be made.

An edit names whole lines of a file and the lines that are to stand there instead. It is made
exactly or not at all.

In: the fenced blocks of a reply; edits, and the texts of the files that they are about.
Out: the edits among the blocks and the other blocks; the texts after the edits, and an error for
each edit that cannot be made, with the lines that the model may have meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher, get_close_matches

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.markdown import Block, words

_LINES_KNOWN = 10_000
_LINES_SHOWN = 40
_CHARACTERS_COMPARED = 100


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
    found: list[Edit] = []
    others: list[Block] = []
    searching = False
    for block in blocks:
        word, named = words(block.info, path)
        if word not in ("search", "replace"):
            others.append(block)
            continue
        if word == "replace" and searching:
            found[-1] = replace(found[-1], replacement=block.text)
        else:
            found.append(Edit(block.line, named or path, block.text, None))
        searching = word == "search"
    return found, others


def apply(edits: list[Edit], files: Mapping[str, str]) -> tuple[dict[str, str], list[Diagnostic]]:
    """All these files (path -> text) after the edits, and an error for each edit that cannot be made, in order."""
    texts = dict(files)
    found: list[Diagnostic] = []
    looked = 0
    for edit in edits:
        span = Span("reply", edit.line)
        if edit.replacement is None:
            message = "a search block is not followed by its replace block"
            found.append(error("edit-pair", message, span))
            continue
        if edit.path not in texts:
            found.append(error("edit-no-file", f"there is no {edit.path!r} to edit", span))
            continue
        text = texts[edit.path]
        missing = "\n" if text and not text.endswith("\n") else ""
        whole = text + missing
        places = _places(whole, edit.search)
        if len(places) == 1:
            begin, _ = places[0]
            end = begin + len(edit.search)
            changed = whole[:begin] + edit.replacement + whole[end:]
            texts[edit.path] = changed.removesuffix(missing)
        elif places:
            found.append(_many_matches(edit.path, [number for _, number in places], span))
        else:
            near: list[tuple[int, str]] = []
            if looked < _LINES_KNOWN:
                near = nearest(text, edit.search)
                looked += whole.count("\n")
            found.append(_no_match(edit.path, near, span))
    return texts, found


def nearest(text: str, search: str) -> list[tuple[int, str]]:
    """The lines of the text most like the search text, no newlines, and their numbers from 1; [] if none is alike."""
    lines, wanted = _known_lines(text), _known_lines(search)
    if not lines or not wanted:
        return []
    # With autojunk, lines that occur often would not count as common ones.
    run = SequenceMatcher(None, wanted, lines, autojunk=False).find_longest_match()
    if run.size:
        begin = max(0, run.b - run.a)
    else:
        heads = [line[:_CHARACTERS_COMPARED] for line in lines]
        # Comparing is slow: equal lines are compared only once.
        close = get_close_matches(wanted[0][:_CHARACTERS_COMPARED], dict.fromkeys(heads), n=1)
        if not close:
            return []
        begin = heads.index(close[0])
    end = begin + min(len(wanted), _LINES_SHOWN)
    return list(enumerate(lines[begin:end], begin + 1))


def _known_lines(text: str) -> list[str]:
    """The first lines of the text, without newlines, no more than are to be looked at."""
    # Not splitlines: only \n ends a line.
    return text.removesuffix("\n").split("\n", _LINES_KNOWN)[:_LINES_KNOWN] if text else []


def _places(text: str, search: str) -> list[tuple[int, int]]:
    """Where the search text begins in the text, as whole lines: offsets, and line numbers from 1.

    The text is "" or ends with a newline. Places may overlap.
    """
    # With a newline before both, a match begins where a line does, at the same offset in the text.
    padded, wanted = f"\n{text}", f"\n{search}"
    found: list[tuple[int, int]] = []
    number, counted = 1, 0
    at = padded.find(wanted) if search else -1
    while at >= 0:
        number += text.count("\n", counted, at)
        counted = at
        found.append((at, number))
        at = padded.find(wanted, at + 1)
    return found


def _many_matches(path: str, numbers: list[int], span: Span) -> Diagnostic:
    listed = ", ".join(str(number) for number in numbers)
    message = f"the search text is in {path} at lines {listed}"
    return error("edit-many-matches", message, span, "add lines around it until it occurs once")


def _no_match(path: str, near: list[tuple[int, str]], span: Span) -> Diagnostic:
    message = [f"the search text is not in {path}, line for line"]
    if near:
        message.append("the nearest lines are")
        message += [f"{number:5} | {line}" for number, line in near]
    help_text = "copy whole lines of the file exactly"
    return error("edit-no-match", "\n".join(message), span, help_text)
