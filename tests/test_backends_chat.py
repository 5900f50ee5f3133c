"""The chat completions protocol, with an SDK made of paper."""

import json
from collections.abc import Iterator
from types import SimpleNamespace as Thing
from typing import Any

import pytest

from ai_coding.backends import ProviderError
from ai_coding.backends.chat import complete
from ai_coding.ir import Message, Reply, Request

QUESTION = Request("openai:a:b", 3, {"temperature": 0.5, "seed": 7}, (Message("system", "be"), Message("user", "hi")))


class APIError(Exception):
    message = body = None


class APIStatusError(APIError):
    def __init__(self, status: int, body: object) -> None:
        super().__init__("plain words")
        self.status_code, self.body, self.message = status, body, "plain words"


SDK = Thing(APIError=APIError, APIStatusError=APIStatusError)


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

    client = Thing(chat=Thing(completions=Thing(create=create)))
    stream, pieces = complete(SDK, client, QUESTION, {"extra_body": {"x": 1}}, (ConnectionResetError,)), list[str]()
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as done:
        return pieces, done.value


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


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter", None])
def test_why_it_ended(finish: str | None) -> None:
    """A stream that ends without a reason was cut off, though the SDKs raise nothing."""
    assert ask(chunk("x"), chunk(None, finish), used(1, 2))[1] == Reply("x", finish or "cut", "tiny-1", 1, 2)
    assert ask() == ([], Reply("", "cut", "", 0, 0))


def test_what_is_missing_counts_as_nothing() -> None:
    """Servers leave out fields, and the SDKs give None for them."""
    bare = Thing(model=None, usage=None, choices=None)
    no_delta = Thing(model=None, usage=None, choices=[Thing(delta=None, finish_reason="stop")])
    assert ask(bare, chunk("x"), no_delta, used(None, None, None)) == (["x"], Reply("x", "stop", "tiny-1", 0, 0))


@pytest.mark.parametrize("wrong", [5, None, "x", [1], chunk(5), chunk("x", 7), chunk("x", model=[1]), chunk(usage="x"),
                                   used(1, 2, 5), used(1, 2, [5]), used("x", 2), used([1], 2)])  # fmt: skip
def test_a_chunk_that_is_none(wrong: Any) -> None:
    """The SDKs do not check what a server sends; what has another type than it should is an error, never skipped."""
    with pytest.raises(ProviderError) as caught:
        ask(chunk("x"), wrong, chunk(None, "stop"))
    assert caught.value.diagnostic.code == "provider-connection"


STATUSES = {400: "parameter", 401: "key", 403: "key", 404: "name", 413: "shorten", 429: "limits", 500: "later"}
BODIES = [({"error": {"message": "no"}}, "no"), ({"message": "no"}, "no"), ({"error": "no"}, "no"),
          ({"error": {}}, "plain words"), ({}, "plain words"), (None, "plain words"), (["no"], "plain words"),
          ({"message": "x" * 501}, "x" * 500)]  # fmt: skip


@pytest.mark.parametrize(("status", "help"), STATUSES.items())
@pytest.mark.parametrize(("body", "words"), BODIES)
def test_statuses(status: int, help: str, body: object, words: str) -> None:
    """The provider's own words, at most 500 characters, wherever they are in what it sent; and a way out."""
    with pytest.raises(ProviderError) as caught:
        ask(APIStatusError(status, body))
    found = caught.value.diagnostic
    assert (found.code, found.message) == (f"provider-{status}", f"the provider answered {status}: {words}")
    assert help in found.help


BAD = [json.JSONDecodeError("gone", "", 0), UnicodeDecodeError("x", b"", 0, 1, "gone"), ValueError("gone")]


@pytest.mark.parametrize("fault", [APIError("gone"), ConnectionResetError("gone"), *BAD])
def test_a_broken_connection(fault: Exception) -> None:
    """What came before is no answer. The cause, where there is one, is what a person can act on."""
    with pytest.raises(ProviderError, match="^the connection failed: .*gone") as caught:
        ask(chunk("x"), fault)
    assert caught.value.diagnostic.code == "provider-connection" and "network" in caught.value.diagnostic.help
    fault.__cause__ = OSError("refused")
    with pytest.raises(ProviderError, match=r"gone.* \(refused\)$"):
        ask(fault)


def test_a_bug_stays_an_exception() -> None:
    with pytest.raises(RuntimeError):
        ask(RuntimeError())
