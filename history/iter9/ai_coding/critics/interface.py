"""Does a program offer its interface? A critic that compares the two without running anything.

In: a Box, of which only the Spec's language and interface and the program are looked at.
Out: a Diagnostic for each difference, and no names of passed tests, as no test is run. Only a Spec
in Python that has an interface is compared; for any other there is nothing to say.
"""

from ai_coding.critics import Box
from ai_coding.diagnostic import Diagnostic
from ai_coding.interface import differences


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """All differences; never a name."""
    if box.spec.language.name != "python" or not box.spec.interface:
        return [], []
    return differences(box.spec.interface, box.program), []
