"""A strategy runs over recorded steps: the first difference is told, and nothing damaged raises."""

from collections.abc import Generator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from ai_coding import continuation
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Ask, Judge, Language, Message, Program, Reply, Request, Spec
from ai_coding.transcript import Judgement, Question, Step, Transcript
from ai_coding.walk import walk

AT = "history/iter3/transcripts/x.json"
SPEC = Spec(Path("self/x.toml"), "x", Language("c", "c"), {"": "r"}, parameters={"seed": 1})
HELLO = (Message("user", "hello"),)
FIRST = Request("m", 2, {"seed": 1}, HELLO)
FAILS = (error("tests", "it fails"),)


def program(text: str) -> Program:
    return Program({SPEC.entry: text}, SPEC.entry)


def strategy() -> Generator[Ask | Judge, Any, Program]:
    """Asks until nothing is wrong; what it asks next holds what was said, and what was found."""
    text = yield Ask(HELLO)
    while found := (yield Judge(program(text))):
        assert isinstance(found, tuple)
        text = yield Ask((*HELLO, Message("user", f"{text}: {found[0].message}")))
    return program(text)


def question(request: Request, text: str, **more: str) -> Question:
    return Question(request.digest, "m", {"text": text, **more})


def judgement(text: str, *found: Diagnostic) -> Judgement:
    return Judgement(program(text).digest, "sha256:0", {"diagnostics": [asdict(each) for each in found]})


SECOND = replace(FIRST, messages=(*HELLO, Message("user", "one: it fails")))
STEPS: tuple[Step, ...] = (
    question(FIRST, "one", finish="stop"), judgement("one", *FAILS), question(SECOND, "two"), judgement("two"),
)  # fmt: skip


def told(*steps: Step, loose: bool = False, spec: Spec = SPEC, **changed: Any) -> str:
    """Code, file and the number of the step; or the text of the program."""
    found = walk(AT, spec, replace(Transcript("m", 2, None, steps), **changed), strategy(), loose)
    if isinstance(found, Program):
        return found.files[SPEC.entry]
    assert found.severity == "error" and found.span and found.help
    step = "".join(filter(str.isdigit, found.message.replace(AT, "")))
    return f"{found.code} {found.span.file}" + (f" {step}" if found.code != "other-bytes" else "")


def test_the_strategy_gets_what_was_answered_then() -> None:
    assert told(*STEPS) == "two"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((), "other-request self/x.toml 1"),
        (STEPS[1:], "other-request self/x.toml 1"),
        ((question(SECOND, "one"), *STEPS[1:]), "other-request self/x.toml 1"),
        (STEPS[:1], f"other-program {AT} 2"),
        ((STEPS[0], *STEPS[2:]), f"other-program {AT} 2"),
        ((STEPS[0], judgement("two", *FAILS), *STEPS[2:]), f"other-program {AT} 2"),
        (STEPS[:2], "other-request self/x.toml 3"),
        ((*STEPS[:2], STEPS[0], STEPS[3]), "other-request self/x.toml 3"),
        (STEPS[:3], f"other-program {AT} 4"),
        ((*STEPS, STEPS[0]), f"other-bytes {SPEC.entry}"),
        ((STEPS[0], Judgement(program("one").digest, "sha256:0", {}), *STEPS[2:]), f"damaged-archive {AT} 2"),
        ((question(FIRST, "\ud800"), *STEPS[1:]), f"other-program {AT} 2"),
    ],
)
def test_the_first_difference(steps: tuple[Step, ...], expected: str) -> None:
    assert told(*steps) == expected


def test_model_take_and_parameters_are_part_of_a_request() -> None:
    for changed in ({"model": "n"}, {"take": 1}):
        assert told(*STEPS, **changed) == "other-request self/x.toml 1"
    assert told(*STEPS, spec=replace(SPEC, parameters={})) == "other-request self/x.toml 1"


def test_where_digests_are_not_compared() -> None:
    """All else is: a request that showed other tests cannot be made again."""
    other = question(SECOND, "one")
    assert told(other, *STEPS[1:], loose=True) == "two"
    assert told(other, judgement("two"), loose=True) == f"other-program {AT} 2"
    assert told(other, STEPS[1], loose=True) == "other-request self/x.toml 3"


def test_a_reply_that_was_continued() -> None:
    """Each continuation is a question of its own, and the strategy gets the whole."""
    parts = (
        question(FIRST, "o", finish="length"),
        question(continuation.further(FIRST, "o"), "n", finish="length"),
        question(continuation.further(FIRST, "on"), "e", finish="stop"),
    )
    assert told(*parts, *STEPS[1:]) == "two"
    assert told(*parts[:2], *STEPS[1:]) == "other-request self/x.toml 3"
    assert told(parts[0], parts[2], *STEPS[1:]) == "other-request self/x.toml 2"
    assert told(parts[0], replace(parts[1], reply=asdict(Reply("ne"))), *STEPS[1:]) == "two"
