"""The direct strategy: ask for the whole program, then for repairs until the critics find nothing.

In: a Spec, the program to start from if there is one, and what changed in the requirements since;
then, for each thing that it yields, the text of a reply or the diagnostics of the critics.
Out: Ask and Judge, one at a time, and at last a program in which the critics find no errors.
"""

from collections.abc import Generator, Sequence
from typing import Any

from ai_coding import interface, prompt, reply
from ai_coding.diagnostic import Diagnostic, errors
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
        ask = _repair(spec, base, problems, changes)
    program: Program | None = base
    while True:
        text: str = yield ask
        new, notes = reply.read_one(text, spec.entry, spec.language, program)
        if new is None:
            problems = errors(notes)
        else:
            program = new
            # Compared with base and not with the reply before: what one reply lost stays lost.
            lost = interface.lost(base, new, changes) if base is not None and changes else []
            problems = lost or errors((yield Judge(new)))
            if not problems:
                return new
        # Once a program was read, its own errors are what is left to mend.
        ask = _repair(spec, program, problems, changes if program is base else "")


def _repair(
    spec: Spec, program: Program | None, problems: Sequence[Diagnostic], changes: str
) -> Ask:
    return Ask(prompt.repair(spec, program, problems, changes), tuple(problems))
