"""Problems in what we were given, as values that say where the problem is and how to get rid of it.

In: what a module found wrong with a requirement file, a reply, a lock or a provider, and the place where it did.
Out: frozen values that can be compared, hashed and written field by field, and their text for a person or a model.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A place in a file: line and column count from 1, line 0 is the whole file, length is in characters.

    The text is that of the line, without its line break, or empty if it is not known.
    """

    file: str
    line: int = 0
    column: int = 1
    length: int = 1
    text: str = ""

    def __str__(self) -> str:
        """The place as `file:line:column`, or as `file` if it is the whole file."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Diagnostic:
    """A problem: its severity (`error`, `warning` or `note`), a slug as its code, its place and the way out."""

    severity: str
    code: str
    message: str
    span: Span | None = None
    help: str = ""

    def __str__(self) -> str:
        """The lines to be shown, without a line break at the end."""
        first, *others = self.message.splitlines() or [""]
        lines = [f"{self.severity}[{self.code}]: {first}"]
        if self.span is not None:
            lines += _place(self.span)
        lines += _indented(others)
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


def _place(span: Span) -> list[str]:
    """The line with the arrow and, if the text of the place is known, that text with carets below it."""
    # A whole file has no line number, so nothing stands left of its arrow.
    margin = " " * len(str(span.line)) if span.line else ""
    lines = [f"{margin}--> {span}"]
    if span.line and span.text:
        lines += [f"{margin} |", f"{span.line} | {span.text}", f"{margin} | {_carets(span)}"]
    return lines


def _carets(span: Span) -> str:
    """The carets, behind what moves them below the marked characters."""
    start = min(max(span.column - 1, 0), len(span.text))
    # Only a tab is as wide as a tab, wherever the tab stops of the reader are.
    before = "".join("\t" if character == "\t" else " " for character in span.text[:start])
    return before + "^" * max(1, min(span.length, len(span.text) - start))


def _indented(lines: list[str]) -> list[str]:
    """The lines, indented, without blanks at the end of each and without blank lines at the end of all."""
    shown = [f"  {line}".rstrip() for line in lines]
    while shown and not shown[-1]:
        shown.pop()
    return shown
