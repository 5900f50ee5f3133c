"""One streamed chat completion, for SDKs of OpenAI's make.

What goes wrong becomes a ProviderError here, once. The SDKs do not check what a server sends, so
the type of every field that is read is checked here too.

In: an SDK, its client, a request, more arguments to send, exceptions that mean a lost connection.
Out: pieces of text as they come, then the Reply; or a ProviderError with the code provider-STATUS
(the provider refused) or provider-connection (anything else that the provider or the network did).
"""

from collections.abc import Generator, Mapping
from typing import Any

from ai_coding.backends import ProviderError
from ai_coding.ir import Reply, Request

_LONGEST = 500  # characters of a provider's own words
_PARAMETERS = "check [model]: this model may not take one parameter or its value"
_LATER = "try again later"
_HELP = {
    400: _PARAMETERS,
    401: "check the provider's API key: it is missing, wrong or has expired",
    403: "check what the API key allows: it may not be meant for this model",
    404: "check the name of the model and the address of the provider",
    413: "shorten the requirements or their context",
    422: _PARAMETERS,
    429: "wait a while, or raise the limits of your account",
}


def complete(
    sdk: Any,
    client: Any,
    request: Request,
    extra: Mapping[str, Any],
    lost: tuple[type[Exception], ...] = (),
) -> Generator[str, None, Reply]:
    "sdk: has the exceptions; lost: more of them."
    broken: tuple[type[Exception], ...] = lost + (sdk.APIError, ValueError)
    pieces: list[str] = []
    known = Reply("", "cut")
    try:
        stream = client.chat.completions.create(
            model=request.model.partition(":")[2],
            messages=[{"role": each.role, "content": each.text} for each in request.messages],
            stream=True,
            **request.parameters,
            **extra,
        )
        for chunk in stream:
            known = _after(known, chunk)
            if known.text:
                pieces.append(known.text)
                yield known.text
    except sdk.APIStatusError as fault:
        raise _refused(fault) from fault
    except broken as fault:
        raise _disconnected(fault) from fault
    return Reply(
        "".join(pieces), known.finish, known.model, known.input_tokens, known.output_tokens
    )


def _after(known: Reply, chunk: Any) -> Reply:
    """What is known after this chunk; the text is that of this chunk alone."""
    if chunk is None:
        raise ValueError("the provider sent a chunk that is empty")
    choices = _field(chunk, "choices", list, tuple)
    choice = choices[0] if choices else None
    usage = _field(chunk, "usage", object)
    tokens_in = _field(usage, "prompt_tokens", int)
    tokens_out = _field(usage, "completion_tokens", int)
    return Reply(
        _field(_field(choice, "delta", object), "content", str) or "",
        _field(choice, "finish_reason", str) or known.finish,
        _field(chunk, "model", str) or known.model,
        known.input_tokens if tokens_in is None else tokens_in,
        known.output_tokens if tokens_out is None else tokens_out,
    )


def _field(owner: Any, name: str, *kinds: type[Any]) -> Any:
    """The owner's field, None if either is None. Raises ValueError if it is of no such kind."""
    if owner is None:
        return None
    # No server can send an Ellipsis: where the field is missing, it fails here or one level deeper.
    value: Any = getattr(owner, name, ...)
    # To Python a bool is an int, to a server it is not.
    if value is None or (isinstance(value, kinds) and not isinstance(value, bool)):
        return value
    raise ValueError(f"the provider sent a chunk without a valid {name}")


def _refused(fault: Any) -> ProviderError:
    status = fault.status_code
    message = f"the provider answered {status}: {_words(fault)}"
    return ProviderError(f"provider-{status}", message, _HELP.get(status, _LATER))


def _words(fault: Any) -> str:
    """The provider's own words, wherever they are in the body, else the SDK's message."""
    body = fault.body
    error = body.get("error") if isinstance(body, dict) else None
    messages = [each.get("message") for each in (error, body) if isinstance(each, dict)]
    for words in (*messages, error, body):
        if isinstance(words, str) and words.strip():
            return words.strip()[:_LONGEST]
    return str(fault.message)[:_LONGEST]


def _disconnected(fault: Exception) -> ProviderError:
    cause = fault.__cause__
    because = "" if cause is None else f" ({_said(cause)})"
    return ProviderError(
        "provider-connection",
        f"the connection failed: {_said(fault)}{because}",
        "check the network and the address of the provider, then try again",
    )


def _said(fault: BaseException) -> str:
    # Exceptions of the network often have no text; then their name is all there is to go by.
    return str(fault) or type(fault).__name__
