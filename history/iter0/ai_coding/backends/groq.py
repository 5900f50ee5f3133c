"""`groq:NAME`: Groq through its own SDK. In: a Request. Out: a Reply."""

from collections.abc import Generator
from pathlib import Path

import groq
import httpx

from ai_coding.backends import ProviderError, chat
from ai_coding.ir import Reply, Request, Settings


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask over HTTP. GROQ_BASE_URL is a host: the SDK adds /openai/v1."""
    key = settings.env.get("GROQ_API_KEY")
    if not key:
        raise ProviderError("no-key", "GROQ_API_KEY is not set", "set it, or choose another model with -m")
    try:
        client = groq.Groq(api_key=key, base_url=settings.env.get("GROQ_BASE_URL") or None)
    except httpx.InvalidURL as e:
        raise ProviderError(
            "bad-address", f"GROQ_BASE_URL is not an address: {e}", "such as https://api.groq.com"
        ) from e
    extra = {"extra_body": {"stream_options": {"include_usage": True}}}
    return (yield from chat.complete(groq, client, request, extra, (httpx.HTTPError,)))
