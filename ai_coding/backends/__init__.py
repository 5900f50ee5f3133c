"""How a Request reaches a model: chooses the provider that the model's name begins with, and asks it.

In: a Request, the Settings and the path of the requirement file that it is asked for.
Out: pieces of text as they come, then a Reply or a Waiting; a ProviderError if there is no such provider or it fails.
"""

import importlib
from collections.abc import Generator
from pathlib import Path

from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Reply, Request, Settings, Waiting

# A fixed list: the model's name comes from a file, and must not choose just any module to be imported.
_PROVIDERS = ("openai", "groq", "command", "manual")
_KNOWN = "known: openai:…, groq:…, command:…, manual"
_WAYS = """\
set OPENAI_API_KEY (and OPENAI_API_URL for another endpoint) or GROQ_API_KEY,
or ask through a program of yours: -m 'command:llm -m gpt-5',
or carry prompt and reply yourself: -m manual"""


class ProviderError(Exception):
    """Why no reply came from a provider, as a diagnostic: an error without a span."""

    diagnostic: Diagnostic

    def __init__(self, code: str, message: str, help: str = "") -> None:
        "A provider could not answer: why, and what to do."
        super().__init__(message)
        self.diagnostic = error(code, message, help=help)


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply | Waiting]:
    "Ask the provider that request.model names: pieces of text as they come, then the result. Raises ProviderError."
    # Imported only here, inside the generator, because the SDKs that providers need import slowly.
    provider = importlib.import_module(f"{__name__}.{_provider(request.model)}")
    stream: Generator[str, None, Reply | Waiting] = provider.answer(request, settings, spec)
    return (yield from stream)


def _provider(model: str) -> str:
    """The name of the provider that a model's name begins with. Raises ProviderError if it is empty or unknown."""
    name = model.partition(":")[0]
    if not name:
        raise ProviderError("no-model", "no model is named, and no key is set", _WAYS)
    if name not in _PROVIDERS:
        raise ProviderError("unknown-provider", f"no provider is called {name!r}", _KNOWN)
    return name
