"""What the options of a command line, the environment and a requirement file decide together.

In: the values of a parsed command line by name, environment variables, and a Spec if there is one.
Out: the folder of the journal, the folder that programs are written to, the Settings of one unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_coding.ir import Settings, Spec
    from ai_coding.providers import Provider


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
    from ai_coding import ir, providers  # only here: an up-to-date build does without them

    pinned = spec.model if spec is not None else ""
    rows = providers.table().values()
    return ir.Settings(
        journal=journal(env),
        out=out(options, spec),
        model=options.get("model") or pinned or _model_of_environment(env, rows),
        attempts=options.get("attempts") or 0,
        locked=bool(options.get("locked")),
        # `ai_coding self` has an option of this name that is a list of units.
        anew=options.get("anew") is True,
        force=bool(options.get("force")),
        unsafe=bool(options.get("unsafe_sandbox")),
        env=_provider_variables(env, rows),
        max_cost=options.get("max_cost") or 0.0,
    )


def _first_set(env: Mapping[str, str], names: Iterable[str]) -> str:
    return next((env[name] for name in names if env.get(name)), "")


def _provider_variables(env: Mapping[str, str], rows: Iterable[Provider]) -> dict[str, str]:
    found = {}
    for provider in rows:
        for names in (provider.key, provider.address):
            value = _first_set(env, names)
            if value:
                found[names[0]] = value
    return found


def _model_of_environment(env: Mapping[str, str], rows: Iterable[Provider]) -> str:
    chosen = env.get("AI_CODING_MODEL")
    if chosen:
        return chosen
    for provider in rows:
        model, names = provider.model, provider.key
        if model and provider.name == "openai":
            # Servers that speak its protocol often need no key: an address is enough.
            model, names = env.get("OPENAI_API_MODEL") or model, names + provider.address
        if model and _first_set(env, names):
            return f"{provider.name}:{model}"
    return ""
