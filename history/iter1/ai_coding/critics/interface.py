"""Does a program offer its interface? A Python program is compared with what its requirement file shows.

In: a Box, of which only the Spec's language and interface and the program are looked at. Nothing is run or written.

Out: a diagnostic for all that the program lacks of its interface, and no names of passed tests, as none was run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_coding import interface
from ai_coding.diagnostic import Diagnostic

if TYPE_CHECKING:  # only annotations need Box, so the package is free to import this module before it defines Box
    from ai_coding.critics import Box


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    "All differences; never a name."
    if box.spec.language.name != "python" or not box.spec.interface:
        return [], []
    return interface.differences(box.spec.interface, box.program), []
