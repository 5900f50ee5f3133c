"""TOML with places: plain values, and a Span for every key.

In: the path of a TOML file and the name it has in diagnostics.
Out: its values as Python's own types, the places of its keys by their paths, and no diagnostics;
or no values, no places and the one error that ended the reading.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from tomlkit.container import Container
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import AoT, Array, InlineTable, Item, Key, Table
from tomlkit.parser import Parser

from ai_coding.diagnostic import Diagnostic, Span, error

KeyPath = tuple[str | int, ...]

_MOST_BYTES = 1_000_000
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_END = re.compile(r"[ \t=]")


def parse(path: Path, name: str) -> tuple[dict[str, Any], dict[KeyPath, Span], list[Diagnostic]]:
    "Read path, called name in diagnostics: values, places and [], or {}, {} and one error. Never raises for content."
    text = _read(path, name)
    if isinstance(text, Diagnostic):
        return {}, {}, [text]
    try:
        document = _Parser(text).parse()
        values = document.unwrap()
        offsets = _offsets(document, values, text)
    except (TOMLKitError, ValueError, RecursionError) as fault:
        return {}, {}, [_objection(fault, name, text)]
    return values, _places(name, text, offsets), []


def _read(path: Path, name: str) -> str | Diagnostic:
    """The text of the file, without a byte-order mark and with LF for CRLF, or what is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        size = max(len(data), path.stat().st_size)
    except OSError as fault:
        return error("file-unreadable", f"cannot read {name}: {fault.strerror}", Span(name))
    if size > _MOST_BYTES:
        message = f"{name} has {size:,} bytes; at most {_MOST_BYTES:,}"
        return error("file-too-big", message, Span(name))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        span = Span(name, data.count(b"\n", 0, fault.start) + 1)
        return error("toml-encoding", "this is not UTF-8 text", span, "save the file as UTF-8")
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


class _Parser(Parser):
    """Notes at every item with a key or a header of its own the offset where that begins."""

    def _parse_key_value(self, parse_comment: bool = False) -> tuple[Key, Item]:
        start = self._idx
        key, item = super()._parse_key_value(parse_comment)
        _note(item, start)
        return key, item

    def _parse_table(
        self, parent_name: Key | None = None, parent: Table | None = None
    ) -> tuple[Key, Table | AoT]:
        start = self._idx
        key, item = super()._parse_table(parent_name, parent)
        _note(item, start)
        return key, item


def _note(item: Item, start: int) -> None:
    """Note start at item; of an array of tables, at its first; of `[a.b]`, at `a` and at `b`."""
    table: Any = item.body[0] if isinstance(item, AoT) else item
    # When tomlkit merges tables it copies items, which changes their ids but not their comments;
    # a comment that it read begins with `#`, and nobody here asks for it.
    table.trivia.comment = str(start)
    if isinstance(table, Table) and table.is_super_table():
        for _, child in table.value.body:
            _note(child, start)


def _starts(
    item: Any, at: KeyPath, counts: dict[KeyPath, int]
) -> Iterator[tuple[KeyPath, int]]:
    """The paths from item, which is at `at`, downwards, with what was noted there.

    A path may come again, and an array of tables in pieces: counts has the elements met so far.
    """
    first: Any = item.body[0] if isinstance(item, AoT) else item
    if isinstance(first, Item) and first.trivia.comment.isdecimal():
        yield at, int(first.trivia.comment)
    if isinstance(item, Table | InlineTable):
        item = item.value
    if isinstance(item, Container):
        for key, child in item.body:
            if key is not None:
                yield from _starts(child, (*at, key.key), counts)
    elif isinstance(item, AoT | Array):
        elements: Any = item.body if isinstance(item, AoT) else item
        for element in elements:
            index = counts.get(at, 0)
            counts[at] = index + 1
            yield from _starts(element, (*at, index), counts)


def _paths(value: Any, at: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of value and of all that is in it."""
    yield at
    steps: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    for step, child in steps:
        yield from _paths(child, (*at, step))


def _offsets(document: Container, values: dict[str, Any], text: str) -> dict[KeyPath, int]:
    """Where the keys of values stand in text, each where it comes first."""
    known = set(_paths(values))
    offsets: dict[KeyPath, int] = {}
    for at, start in _starts(document, (), {}):
        if at in known and at not in offsets:
            gap = _GAP.match(text, start)
            offsets[at] = gap.end() if gap else start
    return offsets


def _spans(name: str, text: str, offsets: Iterable[int]) -> list[Span]:
    """For each offset, at most the length of text, a span as long as a key there would be."""
    lines = text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    spans = []
    for offset in offsets:
        row = bisect_right(starts, offset) - 1
        line, before = lines[row], offset - starts[row]
        end = _KEY_END.search(line, before)
        length = (end.start() if end else len(line)) - before
        spans.append(Span(name, row + 1, before + 1, max(1, length), line))
    return spans


def _places(name: str, text: str, offsets: dict[KeyPath, int]) -> dict[KeyPath, Span]:
    places: dict[KeyPath, Span] = {}
    for at, span in zip(offsets, _spans(name, text, offsets.values()), strict=True):
        is_header = span.text.startswith("[", span.column - 1)
        rest = len(span.text) - span.column + 1
        places[at] = replace(span, length=rest) if is_header else span
    return places


def _objection(fault: Exception, name: str, text: str) -> Diagnostic:
    words, span = str(fault), Span(name)
    if isinstance(fault, ParseError):
        words = words.rsplit(" at line ", 1)[0]
        # tomlkit takes U+2028 and others for line ends, too, and each for one character.
        before = text.splitlines()[: max(0, fault.line - 1)]
        offset = sum(len(line) + 1 for line in before) + fault.col
        span = _spans(name, text, [min(offset, len(text))])[0]
    return error("toml-syntax", f"not TOML: {words}", span)
