"""Does the program parse? What the language's own parser or compiler says of it.

In: a box with the program, whose language names the command that checks it.
Out: nothing where the command is content, else one diagnostic, an error in the tool's own words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_coding.diagnostic import Diagnostic, Span, error

if TYPE_CHECKING:  # the package itself may import this module before it has defined Box
    from ai_coding.critics import Box

_NOT_FOUND = 127  # the sandbox's exit code for a command that is not there
_SAID = 3_000  # characters of what the tool said; its end is where the error is summed up


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """At most one diagnostic; never a name."""
    language = box.spec.language
    if not language.check:
        message = f"no syntax check is known for {language.name}"
        return [Diagnostic("note", "syntax-unchecked", message)], []
    entry = box.program.entry
    stem = entry.removesuffix(f".{language.extension}")
    command = [word.replace("{entry}", entry).replace("{stem}", stem) for word in language.check]
    result, _ = box.run(command)
    if result.exit_code == 0:
        return [], []
    if result.exit_code == _NOT_FOUND:
        message = f"`{language.check[0]}` is not installed"
        return [error("syntax-no-tool", message, help="install it and build again")], []
    said = (result.stderr + result.stdout).decode("utf-8", "replace").strip()[-_SAID:]
    return [error("syntax", f"this is not valid {language.name}\n{said}", Span(entry))], []
