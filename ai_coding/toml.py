"""TOML with places. In: the bytes of a file. Out: plain values, and a Span for every key."""

from bisect import bisect_right
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
    """tomlkit's parser, noting where each key begins (private methods: setup.py pins the version)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.marks: dict[int, int] = {}

    def _parse_key_value(self, parse_comment: bool = False) -> tuple[Key, Item]:
        start = self._idx
        key, value = super()._parse_key_value(parse_comment)
        self.marks[id(value)] = start
        return key, value

    def _parse_table(self, *args: Any, **kwargs: Any) -> tuple[Key, Table | AoT]:
        start = self._idx
        key, table = super()._parse_table(*args, **kwargs)
        self.marks.setdefault(id(table), start)
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
    parser = _Marking(text)
    try:
        document = parser.parse()
        values = document.unwrap()
    except ParseError as e:
        message = str(e).rpartition(" at line ")[0] or str(e)
        return {}, {}, [error("toml-syntax", f"not TOML: {message}", _span(name, lines, e.line, e.col + 1))]
    except (TOMLKitError, ValueError, RecursionError) as e:
        return {}, {}, [error("toml-syntax", f"not TOML: {e}", Span(name))]
    places: dict[KeyPath, Span] = {}

    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))

    def walk(item: object, at: KeyPath) -> None:
        if id(item) in parser.marks:
            start = parser.marks[id(item)]
            while start < len(text) and text[start] in " \t\n":
                start += 1
            line = bisect_right(starts, start)
            places.setdefault(at, _span(name, lines, line, start - starts[line - 1] + 1))
        if isinstance(item, OutOfOrderTableProxy):
            item = item._internal_container
        body = item if isinstance(item, Container) else getattr(item, "value", None)
        if isinstance(body, Container):
            for key, child in body.body:
                if key is not None:
                    walk(child, (*at, key.key))
        elif isinstance(item, AoT | Array):
            for i, child in enumerate(item.body if isinstance(item, AoT) else item):
                walk(child, (*at, i))

    walk(document, ())
    return values, places, []


def _span(name: str, lines: list[str], line: int, column: int) -> Span:
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    word = text[column - 1 :]
    length = len(word) if word.startswith("[") else len(word.split("=")[0].split(" ")[0])
    return Span(name, line, column, max(1, length), text)
