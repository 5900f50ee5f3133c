"""flake8, strictly. In: a program. Out: every finding of the flake8 critic, as an error."""

from dataclasses import replace

from ai_coding.critics import Box, flake8
from ai_coding.diagnostic import Diagnostic


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    """What `flake8` finds, none of it to be left as it is."""
    found, passed = flake8.check(box)
    return [replace(d, severity="error") if d.severity == "warning" else d for d in found], passed
