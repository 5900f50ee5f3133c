"""A reply that the token limit cut off is continued: which requests that takes, and what text comes of it."""

from dataclasses import replace

import pytest
from ai_coding import continuation, prompt
from ai_coding.ir import Message, Reply, Request

FIRST = Request("openai:x", 2, {"max_tokens": 9}, (Message("system", "be"), Message("user", "hi")), ("tool",))


def walk(*parts: str, finish: str = "length", last: str = "stop") -> tuple[list[Request], str]:
    """The requests that were asked, and the whole text; each part but the last one ended as `finish` says."""
    steps, asked = continuation.whole(FIRST), list[Request]()
    try:
        asked.append(next(steps))
        for number, part in enumerate(parts, 1):
            asked.append(steps.send(Reply(part, last if number == len(parts) else finish)))
    except StopIteration as done:
        assert len(asked) == len(parts), "it asked as often as there were replies"
        return asked, str(done.value)
    raise AssertionError(f"it wants more than {len(parts)} replies")


def test_a_continuation_is_the_request_and_what_came_so_far() -> None:
    """Only the messages are others: model, take and parameters stay, and so does the digest, wherever it is made."""
    made = continuation.further(FIRST, "so far")
    assert made == replace(FIRST, messages=prompt.continuation(FIRST.messages, "so far"))
    assert made.messages[:2] == FIRST.messages and made.messages[2] == Message("assistant", "so far")
    assert made.digest != FIRST.digest != continuation.further(FIRST, "so").digest


@pytest.mark.parametrize("finish", ["stop", "tool_calls", ""])
def test_what_ended_otherwise_is_whole(finish: str) -> None:
    assert walk("text", last=finish) == ([FIRST], "text")


def test_parts_join_as_they_are() -> None:
    """Every continuation begins from the first request and has all the text, not the last part alone."""
    asked, text = walk("a ", "b\n", " c")
    assert text == "a b\n c"
    assert asked == [FIRST, continuation.further(FIRST, "a "), continuation.further(FIRST, "a b\n")]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("ab", "abc"), "abc"),
        (("ab", "abc", "abcd"), "abcd"),
        (("ab", "c", "abcd"), "abcd"),
        (("ab", "c", "abd"), "abcabd"),
        (("ab", "a"), "aba"),
        (("ab", " ab"), "ab ab"),
    ],
)
def test_a_part_that_begins_with_all_so_far_takes_its_place(parts: tuple[str, ...], text: str) -> None:
    assert walk(*parts)[1] == text


@pytest.mark.parametrize(
    ("parts", "text"),
    [(("",), ""), (("ab", ""), "ab"), (("ab", "ab"), "ab"), (("ab", "c", ""), "abc"), (("ab", "c", "abc"), "abc")],
)
def test_nothing_is_asked_behind_a_part_that_brought_nothing(parts: tuple[str, ...], text: str) -> None:
    assert walk(*parts, last="length")[1] == text


def test_there_is_a_budget() -> None:
    parts = [str(number) for number in range(continuation.MOST + 1)]
    assert continuation.MOST == 8 and walk(*parts, last="length")[1] == "012345678"


def test_what_no_request_can_carry_is_not_continued() -> None:
    assert walk("\ud800", last="length") == ([FIRST], "\ud800")
    assert walk("a", "\udc00", last="length")[1] == "a\udc00"
