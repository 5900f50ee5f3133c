"""A model's reply -> Program.

In: the text a model sent, which nobody trusts, and the program so far. Out: the whole new program, or diagnostics.
Fenced blocks are read by the rules of CommonMark 0.31 (section 4.5); nothing is stripped and nothing is guessed.
"""

import difflib
import re
from dataclasses import dataclass

from ai_coding import paths
from ai_coding.diagnostic import Diagnostic, Span, error, errors
from ai_coding.ir import Language, Program

MAX_FILES, MAX_BYTES = 10_000, 50_000_000
_OPEN = re.compile(r"( {0,3})(`{3,}|~{3,})(.*)")
NAME = "reply"


@dataclass(frozen=True)
class Block:
    """A fenced block: the line it begins on, the words after the fence, the text between the fences."""

    line: int
    info: str
    text: str

    @property
    def kind(self) -> str:
        return self.info.split()[0].lower() if self.info else ""

    def path(self, expected: str) -> str:
        """The path that the info string names, or ''. One word is a path if it looks like one."""
        first, rest = [*self.info.split(None, 1), "", ""][:2]
        if rest and not re.match(r"\{|[\w-]+=", rest):
            return rest
        return first if first == expected or (not rest and re.search(r"[./\\]", first)) else ""


def read(
    text: str, path: str, language: Language, base: Program | None = None
) -> tuple[Program | None, list[Diagnostic]]:
    """Read one reply. path: the program's file. base: the program so far, which edits apply to.

    Returns the program and notes, or None and at least one error: all the faults of the reply. Never raises.
    """
    try:
        if len(text.encode()) > MAX_BYTES:
            return None, [_fault("reply-size", f"the reply is larger than {MAX_BYTES:,} bytes")]
    except UnicodeEncodeError:
        return None, [_fault("reply-encoding", "the reply holds lone surrogates, which are not text")]
    if not text.strip():
        return None, [_fault("reply-empty", "the reply is empty")]
    blocks, unclosed = _blocks(text)
    if unclosed:
        help = "send all of it again, shorter if it has to be"
        return None, [_fault("reply-cut-off", "a fence is never closed: the reply ended early", unclosed, help)]
    if not blocks:
        files = {path: text if text.endswith("\n") else text + "\n"}
        return Program(dict(base.files) | files if base else files, path), [
            Diagnostic("note", "reply-unfenced", "no fenced block: the whole reply is taken as the file", Span(NAME))
        ]
    edits = [b for b in blocks if base and b.kind in ("search", "replace")]
    whole = [b for b in blocks if not base or b.kind not in ("search", "replace")]
    files, found = _choose(whole, path, language, bool(edits))
    result = dict(base.files) | files if base else files
    found += _apply(edits, result, path, set(files))
    places = {b.path(path): b.line for b in reversed(whole)}
    for name in files:
        if why := paths.problem(name):
            found.append(_fault("reply-path", f"refused the path {name!r}: {why}", places.get(name, 0)))
    found += [_fault("reply-path", f"{a!r} and {b!r} cannot both be files") for a, b in paths.clashes(result)]
    if len(result) > MAX_FILES:
        found.append(_fault("reply-size", f"more than {MAX_FILES:,} files"))
    return (None if errors(found) else Program(result, path)), found


def read_one(text: str, path: str, language: Language, base: Program | None) -> tuple[Program | None, list[Diagnostic]]:
    """The same for a program of one file: a reply that names another file is refused."""
    program, found = read(text, path, language, base)
    if program and set(program.files) != {path}:
        names = ", ".join(sorted(set(program.files) - {path}))
        return None, [_fault("reply-other-file", f"the program is the one file {path}; the reply also names {names}")]
    return program, found


def _blocks(text: str) -> tuple[list[Block], int]:
    """All fenced blocks, and the line of one that is not closed (0: none)."""
    blocks: list[Block] = []
    opened: re.Match[str] | None = None
    line, content = 0, list[str]()
    for number, row in enumerate(text.split("\n"), 1):
        if opened is None:
            found = _OPEN.fullmatch(row.removesuffix("\r"))
            if found and not (found[2][0] == "`" and "`" in found[3]):
                opened, line, content = found, number, []
            continue
        fence = opened[2]
        closing = re.fullmatch(r" {0,3}(`+|~+)[ \t\r]*", row)
        if closing and closing[1][0] == fence[0] and len(closing[1]) >= len(fence):
            blocks.append(Block(line, opened[3].strip(), "".join(content)))
            opened = None
        else:
            blanks = len(row) - len(row.lstrip(" "))
            content.append(row[min(blanks, len(opened[1])) :] + "\n")
    return blocks, line if opened else 0


def _choose(
    blocks: list[Block], path: str, language: Language, edited: bool
) -> tuple[dict[str, str], list[Diagnostic]]:
    """Which of the blocks are files: those that name paths; else the only one; else the only one in the language."""
    named = [(b.path(path), b) for b in blocks if b.path(path)]
    found, files = list[Diagnostic](), dict[str, str]()
    for name, block in named:
        if name in files:
            found.append(_fault("reply-twice", f"{name!r} is given twice", block.line))
        files[name] = block.text
    if named:
        return files, found
    fitting = [b for b in blocks if b.kind in (language.name, language.extension, *language.aliases)]
    if not edited and len(blocks) == 1:
        fitting = blocks
    if len(fitting) == 1 and not edited:
        return {path: fitting[0].text}, found
    if edited and not fitting:
        return {}, found
    lines = ", ".join(str(b.line) for b in fitting or blocks)
    help = f"name the file after the fence: ```{language.name} {path}"
    return {}, [_fault("reply-ambiguous", f"which block is the program? (lines {lines})", 0, help)]


def _apply(edits: list[Block], files: dict[str, str], path: str, whole: set[str]) -> list[Diagnostic]:
    """Apply pairs of search and replace blocks to files, in order; says which do not fit."""
    found, rest = list[Diagnostic](), list(edits)
    while rest:
        search = rest.pop(0)
        name = "".join(search.info.split(None, 1)[1:]) or path
        if search.kind != "search" or not rest or rest[0].kind != "replace":
            found.append(_fault("edit-pair", "a search block is not followed by its replace block", search.line))
            continue
        replace = rest.pop(0)
        if name not in files or name in whole:
            found.append(_fault("edit-no-file", f"there is no {name!r} to edit", search.line))
            continue
        lines, wanted = files[name].split("\n"), search.text.split("\n")[:-1]
        last = len(lines) - (not lines[-1]) - len(wanted)  # what follows the last newline is no line
        places = [i for i in range(last + 1) if wanted and lines[i : i + len(wanted)] == wanted]
        if len(places) == 1:
            lines[places[0] : places[0] + len(wanted)] = replace.text.split("\n")[:-1]
            files[name] = "\n".join(lines)
        elif places:
            numbers = ", ".join(str(i + 1) for i in places)
            help = "add lines around it until it occurs once"
            found.append(
                _fault("edit-many-matches", f"the search text is in {name} at lines {numbers}", search.line, help)
            )
        else:
            near = _nearest(wanted, lines)
            message = f"the search text is not in {name}, line for line" + near
            found.append(_fault("edit-no-match", message, search.line, "copy whole lines of the file exactly"))
    return found


def _nearest(wanted: list[str], lines: list[str]) -> str:
    """The lines of the file that look most like those wanted, for the message."""
    matcher = difflib.SequenceMatcher(None, wanted, lines, autojunk=False)
    match = matcher.find_longest_match()
    start = match.b - match.a if match.size else -1
    if start < 0:
        close = difflib.get_close_matches(wanted[0] if wanted else "", lines[:5000], 1)
        start = lines.index(close[0]) if close else -1
    if start < 0:
        return ""
    shown = [f"{i + 1:5} | {lines[i]}" for i in range(start, min(start + max(1, len(wanted)), len(lines)))]
    return "\nthe nearest lines are\n" + "\n".join(shown[:40])


def _fault(code: str, message: str, line: int = 0, help: str = "") -> Diagnostic:
    return error(code, message, Span(NAME, line), help)
