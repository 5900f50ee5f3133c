"""TOML with places: the plain values of a file, and a Span for every key in it.

In: the path of a TOML file, and the name it has in diagnostics.
Out: its values as Python's own types, the places of its keys by their paths, and no diagnostics; or no values, no
places and the one error that ended the reading.
"""

import os
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from tomlkit.container import Container
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import AoT, Array, InlineTable, Item, Key, Table
from tomlkit.parser import Parser

from ai_coding.diagnostic import Diagnostic, Span, error

KeyPath = tuple[str | int, ...]

_LIMIT = 1_000_000  # bytes
_NO_GAP = re.compile(r"[^ \t\r\n]")
_KEY_END = re.compile(r"[ \t=]")


@dataclass(frozen=True)
class _Source:
    """A text that was read: its name, its lines without their ends, and the offset in characters of each line."""

    name: str
    text: str
    lines: list[str]
    starts: list[int]


class _Parser(Parser):
    """A parser that notes where the keys and headers of its items stand, as offsets in characters."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        # The items are kept beside the offsets: were they dropped, others could come to have their ids.
        self.noted: dict[int, tuple[int, Item]] = {}

    def _parse_key_value(self, parse_comment: bool = False) -> tuple[Key, Item]:
        start = self._idx
        key, item = super()._parse_key_value(parse_comment)
        self._note(item, start)
        return key, item

    def _parse_table(
        self, parent_name: Key | None = None, parent: Table | None = None
    ) -> tuple[Key, Table | AoT]:
        start = self._idx
        key, table = super()._parse_table(parent_name, parent)
        for opened in _opened(table):
            self._note(opened, start)
        return key, table

    def _note(self, item: Item, start: int) -> None:
        """Note that the key or header of item is at start, unless a place of item is known."""
        if id(item) not in self.noted:
            self.noted[id(item)] = (start, item)
            # Merging tables may copy items; what is written in place of the comment, unused here, goes with the copy.
            item.trivia.comment = str(start)

    def start(self, item: object) -> int | None:
        """The offset noted for item or for what it is a copy of, maybe of blanks or line ends before the key."""
        if id(item) in self.noted:
            return self.noted[id(item)][0]
        mark = item.trivia.comment if isinstance(item, Item) else ""
        return int(mark) if mark.isdecimal() else None


def _opened(item: Item) -> Iterator[Item]:
    """What a header opens, from the outside: `[a.b]` the tables a and b, `[[t]]` the list and its first table."""
    while isinstance(item, (Table, AoT)):
        yield item
        if isinstance(item, AoT):
            inner: list[Item] = list(item.body)
        elif item.is_super_table():
            inner = [child for _, child in item.value.body]
        else:
            return
        if not inner:
            return
        item = inner[0]


def _text(path: Path, name: str) -> str | Diagnostic:
    """The text of a file without a byte-order mark and with LF as line ends, or what is wrong with the file."""
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
            size = max(len(data), os.fstat(file.fileno()).st_size)
    except OSError as problem:
        return error("file-unreadable", f"cannot read {name}: {problem.strerror or problem}", Span(name))
    if len(data) > _LIMIT:
        return error("file-too-big", f"{name} has {size:,} bytes; at most {_LIMIT:,}", Span(name))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        return error("toml-encoding", "this is not UTF-8 text", Span(name, line), "save the file as UTF-8")
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _source(name: str, text: str) -> _Source:
    """The text with its lines, which only LF ends."""
    lines = text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    return _Source(name, text, lines, starts)


def _span(source: _Source, offset: int) -> Span:
    """The place at offset: of a header to the end of the line, of all else to the first blank or `=`."""
    row = bisect_right(source.starts, offset) - 1
    line = source.lines[row]
    column = offset - source.starts[row]
    stop = None if line.startswith("[", column) else _KEY_END.search(line, column)
    end = stop.start() if stop else len(line)
    return Span(file=source.name, line=row + 1, column=column + 1, length=max(1, end - column), text=line)


def _key_span(source: _Source, start: int) -> Span:
    """The place of the key or header that follows start, after any blanks and line ends."""
    found = _NO_GAP.search(source.text, start)
    return _span(source, found.start() if found else start)


def _walk(document: Container) -> Iterator[tuple[KeyPath, object]]:
    """The document and all in it with their paths, the outer before the inner, in the order of the text."""
    sizes: Counter[KeyPath] = Counter()
    pending: list[tuple[KeyPath, object]] = [((), document)]
    while pending:
        at, item = pending.pop()
        yield at, item
        inner: list[tuple[KeyPath, object]] = []
        if isinstance(item, (Container, Table, InlineTable)):
            body = item.body if isinstance(item, Container) else item.value.body
            inner = [(at + (key.key,), child) for key, child in body if key is not None]
        elif isinstance(item, (AoT, Array)):
            # A list of tables may come in pieces, under tables of one name: the next piece counts on.
            children: list[Any] = list(item.body) if isinstance(item, AoT) else list(item)
            inner = [(at + (index,), child) for index, child in enumerate(children, sizes[at])]
            sizes[at] += len(inner)
        pending.extend(reversed(inner))


def _has(values: Any, at: KeyPath) -> bool:
    """Whether there is a value at this path."""
    for step in at:
        if isinstance(values, dict):
            if step not in values:
                return False
        elif not (isinstance(values, list) and isinstance(step, int) and step < len(values)):
            return False
        values = values[step]
    return True


def _places(parser: _Parser, document: Container, values: dict[str, Any], source: _Source) -> dict[KeyPath, Span]:
    """The places of the keys and headers in the document, for all paths that are in the values."""
    starts: dict[KeyPath, int] = {}
    for at, item in _walk(document):
        start = parser.start(item)
        if start is None or not _has(values, at):
            continue
        # `[a.b]` stands for `a` only where no `[a]` does.
        if at not in starts or (isinstance(item, Table) and not item.is_super_table()):
            starts[at] = start
    return {at: _key_span(source, start) for at, start in starts.items()}


def _offset(text: str, problem: ParseError) -> int:
    """The offset of a problem, whose line is counted by str.splitlines, every line end as one character."""
    before = text.splitlines()[: max(problem.line - 1, 0)]
    offset: int = sum(len(line) + 1 for line in before) + problem.col
    return min(offset, len(text))


def _syntax(words: str, span: Span) -> Diagnostic:
    """The error for a text that is not TOML."""
    return error("toml-syntax", f"not TOML: {words}", span)


def parse(path: Path, name: str) -> tuple[dict[str, Any], dict[KeyPath, Span], list[Diagnostic]]:
    "Read path, called name in diagnostics: values, places and [], or {}, {} and one error. Never raises for content."
    text = _text(path, name)
    if isinstance(text, Diagnostic):
        return {}, {}, [text]
    source = _source(name, text)
    try:
        parser = _Parser(text)
        document = parser.parse()
        values: dict[str, Any] = document.unwrap()
    except ParseError as problem:
        words = str(problem).rpartition(" at line ")[0] or str(problem)
        return {}, {}, [_syntax(words, _span(source, _offset(text, problem)))]
    except (TOMLKitError, ValueError, RecursionError) as problem:
        return {}, {}, [_syntax(str(problem), Span(name))]
    return values, _places(parser, document, values, source), []
