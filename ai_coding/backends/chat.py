"""The chat completions protocol, for SDKs of one make. In: a client and a Request. Out: pieces of text, then a Reply.

The SDKs retry, wait and honour Retry-After; their exceptions become a ProviderError here, once.
"""

import json
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
    text, finish, served, usage = list[str](), "cut", "", None
    try:
        stream = client.chat.completions.create(
            model=request.model.partition(":")[2],
            messages=[{"role": m.role, "content": m.text} for m in request.messages],
            stream=True, **request.parameters, **extra,
        )  # fmt: skip
        for chunk in stream:
            usage, served = chunk.usage or usage, chunk.model or served
            for choice in chunk.choices[:1]:
                if piece := choice.delta.content:
                    text.append(piece)
                    yield piece
                finish = choice.finish_reason or finish
    except sdk.APIStatusError as e:
        help = HELP.get(e.status_code, "try again later; nothing that was answered is lost")
        raise ProviderError(
            f"provider-{e.status_code}", f"the provider answered {e.status_code}: {_words(e)}", help
        ) from e
    except (sdk.APIError, *lost, json.JSONDecodeError) as e:
        help = "check the address and the network, then build again: nothing that was answered is lost"
        cause = f" ({e.__cause__})" if e.__cause__ else ""
        raise ProviderError("provider-connection", f"the connection failed: {e}{cause}", help) from e
    counts = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    return Reply("".join(text), finish, served, *counts)


def _words(e: Any) -> str:
    body = e.body if isinstance(e.body, dict) else {}
    inner = body.get("error", body)
    return str(inner.get("message", e.message) if isinstance(inner, dict) else inner)[:500]
