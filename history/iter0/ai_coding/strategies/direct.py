"""Ask for the whole program, then for repairs until the critics find nothing.

In: a Spec, perhaps a program to start from and what changed since. Out: the accepted Program.
"""

from collections.abc import Generator
from typing import Any

from ai_coding import interface, prompt, reply
from ai_coding.diagnostic import Diagnostic, errors
from ai_coding.ir import Ask, Judge, Program, Spec


def direct(spec: Spec, base: Program | None = None, changes: str = "") -> Generator[Ask | Judge, Any, Program]:
    """Ask is answered by a reply's text, Judge by a list of Diagnostics. A base that nothing changed for is judged."""
    if base and base.entry != spec.entry:  # renamed; in another language, nothing of it is of use
        same = base.entry.endswith(f".{spec.language.extension}")
        base = Program({spec.entry: base.files[base.entry]}, spec.entry) if same else None
        changes = changes if same else ""
    program, problems = base, list[Diagnostic]()
    if base and not changes:
        problems = errors((yield Judge(base)))
        if not problems:
            return base
        messages = prompt.repair(spec, base, problems)
    else:
        messages = prompt.generate(spec, base, changes)
    while True:
        text: str = yield Ask(messages, tuple(problems))
        new, problems = reply.read_one(text, spec.entry, spec.language, program)
        if new:
            program = new
            if base and changes:
                problems += interface.lost(base, new, changes)
            if not errors(problems):
                problems = yield Judge(new)
                if not errors(problems):
                    return new
        problems = errors(problems)
        messages = prompt.repair(spec, program, problems, changes if program is base else "")
