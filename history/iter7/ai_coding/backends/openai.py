"""`openai:NAME`: OpenAI, or any endpoint that speaks its protocol, through the SDK of that name.

In: a Request, and the key and the address in the settings' environment.
Out: pieces of text as they come, then the Reply; or a ProviderError.
"""

import json
from collections.abc import Generator
from pathlib import Path

import httpx2
import openai

from ai_coding.backends import ProviderError, chat
from ai_coding.ir import Reply, Request, Settings

# What the SDK lets through while it reads a stream: a broken connection, and events that are
# not JSON or not UTF-8.
_LOST = (httpx2.HTTPError, json.JSONDecodeError, UnicodeDecodeError)


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask over HTTP: pieces of text as they come, then the Reply.

    Raises ProviderError, once the first piece is asked for.
    """
    with _client(settings) as client:
        extra = {"stream_options": {"include_usage": True}}
        return (yield from chat.complete(openai, client, request, extra, _LOST))


def _client(settings: Settings) -> openai.OpenAI:
    key = settings.env.get("OPENAI_API_KEY", "")
    url = settings.env.get("OPENAI_API_URL", "")
    if not key and not url:
        raise ProviderError(
            "no-key",
            "OPENAI_API_KEY is not set",
            "set OPENAI_API_KEY, or OPENAI_API_URL for an endpoint that needs no key",
        )
    try:
        # Given no key, the SDK would send the process's own to whatever the address is.
        return openai.OpenAI(api_key=key or "unused", base_url=url or None)
    except (httpx2.InvalidURL, ValueError) as error:
        raise ProviderError(
            "bad-address",
            f"OPENAI_API_URL is not an address: {url}",
            "give an address like http://localhost:8080/v1",
        ) from error
