"""How a Request reaches a model: chooses the provider that the model's name begins with, asks it.

In: a Request, the Settings and the path of the requirement file that it is asked for.
Out: pieces of text as they come, then the Reply, or Waiting if it is not there yet.
"""

import importlib
from collections.abc import Generator
from pathlib import Path

from ai_coding.diagnostic import error
from ai_coding.ir import Reply, Request, Settings, Waiting

_PROVIDERS = ("openai", "groq", "command", "manual")
_KNOWN = "known: openai:…, groq:…, command:…, manual"
_WAYS = """\
set OPENAI_API_KEY (and OPENAI_API_URL for another endpoint) or GROQ_API_KEY
or let a program answer: -m 'command:llm -m gpt-5'
or answer by hand, without a key: -m manual"""


class ProviderError(Exception):
    """Its diagnostic is an error without a span; str() is the message."""

    def __init__(self, code: str, message: str, help: str = "") -> None:
        "A provider could not answer: why, and what to do."
        super().__init__(message)
        self.diagnostic = error(code, message, help=help)


def answer(
    request: Request, settings: Settings, spec: Path
) -> Generator[str, None, Reply | Waiting]:
    (
        "Ask the provider that request.model names: pieces of text as they come, then the result. "
        "Raises ProviderError."
    )
    provider = request.model.partition(":")[0]
    if not provider:
        raise ProviderError("no-model", "no model is named, and no key is set", _WAYS)
    if provider not in _PROVIDERS:
        raise ProviderError("unknown-provider", f"no provider is called {provider!r}", _KNOWN)
    # Not imported at the top of the file, because SDKs import slowly.
    module = importlib.import_module(f"{__name__}.{provider}")
    result: Reply | Waiting = yield from module.answer(request, settings, spec)
    return result
