"""The direct strategy, driven by a list of answers: no model and no mocks."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from ai_coding import prompt, reply
from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Ask, Judge, Language, Program, Spec
from ai_coding.strategies.direct import direct

SPEC = Spec(path=Path("fizz.toml"), name="fizz", language=Language("python", "py"), requirements={"": "Print Fizz."})
WRONG = "````python fizz.py\nif True:\n    print('Fuzz')\n````\n"
EDIT = "````search fizz.py\n    print('Fuzz')\n````\n````replace\n    print('Fizz')\n````\n"
FUZZ = Program({"fizz.py": "if True:\n    print('Fuzz')\n"}, "fizz.py")
FIZZ = Program({"fizz.py": "if True:\n    print('Fizz')\n"}, "fizz.py")
OLD = Program({"fizz.py": "def fizz():\n    pass\n"}, "fizz.py")
BAD, WORSE = error("tests", "bad"), error("syntax", "worse")
WARNING, NOTE = Diagnostic("warning", "style", "ugly"), Diagnostic("note", "x", "y")


def drive(strategy: Generator[Ask | Judge, Any, Program], *answers: object) -> tuple[list[Ask | Judge], Program | None]:
    """What the strategy needs, one after the other, and what it returns (None: it still asks)."""
    needs = [next(strategy)]
    try:
        for answer in answers:
            needs.append(strategy.send(answer))
    except StopIteration as done:
        assert len(needs) == len(answers)
        program: Program = done.value
        return needs, program
    return needs, None


def fault(text: str, base: Program | None = None) -> list[Diagnostic]:
    return reply.read_one(text, "fizz.py", SPEC.language, base)[1]


def test_a_program_that_passes_at_once() -> None:
    assert drive(direct(SPEC), WRONG, []) == ([Ask(prompt.generate(SPEC)), Judge(FUZZ)], FUZZ)


def test_warnings_and_notes_do_not_keep_a_program_back() -> None:
    assert drive(direct(SPEC), WRONG, [WARNING, NOTE])[1] == FUZZ
    assert drive(direct(SPEC, FUZZ), [WARNING, NOTE]) == ([Judge(FUZZ)], FUZZ)


def test_errors_are_sent_back_without_warnings_and_mended_by_edits() -> None:
    needs, program = drive(direct(SPEC), WRONG, [WARNING, BAD, NOTE, WORSE], EDIT, [])
    because = (BAD, WORSE)
    assert needs[2:] == [Ask(prompt.repair(SPEC, FUZZ, because), because), Judge(FIZZ)] and program == FIZZ


def test_a_reply_that_cannot_be_read_is_sent_back_and_not_judged() -> None:
    cut = "```python fizz.py\nnever closed"
    needs, program = drive(direct(SPEC), cut, WRONG, [BAD], cut, EDIT, [])
    assert [type(need) for need in needs] == [Ask, Ask, Judge, Ask, Ask, Judge] and program == FIZZ
    assert needs[1] == Ask(prompt.repair(SPEC, None, fault(cut)), tuple(fault(cut)))
    assert needs[4] == Ask(prompt.repair(SPEC, FUZZ, fault(cut)), tuple(fault(cut)))


def test_a_reply_that_names_another_file_is_refused() -> None:
    needs, _ = drive(direct(SPEC), "```python other.py\nx\n```")
    assert isinstance(needs[1], Ask) and [d.code for d in needs[1].because] == ["reply-other-file"]


def test_it_asks_as_long_as_it_is_answered() -> None:
    """The budget is not the strategy's business: it never gives up."""
    needs, program = drive(direct(SPEC), *[WRONG, [BAD]] * 50)
    assert len(needs) == 101 and program is None and needs[2] == needs[-1]


def test_a_base_that_nothing_changed_for_is_judged_first() -> None:
    assert drive(direct(SPEC, FUZZ), []) == ([Judge(FUZZ)], FUZZ)
    needs, program = drive(direct(SPEC, FUZZ), [WARNING, BAD], EDIT, [])
    assert needs == [Judge(FUZZ), Ask(prompt.repair(SPEC, FUZZ, [BAD]), (BAD,)), Judge(FIZZ)] and program == FIZZ


def test_a_change_is_asked_for_with_the_base() -> None:
    needs, program = drive(direct(SPEC, FUZZ, "-a\n+b"), EDIT, [])
    assert needs == [Ask(prompt.generate(SPEC, FUZZ, "-a\n+b")), Judge(FIZZ)] and program == FIZZ


def test_the_change_is_told_until_a_program_came() -> None:
    """A reply that cannot be read leaves the base and the change to be told again; a program that fails does not."""
    needs, _ = drive(direct(SPEC, FUZZ, "-a\n+b"), "```", EDIT, [BAD], "```")
    assert needs[1] == Ask(prompt.repair(SPEC, FUZZ, fault("```"), "-a\n+b"), tuple(fault("```")))
    assert needs[3] == Ask(prompt.repair(SPEC, FIZZ, [BAD]), (BAD,))
    assert needs[4] == Ask(prompt.repair(SPEC, FIZZ, fault("```")), tuple(fault("```")))


def test_public_names_that_a_change_loses_are_asked_back_before_it_is_judged() -> None:
    """Those of the base, also in later answers; a name that the change speaks of may go."""
    needs, program = drive(direct(SPEC, OLD, "-a\n+b"), WRONG, WRONG, "```\ndef fizz(): ...\n```", [])
    assert [type(need) for need in needs] == [Ask, Ask, Ask, Judge] and program
    for need in needs[1:3]:
        assert isinstance(need, Ask) and [d.code for d in need.because] == ["public-name-lost"]
        assert need.messages == prompt.repair(SPEC, FUZZ, need.because)
    assert drive(direct(SPEC, OLD, "-fizz\n+b"), WRONG, [])[1] == FUZZ
    assert drive(direct(SPEC, OLD), [BAD], WRONG, [])[1] == FUZZ


@pytest.mark.parametrize("name", ["fuzz.py", "a/fizz.py"])
def test_a_base_of_another_name_is_renamed(name: str) -> None:
    old = Program({name: FUZZ.files["fizz.py"]}, name)
    needs, program = drive(direct(SPEC, old, "-fuzz.py"), EDIT, [])
    assert needs == [Ask(prompt.generate(SPEC, FUZZ, "-fuzz.py")), Judge(FIZZ)] and program == FIZZ


def test_a_base_in_another_language_is_forgotten() -> None:
    old = Program({"fizz.sh": "echo\n"}, "fizz.sh")
    assert drive(direct(SPEC, old, "-bash"), WRONG, []) == ([Ask(prompt.generate(SPEC)), Judge(FUZZ)], FUZZ)
