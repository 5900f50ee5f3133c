"""`groq:NAME`: ask Groq through its own SDK.

In: a request to a model, and the settings, of which only the environment's key and address count.
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

# The SDK's signature lacks stream_options; without them no token counts come.
_EXTRA = {"extra_body": {"stream_options": {"include_usage": True}}}

# The SDK wraps only what fails before the stream begins: what breaks within it leaks as it is.
_LOST = (httpx.HTTPError, json.JSONDecodeError, UnicodeDecodeError)


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask over HTTP: pieces of text as they come, then the Reply.

    Raises ProviderError, once the first piece is asked for.
    """
    with _client(settings) as client:
        return (yield from complete(groq, client, request, _EXTRA, _LOST, key="GROQ_API_KEY"))


def _client(settings: Settings) -> groq.Groq:
    key = settings.env.get("GROQ_API_KEY", "")
    if not key:
        # Checked here, since the SDK would fall back to the process's environment.
        raise ProviderError(
            "no-key", "GROQ_API_KEY is not set", "set it, or choose another model with -m"
        )
    address = settings.env.get("GROQ_BASE_URL", "")
    try:
        return groq.Groq(api_key=key, base_url=address or None)
    except (httpx.InvalidURL, ValueError) as error:
        raise ProviderError(
            "bad-address",
            f"GROQ_BASE_URL is not an address: {address}",
            "give a host like https://api.groq.com",
        ) from error
