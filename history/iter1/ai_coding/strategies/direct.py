"""The direct strategy: ask for the whole program, then for repairs until the critics find nothing.

In: a spec and, where there is one, the program that was accepted before, with what changed in the requirements since.
Out: a generator that yields what it needs (a reply's text, the critics' diagnostics) and returns a program without
errors. It never gives up: how often it is answered is the driver's business.
"""

from collections.abc import Generator, Sequence
from typing import Any

from ai_coding import prompt, reply
from ai_coding.diagnostic import Diagnostic, errors
from ai_coding.interface import lost
from ai_coding.ir import Ask, Judge, Program, Spec


def direct(spec: Spec, base: Program | None = None, changes: str = "") -> Generator[Ask | Judge, Any, Program]:
    """base: the program to start from. changes: a diff of the requirements since it was accepted."""
    base, changes = _start(spec, base, changes)
    if base is None or changes:
        ask = Ask(prompt.generate(spec, base, changes))
    else:
        problems = errors((yield Judge(base)))
        if not problems:
            return base
        ask = _repair(spec, base, problems, changes)
    latest, untold = base, changes
    while True:
        text: str = yield ask
        program, found = reply.read_one(text, spec.entry, spec.language, latest)
        if program is None:
            problems = errors(found)
        else:
            # A program that came was written with the changes in view: from now on only its own errors are told.
            latest, untold = program, ""
            # Against base, not the program before: else a name lost once would pass in the next answer.
            problems = lost(base, program, changes) if base is not None and changes else []
            if not problems:
                problems = errors((yield Judge(program)))
            if not problems:
                return program
        ask = _repair(spec, latest, problems, untold)


def _start(spec: Spec, base: Program | None, changes: str) -> tuple[Program | None, str]:
    """The base under the spec's entry, and the changes; neither if the base is in another language."""
    if base is None or base.entry == spec.entry:
        return base, changes
    if not base.entry.endswith(f".{spec.language.extension}"):
        return None, ""
    return Program({spec.entry: base.files[base.entry]}, spec.entry), changes


def _repair(spec: Spec, program: Program | None, problems: Sequence[Diagnostic], changes: str) -> Ask:
    """The request to mend these problems."""
    because = tuple(problems)
    return Ask(prompt.repair(spec, program, because, changes), because)
