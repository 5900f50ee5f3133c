"""`openai:NAME`: OpenAI, or any endpoint that speaks its protocol, through the SDK of that name.

In: a Request, and the Settings, whose env may hold OPENAI_API_KEY and OPENAI_API_URL.
Out: the pieces of the answer's text as they come, then the Reply; or a ProviderError.
"""

from collections.abc import Generator
from pathlib import Path

import httpx2
import openai

from ai_coding.backends import ProviderError, chat
from ai_coding.ir import Reply, Request, Settings


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask over HTTP: pieces of text as they come, then the Reply.
    Raises ProviderError, once the first piece is asked for."""
    # Without the usage option, a stream reports no tokens.
    extra = {"stream_options": {"include_usage": True}}
    # While a stream is read, the SDK passes on what HTTP raises,
    # and the ValueErrors of data that is no UTF-8 or no JSON.
    lost = (httpx2.HTTPError, ValueError)
    with _client(settings) as client:
        return (yield from chat.complete(openai, client, request, extra, lost))


def _client(settings: Settings) -> openai.OpenAI:
    """The SDK's client for the key and the address in settings.env. Raises ProviderError."""
    key = settings.env.get("OPENAI_API_KEY", "")
    url = settings.env.get("OPENAI_API_URL", "")
    if not key and not url:
        raise ProviderError(
            "no-key",
            "OPENAI_API_KEY is not set",
            "set OPENAI_API_KEY, or set OPENAI_API_URL to the address of an endpoint that needs no key",
        )
    try:
        # Given no key, the SDK would send the one in the process's environment to an endpoint that it is not meant for.
        return openai.OpenAI(api_key=key or "none", base_url=url or None)
    except (httpx2.InvalidURL, openai.OpenAIError, ValueError) as error:
        raise ProviderError(
            "bad-address",
            f"OPENAI_API_URL is not an address: {url}",
            "set OPENAI_API_URL to an address like http://localhost:8080/v1",
        ) from error
