"""Reads a model's reply: the text it sent becomes a program, or diagnostics that say why not.

In: the text of a reply, the path and the language of the file that was asked for, and the program so far, if there is
one. Out: the new program with notes, or no program and all errors. Nothing is read from or written to disk, and nothing
that a model wrote is trusted: what is not clear is an error, never a guess.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ai_coding import paths
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.ir import Language, Program

_MOST_BYTES = 50_000_000
_MOST_FILES = 10_000
_MOST_SHOWN = 40
# Looking for like lines is a courtesy: it must not let a hostile reply keep a build busy.
_PATIENCE = 100_000  # lines of files, in all edits of one reply
_COMPARED = 150  # characters of a line
_FENCE = r"^( {0,3})(`{3,}|~{3,})([^\n]*)"

_Runs = tuple[list[int], list[int]]  # names of runs of lines, by where they begin: in the search text and in the file


@dataclass(frozen=True)
class _Block:
    """A fenced block. line: of its opening fence. word: the first one there, in small letters. path: '' if none."""

    line: int
    word: str
    path: str
    text: str


def read(
    text: str, path: str, language: Language, base: Program | None = None
) -> tuple[Program | None, list[Diagnostic]]:
    """Read one reply. path: the expected file. base: the program so far.

    The new program and notes, or None and errors.
    """
    unreadable = _unreadable(text)
    if unreadable is not None:
        return None, [unreadable]
    blocks, unclosed = _blocks(text, path)
    if unclosed:
        return None, [_cut_off(unclosed)]
    notes: list[Diagnostic] = []
    if not blocks:
        blocks = [_Block(0, "", path, text if text.endswith("\n") else text + "\n")]
        message = "no fenced block: the whole reply is taken as the file"
        notes = [Diagnostic("note", "reply-unfenced", message, _at(0))]
    so_far = {} if base is None else dict(base.files)
    edits = [] if base is None else [block for block in blocks if _is_edit(block)]
    others = blocks if base is None else [block for block in blocks if not _is_edit(block)]
    whole, found = _whole(others, bool(edits), path, language)
    edited, faults = _edit(edits, {name: kept for name, kept in so_far.items() if name not in whole}, path)
    files = so_far | {name: block.text for name, block in whole.items()} | edited
    found = found + faults + _refused(whole) + _impossible(files)
    if found:
        return None, found
    return Program(files, path), notes


def read_one(text: str, path: str, language: Language, base: Program | None) -> tuple[Program | None, list[Diagnostic]]:
    """The same for a program of one file:

    where the program of a readable reply has other files, reply-other-file alone.
    """
    program, found = read(text, path, language, base)
    others = [] if program is None else sorted(set(program.files) - {path})
    if not others:
        return program, found
    names = ", ".join(others)
    message = f"the program is the one file {path}; the reply also names {names}"
    return None, [error("reply-other-file", message, _at(0))]


def _at(line: int) -> Span:
    """A place in the reply; line 0 is the reply as a whole."""
    return Span("reply", line)


def _unreadable(text: str) -> Diagnostic | None:
    """What keeps a reply from being read at all."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return error("reply-encoding", "the reply holds lone surrogates, which are not text", _at(0))
    if size > _MOST_BYTES:
        return error("reply-size", f"the reply is larger than {_MOST_BYTES:,} bytes", _at(0))
    if not text.strip():
        return error("reply-empty", "the reply is empty", _at(0))
    return None


def _cut_off(line: int) -> Diagnostic:
    """The error for the fence in this line, which is never closed."""
    message = "a fence is never closed: the reply ended early"
    return error("reply-cut-off", message, _at(line), "send all of it again, shorter if it has to be")


def _line_numbers(text: str, places: list[int]) -> list[int]:
    """The numbers, from 1, of the lines that these ascending offsets are in."""
    numbers: list[int] = []
    line, counted = 1, 0
    for place in places:
        line += text.count("\n", counted, place)
        counted = place
        numbers.append(line)
    return numbers


def _blocks(text: str, expected: str) -> tuple[list[_Block], int]:
    """The fenced blocks of a reply, and the line of the fence that is never closed, or 0."""
    blocks: list[_Block] = []
    opening: re.Match[str] | None = None
    opened = 0
    fences = list(re.finditer(_FENCE, text, re.MULTILINE))
    for fence, line in zip(fences, _line_numbers(text, [fence.start() for fence in fences])):
        if opening is None:
            if _opens(fence):
                opening, opened = fence, line
        elif _closes(fence, opening):
            blocks.append(_block(text, opening, fence, opened, expected))
            opening = None
    return blocks, 0 if opening is None else opened


def _opens(fence: re.Match[str]) -> bool:
    """Whether a line that begins like a fence opens a block: backticks after backticks are code within a line."""
    return fence[2].startswith("~") or "`" not in fence[3]


def _closes(fence: re.Match[str], opening: re.Match[str]) -> bool:
    """Whether a line that begins like a fence closes the block that was opened."""
    return fence[2].startswith(opening[2]) and not fence[3].removesuffix("\r").strip(" \t")


def _block(text: str, opening: re.Match[str], closing: re.Match[str], line: int, expected: str) -> _Block:
    """The block between two fences, without the indentation that its opening fence has too."""
    start, end = opening.end() + 1, closing.start()
    body = text[start:end]
    if opening[1]:
        body = re.sub(rf"^ {{1,{len(opening[1])}}}", "", body, flags=re.MULTILINE)
    word, path = _words(opening[3].removesuffix("\r"), expected)
    return _Block(line, word.lower(), path, body)


def _words(info: str, expected: str) -> tuple[str, str]:
    """The first word after an opening fence, and the path that is named there, or ''."""
    first, rest = [*re.split(r"[ \t]+", info.strip(" \t"), maxsplit=1), ""][:2]
    if not rest:
        return first, (first if first == expected or re.search(r"[./\\]", first) else "")
    if re.match(r"\{|[\w-]+=", rest):
        return first, (first if first == expected else "")
    return first, rest


def _is_edit(block: _Block) -> bool:
    """Whether a block is half of an edit, where there is a program to edit."""
    return block.word in ("search", "replace")


def _whole(
    blocks: list[_Block], beside_edits: bool, path: str, language: Language
) -> tuple[dict[str, _Block], list[Diagnostic]]:
    """The blocks that are whole files, by path, and what is wrong with that choice."""
    words = {word.lower() for word in (language.name, language.extension, *language.aliases)}
    named = [block for block in blocks if block.path]
    asked = [block for block in blocks if not block.path and block.word in words]
    unclear: list[_Block] = []
    if beside_edits:
        unclear = asked
    elif not named:
        chosen = blocks if len(blocks) == 1 else asked
        if len(chosen) == 1:
            named = [replace(chosen[0], path=path)]
        else:
            unclear = asked or blocks
    files, found = _by_path(named)
    if unclear:
        found.append(_ambiguous(unclear, path, language))
    return files, found


def _by_path(named: list[_Block]) -> tuple[dict[str, _Block], list[Diagnostic]]:
    """The first block of each path, and an error for each block that gives a path again."""
    files: dict[str, _Block] = {}
    found: list[Diagnostic] = []
    for block in named:
        if files.setdefault(block.path, block) is not block:
            found.append(error("reply-twice", f"{block.path!r} is given twice", _at(block.line)))
    return files, found


def _ambiguous(blocks: list[_Block], path: str, language: Language) -> Diagnostic:
    """The error for blocks of which any could be the program."""
    numbers = ", ".join(str(block.line) for block in blocks)
    message = f"which block is the program? (lines {numbers})"
    return error("reply-ambiguous", message, _at(0), f"name the file after the fence: ```{language.name} {path}")


def _refused(whole: dict[str, _Block]) -> list[Diagnostic]:
    """An error for each whole file whose path must not be written."""
    found: list[Diagnostic] = []
    for path, block in whole.items():
        problem = paths.problem(path)
        if problem:
            found.append(error("reply-path", f"refused the path {path!r}: {problem}", _at(block.line)))
    return found


def _impossible(files: dict[str, str]) -> list[Diagnostic]:
    """Why these files cannot be one program: paths that clash, or too many of them."""
    clashes = paths.clashes(sorted(files))
    found = [error("reply-path", f"{one!r} and {other!r} cannot both be files", _at(0)) for one, other in clashes]
    if len(files) > _MOST_FILES:
        found.append(error("reply-size", f"more than {_MOST_FILES:,} files", _at(0)))
    return found


def _edit(blocks: list[_Block], files: dict[str, str], path: str) -> tuple[dict[str, str], list[Diagnostic]]:
    """These files after all edits, and the errors of the edits that could not be made."""
    files = dict(files)
    found: list[Diagnostic] = []
    patience = _PATIENCE
    for search, replacement in _pairs(blocks):
        name = search.path or path
        if replacement is None:
            message = "a search block is not followed by its replace block"
            found.append(error("edit-pair", message, _at(search.line)))
        elif name not in files:
            found.append(error("edit-no-file", f"there is no {name!r} to edit", _at(search.line)))
        else:
            edited = _edited(files[name], name, search, replacement.text, patience > 0)
            if isinstance(edited, str):
                files[name] = edited
            else:
                found.append(edited)
                patience -= files[name].count("\n") + 1
    return files, found


def _pairs(blocks: list[_Block]) -> Iterator[tuple[_Block, _Block | None]]:
    """Each search block with its replace block, and with None each block that is not so paired."""
    left = blocks[::-1]
    while left:
        block = left.pop()
        paired = block.word == "search" and bool(left) and left[-1].word == "replace"
        yield block, left.pop() if paired else None


def _edited(text: str, name: str, search: _Block, replacement: str, show_nearest: bool) -> str | Diagnostic:
    """The text of a file after one edit, or why it cannot be made."""
    source = text + "\n" if text and not text.endswith("\n") else text
    places = _places(source, search.text)
    if len(places) == 1:
        start, end = places[0], places[0] + len(search.text)
        edited = source[:start] + replacement + source[end:]
        return edited if source == text else edited.removesuffix("\n")
    if places:
        numbers = ", ".join(str(number) for number in _line_numbers(source, places))
        message = f"the search text is in {name} at lines {numbers}"
        return error("edit-many-matches", message, _at(search.line), "add lines around it until it occurs once")
    message = f"the search text is not in {name}, line for line"
    if show_nearest:
        message += _nearest(text, search.text)
    return error("edit-no-match", message, _at(search.line), "copy whole lines of the file exactly")


def _places(source: str, search: str) -> list[int]:
    """The offsets at which the search text occurs as whole lines, also where these overlap."""
    places: list[int] = []
    if not search:
        return places
    # With a newline before both, only starts of lines match, and the offset is that in the source.
    source, search = "\n" + source, "\n" + search
    place = source.find(search)
    while place >= 0:
        places.append(place)
        place = source.find(search, place + 1)
    return places


def _lines(text: str) -> list[str]:
    """The lines of a text without their newlines; what follows the last newline counts only if there is something."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _nearest(text: str, search: str) -> str:
    """More for the message on a search text that does not occur: the lines most like it, or ''."""
    lines, wanted = _lines(text)[:_PATIENCE], _lines(search)[:_PATIENCE]
    start = _nearest_start(lines, wanted)
    if start is None:
        return ""
    end = start + min(len(wanted), _MOST_SHOWN)
    rows = [f"{number:5} | {line}" for number, line in enumerate(lines[start:end], start + 1)]
    return "\n".join(["", "the nearest lines are", *rows])


def _nearest_start(lines: list[str], wanted: list[str]) -> int | None:
    """The index of the first of the lines that are most like the wanted ones, or None if there are none."""
    if not lines or not wanted:
        return None
    run = _longest_run(wanted, lines)
    if run is not None:
        return max(0, run[1] - run[0])
    compared = [line[:_COMPARED] for line in lines]
    close = difflib.get_close_matches(wanted[0][:_COMPARED], compared, n=1)
    return compared.index(close[0]) if close else None


def _longest_run(wanted: list[str], lines: list[str]) -> tuple[int, int] | None:
    """Where the longest run of lines that both have begins in each, or None if they have no line in common.

    Runs of 1, 2, 4, … lines get names, the same for the same lines; the longest is then put together from these. Unlike
    difflib this takes no quadratic time where a model repeats one line thousands of times.
    """
    names: dict[str, int] = {}
    mine, theirs = ([names.setdefault(line, len(names)) for line in side] for side in (wanted, lines))
    levels: list[_Runs] = [(mine, theirs)]
    if not _in_common(levels[0]):
        return None
    longer = _joined(levels[0], levels[0], 1)
    while _in_common(longer):
        levels.append(longer)
        longer = _joined(longer, longer, 1 << (len(levels) - 1))
    runs, size = levels[-1], 1 << (len(levels) - 1)
    for level in reversed(range(len(levels) - 1)):
        longer = _joined(runs, levels[level], size)
        if _in_common(longer):
            runs, size = longer, size + (1 << level)
    shared = set(runs[1])
    start = next(index for index, name in enumerate(runs[0]) if name in shared)
    return start, runs[1].index(runs[0][start])


def _joined(heads: _Runs, tails: _Runs, size: int) -> _Runs:
    """Names for the runs of which the first size lines are one of heads and the rest is one of tails."""
    names: dict[tuple[int, int], int] = {}
    mine, theirs = (
        [names.setdefault(pair, len(names)) for pair in zip(head, tail[size:])] for head, tail in zip(heads, tails)
    )
    return mine, theirs


def _in_common(runs: _Runs) -> bool:
    """Whether any run is both in the search text and in the file."""
    return not set(runs[0]).isdisjoint(runs[1])
