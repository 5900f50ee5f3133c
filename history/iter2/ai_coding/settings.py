"""What the options of a command line, the environment and a requirement file decide together.

In: options by name and environment variables, both as given (`os.environ` is not read), and a Spec
if there is one.
Out: the folder of the journal, the folder that programs are written to, and Settings, which hold
both and the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_coding.ir import Settings, Spec

_PROVIDERS = ("OPENAI_API_KEY", "OPENAI_API_URL", "GROQ_API_KEY", "GROQ_BASE_URL")


def journal(env: Mapping[str, str]) -> Path:
    """The folder of the journal, absolute. It need not exist."""
    chosen = env.get("AI_CODING_JOURNAL")
    if chosen:
        return Path(chosen).absolute()
    # Start-up time: who names the folder does not pay for this import.
    import platformdirs

    return platformdirs.user_cache_path("ai_coding").absolute()


def out(options: Mapping[str, Any], spec: Spec | None) -> Path:
    """The folder that programs are written to, absolute."""
    pinned = spec.output if spec else None
    # Not resolve(): links in the path are kept.
    return Path(options.get("out") or pinned or ".").absolute()


def decide(options: Mapping[str, Any], env: Mapping[str, str], spec: Spec | None) -> Settings:
    """The Settings of one unit; without a Spec, of a command that has none. Changes nothing that it is given."""
    # Start-up time: an up-to-date build asks for the two folders only.
    from ai_coding import ir

    providers = _providers(env)
    pinned = spec.model if spec else ""
    model = options.get("model") or pinned or env.get("AI_CODING_MODEL")
    return ir.Settings(
        journal=journal(env),
        out=out(options, spec),
        model=str(model or _default_model(env, providers)),
        attempts=int(options.get("attempts") or 0),
        locked=bool(options.get("locked")),
        # `ai_coding self` has an option of this name that is a list of units: it is not meant here.
        anew=options.get("anew") is True,
        force=bool(options.get("force")),
        unsafe=bool(options.get("unsafe_sandbox")),
        env=providers,
    )


def _providers(env: Mapping[str, str]) -> dict[str, str]:
    found = {name: env[name] for name in _PROVIDERS if env.get(name)}
    address = env.get("OPENAI_BASE_URL")
    if address:
        found.setdefault("OPENAI_API_URL", address)
    return found


def _default_model(env: Mapping[str, str], providers: Mapping[str, str]) -> str:
    """The model of whichever provider has a key or an address, "" if none has."""
    if "OPENAI_API_KEY" in providers or "OPENAI_API_URL" in providers:
        return "openai:" + (env.get("OPENAI_API_MODEL") or "gpt-5")
    return "groq:openai/gpt-oss-20b" if "GROQ_API_KEY" in providers else ""
