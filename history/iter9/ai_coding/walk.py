"""Lets a strategy run once more over its recorded steps, and finds the first difference.

In: a strategy that has not begun, its Spec, and the Transcript of the build with its path.
Out: the Program that the strategy returns, or a Diagnostic of the first difference from the record.
"""

from collections.abc import Generator
from typing import Any

from ai_coding import continuation, generation
from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Ask, Judge, Program, Reply, Request, Spec
from ai_coding.transcript import Judgement, Question, Step, Transcript, diagnostics


def walk(
    at: str,
    spec: Spec,
    recorded: Transcript,
    strategy: Generator[Ask | Judge, Any, Program],
    loose: bool = False,
) -> Program | Diagnostic:
    """The program that the strategy returns, or the first difference.

    at: the transcript's path, relative to the root.
    """
    run = _requests(spec, recorded, strategy)
    answer: Any = None
    taken = 0
    while True:
        try:
            asked = run.send(answer)
        except StopIteration as end:
            if taken < len(recorded.steps):
                message = f"the strategy returns its program, but {at} has steps left over"
                return generation.problem("other-bytes", spec.entry, message)
            program: Program = end.value
            return program
        step = recorded.steps[taken] if taken < len(recorded.steps) else None
        taken += 1
        try:
            answer = _answer(asked, step, loose)
        except ValueError as refused:
            return generation.damaged(at, f"step {taken}: {refused}")
        if answer is None:
            return _difference(at, spec, taken, asked)


def _requests(
    spec: Spec, recorded: Transcript, strategy: Generator[Ask | Judge, Any, Program]
) -> Generator[Request | Judge, Any, Program]:
    """The strategy, with the requests in the place of each Ask: one step for each yield."""
    answer: Any = None
    while True:
        try:
            wanted = strategy.send(answer)
        except StopIteration as end:
            program: Program = end.value
            return program
        if isinstance(wanted, Ask):
            request = Request(recorded.model, recorded.take, spec.parameters, wanted.messages)
            answer = yield from continuation.whole(request)
        else:
            answer = yield wanted


def _answer(
    asked: Request | Judge, step: Step | None, loose: bool
) -> Reply | tuple[Diagnostic, ...] | None:
    """What the step answers, None if something else. ValueError: its diagnostics are damaged."""
    if isinstance(asked, Request):
        if isinstance(step, Question) and (loose or step.request == _digest(asked)):
            return Reply(step.reply["text"], step.reply.get("finish", "stop"))
    elif isinstance(step, Judgement) and step.program == _digest(asked.program):
        return diagnostics(step.answer)
    return None


def _digest(value: Request | Program) -> str | None:
    try:
        return value.digest
    except ValueError:  # a lone surrogate, which an archived reply may hold, cannot be encoded
        return None


def _difference(at: str, spec: Spec, number: int, asked: Request | Judge) -> Diagnostic:
    if isinstance(asked, Request):
        path = (generation.SELF.parent / spec.path.name).as_posix()
        message = f"the request that is made now is not what step {number} of {at} recorded"
        return generation.problem("other-request", path, message)
    why = f"step {number} is not a verdict on the program that the strategy makes now"
    return generation.damaged(at, why, "other-program")
