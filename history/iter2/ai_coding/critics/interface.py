"""Does a program offer its interface?

In: a box with a program and the Spec that it was written for.
Out: what a Python program lacks of its Spec's interface, as Diagnostics; no names of tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_coding import interface
from ai_coding.diagnostic import Diagnostic

if TYPE_CHECKING:  # the package may import its critics before it defines Box
    from ai_coding.critics import Box


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    "All differences; never a name."
    if box.spec.language.name != "python" or not box.spec.interface:
        return [], []
    return interface.differences(box.spec.interface, box.program), []
