"""Backends: how a Request reaches a model. In: a Request. Out: pieces of text as they come, then a Reply or Waiting.

A backend is a module with `answer(request, settings, spec) -> Generator[str, None, Reply | Waiting]`. It is imported
only when a request is really sent, and raises ProviderError for whatever its provider does wrong.
"""

import importlib
from collections.abc import Generator
from pathlib import Path

from ai_coding.diagnostic import Diagnostic, error
from ai_coding.ir import Reply, Request, Settings, Waiting

PROVIDERS = ("openai", "groq", "command", "manual")
WAYS_ON = """\
set OPENAI_API_KEY (and OPENAI_API_URL for another endpoint) or GROQ_API_KEY,
name a program that answers: -m 'command:llm -m gpt-5',
or answer yourself: -m manual"""


class ProviderError(Exception):
    """A provider could not answer; its diagnostic says why and what to do."""

    def __init__(self, code: str, message: str, help: str = "") -> None:
        super().__init__(message)
        self.diagnostic: Diagnostic = error(code, message, None, help)


def answer(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply | Waiting]:
    """Ask the provider that the request's model names."""
    provider = request.model.partition(":")[0]
    if not provider:
        raise ProviderError("no-model", "no model is named, and no key is set", WAYS_ON)
    if provider not in PROVIDERS:
        known = "known: " + ", ".join(f"{name}:…" for name in PROVIDERS[:-1]) + ", manual"
        raise ProviderError("unknown-provider", f"no provider is called {provider!r}", known)
    module = importlib.import_module(f"ai_coding.backends.{provider}")
    found: Reply | Waiting = yield from module.answer(request, settings, spec)
    return found
