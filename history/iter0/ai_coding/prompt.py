"""Spec -> the messages of a request. In: a Spec, a program to start from, what is wrong. Out: rendered templates."""

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jinja2

from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Message, Program, Spec, Test


def generate(spec: Spec, base: Program | None = None, changes: str = "") -> tuple[Message, ...]:
    """The first question: write the program, or change base as changes (a diff of the requirements) ask for."""
    return _render(spec, base, changes, ())


def repair(
    spec: Spec, program: Program | None, problems: Sequence[Diagnostic], changes: str = ""
) -> tuple[Message, ...]:
    """Ask for a better program: what is wrong with this one, or with a reply that could not be read.

    changes: the diff of the requirements that program does not follow yet.
    """
    return _render(spec, program, changes, problems)


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """What changed between two tables of requirement texts, as a diff for a model to read."""
    parts = list[str]()
    for key in sorted({*old, *new}):
        before, after = old.get(key, ""), new.get(key, "")
        if before != after:
            parts += difflib.unified_diff(before.splitlines(), after.splitlines(), key, key, lineterm="", n=2)
    return "\n".join(parts)


def fenced(text: str, info: str = "") -> str:
    """text in a fence that is longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=3)
    fence = "`" * (longest + 1)
    return f"{fence}{info}\n{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{fence}"


def tokens(messages: Sequence[Message]) -> int:
    """About how many tokens messages have: source code measures 2.5 to 4.3 characters a token."""
    return sum(len(message.text) for message in messages) // 3


def _shown(test: Test) -> str:
    """One line about a test; the template shows its longer parts."""
    run = f"`{test.command}`" if test.command else f"run with the arguments `{shlex.join(test.args)}`"
    run = run if test.args or test.command else "run without arguments"
    env = f", environment {dict(test.env)}" if test.env else ""
    rules = [f"exit code {test.exit_code}"]
    for name, pattern in (("output", test.stdout_matches), ("error", test.stderr_matches)):
        rules += [f"standard {name} matches the Python regular expression `{pattern}`"] if pattern is not None else []
    return f"{run}{env}; expected: {', '.join(rules)}"


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("ai_coding", "prompts")
    found = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters |= {"fenced": fenced, "shown": _shown, "text": lambda data: data.decode("utf-8", "replace")}
    found.filters["ending"] = lambda text: "" if text.endswith("\n") else ", without a newline at its end"
    found.filters["filled"] = lambda text, spec: text.replace("{entry}", spec.entry).replace("{stem}", spec.name)
    return found


def _render(spec: Spec, program: Program | None, changes: str, problems: Sequence[Diagnostic]) -> tuple[Message, ...]:
    values: dict[str, Any] = {
        "spec": spec, "program": program, "changes": changes, "problems": [{"text": str(p)} for p in problems],
        "tests": [test for test in spec.tests if not test.held_out],
    }  # fmt: skip
    template = _environment().get_template
    return (
        Message("system", template("system.j2").render(values)),
        Message("user", template("request.j2").render(values).strip() + "\n"),
    )
