"""Reads a model's reply: the text it sent becomes a program, or diagnostics that say why not.

A model answers in Markdown. Its fenced blocks are whole files or, where there is a program so far,
edits of that program's files. Nothing in the reply is trusted, stripped or guessed.

In: the text of a reply, the path of the expected file, the language asked for, and the program so
far, if there is one.
Out: the new program and notes, or no program and all the errors.
"""

from ai_coding import edits, markdown, paths
from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.edits import Edit
from ai_coding.ir import Language, Program
from ai_coding.markdown import Block

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
    blocks, open_fence = markdown.blocks(text)
    if open_fence:
        message = "a fence is never closed: the reply ended early"
        way_out = "send all of it again, shorter if it has to be"
        return None, [_error("reply-cut-off", message, open_fence, way_out)]

    changes: list[Edit] = []
    faults: list[Diagnostic] = []
    notes: list[Diagnostic] = []
    if blocks:
        if base is not None:
            changes, blocks = edits.read(blocks, path)
        whole, faults = _whole_files(blocks, path, language, beside_edits=bool(changes))
    else:
        whole = {path: Block(0, "", text if text.endswith("\n") else text + "\n")}
        message = "no fenced block: the whole reply is taken as the file"
        notes = [Diagnostic("note", "reply-unfenced", message, Span("reply", 0))]

    files, edit_faults = _laid_over(base, changes, whole)
    faults = [*faults, *edit_faults, *_path_faults(whole, files)]
    if faults:
        return None, faults
    return Program(files, path), notes


def read_one(
    text: str, path: str, language: Language, base: Program | None
) -> tuple[Program | None, list[Diagnostic]]:
    """The same for a program of one file: where the program of a readable reply has other files,
    reply-other-file alone.
    """
    program, found = read(text, path, language, base)
    others = sorted(set(program.files) - {path}) if program is not None else []
    if others:
        names = ", ".join(others)
        message = f"the program is the one file {path}; the reply also names {names}"
        return None, [_error("reply-other-file", message)]
    return program, found


def _error(code: str, message: str, line: int = 0, way_out: str = "") -> Diagnostic:
    return error(code, message, Span("reply", line), help=way_out)


def _unreadable(text: str) -> Diagnostic | None:
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return _error("reply-encoding", "the reply holds lone surrogates, which are not text")
    if size > _MAX_BYTES:
        return _error("reply-size", f"the reply is larger than {_MAX_BYTES:,} bytes")
    if not text.strip():
        return _error("reply-empty", "the reply is empty")
    return None


def _whole_files(
    blocks: list[Block], path: str, language: Language, beside_edits: bool
) -> tuple[dict[str, Block], list[Diagnostic]]:
    """The block that counts for each path, in order of the reply, and what is wrong with them."""
    asked_for = {word.lower() for word in (language.name, language.extension, *language.aliases)}
    whole: dict[str, Block] = {}
    faults: list[Diagnostic] = []
    pathless: list[Block] = []
    in_language: list[Block] = []
    for block in blocks:
        word, name = markdown.words(block.info, path)
        if not name:
            pathless.append(block)
            if word in asked_for:
                in_language.append(block)
        elif name in whole:
            faults.append(_error("reply-twice", f"{name!r} is given twice", block.line))
        else:
            whole[name] = block

    unclear: list[Block] = []
    if beside_edits:
        # The edits may be all there is to the reply, so that not even a lone block must be a file.
        unclear = in_language
    elif not whole:
        candidates = pathless if len(pathless) == 1 else in_language or pathless
        if len(candidates) == 1:
            whole[path] = candidates[0]
        else:
            unclear = candidates
    if unclear:
        lines = ", ".join(str(block.line) for block in unclear)
        message = f"which block is the program? (lines {lines})"
        way_out = f"name the file after the fence: ```{language.name} {path}"
        faults.append(_error("reply-ambiguous", message, way_out=way_out))
    return whole, faults


def _laid_over(
    base: Program | None, changes: list[Edit], whole: dict[str, Block]
) -> tuple[dict[str, str], list[Diagnostic]]:
    """The files of the new program, and an error for each edit that cannot be made."""
    files: dict[str, str] = dict(base.files) if base is not None else {}
    # A file that is given whole is not there to edit: which of the two is meant would be a guess.
    editable = {name: text for name, text in files.items() if name not in whole}
    edited, faults = edits.apply(changes, editable)
    files.update(edited)
    files.update((name, block.text) for name, block in whole.items())
    return files, faults


def _path_faults(whole: dict[str, Block], files: dict[str, str]) -> list[Diagnostic]:
    faults: list[Diagnostic] = []
    for name, block in whole.items():
        problem = paths.problem(name)
        if problem:
            message = f"refused the path {name!r}: {problem}"
            faults.append(_error("reply-path", message, block.line))
    for one, other in paths.clashes(files):
        faults.append(_error("reply-path", f"{one!r} and {other!r} cannot both be files"))
    if len(files) > _MAX_FILES:
        faults.append(_error("reply-size", f"more than {_MAX_FILES:,} files"))
    return faults
