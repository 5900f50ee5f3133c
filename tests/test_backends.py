"""The choice of a provider: by the model's name, imported only when it is asked."""

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ai_coding import backends
from ai_coding.backends import ProviderError, answer
from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Message, Reply, Request, Settings, Waiting

SETTINGS, SPEC = Settings(Path("journal"), Path(".")), Path("a.toml")
WAITING = Waiting(SPEC, "sha256:1", Path("prompt.md"), Path("reply.md"))


def question(model: str) -> Request:
    return Request(model, 0, {}, (Message("user", "hi"),))


def finish(stream: Generator[str, None, Any]) -> tuple[list[str], Any]:
    pieces = list[str]()
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as done:
        return pieces, done.value


@pytest.mark.parametrize("result", [Reply("one two"), WAITING])
@pytest.mark.parametrize("model", ["openai:a:b", "groq:openai/x", "command:llm -m x", "manual"])
def test_the_provider_is_asked(monkeypatch: pytest.MonkeyPatch, model: str, result: Reply | Waiting) -> None:
    """The module of the provider's name gets everything as it is; its pieces and its result come back as they are."""
    seen = list[object]()

    def fake(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply | Waiting]:
        seen.extend([request, settings, spec])
        yield "one "
        yield "two"
        return result

    module = ModuleType("fake")
    module.__dict__["answer"] = fake
    monkeypatch.setitem(sys.modules, f"ai_coding.backends.{model.partition(':')[0]}", module)
    stream = answer(question(model), SETTINGS, SPEC)
    assert seen == []
    assert finish(stream) == (["one ", "two"], result)
    assert seen == [question(model), SETTINGS, SPEC]


@pytest.mark.parametrize("model", ["nobody:x", "nobody", "OpenAI:x", " openai:x", "chat:x", "openai.x:y", "../manual"])
def test_an_unknown_provider(model: str) -> None:
    """Only the four providers are known; not every module of the folder is one."""
    stream = answer(question(model), SETTINGS, SPEC)
    with pytest.raises(ProviderError) as caught:
        next(stream)
    found = caught.value.diagnostic
    name = model.partition(":")[0]
    assert (found.code, found.message) == ("unknown-provider", f"no provider is called {name!r}")
    assert found.help == "known: openai:…, groq:…, command:…, manual"


@pytest.mark.parametrize("model", ["", ":x"])
def test_no_model(model: str) -> None:
    """The help lists every way on."""
    with pytest.raises(ProviderError) as caught:
        next(answer(question(model), SETTINGS, SPEC))
    found = caught.value.diagnostic
    assert (found.code, found.message) == ("no-model", "no model is named, and no key is set")
    for way in ("OPENAI_API_KEY", "OPENAI_API_URL", "GROQ_API_KEY", "-m 'command:", "-m manual"):
        assert way in found.help
    assert len(found.help.splitlines()) == 3


def test_a_provider_error_is_a_diagnostic() -> None:
    one = ProviderError("provider-500", "it broke", "wait")
    assert str(one) == "it broke"
    assert one.diagnostic == Diagnostic("error", "provider-500", "it broke", None, "wait")
    assert ProviderError("a", "b").diagnostic.help == ""


def test_nothing_heavy_is_imported() -> None:
    """Start-up time is a feature: importing the package loads no provider and no SDK."""
    code = "import sys, ai_coding.backends; print([m for m in sys.modules if 'openai' in m or 'groq' in m])"
    root = str(Path(str(backends.__file__)).parents[2])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
