"""Prompts: what a request tells a model, in the words of the real templates."""

import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest
from ai_coding import prompt
from ai_coding.diagnostic import Span, error
from ai_coding.ir import Language, Message, Program, Spec, Use
from ai_coding.ir import Test as Case
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError

PYTHON = Language("python", "py", run=("python3", "{entry}"), compile=("cc", "{entry}", "-o", "{stem}"))
OLD = Program({"fizz.py": "print('Fuzz')\n"}, "fizz.py")


def spec(*tests: Case) -> Spec:
    return Spec(path=Path("fizz.toml"), name="fizz", language=PYTHON, requirements={"": "Print Fizz."}, tests=tests)


def asked(*tests: Case) -> str:
    return prompt.generate(spec(*tests))[1].text


def test_templates_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many threads ask at the same moment. Stands first: later tests find them compiled."""
    compiled, ready = list[str](), threading.Barrier(8)
    compile: Callable[..., object] = jinja2.Environment.compile

    def counted(self: jinja2.Environment, source: str, *args: object) -> object:
        compiled.append(source)
        return compile(self, source, *args)

    def ask(_: int) -> tuple[Message, ...]:
        ready.wait()
        return prompt.generate(spec())

    monkeypatch.setattr(jinja2.Environment, "compile", counted)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(8)))) == 1
    assert len(compiled) == len(set(compiled))


def test_a_request_is_a_system_and_a_user_message() -> None:
    messages = prompt.generate(spec())
    assert [type(m) for m in messages] == [Message, Message] and isinstance(messages, tuple)
    system, user = messages
    assert (system.role, user.role) == ("system", "user")
    assert system.text == Path(prompt.__file__).with_name("prompts").joinpath("system.j2").read_text(
        "utf-8"
    ).removesuffix("\n")
    assert user.text.startswith("# fizz.py\n\nWrite `fizz.py` in python\n\n## Requirements\n\nPrint Fizz.\n\n## How")
    assert user.text.endswith("\n") and not user.text.endswith("\n\n")
    assert prompt.generate(spec()) == messages


def test_own_templates_take_the_place_of_the_packages() -> None:
    """Each on its own; what is left of the package's may be included. Rendered as those are."""
    own = {"a/b/system.j2": "Be {{ spec.name | fenced }}\n"}
    assert prompt.generate(replace(spec(), prompts=own)) == (
        Message("system", "Be ````\nfizz\n````"),
        prompt.generate(spec())[1],
    )
    own = {"request.j2": "\n{% if tests %}\n    {% endif %}\n{% include 'ai_coding/request.j2' %}\n\nMind this.\n\n"}
    system, user = prompt.repair(replace(spec(), prompts=own), OLD, [error("x", "bad")])
    assert (system, user.text) == (
        prompt.generate(spec())[0],
        prompt.repair(spec(), OLD, [error("x", "bad")])[1].text + "Mind this.\n",
    )
    values = {"request.j2": "{{ program.entry }} {{ changes }} {{ problems | length }} {{ tests | length }}"}
    hidden = Case("never told", held_out=True)
    assert prompt.repair(replace(spec(hidden), prompts=values), OLD, [], "-x")[1].text == "fizz.py -x 0 0\n"


@pytest.mark.parametrize(
    "text",
    [
        "{{ no }}", "{{ spec.no }}", "{{ spec.path.read_text() }}", "{{ spec.path | attr('unlink') }}",
        "{{ (spec.path / 'x')['write_text'] }}", "{{ spec.path.parent }}", "{{ ''.__class__ }}",
        "{{ tests.append(1) }}",
        "{% include 'system.j3' %}", "{% include '/etc/hosts' %}", "{% include 'ai_coding/../prompt.py' %}",
    ],
)  # fmt: skip
def test_a_template_may_come_from_a_stranger(text: str) -> None:
    """It reaches no file but the package's templates; what it may not do is an error at its line."""
    with pytest.raises(TemplateError) as caught:
        prompt.generate(replace(spec(), prompts={"own/request.j2": "a\n" + text}))
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert ("own/request.j2", 2) in frames


def test_jinja_is_imported_late() -> None:
    code = "import sys; from ai_coding import prompt; print('jinja2' in sys.modules)"
    env = {"PYTHONPATH": str(Path(prompt.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_all_that_a_spec_says_is_told_as_it_stands() -> None:
    many = {"R1": "a < b & 'c' {{ d }}\n  {% if %}", "R2": "é"}
    text = prompt.generate(Spec(
        path=Path("x"), name="fizz", language=PYTHON, requirements=many, description="Fizzes", specs={"": "fact"},
        hints={"h": "hint"}, interface="def f(): ...", uses=(Use(Path("u.toml"), "pkg/u", "def u(): ...\n"),),
        context={"t.sql": "select\n"}, critics=("nobody",), model="who:ever"))[1].text  # fmt: skip
    assert "python: Fizzes\n\n## Requirements\n\nR1: a < b & 'c' {{ d }}\n  {% if %}\nR2: é\n\n## Facts" in text
    assert "\n\n## Facts to follow\n\nfact\n\n## Hints\n\nh: hint\n\n## Interface\n\n" in text
    assert "\n````python\ndef f(): ...\n````\n" in text and "\n````python\ndef u(): ...\n````\n" in text
    assert "`pkg/u`" in text and "`t.sql`" in text and "\n````\nselect\n````\n" in text
    assert not any(
        word in text for word in ("nobody", "who:ever", "Tests that", "What changed", "wrong with", "so far")
    )


REGEX = " matches the Python regular expression"


@pytest.mark.parametrize(
    ("test", "line"),
    [
        (Case("t"), "- t: run without arguments; expected: exit code 0"),
        (Case("t", args=("3", "a b", "")), "- t: run with the arguments `3 'a b' ''`; expected: exit code 0"),
        (Case("t", covers=("A", "B"), exit_code=2), "- t (shows A, B): run without arguments; expected: exit code 2"),
        (Case("t", command="a 'b'", env={"A": "1"}), "- t: `a 'b'`, environment {'A': '1'}; expected: exit code 0"),
        (Case("t", stdout_matches="^a", stderr_matches=""),
         f"- t: run without arguments; expected: exit code 0, standard output{REGEX} `^a`, standard error{REGEX} ``"),
    ],
)  # fmt: skip
def test_a_test_in_one_line(test: Case, line: str) -> None:
    assert f"\n\n{line}\n\n## How to answer\n" in asked(test)


def test_the_longer_parts_of_a_test() -> None:
    copy = {"c": b"\xff\xc3\xa9\n"}
    case = Case("t", stdin="in", stdout="out\n", files={"f": "1\n"}, copy=copy, creates={"o": ""})
    text = asked(case)
    assert "standard input, without a newline at its end:\n````\nin\n````\n" in text
    assert "exactly this:\n````\nout\n````\n" in text and "\n````\n1\n````\n" in text
    assert "`c` beside it:\n````\n\ufffdé\n````\n" in text
    assert "`o` with exactly this, without a newline at its end:\n````\n````\n" in text
    hidden = Case("never told", held_out=True)
    assert asked(hidden) == asked() and asked(case, hidden) == text
    assert "It is compiled with `cc fizz.py -o fizz`." in text and "means `python3 fizz.py` and" in text


def test_a_changed_spec_shows_the_program_and_the_change() -> None:
    text = prompt.generate(spec(), OLD, "-old\n+new")[1].text
    assert "\n````python fizz.py\nprint('Fuzz')\n````\n" in text and "\n````diff\n-old\n+new\n````\n" in text


def test_a_repair_tells_what_is_wrong() -> None:
    problems = [error("tests", "bad\n  -a\n  +b"), error("syntax", "worse", Span("fizz.py", 3), "mend it")]
    fence = "\n````\n" + "\n\n".join(map(str, problems)) + "\n````\n"
    text = prompt.repair(spec(), OLD, problems)[1].text
    assert fence in text and "wrong with the program so far\n" in text and "print('Fuzz')" in text
    none = prompt.repair(spec(), None, problems)[1].text
    assert fence in none and "wrong with your last answer\n" in none and "so far" not in none
    again = prompt.repair(spec(), OLD, problems, "-old")[1].text
    assert fence in again and "````diff\n-old\n````" in again and "What changed" not in text
    assert prompt.repair(spec(), OLD, [], "x") == prompt.generate(spec(), OLD, "x")


def test_a_continuation_shows_what_came_and_asks_to_go_on() -> None:
    """What came is a message as it stands, and no part of the template."""
    messages = prompt.generate(spec())
    made = prompt.continuation(messages, " so {{ far }}\n\n")
    assert made[:2] == messages and made[2] == Message("assistant", " so {{ far }}\n\n") and len(made) == 4
    text = Path(prompt.__file__).with_name("prompts").joinpath("continue.j2").read_text("utf-8").strip() + "\n"
    assert made[3] == Message("user", text) and "exactly where it stops" in text
    assert prompt.continuation((), "x")[1] == made[3]


def test_a_difference_is_a_diff_in_the_order_of_keys() -> None:
    old = {"b": "1\n2\n3\n4\n5\n6", "a": "same", "gone": "x"}
    new = {"new": "y\nz", "a": "same", "b": "1\n2\n3\nfour\n5\n6"}
    assert prompt.difference(old, new) == (
        "--- b\n+++ b\n@@ -2,5 +2,5 @@\n 2\n 3\n-4\n+four\n 5\n 6\n"
        "--- gone\n+++ gone\n@@ -1 +0,0 @@\n-x\n--- new\n+++ new\n@@ -0,0 +1,2 @@\n+y\n+z"
    )
    assert prompt.difference(old, dict(reversed(old.items()))) == "" == prompt.difference({}, {"a": ""})


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a"),
        ("b\na\n", "b\na", "@@ -1,2 +1,2 @@\n b\n-a\n+a\n\\ No newline at end of file"),
        ("x", "y\n", "@@ -1 +1 @@\n-x\n+y"),
        ("", "\n", "@@ -0,0 +1 @@\n+"),
        ("a\n\n", "a\n", "@@ -1,2 +1 @@\n a\n-"),
        ("a\rb\fc\u2028d", "a\rb\fc\u2028e", "@@ -1 +1 @@\n-a\rb\fc\u2028d\n+a\rb\fc\u2028e"),
    ],
)
def test_a_difference_loses_nothing(old: str, new: str, lines: str) -> None:
    """Only a line feed ends a line, and a last newline that comes or goes is a difference."""
    assert prompt.difference({"k": old}, {"k": new}) == f"--- k\n+++ k\n{lines}"


@pytest.mark.parametrize(
    ("text", "info", "expected"),
    [
        ("x\n", "", "````\nx\n````"),
        ("x", "python a.py", "````python a.py\nx\n````"),
        ("", "", "````\n````"),
        ("``x``", "", "````\n``x``\n````"),
        ("a ``` b", "", "````\na ``` b\n````"),
        ("````\n```\n", "c", "`````c\n````\n```\n`````"),
    ],
)
def test_a_fence_is_longer_than_any_inside(text: str, info: str, expected: str) -> None:
    assert prompt.fenced(text, info) == expected


@settings(derandomize=True, deadline=None)
@given(st.lists(st.text("`x\n")))
def test_tokens_are_a_third_of_the_characters(texts: list[str]) -> None:
    assert prompt.tokens([Message("user", text) for text in texts]) == len("".join(texts)) // 3
    assert all(prompt.fenced(text).split("\n")[0] not in text for text in texts)
