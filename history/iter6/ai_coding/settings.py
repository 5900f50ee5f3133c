"""What the options of a command line, the environment and a requirement file decide together.

In: the values of a parsed command line by name, environment variables, and a Spec if there is one.
Out: the folder of the journal, the folder that programs are written to, the Settings of one unit.
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
    import platformdirs  # only here: start-up time

    return platformdirs.user_cache_path("ai_coding").absolute()


def out(options: Mapping[str, Any], spec: Spec | None) -> Path:
    """The folder that programs are written to, absolute."""
    pinned = spec.output if spec is not None else None
    # Not resolve(): links are kept as they were given.
    return Path(options.get("out") or pinned or "").absolute()


def decide(options: Mapping[str, Any], env: Mapping[str, str], spec: Spec | None) -> Settings:
    """The Settings of one unit; without a Spec, of a command that has none. Changes nothing that it is given."""
    from ai_coding import ir  # only here: an up-to-date build does without it

    pinned = spec.model if spec is not None else ""
    providers = _provider_variables(env)
    return ir.Settings(
        journal=journal(env),
        out=out(options, spec),
        model=options.get("model") or pinned or _model_of_environment(env, providers),
        attempts=options.get("attempts") or 0,
        locked=bool(options.get("locked")),
        # `ai_coding self` has an option of this name that is a list of units.
        anew=options.get("anew") is True,
        force=bool(options.get("force")),
        unsafe=bool(options.get("unsafe_sandbox")),
        env=providers,
        max_cost=options.get("max_cost") or 0.0,
    )


def _provider_variables(env: Mapping[str, str]) -> dict[str, str]:
    found = {name: env[name] for name in _PROVIDERS if env.get(name)}
    base = env.get("OPENAI_BASE_URL")
    if base:
        found.setdefault("OPENAI_API_URL", base)
    return found


def _model_of_environment(env: Mapping[str, str], providers: Mapping[str, str]) -> str:
    chosen = env.get("AI_CODING_MODEL")
    if chosen:
        return chosen
    if "OPENAI_API_KEY" in providers or "OPENAI_API_URL" in providers:
        return "openai:" + (env.get("OPENAI_API_MODEL") or "gpt-5")
    return "groq:openai/gpt-oss-20b" if "GROQ_API_KEY" in providers else ""
