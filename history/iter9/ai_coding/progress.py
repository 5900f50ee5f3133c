"""Shows a build to a person or to a program.

In: the events of a build, as they happen, and the outcome of each of its units.
Out: for programs, JSON lines on standard output; for people, results on standard output, and
diagnostics and what is going on right now on standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from ai_coding.diagnostic import Diagnostic, count
from ai_coding.ir import Event, Outcome
from ai_coding.words import plain, words

if TYPE_CHECKING:
    from ai_coding.live import Live

_ENDED_WELL: Mapping[str, str] = {
    "built": "built",
    "locked": "from the lock",
    "current": "up to date",
}
_ALWAYS_SHOWN = frozenset({"kept-copy", "flake8-failed", "syntax-unchecked"})
# So long a silence would be taken for a standstill; where there are rows, they are seen in these.
_ALWAYS_TOLD = frozenset({"interrupted", "testing", "stage2"})
_TOLD_ABOVE_ROWS = frozenset({"interrupted"})


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
        self._live: Live | None = None

    def event(self, event: Event) -> None:
        """One step: on a usable terminal in its rows; a line that stays if verbose or needed."""
        if self._quiet:
            return
        # Not asked again once there are rows: while they are open, sys.stderr may be replaced.
        if self._live is None and sys.stderr.isatty():
            from ai_coding import live

            if live.usable():
                self._live = live.Live()
        if self._live is not None:
            self._live.event(event)
        always = _ALWAYS_TOLD if self._live is None else _TOLD_ABOVE_ROWS
        if event.kind == "token" or not (self._verbose or event.kind in always):
            return
        told = words(event, 0)  # characters are counted for tokens, which are not told here
        if not told:
            return
        line = plain(f"{event.spec}: {told}" if event.spec else told)
        if self._live is not None:
            self._live.say(line)
        else:
            print(line, file=sys.stderr)

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of a unit: its diagnostics, the replies it waits for, and its result."""
        self.close()
        ended = _ENDED_WELL.get(outcome.status)
        everything = self._verbose or ended is None
        shown = [d for d in outcome.diagnostics if everything or d.code in _ALWAYS_SHOWN]
        show(shown)
        if ended is None and outcome.status != "waiting":
            # Among many units a diagnostic alone does not say whose it is.
            print(plain(f"{spec}: not built"), file=sys.stderr)
        for wait in outcome.waiting:
            print(plain(f"{spec}: waiting for a reply"))
            print(plain(f"  prompt  {wait.prompt}"))
            print(plain(f"  reply   {wait.reply}"))
        if ended is not None and not self._quiet:
            hidden = [d for d in outcome.diagnostics if d not in shown]
            warnings = sum(d.severity == "warning" for d in hidden)
            print(plain(_result(spec, outcome, ended, warnings)))

    def close(self) -> None:
        """Take the rows away, which brings the cursor back; a later event shows them again."""
        if self._live is not None:
            self._live.close()


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Their plain str() on standard error, an empty line between; nothing if none."""
    found = list(diagnostics)
    if not found:
        return
    if sys.stderr.isatty():
        from ai_coding import live

        live.paint(found)
    else:
        print("\n\n".join(plain(str(diagnostic)) for diagnostic in found), file=sys.stderr)


def _print_json(data: Mapping[str, Any]) -> None:
    # Flushed, because the reader of a pipe wants to see each event when it happens.
    print(json.dumps(data, default=str), flush=True)


def _result(spec: str, outcome: Outcome, ended: str, warnings: int) -> str:
    """The line for a build that ended well; warnings is the number of those not shown."""
    summary = f" ({outcome.summary})" if outcome.summary else ""
    if outcome.program is None:
        return f"{spec}: {ended}{summary}"
    result = f"{outcome.program.entry}: {ended}"
    if outcome.status == "built":
        result += summary
    if warnings:
        result += ", " + count(warnings, "style warning") + " (-v shows more)"
    return result
