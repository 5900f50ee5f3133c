"""The package of strategies: it says what they are, and nothing else."""

import subprocess
import sys

from ai_coding import strategies


def test_it_says_what_a_strategy_is() -> None:
    assert strategies.__doc__
    for word in ("generator", "Ask", "Judge", "Program", "no input or output"):
        assert word in " ".join(strategies.__doc__.split())


def test_it_defines_and_imports_nothing() -> None:
    assert [name for name in vars(strategies) if not name.startswith("_") and name != "direct"] == []


def test_importing_it_imports_no_strategy() -> None:
    code = "import sys, ai_coding.strategies; print(*[name for name in sys.modules if name.startswith('ai_coding.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("ai_coding.strategies\n", "")
