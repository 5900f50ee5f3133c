"""Does the program parse? What the language's own parser or compiler says of it.

In: a box, that is a program and the requirement file it was written for.
Out: nothing if the language's check command accepts the program, else one diagnostic: that it is
not valid, in the words of the tool, that the tool is missing, or that the language has no check.
"""

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span, error

_NOT_FOUND = 127  # the sandbox's exit code for a command that is not there
_SAID = 3_000  # characters of the tool's words that are kept


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """At most one diagnostic; never a name."""
    language, entry = box.spec.language, box.program.entry
    if not language.check:
        message = f"no syntax check is known for {language.name}"
        return [Diagnostic("note", "syntax-unchecked", message)], []
    stem = entry.removesuffix(f".{language.extension}")
    command = [
        word.replace("{entry}", entry).replace("{stem}", stem) for word in language.check
    ]
    result, _ = box.run(command)
    if result.exit_code == 0:
        return [], []
    if result.exit_code == _NOT_FOUND:
        message = f"`{language.check[0]}` is not installed"
        return [error("syntax-no-tool", message, help="install it and build again")], []
    # Each stream is decoded for itself: a character cut off in one must not run into the other.
    said = result.stderr.decode("utf-8", "replace") + result.stdout.decode("utf-8", "replace")
    message = f"this is not valid {language.name}\n{said.strip()[-_SAID:]}"
    return [error("syntax", message, Span(entry))], []
