"""Problems in what we were given, as values: with a place and a way out.

In: what is wrong, where it is in which file, and what can be done about it.
Out: Diagnostics, which are compared, stored field by field, and shown as text by `str`.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A place in a file, shown as `file:line:column`, or `file` if it is the whole file.

    Line and column count characters from 1; line 0 is the whole file. `length` is in characters,
    `text` is the line that is meant, without its end.
    """

    file: str
    line: int = 0
    column: int = 1
    length: int = 1
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Diagnostic:
    """A problem, shown in lines: what is wrong, where, and the way out.

    `severity` is `error`, `warning` or `note`; `code` is a slug; `help` is the way out.
    """

    severity: str
    code: str
    message: str
    span: Span | None = None
    help: str = ""

    def __str__(self) -> str:
        first = (self.message.splitlines() or [""])[0]
        lines = [f"{self.severity}[{self.code}]: {first}"]
        if self.span is not None:
            lines += _excerpt(self.span)
        lines += [f"  {line}".rstrip() for line in self.message.rstrip().splitlines()[1:]]
        lines += [f"  = help: {line}" for line in self.help.splitlines()]
        return "\n".join(lines)


def error(code: str, message: str, span: Span | None = None, help: str = "") -> Diagnostic:
    """Of severity `error`."""
    return Diagnostic("error", code, message, span, help)


def errors(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those of severity `error`, in order."""
    return [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]


def count(number: int, word: str) -> str:
    """`0 tests`, `1 test`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _excerpt(span: Span) -> list[str]:
    """The place and, if there is a line to show, that line with carets below it."""
    margin = " " * len(str(span.line)) if span.line else ""
    place = f"{margin}--> {span}"
    if not span.line or not span.text:
        return [place]
    before = span.text[:span.column - 1]
    # Tabs are kept, so that the carets stand right however wide a terminal shows a tab.
    indent = "".join("\t" if character == "\t" else " " for character in before)
    carets = "^" * max(1, min(span.length, len(span.text) - len(before)))
    return [
        place,
        f"{margin} |",
        f"{span.line} | {span.text}",
        f"{margin} | {indent}{carets}",
    ]
