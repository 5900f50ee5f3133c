"""The chat completions protocol, with an SDK made of paper."""

import json
from collections.abc import Iterator
from types import SimpleNamespace as Thing
from typing import Any

import pytest

from ai_coding.backends import ProviderError, chat
from ai_coding.ir import Message, Reply, Request

QUESTION = Request("openai:a:b", 3, {"temperature": 0.5, "seed": 7}, (Message("system", "be"), Message("user", "hi")))


class APIError(Exception):
    pass


class APIConnectionError(APIError):
    pass


class APITimeoutError(APIConnectionError):
    pass


class APIStatusError(APIError):
    def __init__(self, status: int) -> None:
        super().__init__("plain words")
        self.status_code, self.body, self.message, self.response = status, None, "plain words", Thing(headers={})


SDK = Thing(APIError=APIError, APIConnectionError=APIConnectionError, APITimeoutError=APITimeoutError,
            APIStatusError=APIStatusError)  # fmt: skip


def chunk(text: Any = None, finish: Any = None, model: Any = "tiny-1", usage: Any = None) -> Thing:
    return Thing(model=model, usage=usage, choices=[Thing(delta=Thing(content=text), finish_reason=finish)])


def used(tokens_in: Any, tokens_out: Any, choices: Any = ()) -> Thing:
    return Thing(model=None, choices=choices, usage=Thing(prompt_tokens=tokens_in, completion_tokens=tokens_out))


def ask(*events: Any, sent: dict[str, Any] | None = None) -> tuple[list[str], Reply]:
    """The pieces and the reply when the SDK streams these events; an exception is raised when its turn comes."""

    def create(**arguments: Any) -> Iterator[Any]:
        if sent is not None:
            sent.update(arguments)
        for event in events:
            if isinstance(event, Exception):
                raise event
            yield event

    client = Thing(chat=Thing(completions=Thing(create=create)), base_url="http://here/v1")
    extra, lost = {"extra_body": {"x": 1}}, (ConnectionResetError,)
    stream, pieces = chat.complete(SDK, client, QUESTION, extra, lost, "THE_KEY"), list[str]()
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as done:
        return pieces, done.value


def refused(*events: Any) -> tuple[str, str, str]:
    with pytest.raises(ProviderError) as caught:
        ask(*events)
    found = caught.value.diagnostic
    return found.code, found.message, found.help


def test_what_is_sent() -> None:
    """The model's name is all after the first colon; take is not sent."""
    sent = dict[str, Any]()
    ask(chunk("x", "stop"), sent=sent)
    messages = [{"role": "system", "content": "be"}, {"role": "user", "content": "hi"}]
    rest = {"temperature": 0.5, "seed": 7, "extra_body": {"x": 1}}
    assert sent == {"model": "a:b", "messages": messages, "stream": True, **rest}


def test_a_whole_answer() -> None:
    """Usage may come on any chunk, also on one without choices; the last that says something counts."""
    events = [chunk("", None), chunk("a\n"), chunk(None), chunk("b", usage=used(1, 1).usage), chunk(None, "stop")]
    assert ask(*events, used(11, 7), chunk(model=None)) == (["a\n", "b"], Reply("a\nb", "stop", "tiny-1", 11, 7))


@pytest.mark.parametrize("finish", ["stop", "length", "tool_calls", None])
def test_why_it_ended(finish: str | None) -> None:
    """A stream that ends without a reason was cut off, though the SDKs raise nothing."""
    assert ask(chunk("x"), chunk(None, finish), used(1, 2))[1] == Reply("x", finish or "cut", "tiny-1", 1, 2)
    assert ask(used(0, 0)) == ([], Reply("", "cut", "", 0, 0))


def test_what_is_missing_counts_as_nothing() -> None:
    """Servers leave out fields, and the SDKs give None for them."""
    bare = Thing(model=None, usage=None, choices=None)
    no_delta = Thing(model=None, usage=None, choices=[Thing(delta=None, finish_reason="stop")])
    assert ask(bare, chunk("x"), no_delta, used(None, None, None)) == (["x"], Reply("x", "stop", "tiny-1", 0, 0))


@pytest.mark.parametrize("wrong", [5, None, "x", [1], chunk(5), chunk("x", 7), chunk("x", model=[1]), chunk(usage="x"),
                                   used(1, 2, 5), used(1, 2, [5]), used("x", 2), used([1], 2)])  # fmt: skip
def test_a_chunk_that_is_none(wrong: Any) -> None:
    """The SDKs do not check what a server sends; what has another type than it should is an error, never skipped."""
    assert refused(chunk("x"), wrong, chunk(None, "stop"))[0] == "provider-garbled"


FAULTS = [(APIStatusError(401), "401"), (APIError("x"), "error"), (APIConnectionError("x"), "connection cut"),
          (ConnectionResetError("x"), "connection cut"), (ValueError("x"), "garbled"), (RecursionError("x"), "garbled"),
          (json.JSONDecodeError("x", "", 0), "garbled"), (UnicodeDecodeError("x", b"", 0, 1, "x"), "garbled"),
          (APITimeoutError("x"), "timeout stalled")]  # fmt: skip


@pytest.mark.parametrize(("fault", "codes"), FAULTS)
def test_what_goes_wrong(fault: Exception, codes: str) -> None:
    """Whatever an SDK raises or leaks is a ProviderError, and what came before it is no answer."""
    first, *later = codes.split()
    assert refused(fault)[0] == f"provider-{first}"
    code, message, help = refused(chunk("ab"), chunk("c"), fault)
    assert code == f"provider-{[first, *later][-1]}" and ("3 characters" in message) is bool(later)
    if code == "provider-401":
        assert "THE_KEY" in help, "the variable is named"
    if first == "connection":
        assert "http://here/v1" in refused(fault)[1], "the address is named"


def test_an_answer_that_is_none() -> None:
    """A web page or plain JSON gives the SDKs no chunk at all, and they raise nothing."""
    assert refused()[0] == "provider-not-chat"


@pytest.mark.parametrize("content", [None, "some"])
def test_refusals(content: str | None) -> None:
    """The words come in pieces of their own, also beside text, and not every server sends the field."""
    no = [Thing(model="m", usage=None, choices=[Thing(delta=Thing(content=content, refusal=word), finish_reason=None)])
          for word in (None, "I ", "", "cannot")]  # fmt: skip
    code, message, _ = refused(chunk("x"), *no, chunk(None, "stop"))
    assert (code, message) == ("provider-refusal", "a:b refuses to answer: I cannot")
    assert "filter" in refused(chunk("x"), chunk(None, "content_filter"), used(1, 2))[1]
    no[1].choices[0].delta.refusal = 5
    assert refused(*no)[0] == "provider-garbled"


def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thinking brings chunks, but no text."""
    assert chat.MOST == 1_000_000
    monkeypatch.setattr(chat, "MOST", 3)
    assert ask(chunk(), chunk(), chunk("x", "stop"))[0] == ["x"]
    code, message, help = refused(chunk(), chunk(), chunk("x"), chunk("y", "stop"))
    assert (code, message) == ("provider-endless", "openai:a:b answers without end: more than 3 chunks")
    assert help == "set max_tokens in [model], or choose another model with -m"


def test_a_bug_stays_an_exception() -> None:
    with pytest.raises(RuntimeError):
        ask(RuntimeError())
