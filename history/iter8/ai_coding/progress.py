"""Shows a build to a person or to a program.

In: the events of a build, as they happen, and the outcome of each of its units.
Out: for programs, JSON lines on standard output; for people, results on standard output, and
diagnostics and what is going on right now on standard error.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from ai_coding.diagnostic import Diagnostic, count
from ai_coding.ir import Event, Outcome

if TYPE_CHECKING:
    from rich.status import Status

_ENDED_WELL: Mapping[str, str] = {
    "built": "built",
    "locked": "from the lock",
    "current": "up to date",
}
_ALWAYS_SHOWN = frozenset({"kept-copy", "flake8-failed", "syntax-unchecked"})
_TAKES_MINUTES = frozenset({"testing", "stage2"})
_SPINNER_WIDTH = 2  # cells: the spinner and the space behind it


class Reader(Protocol):
    """Reads the events of a build, as Json() and Text(verbose, quiet) do."""

    def event(self, event: Event) -> None:
        """One step."""

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of the unit whose requirement file has this name."""

    def close(self) -> None:
        "Give the terminal back, however the build ended. Outcomes may follow. Twice is as once."


class Json:
    """For programs; has no parameters."""

    def event(self, event: Event) -> None:
        """One step, as one JSON object on a line of standard output."""
        _print_json({"event": event.kind, "spec": event.spec, **event.data})

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of a unit, as one JSON object on a line of standard output."""
        waiting = [
            {name: str(value) for name, value in asdict(wait).items()} for wait in outcome.waiting
        ]
        _print_json(
            {
                "event": "finished",
                "spec": spec,
                "status": outcome.status,
                "files": [] if outcome.program is None else sorted(outcome.program.files),
                "waiting": waiting,
                "diagnostics": [asdict(diagnostic) for diagnostic in outcome.diagnostics],
                "summary": outcome.summary,
            }
        )

    def close(self) -> None:
        """Nothing is held, so there is nothing to give back."""


class Text:
    """For people."""

    def __init__(self, verbose: bool, quiet: bool) -> None:
        self._verbose = verbose
        self._quiet = quiet
        self._characters: Counter[str] = Counter()  # by spec, since it was last asked
        self._status: Status | None = None

    def event(self, event: Event) -> None:
        """One step: on a terminal in the line of progress, elsewhere a line if verbose or long."""
        if event.kind == "asked":
            self._characters[event.spec] = 0
        elif event.kind == "token":
            self._characters[event.spec] += len(event.data["text"])
        words = _words(event, self._characters[event.spec])
        if self._quiet or not words:
            return
        line = " ".join(f"{event.spec}: {words}".splitlines())
        # While a status is shown, rich replaces sys.stderr by an object that may deny to be a
        # terminal, so it is only asked before.
        if self._status is not None or sys.stderr.isatty():
            self._overwrite(line)
        elif event.kind in _TAKES_MINUTES or (self._verbose and event.kind != "token"):
            print(line, file=sys.stderr)

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of a unit: its diagnostics, the replies it waits for, and its result."""
        self.close()
        words = _ENDED_WELL.get(outcome.status)
        everything = self._verbose or words is None
        shown = [d for d in outcome.diagnostics if everything or d.code in _ALWAYS_SHOWN]
        show(shown)
        if words is None and outcome.status != "waiting":
            # Among many units a diagnostic alone does not say whose it is.
            print(f"{spec}: not built", file=sys.stderr)
        for wait in outcome.waiting:
            print(f"{spec}: waiting for a reply")
            print(f"  prompt  {wait.prompt}")
            print(f"  reply   {wait.reply}")
        if words is not None and not self._quiet:
            hidden = [d for d in outcome.diagnostics if d not in shown]
            warnings = sum(d.severity == "warning" for d in hidden)
            print(_result(spec, outcome, words, warnings))

    def close(self) -> None:
        """End the line of progress, which brings the cursor back; a later event begins one."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _overwrite(self, line: str) -> None:
        from rich.console import Console
        from rich.text import Text as Plain

        if self._status is None:
            self._status = Console(stderr=True).status("")
            self._status.start()
        # A str would be read as markup; a text wider than the terminal would take several lines.
        plain = Plain(line)
        plain.truncate(self._status.console.width - _SPINNER_WIDTH, overflow="ellipsis")
        self._status.update(plain)


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Their str() on standard error, an empty line between; nothing if none."""
    texts = [str(diagnostic) for diagnostic in diagnostics]
    if texts:
        print("\n\n".join(texts), file=sys.stderr)


def _print_json(data: Mapping[str, Any]) -> None:
    # Flushed, because the reader of a pipe wants to see each event when it happens.
    print(json.dumps(data, default=str), flush=True)


def _words(event: Event, characters: int) -> str:
    """What a person is told of it, empty if nothing; characters are those answered so far."""
    data = event.data
    match event.kind:
        case "started":
            return str(data["why"])
        case "asked":
            attempt, model = data["attempt"], data["model"]
            step = "reading the answer kept from" if data["recorded"] else "asking"
            return f"attempt {attempt}, {step} {model}" if attempt > 1 else f"{step} {model}"
        case "token":
            return f"{characters:,} characters answered"
        case "judged":
            passed, tests, errors = data["passed"], data["tests"], data["errors"]
            return f"{passed} of {tests} tests passed, {errors} errors"
        case "testing":
            return "running the whole test-suite against stage 1, which takes minutes"
        case "stage2":
            return "stage 1 builds everything again from the recorded answers"
        case _:
            return ""


def _result(spec: str, outcome: Outcome, words: str, warnings: int) -> str:
    """The line for a build that ended well; warnings is the number of those not shown."""
    summary = f" ({outcome.summary})" if outcome.summary else ""
    if outcome.program is None:
        return f"{spec}: {words}{summary}"
    result = f"{outcome.program.entry}: {words}"
    if outcome.status == "built":
        result += summary
    if warnings:
        result += ", " + count(warnings, "style warning") + " (-v shows more)"
    return result
