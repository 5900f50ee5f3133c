"""Tells what the machine lacks to judge a program, before the program is blamed for it.

In: a Spec, whose critics, language and tests say which commands and Python modules are needed,
and the tier of the sandbox that is asked for them.
Out: one error `no-tool` for each that is not there, commands first, then modules.
"""

import functools
import os
import shlex
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ai_coding import sandbox
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Spec, Test

# A cache alone does not keep threads that miss it at the same moment from all asking.
_ASKING = threading.Lock()

# Both questions take names as arguments and answer with those that are missing, each ended by a
# NUL: the one character that no argument can hold.
_FIND_COMMANDS = (
    'for word in "$@"; do command -v "$word" >/dev/null || printf "%s\\0" "$word"; done'
)
_FIND_MODULES = """
import importlib.util, os, sys
for name in sys.argv[1:]:
    try:
        found = importlib.util.find_spec(name) is not None
    except ValueError:  # it is loaded, but has no spec, as __main__
        found = True
    if not found:
        sys.stdout.buffer.write(os.fsencode(name) + b"\\0")
"""


def missing(spec: Spec, tier: str) -> list[Diagnostic]:
    """What the machine lacks to judge programs of spec, held-out tests included. tier: as in sandbox. OSError."""
    tests = spec.tests if "tests" in spec.critics else ()
    commands = _commands(spec, tests)
    gone = _absent(("sh", "-c", _FIND_COMMANDS, "sh"), frozenset(commands), tier)
    there = set(commands) - gone
    needs = [(python, module) for python, module in _modules(spec, tests) if python in there]
    lacks: dict[str, frozenset[str]] = {}
    for python in dict.fromkeys(python for python, _ in needs):
        names = frozenset(module for other, module in needs if other == python)
        lacks[python] = _absent((python, "-c", _FIND_MODULES), names, tier)
    modules = dict.fromkeys(module for python, module in needs if module in lacks[python])
    return [
        _no_tool(f"`{command}` is not installed", "install it where the sandbox finds it")
        for command in commands if command in gone
    ] + [
        _no_tool(
            f"Python has no module `{module}`",
            f"python3 -m pip install {module}, where ai_coding is installed",
        )
        for module in modules
    ]


def _commands(spec: Spec, tests: Sequence[Test]) -> list[str]:
    """The first words to look for, in the order of their use, each once."""
    needed: list[Sequence[str]] = []
    if "syntax" in spec.critics:
        needed.append(spec.language.check)
    if tests:
        needed.append(spec.language.compile)
    if any(not test.command for test in tests):
        needed.append(spec.language.run)
    needed.extend(_split(test.command) for test in tests)
    first_words = dict.fromkeys(words[0] for words in needed if words)
    return [
        word for word in first_words
        if word and not word.startswith("-") and not set(word) & set("/{}\0")
    ]


def _modules(spec: Spec, tests: Sequence[Test]) -> list[tuple[str, str]]:
    """Interpreters and the modules that tests run with them, in the order of the tests."""
    beside = [spec.entry, *spec.data, *(use.name for use in spec.uses)]
    needed: list[tuple[str, str]] = []
    for test in tests:
        match _split(test.command):
            case [python, "-m", name, *_] if python.startswith("python"):
                module = name.partition(".")[0]
                own = _first_parts([*beside, *test.files, *test.copy])
                if module and "\0" not in module and module not in own:
                    needed.append((python, module))
    return needed


def _split(command: str) -> list[str]:
    """The words of command; none if it cannot be split."""
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _first_parts(paths: Sequence[str]) -> set[str]:
    """The names under which Python could import what lies at paths."""
    return {
        part.removesuffix(".py") for path in paths for part in PurePosixPath(path).parts[:1]
    }


def _absent(question: tuple[str, ...], names: frozenset[str], tier: str) -> frozenset[str]:
    """Those of names that the command question calls missing, asked once in a process. OSError."""
    if not names:
        return frozenset()
    with _ASKING:
        return _ask(question, names, tier)


@functools.cache
def _ask(question: tuple[str, ...], names: frozenset[str], tier: str) -> frozenset[str]:
    """What _absent says, from a run in the sandbox; to be called by one thread at a time."""
    folder = Path(tempfile.mkdtemp(prefix="ai_coding-"))
    try:
        result = sandbox.run([*question, *sorted(names)], folder, tier)
    finally:
        sandbox.remove(folder)
    if result.exit_code != 0:
        return frozenset()
    answer = result.stdout.split(b"\0")
    return frozenset(name for name in names if os.fsencode(name) in answer)


def _no_tool(problem: str, way_out: str) -> Diagnostic:
    return error(
        "no-tool",
        f"{problem}, and the program cannot be checked without it",
        None,
        f"{way_out}, and build again: nothing was asked",
    )
