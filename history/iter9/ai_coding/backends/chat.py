"""One streamed chat completion, for SDKs of OpenAI's make.

What such an SDK raises, and what it lets through unchecked, becomes a ProviderError here, once.

In: an SDK and a client of it, a Request, what else this provider wants to be sent, and the name
of the variable that the API key came from.
Out: the text in pieces, as it comes, and in the end the Reply; or a ProviderError.
"""

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

from ai_coding.backends import ProviderError
from ai_coding.backends.failure import Call, nothing, raised, refusal
from ai_coding.ir import Reply, Request

MOST = 1_000_000  # chunks of one answer


def complete(
    sdk: Any,
    client: Any,
    request: Request,
    extra: Mapping[str, Any],
    lost: tuple[type[Exception], ...] = (),
    key: str = "",
) -> Generator[str, None, Reply]:
    """sdk: has the exceptions; lost: more of them. key: the variable that the API key came from.

    Raises ProviderError.
    """
    call = Call(sdk, request, str(client.base_url), key)
    pieces: list[str] = []
    refusals: list[str] = []
    said: dict[str, Any] = {"finish": "cut"}
    # The SDKs leak ValueError and RecursionError when what a server sends cannot be decoded.
    faults: tuple[type[Exception], ...] = (sdk.APIError, ValueError, RecursionError, *lost)
    try:
        for chunk in client.chat.completions.create(
            model=request.model.partition(":")[2],
            messages=[{"role": each.role, "content": each.text} for each in request.messages],
            stream=True,
            **{**request.parameters, **extra},
        ):
            call = replace(call, chunks=call.chunks + 1)
            if call.chunks > MOST:
                raise ProviderError(
                    "provider-endless",
                    f"{request.model} answers without end: more than {MOST:,} chunks",
                    "set max_tokens in [model], or choose another model with -m",
                )
            said |= _read(chunk)
            refusals.append(said.pop("refusal", ""))
            if text := said.pop("text", ""):
                pieces.append(text)
                call = replace(call, characters=call.characters + len(text))
                yield text
    except faults as error:
        raise raised(call, error) from error
    if not call.chunks:
        raise nothing(call)
    words = "".join(refusals)
    if words or said["finish"] == "content_filter":
        raise refusal(call, words)
    return Reply("".join(pieces), **said)


def _read(chunk: Any) -> dict[str, Any]:
    """What a chunk says, by Reply's names, and refusal, without what it leaves out.

    ValueError if it is no chunk.
    """
    if chunk is None:
        raise ValueError("nothing was sent where a chunk should be")
    choices = _field(chunk, "choices", (list, tuple))
    choice = choices[0] if choices else None
    delta = _field(choice, "delta")
    usage = _field(chunk, "usage")
    found = {
        "text": _field(delta, "content", str),
        # Not every SDK knows this field.
        "refusal": _field(delta, "refusal", str) if hasattr(delta, "refusal") else None,
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
