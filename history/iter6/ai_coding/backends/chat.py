"""One streamed chat completion, for SDKs of OpenAI's make.

What such an SDK raises, and what it lets through unchecked, becomes a ProviderError here, once.

In: an SDK and a client of it, a Request, and what else this provider wants to be sent.
Out: the text in pieces, as it comes, and in the end the Reply; or a ProviderError.
"""

from collections.abc import Generator, Mapping
from typing import Any

from ai_coding.backends import ProviderError
from ai_coding.ir import Reply, Request

_LONGEST = 500  # characters of a provider's own words
_PARAMETERS = "check that the model knows each parameter and allows its value"
_KEY = "check that the API key is valid and may use this model"
_HELP = {
    400: _PARAMETERS,
    401: _KEY,
    403: _KEY,
    404: "check the name of the model",
    413: "shorten the requirements, or use a model that reads more",
    422: _PARAMETERS,
    429: "wait a while, or check the limits of your account",
}


def complete(
    sdk: Any,
    client: Any,
    request: Request,
    extra: Mapping[str, Any],
    lost: tuple[type[Exception], ...] = (),
) -> Generator[str, None, Reply]:
    """sdk: has the exceptions; lost: more of them.

    Raises ProviderError: provider-STATUS if the provider refused, provider-connection if the
    connection broke or something else than chunks of a completion came.
    """
    pieces: list[str] = []
    said: dict[str, Any] = {"finish": "cut"}
    try:
        for chunk in client.chat.completions.create(
            model=request.model.partition(":")[2],
            messages=[{"role": each.role, "content": each.text} for each in request.messages],
            stream=True,
            **{**request.parameters, **extra},
        ):
            said |= _read(chunk)
            if text := said.pop("text", ""):
                pieces.append(text)
                yield text
    except sdk.APIStatusError as error:
        raise _refused(error) from error
    except lost as error:
        raise _broken(error) from error
    except (sdk.APIError, ValueError) as error:
        raise _broken(error) from error
    return Reply("".join(pieces), **said)


def _read(chunk: Any) -> dict[str, Any]:
    """What a chunk says, by Reply's names, without what it leaves out; ValueError if none."""
    if chunk is None:
        raise ValueError("nothing was sent where a chunk should be")
    choices = _field(chunk, "choices", (list, tuple))
    choice = choices[0] if choices else None
    usage = _field(chunk, "usage")
    found = {
        "text": _field(_field(choice, "delta"), "content", str),
        "finish": _field(choice, "finish_reason", str),
        "model": _field(chunk, "model", str),
        "input_tokens": _field(usage, "prompt_tokens", int),
        "output_tokens": _field(usage, "completion_tokens", int),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _field(owner: Any, name: str, kind: type[Any] | tuple[type[Any], ...] = object) -> Any:
    """The owner's field, None if either is None; ValueError if either has a wrong type."""
    if owner is None:
        return None
    if not hasattr(owner, name):
        raise ValueError(f"{type(owner).__name__} was sent where something with {name} should be")
    value = getattr(owner, name)
    # To Python a bool is an int, but no field that counts here is true or false.
    if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
        raise ValueError(f"{name} was sent as {type(value).__name__}")
    return value


def _refused(fault: Any) -> ProviderError:
    status = fault.status_code
    outer: Mapping[str, Any] = (
        fault.body if isinstance(fault.body, Mapping) else {"message": fault.body}
    )
    inner: Any = outer.get("error")
    if isinstance(inner, Mapping):
        inner = inner.get("message")
    candidates: list[Any] = [inner, outer.get("message"), fault.message]
    words = next((each for each in candidates if isinstance(each, str) and each), "")
    return ProviderError(
        f"provider-{status}",
        f"the provider answered {status}: {words[:_LONGEST]}",
        _HELP.get(status, "try again later"),
    )


def _broken(fault: Exception) -> ProviderError:
    message = f"the connection failed: {str(fault) or type(fault).__name__}"
    cause = fault.__cause__
    if cause is not None:
        message += f" ({str(cause) or type(cause).__name__})"
    return ProviderError(
        "provider-connection",
        message,
        "check the network and the provider's address, then try again",
    )
