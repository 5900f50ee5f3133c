"""How a Request reaches a model: chooses the provider that the model's name begins with.

In: a Request, the Settings and the path of the requirement file that the request is for.
Out: the pieces of text as the provider gives them, then its Reply or Waiting; or a ProviderError.
"""

import difflib
import importlib
from collections.abc import Generator
from pathlib import Path

from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Reply, Request, Settings, Waiting
from ai_coding.providers import table

# The providers beside the table's, and how each is asked. Named one by one because this package
# may also hold modules that are no providers.
_OTHERS = {"local": "local:FILE.gguf", "command": "command:…", "manual": "manual"}
_WAYS_ON = """\
set OPENAI_API_KEY (and OPENAI_API_URL for another endpoint), GROQ_API_KEY or another provider's key
or run a model here: -m ollama:qwen3 or -m local:FILE.gguf
or let another program answer: -m 'command:llm -m gpt-5'
or answer by hand: -m manual"""


class ProviderError(Exception):
    """Carries `diagnostic`, an error without a span; str() is its message."""

    diagnostic: Diagnostic

    def __init__(self, code: str, message: str, help: str = "") -> None:
        """A provider could not answer: why, and what to do."""
        super().__init__(message)
        self.diagnostic = error(code, message, help=help)


def _no_model(settings: Settings) -> ProviderError:
    # An empty variable is no key.
    usable = [name for name, row in table().items() if row.key and settings.env.get(row.key[0])]
    if not usable:
        return ProviderError("no-model", "no model is named, and no key is set", _WAYS_ON)
    ways = " or ".join(f"-m {name}:NAME" for name in usable)
    return ProviderError("no-model", "no model is named", f"name one: {ways}")


def _unknown_provider(provider: str) -> ProviderError:
    rows = table()
    help = "known: " + ", ".join([*(f"{name}:…" for name in rows), *_OTHERS.values()])
    close = difflib.get_close_matches(provider.lower(), [*rows, *_OTHERS], n=1)
    if close:
        help = f"did you mean `{close[0]}`?\n{help}"
    return ProviderError("unknown-provider", f"no provider is called {provider!r}", help)


def answer(
    request: Request, settings: Settings, spec: Path
) -> Generator[str, None, Reply | Waiting]:
    """Ask the provider that request.model names: pieces of text as they come, then the result.

    Raises ProviderError.
    """
    provider = request.model.partition(":")[0]
    if not provider:
        raise _no_model(settings)
    row = table().get(provider)
    if row is None and provider not in _OTHERS:
        raise _unknown_provider(provider)
    # Here and not above: the SDKs behind the providers import slowly.
    module = importlib.import_module(f"{__name__}.{row.backend if row else provider}")
    pieces: Generator[str, None, Reply | Waiting] = module.answer(request, settings, spec)
    return (yield from pieces)
