"""One streamed chat completion, for SDKs of OpenAI's make; what goes wrong becomes a ProviderError here, once.

In: an SDK (its exceptions), a client of it, a Request, and what else this provider wants to be sent.
Out: pieces of text as they come, then a Reply; or a ProviderError: provider-STATUS when the provider refused,
provider-connection when the connection broke or what came over it is no chat completion.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ai_coding.backends import ProviderError
from ai_coding.ir import Reply, Request

_T = TypeVar("_T")

_MOST_WORDS = 500  # characters of what a provider says: some answer with whole web pages

_PARAMETERS = "check the model's parameters: this provider or model may not take them"
_KEY = "check the provider's key, and that it may use this model"
_HELP: Mapping[int, str] = {
    400: _PARAMETERS,
    401: _KEY,
    403: _KEY,
    404: "check the model's name and the provider's address",
    413: "shorten the requirement file or what it includes",
    422: _PARAMETERS,
    429: "wait a while, or check the limits of your account with the provider",
}
_LATER = "try again later"
_NETWORK = "check the network and the provider's address, then try again"


@dataclass(frozen=True)
class _Piece:
    """What counts of one chunk; None is nothing."""

    text: str | None
    finish: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None


def complete(sdk: Any, client: Any, request: Request, extra: Mapping[str, Any],
             lost: tuple[type[Exception], ...] = ()) -> Generator[str, None, Reply]:
    "sdk: has the exceptions; lost: more of them."
    texts: list[str] = []
    finish, model, input_tokens, output_tokens = "", "", 0, 0
    for piece in _pieces(sdk, client, request, extra, lost):
        finish = piece.finish or finish
        model = piece.model or model
        input_tokens = input_tokens if piece.input_tokens is None else piece.input_tokens
        output_tokens = output_tokens if piece.output_tokens is None else piece.output_tokens
        if piece.text:
            texts.append(piece.text)
            yield piece.text
    return Reply("".join(texts), finish or "cut", model, input_tokens, output_tokens)


def _pieces(sdk: Any, client: Any, request: Request, extra: Mapping[str, Any],
            lost: tuple[type[Exception], ...]) -> Iterator[_Piece]:
    """Ask, and check what is streamed. Raises ProviderError."""
    try:
        stream = client.chat.completions.create(
            model=request.model.partition(":")[2],
            messages=[{"role": message.role, "content": message.text} for message in request.messages],
            stream=True,
            **{**request.parameters, **extra},
        )
        for chunk in stream:
            yield _piece(chunk)
    except sdk.APIStatusError as error:
        raise _refused(error) from error
    except (sdk.APIError, ValueError) as error:  # SDKs leak the ValueErrors of decoding; _piece raises them too
        raise _broken(error) from error
    except lost as error:
        raise _broken(error) from error


def _piece(chunk: Any) -> _Piece:
    """Raises ValueError if anything in the chunk that counts has a wrong type."""
    if chunk is None:
        raise ValueError("the provider sent an empty chunk")
    choices = _field(chunk, "choices", object)
    if choices is None:
        choices = ()
    if not isinstance(choices, (list, tuple)):
        raise ValueError(f"the provider sent choices of type {type(choices).__name__}")
    choice = choices[0] if choices else None
    usage = getattr(chunk, "usage", None)  # not every SDK of this make has the field
    return _Piece(
        text=_field(_field(choice, "delta", object), "content", str),
        finish=_field(choice, "finish_reason", str),
        model=_field(chunk, "model", str),
        input_tokens=_field(usage, "prompt_tokens", int),
        output_tokens=_field(usage, "completion_tokens", int),
    )


def _field(thing: Any, name: str, kind: type[_T]) -> _T | None:
    """The field of a part of a chunk; nothing has no fields. Raises ValueError if either has a wrong type."""
    if thing is None:
        return None
    if not hasattr(thing, name):
        # The SDKs give None for a field that was left out, so this is not the object that it should be.
        raise ValueError(f"the provider sent a value of type {type(thing).__name__} where {name} should be inside")
    value: object = getattr(thing, name)
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):  # a bool is an int to Python, but no number of tokens
        raise ValueError(f"the provider sent {name} of type {type(value).__name__}")
    return value


def _refused(error: Any) -> ProviderError:
    """The provider answered with an HTTP status that is an error."""
    status = error.status_code
    message = f"the provider answered {status}: {_words(error)}"
    return ProviderError(f"provider-{status}", message, _HELP.get(status, _LATER))


def _words(error: Any) -> str:
    """What the provider says, wherever it is in the body, else what the SDK says; at most 500 characters."""
    body = error.body
    inner = body.get("error") if isinstance(body, Mapping) else None
    # Some SDKs hand on only what is inside of "error", so the body may itself be the words.
    places: tuple[object, ...] = (_message(inner), inner, _message(body), body, error.message)
    return next((words for words in places if isinstance(words, str) and words.strip()), str(error))[:_MOST_WORDS]


def _message(value: Any) -> Any:
    """The message in a JSON object, None if there is none or if this is no object."""
    return value.get("message") if isinstance(value, Mapping) else None


def _broken(error: Exception) -> ProviderError:
    """The connection failed, or what came over it makes no sense."""
    cause = f" ({_text(error.__cause__)})" if error.__cause__ is not None else ""
    return ProviderError("provider-connection", f"the connection failed: {_text(error)}{cause}", _NETWORK)


def _text(error: BaseException) -> str:
    """The exception's words, or its name: time-outs often have no words."""
    return str(error) or type(error).__name__
