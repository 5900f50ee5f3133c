"""Every fault of a provider has its own code, tells what happened, and says what to do."""

import json
import socket
from types import SimpleNamespace as Thing

import pytest
from ai_coding.backends import ProviderError
from ai_coding.backends.failure import Call, nothing, raised, refusal
from ai_coding.ir import Message, Request


class APIError(Exception):
    pass


class APIConnectionError(APIError):
    pass


class APITimeoutError(APIConnectionError):
    pass


class APIStatusError(APIError):
    def __init__(self, status: int, body: object = None, **headers: str) -> None:
        super().__init__("plain words")
        self.status_code, self.body, self.message, self.response = status, body, "plain words", Thing(headers=headers)


SDK = Thing(
    APIError=APIError, APIStatusError=APIStatusError, APIConnectionError=APIConnectionError,
    APITimeoutError=APITimeoutError,
)  # fmt: skip
CALL = Call(SDK, Request("groq:a:b", 1, {}, (Message("user", "hi"),)), "http://h/v1/", "GROQ_API_KEY")
FAR = Call(SDK, CALL.request, CALL.address, CALL.key, 3, 1234)
OTHER = "choose another model with -m"


def told(problem: ProviderError) -> tuple[str, str, str]:
    found = problem.diagnostic
    assert (found.severity, found.span, str(problem)) == ("error", None, found.message)
    return found.code.removeprefix("provider-"), found.message, found.help


def broken(*chain: Exception, context: bool = False) -> Exception:
    """The first, caused by the second, and so on."""
    for each, cause in zip(chain, chain[1:]):
        if context:
            each.__context__ = cause
        else:
            each.__cause__ = cause
    return chain[0]


REFUSED, UNKNOWN, SLOW = ConnectionRefusedError("no"), socket.gaierror("who"), TimeoutError("late")
NETWORK = "check the address, and the network"
SPEAKS = "does http://h/v1/ speak the protocol of OpenAI's chat completions?"
LATER = f"try again later, or {OTHER}"


@pytest.mark.parametrize(
    ("fault", "code", "message", "help"),
    [
        (APIError("busy"), "error", "groq reported an error: busy", "try again later"),
        (json.JSONDecodeError("bad", "", 0), "garbled",
         "groq sent what is no chat completion: bad: line 1 column 1 (char 0)", SPEAKS),
        (RecursionError("deep"), "garbled", "groq sent what is no chat completion: deep", SPEAKS),
        (APITimeoutError("slow"), "timeout", "groq did not answer in time: slow", LATER),
        (broken(OSError("x"), OSError("y"), SLOW), "timeout", "groq did not answer in time: x (y)", LATER),
        (broken(APIConnectionError("x"), OSError("y"), REFUSED), "unreachable",
         "nothing answers at http://h/v1/: x (y)", "is the server running there?"),
        (broken(OSError("x"), UNKNOWN, context=True), "host", "the host of http://h/v1/ is not known: x", NETWORK),
        (APIConnectionError(), "connection", "the connection to http://h/v1/ failed: APIConnectionError", NETWORK),
        (OSError("a\n  b" + "c" * 600), "connection",
         "the connection to http://h/v1/ failed: a b" + "c" * 497, NETWORK),
    ],
)  # fmt: skip
def test_before_a_chunk_came(fault: Exception, code: str, message: str, help: str) -> None:
    assert told(raised(CALL, fault)) == (code, message, help)


@pytest.mark.parametrize(
    ("fault", "code", "message", "help"),
    [
        (APIError("busy"), "error", "groq reported an error: busy", "try again later"),
        (ValueError("bad"), "garbled", "groq sent what is no chat completion: bad", SPEAKS),
        (broken(OSError("x"), SLOW), "stalled", "groq fell silent after 1,234 characters: x (late)", LATER),
        (APITimeoutError("x"), "stalled", "groq fell silent after 1,234 characters: x", LATER),
        (broken(OSError("x"), REFUSED), "cut", "the answer broke off after 1,234 characters: x (no)", ""),
        (APIConnectionError("x"), "cut", "the answer broke off after 1,234 characters: x", ""),
    ],
)
def test_behind_a_chunk(fault: Exception, code: str, message: str, help: str) -> None:
    assert told(raised(FAR, fault)) == (code, message, help)


def test_an_exception_that_goes_in_circles() -> None:
    one, two = OSError("one"), OSError("two")
    one.__cause__, two.__cause__ = two, one
    assert told(raised(CALL, one))[0] == "connection"


WORDS = [({"error": {"message": "no"}}, "no"), ({"message": "no"}, "no"), ({"error": "no"}, "no"), ("no", "no"),
         ({"error": {}, "message": "no"}, "no"), ({"error": {"message": " "}}, "plain words"), ({}, "plain words"),
         (None, "plain words"), (["no"], "plain words"), ({"error": {"message": 5}}, "plain words"),
         ({"message": "a\n\n b" + "x" * 501}, "a b" + "x" * 497)]  # fmt: skip


@pytest.mark.parametrize(("body", "words"), WORDS)
def test_the_words_of_a_provider(body: object, words: str) -> None:
    assert told(raised(FAR, APIStatusError(500, body))) == ("500", f"groq answered 500: {words}", LATER)


PARAMETER = "check that a:b knows each parameter in [model] and allows its value"
KEY = "check that GROQ_API_KEY is valid and may use a:b"
QUOTA = "the account has no quota left, which waiting does not mend: look at its plan and billing, or " + OTHER
SMALLER = (
    "make the request smaller: less text in the requirements and in [project] context, a lower max_tokens in "
    f"[model] (some count it against the tokens of a minute); or {OTHER}"
)


@pytest.mark.parametrize(
    ("status", "details", "code", "help"),
    [
        (400, {}, "400", PARAMETER),
        (400, {"code": 400, "type": "exceed_context_size_error"}, "size", SMALLER),
        (400, {"code": "context_length_exceeded"}, "size", SMALLER),
        (422, {"type": ["context"]}, "422", PARAMETER),
        (401, {"code": "invalid_api_key"}, "401", KEY),
        (403, {}, "403", KEY),
        (404, {"code": "model_not_found"}, "404", "is there a model a:b, and is the address http://h/v1/ right?"),
        (402, {}, "quota", QUOTA),
        (408, {}, "408", LATER),
        (413, {"code": "rate_limit_exceeded", "type": "tokens"}, "size", SMALLER),
        (429, {"code": "rate_limit_exceeded"}, "429", "wait a while, lower -j, or look at the limits of your account"),
        (429, {"type": "insufficient_quota"}, "quota", QUOTA),
        (429, {"code": "insufficient_quota"}, "quota", QUOTA),
        (503, {"type": "context"}, "503", LATER),
        (418, {}, "418", LATER),
    ],
)
def test_statuses(status: int, details: dict[str, object], code: str, help: str) -> None:
    """What a status means; details are where the SDKs have them, in the body or in its error."""
    for body in (details, {"error": details}):
        found = told(raised(CALL, APIStatusError(status, body)))
        assert found == (code, f"groq answered {status}: plain words", help)


@pytest.mark.parametrize(("after", "wait"), [("7", "7 s"), ("0", "0 s"), ("1.5", "a while"), ("Fri", "a while")])
def test_how_long_to_wait(after: str, wait: str) -> None:
    help = told(raised(CALL, APIStatusError(429, None, **{"retry-after": after})))[2]
    assert help == f"wait {wait}, lower -j, or look at the limits of your account"


def test_a_key_of_no_known_name() -> None:
    call = Call(SDK, CALL.request, CALL.address)
    assert told(raised(call, APIStatusError(401)))[2] == "check that the key is valid and may use a:b"


def test_answers_that_are_none() -> None:
    page = "check the address: a web page, or a proxy, may have answered"
    assert told(nothing(CALL)) == ("not-chat", "http://h/v1/ answered with something else than a chat completion", page)
    help = f"put the requirements in other words, or {OTHER}"
    assert told(refusal(FAR, "I\ncannot")) == ("refusal", "a:b refuses to answer: I cannot", help)
    message = "the content filter of groq stopped the answer after 1,234 characters"
    assert told(refusal(FAR, "")) == ("refusal", message, help)
