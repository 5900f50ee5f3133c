"""The words of a request: what a model is told about a spec, rendered from hand-written templates.

In: a spec, which may bring templates of its own, and, where there are any, the program so far,
what is wrong with it and what changed; or messages and the answer to them that was cut off.
Out: two messages, system and user, the same bytes for the same input, or the messages that ask to
go on; jinja2's TemplateError where a template fails; also the texts they are made of (fences and
differences), the environment they are rendered in and an estimate of their length in tokens.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath
from threading import Lock
from typing import TYPE_CHECKING

from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Message, Program, Spec, Test

if TYPE_CHECKING:
    from jinja2 import Environment

# A cache alone would let all threads that ask before it is filled compile.
_COMPILING = Lock()


def generate(spec: Spec, base: Program | None = None, changes: str = "") -> tuple[Message, ...]:
    """system, user."""
    return repair(spec, base, (), changes)


def repair(
    spec: Spec, program: Program | None, problems: Sequence[Diagnostic], changes: str = ""
) -> tuple[Message, ...]:
    """Same."""
    templates = environment(spec)
    values = {
        "spec": spec,
        "program": program,
        "changes": changes,
        "problems": [{"text": str(problem)} for problem in problems],
        "tests": [test for test in spec.tests if not test.held_out],
    }
    system = templates.get_template("system.j2").render(values)
    request = templates.get_template("request.j2").render(values)
    return Message("system", system), Message("user", request.strip() + "\n")


def environment(spec: Spec) -> Environment:
    """jinja2's, with the templates and filters of R1 and R2. Imported in functions alone."""
    return _environment(spec.prompts) if spec.prompts else _package()


def continuation(messages: Sequence[Message], text: str) -> tuple[Message, ...]:
    """messages; text, which the token limit cut off, as the assistant's; and the user's wish to
    go on, `continue.j2`.
    """
    wish = _package().get_template("continue.j2").render()
    return (*messages, Message("assistant", text), Message("user", wish.strip() + "\n"))


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """What changed between two tables of texts."""
    return "\n".join(
        line
        for key in sorted({*old, *new})
        for line in _unified(key, old.get(key, ""), new.get(key, ""))
    )


def fenced(text: str, info: str = "") -> str:
    """Fenced by a backtick more than its longest run of 3 or more has, 4 at least."""
    fence = "`" * (max([3, *map(len, re.findall("`+", text))]) + 1)
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{fence}{info}\n{text}{end}{fence}"


def tokens(messages: Sequence[Message]) -> int:
    """About how many: a third of all characters, rounded down."""
    return sum(len(message.text) for message in messages) // 3


def _package() -> Environment:
    """The one that all specs without templates of their own share."""
    with _COMPILING:
        return _compiled()


@cache
def _compiled() -> Environment:
    templates = _environment({})
    # Now, as jinja2 compiles a template twice if two threads are the first to get it.
    for name in ("system.j2", "request.j2", "continue.j2"):
        templates.get_template(name)
    return templates


def _environment(prompts: Mapping[str, str]) -> Environment:
    """prompts: templates in place of the package's, path -> text."""
    from jinja2 import (
        ChoiceLoader,
        FileSystemLoader,
        FunctionLoader,
        PrefixLoader,
        StrictUndefined,
    )
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
            # A spec holds paths, and what these offer reads and writes files.
            return not isinstance(obj, PurePath) and super().is_safe_attribute(obj, attr, value)

    own = {
        name: (text, path, None)
        for name in ("system.j2", "request.j2")
        for path, text in prompts.items()
        if path.endswith(name)
    }
    package = FileSystemLoader(Path(__file__).with_name("prompts"))
    # The prefix leads to the package's templates even where own ones have taken their place.
    prefixed = PrefixLoader({"ai_coding": package})
    sandbox = Sandbox(
        loader=ChoiceLoader([FunctionLoader(own.get), prefixed, package]),
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,  # a file touched meanwhile would be compiled again
    )
    sandbox.filters.update(fenced=fenced, text=_text, ending=_ending, filled=_filled, shown=_shown)
    return sandbox


def _unified(key: str, old: str, new: str) -> Iterator[str]:
    before, after = _lines(old), _lines(new)
    if before == after and old != new:
        # No line has a line feed inside, so that the marked one cannot equal any other.
        unended = after if old.endswith("\n") else before
        unended[-1] += "\n\\ No newline at end of file"
    return difflib.unified_diff(before, after, key, key, n=2, lineterm="")


def _lines(text: str) -> list[str]:
    # Not splitlines, which would also split at CR, form feed and others, and lose them.
    return text.removesuffix("\n").split("\n") if text else []


def _text(content: bytes | str) -> str:
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else content


def _ending(text: str) -> str:
    return "" if text.endswith("\n") else ", without a newline at its end"


def _filled(text: str, spec: Spec) -> str:
    return text.replace("{entry}", spec.entry).replace("{stem}", spec.name)


def _shown(test: Test) -> str:
    """How a test is run and what is expected of it, as far as that fits on one line."""
    if test.command:
        run = f"`{test.command}`"
    elif test.args:
        run = f"run with the arguments `{shlex.join(test.args)}`"
    else:
        run = "run without arguments"
    environment = f", environment {dict(test.env)!r}" if test.env else ""
    streams = (("output", test.stdout_matches), ("error", test.stderr_matches))
    patterns = "".join(
        f", standard {stream} matches the Python regular expression `{pattern}`"
        for stream, pattern in streams
        if pattern is not None
    )
    return f"{run}{environment}; expected: exit code {test.exit_code}{patterns}"
