"""Shows a build to a person or to a program.

In: the events and outcomes of a build, in the order in which they happen.
Out: for programs, JSON lines on standard output; for people, results and what is waited for on
standard output, and diagnostics and the steps of the build on standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from ai_coding.diagnostic import Diagnostic, count
from ai_coding.ir import Event, Outcome

if TYPE_CHECKING:
    from rich.status import Status

_ENDED_WELL = {"built": "built", "locked": "from the lock", "current": "up to date"}
_ALWAYS_SHOWN = ("kept-copy", "flake8-failed", "syntax-unchecked")
_STAGES = {
    "testing": "running the whole test-suite against stage 1",
    "stage2": "stage 1 builds everything again from the recorded answers",
}
_SPINNER_WIDTH = 2  # columns: the spinner and the blank behind it


class Reader(Protocol):
    """Reads the events of a build, as Json() and Text(verbose, quiet) do."""

    def event(self, event: Event) -> None:
        """One step."""

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of the unit whose requirement file has this name."""

    def close(self) -> None:
        """Give the terminal back, however the build ended. Outcomes may follow. Twice is as once.
        """


class Json:
    """For programs; has no parameters."""

    def event(self, event: Event) -> None:
        """One step."""
        _print_json({"event": event.kind, "spec": event.spec, **event.data})

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of the unit whose requirement file has this name."""
        _print_json(
            {
                "event": "finished",
                "spec": spec,
                "status": outcome.status,
                "files": sorted(outcome.program.files) if outcome.program is not None else [],
                "waiting": [
                    {name: str(value) for name, value in asdict(waiting).items()}
                    for waiting in outcome.waiting
                ],
                "diagnostics": [asdict(diagnostic) for diagnostic in outcome.diagnostics],
                "summary": outcome.summary,
            }
        )

    def close(self) -> None:
        """Give the terminal back, however the build ended: here it was never taken."""


class Text:
    """For people."""

    def __init__(self, verbose: bool, quiet: bool) -> None:
        """verbose: all diagnostics, steps even without a terminal. quiet: no steps or results."""
        self._verbose = verbose
        self._quiet = quiet
        self._answered: dict[str, int] = {}  # characters since the last asked, by spec
        self._status: Status | None = None

    def event(self, event: Event) -> None:
        """One step."""
        if event.kind == "asked":
            self._answered[event.spec] = 0
        elif event.kind == "token":
            before = self._answered.get(event.spec, 0)
            self._answered[event.spec] = before + len(event.data["text"])
        words = _words(event, self._answered.get(event.spec, 0))
        if self._quiet or not words:
            return
        line = " ".join(f"{event.spec}: {words}".splitlines())
        # While a status is shown, rich's proxy for stderr may deny that it is a terminal.
        if self._status is not None or sys.stderr.isatty():
            self._overwrite(line)
        elif self._verbose and event.kind != "token":
            print(line, file=sys.stderr)

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of the unit whose requirement file has this name."""
        self.close()
        well = outcome.status in _ENDED_WELL
        shown = [
            diagnostic
            for diagnostic in outcome.diagnostics
            if self._verbose or not well or diagnostic.code in _ALWAYS_SHOWN
        ]
        show(shown)
        for waiting in outcome.waiting:
            print(f"{spec}: waiting for a reply")
            print(f"  prompt  {waiting.prompt}")
            print(f"  reply   {waiting.reply}")
        if well and not self._quiet:
            hidden = [each for each in outcome.diagnostics if each not in shown]
            warnings = sum(each.severity == "warning" for each in hidden)
            print(_result(spec, outcome, warnings))

    def close(self) -> None:
        """Give the terminal back, however the build ended. Outcomes may follow. Twice is as once.
        """
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _overwrite(self, line: str) -> None:
        from rich.console import Console
        from rich.status import Status
        from rich.text import Text as Plain

        if self._status is None:
            self._status = Status("", console=Console(stderr=True))
        # A str would be read as markup, and a line wider than the terminal would become several.
        plain = Plain(line)
        plain.truncate(self._status.console.width - _SPINNER_WIDTH, overflow="ellipsis")
        self._status.update(plain)
        self._status.start()  # does nothing if it is already running


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Their str() on standard error, an empty line between; nothing if none."""
    texts = [str(diagnostic) for diagnostic in diagnostics]
    if texts:
        print("\n\n".join(texts), file=sys.stderr)


def _print_json(record: Mapping[str, Any]) -> None:
    print(json.dumps(record, default=str), flush=True)


def _words(event: Event, answered: int) -> str:
    """What the event says to a person, empty for nothing; answered: characters so far."""
    data = event.data
    if event.kind == "started":
        return str(data.get("why") or "")
    if event.kind == "asked":
        number = data.get("attempt", 1)
        attempt = f"attempt {number}, " if number > 1 else ""
        doing = "reading the answer kept from" if data.get("recorded") else "asking"
        return f"{attempt}{doing} " + str(data["model"])
    if event.kind == "token":
        return f"{answered:,} characters answered"
    if event.kind == "judged":
        return "{passed} of {tests} tests passed, {errors} errors".format_map(data)
    return _STAGES.get(event.kind, "")


def _result(spec: str, outcome: Outcome, warnings: int) -> str:
    """The line for a build that ended well; warnings: how many of them were not shown."""
    words = _ENDED_WELL[outcome.status]
    summary = f" ({outcome.summary})" if outcome.summary else ""
    if outcome.program is None:
        return f"{spec}: {words}{summary}"
    result = f"{outcome.program.entry}: {words}"
    if outcome.status == "built":
        result += summary
    if warnings:
        result += ", " + count(warnings, "style warning") + " (-v shows more)"
    return result
