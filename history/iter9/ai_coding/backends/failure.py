"""Tells what went wrong while an SDK of OpenAI's make was asked, and the way on.

This is the one place that knows how such SDKs fail. Retries and time-outs are theirs: what comes
here failed in spite of them.

In: who was asked and how far the answer came, and the exception or the words of a refusal.
Out: a ProviderError with a code of its own, what happened, and what a person can do.
"""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ai_coding.backends import ProviderError
from ai_coding.diagnostic import count
from ai_coding.ir import Request

_KEPT = 500  # characters of a provider's words
_CAUSES = 20  # a chain of causes may go in circles
_ELSE = "choose another model with -m"
_LATER = f"try again later, or {_ELSE}"
_NETWORK = "check the address, and the network"


@dataclass(frozen=True)
class Call:
    """Who was asked, and how far the answer came. sdk: has the exceptions.
    key: the variable that the API key came from, or "".
    """

    sdk: Any
    request: Request
    address: str
    key: str = ""
    chunks: int = 0
    characters: int = 0


def raised(call: Call, fault: Exception) -> ProviderError:
    """For an exception of the SDK or of what it stands on."""
    sdk = call.sdk
    provider = call.request.model.partition(":")[0]
    if isinstance(fault, sdk.APIStatusError):
        code, advice = _status(call, fault)
        message = f"{provider} answered {fault.status_code}: {_words(fault)}"
        return ProviderError(f"provider-{code}", message, advice)
    # SDKs leak these where they read JSON.
    if isinstance(fault, (ValueError, RecursionError)):
        return ProviderError(
            "provider-garbled",
            f"{provider} sent what is no chat completion: {_text(fault)}",
            f"does {call.address} speak the protocol of OpenAI's chat completions?",
        )
    # Servers put such an error into a stream, whose status was sent long before.
    if isinstance(fault, sdk.APIError) and not isinstance(fault, sdk.APIConnectionError):
        message = f"{provider} reported an error: {_text(fault)}"
        return ProviderError("provider-error", message, "try again later")
    return _connection(call, fault)


def nothing(call: Call) -> ProviderError:
    """For an answer in which there was no chunk of a completion."""
    return ProviderError(
        "provider-not-chat",
        f"{call.address} answered with something else than a chat completion",
        "check the address: a web page, or a proxy, may have answered",
    )


def refusal(call: Call, words: str) -> ProviderError:
    """For a model that refuses, in words; or, words being empty, for a filter."""
    provider, _, name = call.request.model.partition(":")
    if words:
        message = f"{name} refuses to answer: {_short(words)}"
    else:
        came = count(call.characters, "character")
        message = f"the content filter of {provider} stopped the answer after {came}"
    advice = f"put the requirements in other words, or {_ELSE}"
    return ProviderError("provider-refusal", message, advice)


def _connection(call: Call, fault: Exception) -> ProviderError:
    provider = call.request.model.partition(":")[0]
    text = _text(fault)
    causes = _causes(fault)
    late = any(isinstance(each, (TimeoutError, call.sdk.APITimeoutError)) for each in causes)
    if call.chunks > 0:
        came = count(call.characters, "character")
        if late:
            message = f"{provider} fell silent after {came}: {text}"
            return ProviderError("provider-stalled", message, _LATER)
        return ProviderError("provider-cut", f"the answer broke off after {came}: {text}")
    if late:
        message = f"{provider} did not answer in time: {text}"
        return ProviderError("provider-timeout", message, _LATER)
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        message = f"nothing answers at {call.address}: {text}"
        return ProviderError("provider-unreachable", message, "is the server running there?")
    if any(isinstance(each, socket.gaierror) for each in causes):
        message = f"the host of {call.address} is not known: {text}"
        return ProviderError("provider-host", message, _NETWORK)
    message = f"the connection to {call.address} failed: {text}"
    return ProviderError("provider-connection", message, _NETWORK)


def _status(call: Call, fault: Any) -> tuple[str, str]:
    """The code, without its prefix, and the help for an sdk.APIStatusError."""
    status = fault.status_code
    name = call.request.model.partition(":")[2]
    details = _details(fault.body)
    if status == 402 or "insufficient_quota" in details:
        return "quota", (
            "the account has no quota left, which waiting does not mend: "
            f"look at its plan and billing, or {_ELSE}"
        )
    if status == 413 or (status == 400 and any("context" in each for each in details)):
        return "size", (
            "make the request smaller: less text in the requirements and in [project] context, "
            "a lower max_tokens in [model] (some count it against the tokens of a minute); "
            f"or {_ELSE}"
        )
    if status in (400, 422):
        advice = f"check that {name} knows each parameter in [model] and allows its value"
    elif status in (401, 403):
        advice = f"check that {call.key or 'the key'} is valid and may use {name}"
    elif status == 404:
        advice = f"is there a model {name}, and is the address {call.address} right?"
    elif status == 429:
        wait = _wait(fault.response.headers.get("retry-after"))
        advice = f"wait {wait}, lower -j, or look at the limits of your account"
    else:
        advice = _LATER
    return str(status), advice


def _wait(after: object) -> str:
    """How long to wait, by a retry-after header, which may also be a date or missing."""
    if isinstance(after, str) and re.fullmatch("[0-9]+", after):
        return f"{after} s"
    return "a while"


def _details(body: object) -> list[str]:
    error = _item(body, "error")
    holder = error if isinstance(error, Mapping) else body
    found = (_item(holder, "code"), _item(holder, "type"))
    return [each for each in found if isinstance(each, str)]


def _words(fault: Any) -> str:
    """What the provider said with a status, wherever it put that."""
    body = fault.body
    error = _item(body, "error")
    places: tuple[object, ...] = (
        error,
        _item(error, "message"),
        _item(body, "message"),
        body,
        fault.message,
    )
    texts = (each for each in places if isinstance(each, str) and each.strip())
    return _short(next(texts, ""))


def _item(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, Mapping) else None


def _text(fault: Exception) -> str:
    text = str(fault) or type(fault).__name__
    cause = fault.__cause__
    if cause is not None:
        text += f" ({str(cause) or type(cause).__name__})"
    return _short(text)


def _causes(fault: Exception) -> list[BaseException]:
    """The exception itself and what led to it, the latest first."""
    found: list[BaseException] = []
    each: BaseException | None = fault
    while each is not None and len(found) < _CAUSES:
        found.append(each)
        each = each.__context__ if each.__cause__ is None else each.__cause__
    return found


def _short(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:_KEPT]
