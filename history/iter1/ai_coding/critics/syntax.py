"""Does the program parse? What the language's own parser or compiler says of it.

In: a program in its box, and the check command of its language.
Out: nothing if the program passes, else one diagnostic in the words of the tool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_coding.diagnostic import Diagnostic, Span, error

if TYPE_CHECKING:  # only a type here: so the package may import this module at any point of its own loading
    from ai_coding.critics import Box
    from ai_coding.sandbox import Result

_NOT_FOUND = 127  # the sandbox's exit code for a command that is not there
_KEPT = 3_000  # characters


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """At most one diagnostic; never a name."""
    language = box.spec.language
    if not language.check:
        return [Diagnostic("note", "syntax-unchecked", f"no syntax check is known for {language.name}")], []
    result, _ = box.run(_command(box))
    if result.exit_code == 0:
        return [], []
    if result.exit_code == _NOT_FOUND:
        message = f"`{language.check[0]}` is not installed"
        return [error("syntax-no-tool", message, help="install it and build again")], []
    message = f"this is not valid {language.name}\n{_said(result)}"
    return [error("syntax", message, Span(box.program.entry))], []


def _command(box: Box) -> list[str]:
    """The language's check command for this program."""
    entry = box.program.entry
    stem = entry.removesuffix(f".{box.spec.language.extension}")
    return [word.replace("{entry}", entry).replace("{stem}", stem) for word in box.spec.language.check]


def _said(result: Result) -> str:
    """The end of what the tool said, where parsers and compilers sum up."""
    # Each stream is decoded by itself, lest a character cut off in the one take bytes from the other.
    told = result.stderr.decode("utf-8", "replace") + result.stdout.decode("utf-8", "replace")
    return told.strip()[-_KEPT:]
