"""Problems in what we were given, as values.

In: a place, a code and words. Out: text that a person or a model can act on.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A place in a text: line and column count from 1 (line 0: the whole file), text is that line."""

    file: str
    line: int = 0
    column: int = 1
    length: int = 1
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Diagnostic:
    """One problem. severity: error, warning or note; code: a slug; help: the way out.

    The first line of message is the headline, the rest (a diff, a traceback) is shown below the place.
    """

    severity: str
    code: str
    message: str
    span: Span | None = None
    help: str = ""

    def __str__(self) -> str:
        headline, _, detail = self.message.partition("\n")
        lines = [f"{self.severity}[{self.code}]: {headline}"]
        if self.span:
            margin = " " * len(str(self.span.line or ""))
            lines.append(f"{margin}--> {self.span}")
            if self.span.text:
                indent = "".join(c if c == "\t" else " " for c in self.span.text[: self.span.column - 1])
                carets = "^" * max(1, min(self.span.length, len(self.span.text) - len(indent)))
                lines += [f"{margin} |", f"{self.span.line} | {self.span.text}", f"{margin} | {indent}{carets}"]
        lines += [f"  {line}".rstrip() for line in detail.splitlines()]
        lines += [f"  = help: {line}" for line in self.help.splitlines()]
        return "\n".join(lines)


def error(code: str, message: str, span: Span | None = None, help: str = "") -> Diagnostic:
    """The most common Diagnostic."""
    return Diagnostic("error", code, message, span, help)


def errors(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those that keep a program from being accepted."""
    return [d for d in diagnostics if d.severity == "error"]


def count(number: int, word: str) -> str:
    """`1 test`, `2 tests`."""
    return f"{number:,} {word}{'s' if number != 1 else ''}"
