"""`groq:NAME`: Groq through its own SDK.

In: a Request, and the Settings whose env holds GROQ_API_KEY and, if need be, GROQ_BASE_URL.
Out: pieces of text as they come, then the Reply; or a ProviderError.
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


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask over HTTP: pieces of text as they come, then the Reply.

    Raises ProviderError, once the first piece is asked for.
    """
    # The SDK's own functions do not know stream_options and would refuse it as an argument.
    extra = {"extra_body": {"stream_options": {"include_usage": True}}}
    # While it reads a stream, the SDK wraps neither httpx's exceptions nor those of decoding what came.
    lost = (httpx.HTTPError, json.JSONDecodeError, UnicodeDecodeError)
    with _client(settings) as client:
        return (yield from complete(groq, client, request, extra, lost))


def _client(settings: Settings) -> groq.Groq:
    key = settings.env.get("GROQ_API_KEY")
    if not key:
        raise ProviderError("no-key", "GROQ_API_KEY is not set", "set it, or choose another model with -m")
    address = settings.env.get("GROQ_BASE_URL") or None
    try:
        client = groq.Groq(api_key=key, base_url=address)
    except (httpx.InvalidURL, ValueError) as error:
        message = f"GROQ_BASE_URL is not an address: {address or ''}"
        raise ProviderError("bad-address", message, f"like {_HOST}") from error
    if address is None:
        # Given None, the SDK looks into the process's environment, where the variable may be empty or differ.
        client.base_url = httpx.URL(_HOST)
    return client
