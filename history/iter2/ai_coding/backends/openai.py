"""`openai:NAME`: OpenAI, or any endpoint that speaks its protocol, through the SDK of that name.

In: a Request, and the key and the address in Settings.env.
Out: pieces of text as they come, then the Reply; or a ProviderError.
"""

import json
from collections.abc import Generator, Mapping
from pathlib import Path

import httpx2
import openai

from ai_coding.backends import ProviderError, chat
from ai_coding.ir import Reply, Request, Settings

# Once a stream has begun, the SDK lets these through as they are.
_LOST = (httpx2.RequestError, json.JSONDecodeError, UnicodeError)


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask over HTTP: pieces of text as they come, then the Reply.

    Raises ProviderError, once the first piece is asked for.
    """
    extra = {"stream_options": {"include_usage": True}}
    with _client(settings.env) as client:
        return (yield from chat.complete(openai, client, request, extra, _LOST))


def _client(env: Mapping[str, str]) -> openai.OpenAI:
    key = env.get("OPENAI_API_KEY", "")
    url = env.get("OPENAI_API_URL", "")
    if not key and not url:
        raise ProviderError(
            "no-key",
            "OPENAI_API_KEY is not set",
            "set OPENAI_API_KEY, or OPENAI_API_URL for an endpoint that needs no key",
        )
    try:
        # Given no key, the SDK would send the endpoint the one in the process's environment.
        return openai.OpenAI(api_key=key or "none", base_url=url or None)
    except (httpx2.InvalidURL, ValueError) as error:
        raise ProviderError(
            "bad-address",
            f"OPENAI_API_URL is not an address: {url}",
            "set OPENAI_API_URL to an address like http://localhost:8080/v1",
        ) from error
