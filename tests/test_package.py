"""The package knows its version, and importing it costs nothing."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import ai_coding


def test_it_says_what_it_is_and_which_version() -> None:
    assert ai_coding.__version__ == "0.2.0"
    assert ai_coding.__doc__ and ai_coding.__doc__.startswith("ai_coding: ") and "\n" not in ai_coding.__doc__.strip()


def test_the_version_can_be_read_without_importing() -> None:
    """It is the only statement behind the docstring."""
    text = Path(ai_coding.__file__).read_text("utf-8")
    assert re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE) == [ai_coding.__version__]
    assert len(ast.parse(text).body) == 2


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys; old = set(sys.modules); import ai_coding; print(sorted(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['ai_coding']\n"
