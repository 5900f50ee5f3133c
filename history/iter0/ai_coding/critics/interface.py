"""Does a program offer what its interface says? In: a program and its Spec. Out: a diagnostic for each difference."""

from ai_coding import interface
from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """Python interfaces are checked; those of other languages are not."""
    if box.spec.language.name != "python" or not box.spec.interface:
        return [], []
    return interface.differences(box.spec.interface, box.program), []
