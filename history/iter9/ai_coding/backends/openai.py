"""Every provider that speaks OpenAI's protocol, and any other endpoint that does, through its SDK.

In: a Request, the row of its provider, and the key and the address in the settings' environment.
Out: pieces of text as they come, then the Reply; or a ProviderError.
"""

import json
import ssl
from collections.abc import Generator
from functools import cache
from pathlib import Path
from threading import Lock

import httpx2
import openai

from ai_coding.backends import ProviderError, chat
from ai_coding.ir import Reply, Request, Settings
from ai_coding.providers import Provider, table

# What the SDK lets through while it reads a stream: a broken connection, and events that are
# not JSON or not UTF-8.
_LOST = (httpx2.HTTPError, json.JSONDecodeError, UnicodeDecodeError)

# A cache alone would let threads that ask at the same moment read the certificates once each.
_READING = Lock()


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply]:
    """Ask over HTTP: pieces of text as they come, then the Reply.

    Raises ProviderError, once the first piece is asked for.
    """
    row = table()[request.model.partition(":")[0]]
    key_name = next(iter(row.key), "")
    with _client(row, key_name, settings) as client:
        # Some providers refuse stream_options.
        extra = {"stream_options": {"include_usage": True}} if "usage" in row.abilities else {}
        return (yield from chat.complete(openai, client, request, extra, _LOST, key_name))


def _client(row: Provider, key_name: str, settings: Settings) -> openai.OpenAI:
    address_name = next(iter(row.address), "")
    key = settings.env.get(key_name, "")
    address = settings.env.get(address_name, "")
    if key_name and not key and not address:
        raise ProviderError(
            "no-key",
            f"{key_name} is not set",
            f"set {key_name}, or {address_name} for an endpoint that needs no key",
        )
    url = address or row.url
    with _READING:
        context = _certificates()
    try:
        http = openai.DefaultHttpxClient(verify=context)
        # Given no key, the SDK would send the process's own to whatever the address is.
        return openai.OpenAI(api_key=key or "unused", base_url=url, http_client=http)
    except (httpx2.InvalidURL, ValueError) as error:
        raise ProviderError(
            "bad-address",
            f"{address_name} is not an address: {url}",
            "give an address like http://localhost:8080/v1",
        ) from error


# To read them takes longer than all else that makes a client.
@cache
def _certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context()
