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
@pytest.mark.parametrize(
    ("model", "module"),
    [("openai:a:b", "openai"), ("groq:openai/x", "groq"), ("command:llm -m x", "command"), ("manual", "manual"),
     ("local:a.gguf", "local"), ("deepseek:x", "openai"), ("ollama:a:b", "openai")],
)  # fmt: skip
def test_the_provider_is_asked(
    monkeypatch: pytest.MonkeyPatch, model: str, module: str, result: Reply | Waiting
) -> None:
    """The module that answers for it gets everything as it is; its pieces and its result come back as they are."""
    seen = list[object]()

    def fake(request: Request, settings: Settings, spec: Path) -> Generator[str, None, Reply | Waiting]:
        seen.extend([request, settings, spec])
        yield "one "
        yield "two"
        return result

    there = ModuleType("fake")
    there.__dict__["answer"] = fake
    monkeypatch.setitem(sys.modules, f"ai_coding.backends.{module}", there)
    stream = answer(question(model), SETTINGS, SPEC)
    assert seen == []
    assert finish(stream) == (["one ", "two"], result)
    assert seen == [question(model), SETTINGS, SPEC]


KNOWN = (
    "known: openai:…, groq:…, deepseek:…, gemini:…, anthropic:…, openrouter:…, mistral:…, xai:…, ollama:…, lmstudio:…, "
    "vllm:…, llamacpp:…, local:FILE.gguf, command:…, manual"
)


@pytest.mark.parametrize(
    ("model", "meant"),
    [("nobody:x", ""), ("nobody", ""), ("chat:x", ""), ("../x", ""), ("OpenAI:x", "openai"), (" openai:x", "openai"),
     ("openai.x:y", "openai"), ("../manual", "manual"), ("open-router:x", "openrouter"), ("llama.cpp:x", "llamacpp"),
     ("Anthropic:x", "anthropic"), ("locale:x", "local")],
)  # fmt: skip
def test_an_unknown_provider(model: str, meant: str) -> None:
    """Only the table's and three more are known; not every module of the folder is one."""
    stream = answer(question(model), SETTINGS, SPEC)
    with pytest.raises(ProviderError) as caught:
        next(stream)
    found = caught.value.diagnostic
    name = model.partition(":")[0]
    assert (found.code, found.message) == ("unknown-provider", f"no provider is called {name!r}")
    assert found.help == (f"did you mean `{meant}`?\n" if meant else "") + KNOWN


def unnamed(model: str = "", **env: str) -> Diagnostic:
    settings = Settings(Path("journal"), Path("."), env=env)
    with pytest.raises(ProviderError) as caught:
        next(answer(question(model), settings, SPEC))
    assert caught.value.diagnostic.code == "no-model"
    return caught.value.diagnostic


@pytest.mark.parametrize("model", ["", ":x"])
@pytest.mark.parametrize("env", [{}, {"DEEPSEEK_API_KEY": ""}, {"OLLAMA_API_URL": "http://box:11434/v1"}])
def test_no_model(model: str, env: dict[str, str]) -> None:
    """The help lists every way on, those without a key too."""
    found = unnamed(model, **env)
    assert found.message == "no model is named, and no key is set"
    ways = ("OPENAI_API_KEY", "OPENAI_API_URL", "GROQ_API_KEY", "-m ollama:", "-m local:FILE.gguf")
    for way in (*ways, "-m 'command:", "-m manual"):
        assert way in found.help
    assert len(found.help.splitlines()) == 4


def test_a_key_without_a_model() -> None:
    """Not every provider has a default: then it is the model that is missing, not the key."""
    found = unnamed(XAI_API_KEY="k", DEEPSEEK_API_KEY="k")
    assert (found.message, found.help) == ("no model is named", "name one: -m deepseek:NAME or -m xai:NAME")


def test_a_provider_error_is_a_diagnostic() -> None:
    one = ProviderError("provider-500", "it broke", "wait")
    assert str(one) == "it broke"
    assert one.diagnostic == Diagnostic("error", "provider-500", "it broke", None, "wait")
    assert ProviderError("a", "b").diagnostic.help == ""


def test_nothing_heavy_is_imported() -> None:
    """Start-up time is a feature: importing the package loads no provider and no SDK."""
    code = "import sys, ai_coding.backends\n"
    code += "print([m for m in sys.modules for name in ('openai', 'groq', 'llama', 'tomlkit') if name in m])"
    root = str(Path(str(backends.__file__)).parents[2])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
