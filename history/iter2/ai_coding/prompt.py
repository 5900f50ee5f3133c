"""Renders a Spec, and what is known of its program so far, into the messages of a request.

In: a Spec; where there are any, its program, what is wrong with that and what changed in the Spec.
Out: a system and a user message, in the words of the hand-written templates in `prompts`.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from difflib import unified_diff
from pathlib import Path

from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Message, Program, Spec, Test


def generate(spec: Spec, base: Program | None = None, changes: str = "") -> tuple[Message, ...]:
    """system, user."""
    return repair(spec, base, (), changes)


def repair(
    spec: Spec, program: Program | None, problems: Sequence[Diagnostic], changes: str = ""
) -> tuple[Message, ...]:
    """Same."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("prompts")),
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        fenced=fenced, text=_text, ending=_ending, filled=_filled, shown=_shown
    )
    values = {
        "spec": spec,
        "program": program,
        "changes": changes,
        "problems": [{"text": str(problem)} for problem in problems],
        "tests": [test for test in spec.tests if not test.held_out],
    }
    system = environment.get_template("system.j2").render(values)
    request = environment.get_template("request.j2").render(values)
    return Message("system", system), Message("user", request.strip() + "\n")


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """What changed between two tables of texts."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key, ""), new.get(key, "")
        left, right = _lines(before), _lines(after)
        if left == right and before != after:
            # Only the last newline differs, which lines without their ends would not show.
            unended = right if before.endswith("\n") else left
            unended[-1] += "\n\\ No newline at end of file"
        lines += unified_diff(left, right, key, key, n=2, lineterm="")
    return "\n".join(lines)


def fenced(text: str, info: str = "") -> str:
    """Fenced by a backtick more than its longest run of 3 or more has, 4 at least."""
    longest = max(map(len, re.findall("`{3,}", text)), default=3)
    fence = "`" * (longest + 1)
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{fence}{info}\n{text}{end}{fence}"


def tokens(messages: Sequence[Message]) -> int:
    """About how many: a third of all characters, rounded down."""
    return sum(len(message.text) for message in messages) // 3


def _lines(text: str) -> list[str]:
    """Without their ends. Unlike str.splitlines, only a line feed ends one."""
    return text.removesuffix("\n").split("\n") if text else []


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _ending(text: str) -> str:
    return "" if text.endswith("\n") else ", without a newline at its end"


def _filled(text: str, spec: Spec) -> str:
    return text.replace("{entry}", spec.entry).replace("{stem}", spec.name)


def _shown(test: Test) -> str:
    """How it is run and what is expected; its name, what it covers and the colon come before."""
    if test.command:
        shown = f"`{test.command}`"
    elif test.args:
        shown = f"run with the arguments `{shlex.join(test.args)}`"
    else:
        shown = "run without arguments"
    if test.env:
        shown += f", environment {dict(test.env)!r}"
    shown += f"; expected: exit code {test.exit_code}"
    for stream, pattern in (("output", test.stdout_matches), ("error", test.stderr_matches)):
        if pattern is not None:
            shown += f", standard {stream} matches the Python regular expression `{pattern}`"
    return shown
