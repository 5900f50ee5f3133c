"""The direct strategy: ask for the whole program, then for repairs until the critics find nothing.

In: a Spec, perhaps a program to start from and what changed in the requirements since, and the
answers to what it yields: a reply's text for each Ask, Diagnostics for each Judge.
Out: a program without errors. How often it may ask is for the driver to say.
"""

from collections.abc import Generator
from typing import Any

from ai_coding import prompt, reply
from ai_coding.diagnostic import errors
from ai_coding.interface import lost
from ai_coding.ir import Ask, Judge, Program, Spec


def direct(
    spec: Spec, base: Program | None = None, changes: str = ""
) -> Generator[Ask | Judge, Any, Program]:
    """base: the program to start from. changes: a diff of the requirements since it was accepted.
    """
    if base is not None and base.entry != spec.entry:
        if base.entry.endswith(f".{spec.language.extension}"):
            base = Program({spec.entry: base.files[base.entry]}, spec.entry)
        else:
            base, changes = None, ""

    if base is None or changes:
        ask = Ask(prompt.generate(spec, base, changes))
    else:
        problems = errors((yield Judge(base)))
        if not problems:
            return base
        ask = Ask(prompt.repair(spec, base, problems), tuple(problems))

    latest = base
    while True:
        text: str = yield ask
        program, found = reply.read_one(text, spec.entry, spec.language, latest)
        problems = errors(found)
        if program is not None:
            latest = program
            if base is not None and changes:
                problems += lost(base, program, changes)
            if not problems:
                problems = errors((yield Judge(program)))
            if not problems:
                return program
        # Once a program came, it is what has to be mended: the change was told and answered.
        untold = changes if latest is base else ""
        ask = Ask(prompt.repair(spec, latest, problems, untold), tuple(problems))
