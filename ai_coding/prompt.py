"""Renders what a request tells a model: two messages, from the hand-written templates in `ai_coding/prompts`.

In: a Spec, the program so far if there is one, what changed in the requirements, and the problems to mend.
Out: the system and the user message, the same bytes for the same input, since requests are found by digest.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from difflib import unified_diff

from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Message, Program, Spec, Test


def generate(spec: Spec, base: Program | None = None, changes: str = "") -> tuple[Message, ...]:
    "system, user."
    return _messages(spec, base, (), changes)


def repair(
    spec: Spec, program: Program | None, problems: Sequence[Diagnostic], changes: str = ""
) -> tuple[Message, ...]:
    "Same."
    return _messages(spec, program, problems, changes)


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    "What changed between two tables of texts."
    lines: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key, ""), new.get(key, "")
        if before != after:
            old_lines, new_lines = _compared(before, after)
            lines.extend(unified_diff(old_lines, new_lines, key, key, n=2, lineterm=""))
    return "\n".join(lines)


def fenced(text: str, info: str = "") -> str:
    "Fenced by a backtick more than its longest run of 3 or more has, 4 at least."
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=3)
    fence = "`" * (longest + 1)
    newline = "" if not text or text.endswith("\n") else "\n"
    return f"{fence}{info}\n{text}{newline}{fence}"


def tokens(messages: Sequence[Message]) -> int:
    "About how many: a third of all characters, rounded down."
    return sum(len(message.text) for message in messages) // 3


def _messages(
    spec: Spec, program: Program | None, problems: Sequence[Diagnostic], changes: str
) -> tuple[Message, ...]:
    # Jinja is slow to import, and most commands never ask a model.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ai_coding", "prompts"),
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["fenced"] = fenced
    environment.filters["text"] = _text
    environment.filters["ending"] = _ending
    environment.filters["filled"] = _filled
    environment.filters["shown"] = _shown
    values: dict[str, object] = {
        "spec": spec,
        "program": program,
        "changes": changes,
        "problems": [{"text": str(problem)} for problem in problems],
        "tests": [test for test in spec.tests if not test.held_out],
    }
    system = environment.get_template("system.j2").render(values)
    user = environment.get_template("request.j2").render(values)
    return Message("system", system), Message("user", user.strip() + "\n")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _ending(text: str) -> str:
    return "" if text.endswith("\n") else ", without a newline at its end"


def _filled(text: str, spec: Spec) -> str:
    return text.replace("{entry}", spec.entry).replace("{stem}", spec.name)


def _shown(test: Test) -> str:
    expected = [f"exit code {test.exit_code}"]
    for stream, pattern in (("output", test.stdout_matches), ("error", test.stderr_matches)):
        if pattern is not None:
            expected.append(f"standard {stream} matches the Python regular expression `{pattern}`")
    environment = f", environment {dict(test.env)!r}" if test.env else ""
    return f"{_run(test)}{environment}; expected: {', '.join(expected)}"


def _run(test: Test) -> str:
    if test.command:
        return f"`{test.command}`"
    if test.args:
        return f"run with the arguments `{shlex.join(test.args)}`"
    return "run without arguments"


def _compared(old: str, new: str) -> tuple[list[str], list[str]]:
    old_lines, new_lines = _lines(old), _lines(new)
    if old_lines == new_lines:
        # The texts differ in nothing but the last newline, which a diff of lines alone would not show.
        unended = old_lines if len(old) < len(new) else new_lines
        unended[-1] += "\n\\ No newline at end of file"
    return old_lines, new_lines


def _lines(text: str) -> list[str]:
    # Not splitlines, which also splits at form feeds and the like, and loses them.
    return text.removesuffix("\n").split("\n") if text else []
