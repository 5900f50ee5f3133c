"""How a Request reaches a model: chooses the provider that the model's name begins with.

In: a Request, the Settings and the path of the requirement file that the request is for.
Out: the pieces of text as the provider gives them, then its Reply or Waiting; or a ProviderError.
"""

import importlib
from collections.abc import Generator
from pathlib import Path

from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Reply, Request, Settings, Waiting

# Named one by one because this package may also hold modules that are no providers.
_PROVIDERS = ("openai", "groq", "command", "manual")
_KNOWN = "known: openai:…, groq:…, command:…, manual"
_WAYS_ON = """\
set OPENAI_API_KEY (and OPENAI_API_URL for another endpoint) or GROQ_API_KEY
or let another program answer: -m 'command:llm -m gpt-5'
or answer by hand, without a key: -m manual"""


class ProviderError(Exception):
    """Carries `diagnostic`, an error without a span; str() is its message."""

    diagnostic: Diagnostic

    def __init__(self, code: str, message: str, help: str = "") -> None:
        """A provider could not answer: why, and what to do."""
        super().__init__(message)
        self.diagnostic = error(code, message, help=help)


def answer(
    request: Request, settings: Settings, spec: Path
) -> Generator[str, None, Reply | Waiting]:
    """Ask the provider that request.model names: pieces of text as they come, then the result.

    Raises ProviderError.
    """
    provider = request.model.partition(":")[0]
    if not provider:
        raise ProviderError("no-model", "no model is named, and no key is set", _WAYS_ON)
    if provider not in _PROVIDERS:
        raise ProviderError("unknown-provider", f"no provider is called {provider!r}", _KNOWN)
    # Here and not above: the SDKs behind the providers import slowly.
    module = importlib.import_module(f"{__name__}.{provider}")
    pieces: Generator[str, None, Reply | Waiting] = module.answer(request, settings, spec)
    return (yield from pieces)
