"""TOML with places: plain values, and a Span for every key.

tomlkit does not say where a key stands, so its parser is watched at work: a header tells the path
of the table that it opens, and a `key = value` below it those of its key and of all keys within.

In: the path of a TOML file, and the name that diagnostics call it by; or just a file's bytes.
Out: its values, the places of its keys and no error; or no values, no places and the one error
that ended the reading. Of bytes the values alone, or None.
"""

import re
import tomllib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from tomlkit.exceptions import InvalidControlChar, ParseError, TOMLKitError
from tomlkit.items import AoT, Array, InlineTable, Item, Key, Table, Trivia
from tomlkit.parser import Parser

from ai_coding.diagnostic import Diagnostic, Span, error

KeyPath = tuple[str | int, ...]

_MOST_BYTES = 1_000_000
_TOO_MANY_DOTS = 1_000  # in one line, for tomllib


def parse(path: Path, name: str) -> tuple[dict[str, Any], dict[KeyPath, Span], list[Diagnostic]]:
    """Read path, called name in diagnostics: values, places and [], or {}, {} and one error.

    Never raises for content.
    """
    try:
        data = path.read_bytes()
    except OSError as fault:
        message = f"cannot read {name}: {fault.strerror}"
        return {}, {}, [error("file-unreadable", message, Span(name))]
    if len(data) > _MOST_BYTES:
        message = f"{name} has {len(data):,} bytes; at most {_MOST_BYTES:,}"
        return {}, {}, [error("file-too-big", message, Span(name))]
    try:
        text = data.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as fault:
        span = Span(name, data.count(b"\n", 0, fault.start) + 1)
        message, way_out = "this is not UTF-8 text", "save the file as UTF-8"
        return {}, {}, [error("toml-encoding", message, span, way_out)]
    try:
        parser = _Parser(text)
        values = parser.parse().unwrap()
    except (TOMLKitError, ValueError, RecursionError) as fault:
        return {}, {}, [_syntax_error(fault, text, name)]
    # tomlkit takes some text that is not TOML, and then leaves a part of it out of the values.
    offsets = {at: parser.offsets[at] for at in _paths(values) if at in parser.offsets}
    places = dict(zip(offsets, _spans(name, text, offsets.values(), headers=True)))
    return values, places, []


def values(data: bytes) -> dict[str, Any] | None:
    """The values alone, of a file's bytes; None: R4.

    None is for no TOML, no UTF-8, over 1,000,000 bytes, and nested too deep. Raises nothing.
    """
    if len(data) > _MOST_BYTES:
        return None
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
        if _suits_tomllib(text):
            # It makes CRLF LF itself; were that done here, too, CR CR LF would pass for a line end.
            return tomllib.loads(text)
        return _Parser(text.replace("\r\n", "\n")).parse().unwrap()
    except (TOMLKitError, ValueError, RecursionError):
        return None


def _suits_tomllib(text: str) -> bool:
    # The memory it takes grows with the square of how many parts a key has.
    return all(line.count(".") < _TOO_MANY_DOTS for line in text.split("\n"))


class _Parser(Parser):
    """Notes in offsets where the key of each path begins; the paths are those that TOML defines.

    tomlkit's finished tables would not do: it copies, drops and splits them as it merges them.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text + "\n"
        self.offsets: dict[KeyPath, int] = {}
        self.table: KeyPath = ()  # that the last header opened
        self.lengths: Counter[KeyPath] = Counter()  # of the lists that `[[…]]` opened, so far
        self.open_keys = 0  # more than one within an inline table
        # By the id of a key's value: where the key begins, how many names it has, and the value,
        # which must stay alive for its id to stay its own.
        self.keys: dict[int, tuple[int, int, Item]] = {}

    def _parse_table(
        self, parent_name: Any = None, parent: Any = None
    ) -> tuple[Key, Table | AoT]:
        # Before the table is parsed, since that parses all that is below the header, too.
        self._note_header(self._idx)
        return super()._parse_table(parent_name, parent)

    def _parse_key_value(self, parse_comment: bool = False) -> tuple[Key, Item]:
        start: int = self._idx
        self.open_keys += 1
        key, item = super()._parse_key_value(parse_comment)
        self.open_keys -= 1
        while self.text[start] in " \t\n":
            start += 1
        names = tuple(part.key for part in key)
        self.keys[id(item)] = start, len(names), item
        if not self.open_keys:
            self._note_value(item, self.table + names)
            self.keys.clear()
        return key, item

    def _parse_number(self, raw: str, trivia: Trivia) -> Item | None:
        # Python would also take the digits of other scripts, and white space around them.
        if not re.fullmatch(r"[!-~]+", raw):
            return None
        return super()._parse_number(raw, trivia)

    def _note_header(self, start: int) -> None:
        end = self.text.index("\n", start)
        try:
            names, in_list = _header(self.text[start:end])
        except (TOMLKitError, ValueError):
            return  # the parser itself is about to object, and knows the place
        at: KeyPath = ()
        for count, name in enumerate(names, 1):
            at = (*at, name)
            self.offsets.setdefault(at, start)
            if in_list and count == len(names):
                self.lengths[at] += 1
            if self.lengths[at]:
                at = (*at, self.lengths[at] - 1)
        # A table's own header counts for more than the `[a.b]` that may have made `a` before it.
        self.offsets[at] = start
        self.table = at

    def _note_value(self, item: Any, at: KeyPath) -> None:
        """Note the key of item, which ends the path at, if it has one, and all keys within."""
        start, names, _ = self.keys.get(id(item), (0, 0, item))
        for fewer in range(names):
            self.offsets.setdefault(at[: len(at) - fewer], start)
        if isinstance(item, Table | InlineTable):
            for key, child in item.value.body:
                if key is not None:
                    self._note_value(child, (*at, key.key))
        elif isinstance(item, Array):
            for index, element in enumerate(item):
                self._note_value(element, (*at, index))


def _header(line: str) -> tuple[list[str], bool]:
    """The names in a header, and whether it is one of `[[…]]`."""
    names: list[str] = []
    value: Any = Parser(line).parse().unwrap()
    while isinstance(value, dict) and value:
        [(name, value)] = value.items()
        names.append(name)
    return names, isinstance(value, list)


def _paths(value: Any, at: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of value, which is at, and of everything in it."""
    yield at
    children: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for step, child in children:
        yield from _paths(child, (*at, step))


def _spans(file: str, text: str, offsets: Iterable[int], headers: bool) -> Iterator[Span]:
    """What begins at each of offsets: a key, or, if there are headers, what is left of its line."""
    key_end = re.compile(r"[ \t=]")
    # Not splitlines: only LF ends a line.
    lines = text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    for offset in offsets:
        number = bisect_right(starts, offset)
        line = lines[number - 1]
        column = offset - starts[number - 1]
        is_header = headers and line.startswith("[", column)
        found = None if is_header else key_end.search(line, column)
        end = found.start() if found else len(line)
        yield Span(file, number, column + 1, max(1, end - column), line)


def _syntax_error(fault: Exception, text: str, name: str) -> Diagnostic:
    words, way_out, span = str(fault), "", Span(name)
    if isinstance(fault, ParseError):
        words = words.rpartition(" at line ")[0] or words
        # tomlkit counts lines by splitlines, for which more than LF ends a line.
        before = text.splitlines(keepends=True)[: fault.line - 1]
        offset = sum(map(len, before)) + fault.col
        [span] = _spans(name, text, [offset], headers=False)
        if isinstance(fault, InvalidControlChar) and text.startswith("\n", offset):
            words = "a string is not closed in its line"
            way_out = "close it with a quote, or put three quotes around text of several lines"
        elif _in_bare_word(text, offset):
            way_out = 'text stands in quotes, "…"; true and false are in small letters'
    else:
        start = _start_by_tomllib(text)
        if start is not None:
            [span] = _spans(name, text, [start], headers=True)
    return error("toml-syntax", f"not TOML: {words}", span, way_out)


def _in_bare_word(text: str, offset: int) -> bool:
    """Whether only letters, or characters beyond ASCII, stand from a `=` up to and at offset."""
    # Up to it, since of `= test` tomlkit takes the t, as that of `true`, and objects to the e.
    word = re.compile(r"=[ \t]*[A-Za-z\x80-\U0010ffff]+\Z")
    return offset < len(text) and word.search(text, 0, offset + 1) is not None


def _start_by_tomllib(text: str) -> int | None:
    """Where the line that tomllib objects to begins, blanks aside; None if it names no line.

    None, too, if tomllib must not be asked.
    """
    if not _suits_tomllib(text):
        return None
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        found = re.search(r"\(at line (\d+), column \d+\)\Z", str(fault))
        if found:
            *before, line = text.split("\n")[: int(found[1])]
            blanks = len(line) - len(line.lstrip(" \t"))
            return sum(len(other) + 1 for other in before) + blanks
    return None
