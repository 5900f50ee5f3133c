"""The critic `style`: flake8, strictly, for projects that ask for programs without any finding.

It runs the critic `flake8` on the same box and makes every warning an error; notes stay notes.

In: a box, which is a program laid out in a folder, with its spec and tests.
Out: the diagnostics of flake8, in its order, errors for warnings; and what it passed, never a name.
"""

from dataclasses import replace

from ai_coding.critics import Box, flake8
from ai_coding.diagnostic import Diagnostic


def check(box: Box) -> tuple[list[Diagnostic], list[str]]:
    "All that flake8 finds; an error where it warned."
    found, passed = flake8.check(box)
    strict = [replace(d, severity="error") if d.severity == "warning" else d for d in found]
    return strict, passed
