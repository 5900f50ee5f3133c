"""Flake8, strictly: the findings of the critic `flake8`, with every warning raised to an error.

In: a box, that is a program laid out in its folder.
Out: what `flake8` says of the same box, in the same order, where each warning has become an error;
notes stay notes, and the names are passed on as they are.
"""

from dataclasses import replace

from ai_coding.critics import Box, flake8
from ai_coding.diagnostic import Diagnostic


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """All that flake8 finds; an error where it warned."""
    found, passed = flake8.check(box)
    return [replace(d, severity="error") if d.severity == "warning" else d for d in found], passed
