"""Does the program parse? In: a program. Out: what the language's own parser or compiler says."""

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic, Span, error


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """One error with the tool's words; a note where the language has no check or its tool is missing."""
    entry, language = box.program.entry, box.spec.language
    if not language.check:
        return [Diagnostic("note", "syntax-unchecked", f"no syntax check is known for {language.name}")], []
    result, _ = box.run(language.check)
    words = (result.stderr + result.stdout).decode("utf-8", "replace").strip()
    if result.exit_code == 127:
        return [
            error("syntax-no-tool", f"`{language.check[0]}` is not installed", None, "install it and build again")
        ], []
    if result.exit_code != 0:
        return [error("syntax", f"this is not valid {language.name}\n{words[-3000:]}", Span(entry))], []
    return [], []
