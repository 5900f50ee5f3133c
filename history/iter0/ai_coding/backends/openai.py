"""`openai:NAME`: OpenAI, or any endpoint that speaks its protocol (OPENAI_API_URL). In: a Request. Out: a Reply."""

from collections.abc import Generator
from pathlib import Path

import httpx2
import openai

from ai_coding.backends import ProviderError, chat
from ai_coding.ir import Reply, Request, Settings


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask over HTTP. A local endpoint needs no key."""
    url, key = settings.env.get("OPENAI_API_URL"), settings.env.get("OPENAI_API_KEY")
    if not key and not url:
        raise ProviderError("no-key", "OPENAI_API_KEY is not set", "set it, or OPENAI_API_URL for a local server")
    try:
        client = openai.OpenAI(api_key=key or "none", base_url=url or None)
    except httpx2.InvalidURL as e:
        raise ProviderError(
            "bad-address", f"OPENAI_API_URL is not an address: {e}", "such as http://localhost:8080/v1"
        ) from e
    extra = {"stream_options": {"include_usage": True}}
    return (yield from chat.complete(openai, client, request, extra))
