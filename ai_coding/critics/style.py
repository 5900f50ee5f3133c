"""The critic `style`: flake8, strictly, for projects that ask for programs without any finding.

In: a box, as the critic flake8 takes it.
Out: what flake8 finds there, with every warning an error, and the names that flake8 says passed.
"""

from dataclasses import replace

from ai_coding.critics import Box, flake8
from ai_coding.diagnostic import Diagnostic


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    "All that flake8 finds; an error where it warned."
    found, passed = flake8.check(box)
    return [_strict(diagnostic) for diagnostic in found], passed


def _strict(diagnostic: Diagnostic) -> Diagnostic:
    return replace(diagnostic, severity="error") if diagnostic.severity == "warning" else diagnostic
