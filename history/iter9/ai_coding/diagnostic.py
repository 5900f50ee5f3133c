"""Problems in what we were given, as values: what is wrong, where, and the way out.

In: a severity, a code, a message and, where known, a place and help.
Out: Diagnostics, which compare, hash and serialise field by field, and whose `str` is the text
that a person or a model reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

_MOST_SHOWN = 200
_SHOWN_BEFORE = 100


@dataclass(frozen=True)
class Span:
    """A place: line and column count from 1, line 0 is the whole file; text is that line."""

    file: str
    line: int = 0
    column: int = 1
    length: int = 1
    text: str = ""

    def __str__(self) -> str:
        """`file:line:column`, or `file` if the whole file is meant."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Diagnostic:
    """A problem: severity is error, warning or note, code a slug, help the way out."""

    severity: str
    code: str
    message: str
    span: Span | None = None
    help: str = ""

    def __str__(self) -> str:
        """The message's first line, the place, the message's other lines and the help."""
        first, *others = self.message.splitlines() or [""]
        details = "\n".join(f"  {line}".rstrip() for line in others).rstrip()
        return "\n".join(
            [
                f"{self.severity}[{self.code}]: {first}",
                *(_place(self.span) if self.span else []),
                *details.splitlines(),
                *(f"  = help: {line}" for line in self.help.splitlines()),
            ]
        )


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
    margin = " " * len(str(span.line)) if span.line else ""
    arrow = f"{margin}--> {span}"
    if not span.line or not span.text:
        return [arrow]
    shown = _shortened(span)
    return [
        arrow,
        f"{margin} |",
        f"{span.line} | {shown.text}",
        f"{margin} | {_carets(shown)}",
    ]


def _shortened(span: Span) -> Span:
    """The same place in the part of the text that is shown: its column counts from there."""
    size = len(span.text)
    if size <= _MOST_SHOWN:
        return span
    # A column beyond the text is marked right behind it, so that is where the part has to be.
    start = max(0, min(span.column - 1, size) - _SHOWN_BEFORE)
    end = start + _MOST_SHOWN
    before = "…" if start else ""
    after = "…" if end < size else ""
    text = before + span.text[start:end] + after
    return replace(span, column=span.column - start + len(before), text=text)


def _carets(span: Span) -> str:
    before = span.text[: span.column - 1]
    # Tabs stay: however wide they are shown, they are as wide here as in the line above.
    padding = "".join("\t" if character == "\t" else " " for character in before)
    return padding + "^" * max(1, min(span.length, len(span.text) - len(before)))
