"""Reads a model's reply: the text it sent becomes a program, or diagnostics that say why not.

The reply is Markdown and hostile: nothing in it is trusted, stripped or guessed, and
nothing in it makes this raise.

In: the text of a reply, the path of the expected file, the language asked for, and the
program so far, if there is one.
Out: the new program with at most a note, or no program and all the errors, in a fixed order.
"""

from collections.abc import Mapping

from ai_coding import edits, markdown, paths
from ai_coding.diagnostic import Diagnostic, Span, error, errors
from ai_coding.ir import Language, Program

_MAX_BYTES = 50_000_000
_MAX_FILES = 10_000


def read(
    text: str, path: str, language: Language, base: Program | None = None
) -> tuple[Program | None, list[Diagnostic]]:
    """Read one reply. path: the expected file. base: the program so far.

    The new program and notes, or None and errors.
    """
    unreadable = _unreadable(text)
    if unreadable is not None:
        return None, [unreadable]
    blocks, unclosed = markdown.blocks(text)
    if unclosed:
        message = "a fence is never closed: the reply ended early"
        way_out = "send all of it again, shorter if it has to be"
        return None, [_fault("reply-cut-off", message, unclosed, way_out)]
    changes: list[edits.Edit] = []
    if blocks:
        if base is not None:
            changes, blocks = edits.read(blocks, path)
        whole, found = _whole_files(blocks, path, language, bool(changes))
    else:
        message = "no fenced block: the whole reply is taken as the file"
        found = [Diagnostic("note", "reply-unfenced", message, Span("reply", 0))]
        whole = {path: markdown.Block(0, "", text if text.endswith("\n") else text + "\n")}
    files, faults = _merged(whole, changes, base)
    found = [*found, *faults]
    bad = errors(found)
    if bad:
        return None, bad
    return Program(files, path), found


def read_one(
    text: str, path: str, language: Language, base: Program | None
) -> tuple[Program | None, list[Diagnostic]]:
    """The same for a program of one file: where the program of a readable reply has other files,
    reply-other-file alone.
    """
    program, found = read(text, path, language, base)
    others = sorted(set(program.files) - {path}) if program is not None else []
    if not others:
        return program, found
    names = ", ".join(others)
    message = f"the program is the one file {path}; the reply also names {names}"
    return None, [_fault("reply-other-file", message)]


def _fault(code: str, message: str, line: int = 0, way_out: str = "") -> Diagnostic:
    return error(code, message, Span("reply", line), way_out)


def _unreadable(text: str) -> Diagnostic | None:
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return _fault("reply-encoding", "the reply holds lone surrogates, which are not text")
    if size > _MAX_BYTES:
        return _fault("reply-size", f"the reply is larger than {_MAX_BYTES:,} bytes")
    if not text.strip():
        return _fault("reply-empty", "the reply is empty")
    return None


def _whole_files(
    blocks: list[markdown.Block], path: str, language: Language, beside_edits: bool
) -> tuple[dict[str, markdown.Block], list[Diagnostic]]:
    """Path -> the first block that gives it, in order of the reply, and what is wrong with that."""
    wanted = {word.lower() for word in (language.name, language.extension, *language.aliases)}
    whole: dict[str, markdown.Block] = {}
    pathless: list[markdown.Block] = []
    asked_for: list[markdown.Block] = []
    found: list[Diagnostic] = []
    for block in blocks:
        word, named = markdown.words(block.info, path)
        if not named:
            pathless.append(block)
            if word in wanted:
                asked_for.append(block)
        elif named in whole:
            found.append(_fault("reply-twice", f"{named!r} is given twice", block.line))
        else:
            whole[named] = block
    if not whole and not beside_edits:
        candidates = pathless if len(pathless) == 1 else asked_for or pathless
        if len(candidates) == 1:
            return {path: candidates[0]}, []
        return {}, [_ambiguous(candidates, path, language)]
    # Beside edits such a block may be the whole file or only a piece of it that the model shows.
    if beside_edits and asked_for:
        found.append(_ambiguous(asked_for, path, language))
    return whole, found


def _ambiguous(blocks: list[markdown.Block], path: str, language: Language) -> Diagnostic:
    lines = ", ".join(str(block.line) for block in blocks)
    way_out = f"name the file after the fence: ```{language.name} {path}"
    return _fault("reply-ambiguous", f"which block is the program? (lines {lines})", 0, way_out)


def _merged(
    whole: Mapping[str, markdown.Block], changes: list[edits.Edit], base: Program | None
) -> tuple[dict[str, str], list[Diagnostic]]:
    """The files of the new program, and the errors of edits, paths and their number."""
    before: Mapping[str, str] = base.files if base is not None else {}
    kept = {path: text for path, text in before.items() if path not in whole}
    edited, unmade = edits.apply(changes, kept)
    files = {**before, **{path: block.text for path, block in whole.items()}, **edited}
    found = list(unmade)
    for path, block in whole.items():
        problem = paths.problem(path)
        if problem:
            found.append(_fault("reply-path", f"refused the path {path!r}: {problem}", block.line))
    for one, other in paths.clashes(files):
        found.append(_fault("reply-path", f"{one!r} and {other!r} cannot both be files"))
    if len(files) > _MAX_FILES:
        found.append(_fault("reply-size", f"more than {_MAX_FILES:,} files"))
    return files, found
