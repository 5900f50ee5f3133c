"""The codes of all diagnostics that the package can make, read from its modules."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from conftest import PACKAGE

# Functions that are given a code, and which of their arguments it is.
MAKERS = {"error": 0, "Diagnostic": 1, "ProviderError": 0, "add": 0, "_error": 0, "problem": 0, "damaged": 2}

# Where a code is not written out in the call: the codes that come of it, none where it is only passed on.
FORMED: dict[str, tuple[str, ...]] = {
    "diagnostic": (),
    "backends/__init__": (),
    "cli": ("system",),
    "asking": ("provider-cut", "provider-empty", "provider-endless"),
    "backends/chat": ("provider-endless",),
    "backends/failure": (
        *("provider-*", "provider-connection", "provider-cut", "provider-error", "provider-garbled", "provider-host"),
        *("provider-not-chat", "provider-quota", "provider-refusal", "provider-size", "provider-stalled"),
        *("provider-timeout", "provider-unreachable"),
    ),
    "critics/flake8": ("flake8-*",),
    "emit": ("emit-link", "emit-folder", "emit-edited"),
    "faults": ("unknown-strategy", "unknown-critics"),
    "generation": ("damaged-archive",),
    "proof": ("differs", "not-generated"),
    "replay": (),
    "reply": (),
}


def codes(modules: Iterable[str] = ()) -> set[str]:
    """The codes of these modules (`backends/chat`), of all without any."""
    return {code for name in modules or names() for code in _written(name)} | {
        code for name, formed in FORMED.items() if not modules or name in modules for code in formed
    }


def unexplained() -> set[str]:
    """Modules that call a maker with a code that is not written out, but are not in FORMED."""
    return {name for name in names() if None in _arguments(name)} - set(FORMED)


def names() -> list[str]:
    folder = PACKAGE / "ai_coding"
    return [path.relative_to(folder).with_suffix("").as_posix() for path in sorted(folder.rglob("*.py"))]


def _written(name: str) -> set[str]:
    return {code for code in _arguments(name) if code is not None}


def _arguments(name: str) -> Iterator[str | None]:
    """The codes that are given to makers, None for one that is not written out."""
    tree = ast.parse(Path(PACKAGE, "ai_coding", f"{name}.py").read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        place = MAKERS.get(node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""))
        # Sets have an `add`, too, and paths a `problem`, but of one argument.
        if place is not None and len(node.args) > max(1, place):
            argument = node.args[place]
            constant = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            yield argument.value if constant else None  # type: ignore[attr-defined]
