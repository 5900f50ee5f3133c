"""TOML with places. In: the bytes of a file. Out: plain values, and a Span for every key."""

from bisect import bisect_right
from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any

from tomlkit.container import Container, OutOfOrderTableProxy
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import AoT, Array, Item, Key, Table
from tomlkit.parser import Parser

from ai_coding.diagnostic import Diagnostic, Span, error

KeyPath = tuple[str | int, ...]
MAX_BYTES = 1_000_000


class _Marking(Parser):
    """tomlkit's parser, noting where each key begins (private methods: setup.py pins the version).

    The items are kept with their marks: tomlkit drops some tables, and the id of a dropped one is given out again.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.marks: dict[int, tuple[int, Item | AoT]] = {}

    def _parse_key_value(self, parse_comment: bool = False) -> tuple[Key, Item]:
        start = self._idx
        key, value = super()._parse_key_value(parse_comment)
        self.marks[id(value)] = (start, value)
        return key, value

    def _parse_table(self, *args: Any, **kwargs: Any) -> tuple[Key, Table | AoT]:
        start = self._idx
        key, table = super()._parse_table(*args, **kwargs)
        self.marks.setdefault(id(table), (start, table))
        return key, table


def parse(path: Path, name: str) -> tuple[dict[str, Any], dict[KeyPath, Span], list[Diagnostic]]:
    """Read path, called name in diagnostics. Returns values and places, or diagnostics; never raises for content."""
    try:
        data = path.read_bytes()
    except OSError as e:
        return {}, {}, [error("file-unreadable", f"cannot read {name}: {e.strerror}", Span(name))]
    if len(data) > MAX_BYTES:
        return {}, {}, [error("file-too-big", f"{name} has {len(data):,} bytes; at most {MAX_BYTES:,}", Span(name))]
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        return {}, {}, [error("toml-encoding", "this is not UTF-8 text", Span(name, line), "save the file as UTF-8")]
    lines = text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    parser = _Marking(text)
    try:
        document = parser.parse()
        values = document.unwrap()
    except ParseError as e:
        message = str(e).rpartition(" at line ")[0] or str(e)
        start = sum(map(len, text.splitlines(keepends=True)[: e.line - 1])) + e.col  # it knows more line ends than TOML
        return {}, {}, [error("toml-syntax", f"not TOML: {message}", _span(name, lines, starts, start))]
    except (TOMLKitError, ValueError, RecursionError) as e:
        return {}, {}, [error("toml-syntax", f"not TOML: {e}", Span(name))]
    places: dict[KeyPath, Span] = {}
    sizes: Counter[KeyPath] = Counter()

    def walk(item: object, at: KeyPath) -> None:
        if id(item) in parser.marks:
            start = parser.marks[id(item)][0]
            while start < len(text) and text[start] in " \t\n":
                start += 1
            places.setdefault(at, _span(name, lines, starts, start))
        if isinstance(item, OutOfOrderTableProxy):
            item = item._internal_container
        body = item if isinstance(item, Container) else getattr(item, "value", None)
        if isinstance(body, Container):
            for key, child in body.body:
                if key is not None:
                    walk(child, (*at, key.key))
        elif isinstance(item, AoT | Array):
            for child in item.body if isinstance(item, AoT) else item:
                sizes[at] += 1  # one array of tables may come in several pieces
                walk(child, (*at, sizes[at] - 1))

    walk(document, ())
    return values, places, []


def _span(name: str, lines: list[str], starts: list[int], start: int) -> Span:
    line = bisect_right(starts, start)
    text, column = lines[line - 1], start - starts[line - 1] + 1
    word = text[column - 1 :]
    length = len(word) if word.startswith("[") else len(word.split("=")[0].split(" ")[0])
    return Span(name, line, column, max(1, length), text)
