"""`groq:NAME`: asks Groq through its own SDK.

In: a request, and the settings, whose env holds GROQ_API_KEY and perhaps GROQ_BASE_URL, a host.
Out: pieces of text as they come, then the reply; or a ProviderError that says what to do.
"""

import json
from collections.abc import Generator
from pathlib import Path

import groq
import httpx

from ai_coding.backends import ProviderError
from ai_coding.backends.chat import complete
from ai_coding.ir import Reply, Request, Settings

_HOST = "https://api.groq.com"

# The SDK refuses stream_options as a parameter of its own, but sends whatever is in extra_body.
_EXTRA = {"extra_body": {"stream_options": {"include_usage": True}}}

# What the SDK lets through, unwrapped, when a stream breaks or holds what is no JSON.
_LOST = (httpx.HTTPError, json.JSONDecodeError)


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask over HTTP: pieces of text as they come, then the Reply.

    Raises ProviderError, once the first piece is asked for.
    """
    key = settings.env.get("GROQ_API_KEY")
    if not key:
        raise ProviderError(
            "no-key", "GROQ_API_KEY is not set", "set it, or choose another model with -m"
        )
    with _client(key, settings.env.get("GROQ_BASE_URL") or None) as client:
        return (yield from complete(groq, client, request, _EXTRA, _LOST))


def _client(key: str, address: str | None) -> groq.Groq:
    try:
        client = groq.Groq(api_key=key, base_url=address)
    except (httpx.InvalidURL, ValueError) as fault:
        raise ProviderError(
            "bad-address",
            f"GROQ_BASE_URL is not an address: {address}",
            f"set it to a host like {_HOST}",
        ) from fault
    if address is None:
        # Without an address the SDK looks into the process's environment, which must not count.
        client.base_url = httpx.URL(_HOST)
    return client
