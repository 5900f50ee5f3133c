"""The chat completions protocol, for SDKs of one make. In: a client and a Request. Out: pieces of text, then a Reply.

The SDKs retry, wait and honour Retry-After; their exceptions become a ProviderError here, once.
"""

from collections.abc import Generator, Mapping
from typing import Any

from ai_coding.backends import ProviderError
from ai_coding.ir import Reply, Request

HELP = {
    400: "the model may not accept a parameter of [model]",
    401: "check the key: it may be missing, expired, or of another provider",
    403: "the key is not allowed to use this model",
    404: "check the model's name and the endpoint's address",
    413: "the request is larger than this account may send at once: shorten it, or choose another model",
    429: "wait, or check the account's limits; nothing that was answered is lost",
}


def complete(
    sdk: Any, client: Any, request: Request, extra: Mapping[str, Any], lost: tuple[type[Exception], ...] = ()
) -> Generator[str, None, Reply]:
    """Stream one completion. sdk: the module with the exceptions; lost: further ones that mean a broken connection."""
    text, finish, served, counts = list[str](), "cut", "", (0, 0)
    try:
        stream = client.chat.completions.create(
            model=request.model.partition(":")[2],
            messages=[{"role": m.role, "content": m.text} for m in request.messages],
            stream=True, **request.parameters, **extra,
        )  # fmt: skip
        for chunk in stream:
            piece, end, model, used = _parts(chunk)
            finish, served, counts = end or finish, model or served, used or counts
            if piece:
                text.append(piece)
                yield piece
    except sdk.APIStatusError as e:
        help = HELP.get(e.status_code, "try again later; nothing that was answered is lost")
        raise ProviderError(
            f"provider-{e.status_code}", f"the provider answered {e.status_code}: {_words(e)}", help
        ) from e
    except (sdk.APIError, *lost, ValueError) as e:
        help = "check the address and the network, then build again: nothing that was answered is lost"
        cause = f" ({e.__cause__})" if e.__cause__ else ""
        raise ProviderError("provider-connection", f"the connection failed: {e}{cause}", help) from e
    return Reply("".join(text), finish, served, *counts)


def _parts(chunk: Any) -> tuple[str, str, str, tuple[int, int] | None]:
    """Text, finish reason, model and tokens, as far as they are there: the SDKs do not check what a server sends."""
    try:
        choice = chunk.choices[0] if chunk.choices else None
        delta, usage = choice and choice.delta, chunk.usage
        parts = (delta and delta.content) or "", (choice and choice.finish_reason) or "", chunk.model or ""
        counts = (int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0)) if usage else None
    except (AttributeError, TypeError, LookupError) as e:
        raise ValueError("the server sent something that is no part of an answer") from e
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("the server sent something that is no part of an answer")
    return *parts, counts


def _words(e: Any) -> str:
    body = e.body if isinstance(e.body, dict) else {}
    inner = body.get("error", body)
    return str(inner.get("message", e.message) if isinstance(inner, dict) else inner)[:500]
