"""Collects what is wrong with a requirement file, each fault at its place.

In: the name of the file, the places of its keys, and the faults as whoever checks a part finds them.
Out: diagnostics in the order found, each at the nearest known place, with what could have been meant.
"""

from collections.abc import Mapping, Sequence

from ai_coding.diagnostic import Diagnostic, Span, error
from ai_coding.toml import KeyPath


class Faults:
    """Collects diagnostics with their places, in its attribute `found`, a list[Diagnostic].

    name: the file in diagnostics.
    """

    def __init__(self, name: str, places: Mapping[KeyPath, Span]) -> None:
        self.found: list[Diagnostic] = []
        self._name = name
        self._places = places

    def add(self, code: str, message: str, at: KeyPath = (), help: str = "") -> None:
        """Add an error: R1."""
        paths = (at[:size] for size in range(len(at), -1, -1))
        placed = (self._places[path] for path in paths if path in self._places)
        self.found.append(error(code, message, next(placed, Span(self._name)), help))

    def choose(self, key: str, chosen: Sequence[str], known: Sequence[str]) -> None:
        """Add R3 for those of chosen not in known."""
        for value in chosen:
            if value not in known:
                message = f"unknown {key} {value!r}"
                hint = nearest(value, known, "known")
                self.add(f"unknown-{key}", message, ("build", key), hint)


def nearest(word: str, known: Sequence[str], label: str) -> str:
    """What could have been meant, as the text of a help: R2."""
    # Imported here because most files have no fault, and start-up time is a feature.
    import difflib

    matches = difflib.get_close_matches(word, known, n=1)
    if matches:
        return f"did you mean `{matches[0]}`?"
    return f"{label}: {', '.join(known)}"
