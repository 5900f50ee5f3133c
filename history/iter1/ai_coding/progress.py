"""Shows a build to a person or to a program, while it runs and when it has ended.

In: the events of a build, and the outcome of each of its units.
Out: for programs, JSON lines on standard output; for people, results on standard output, diagnostics and progress on
standard error.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from ai_coding.diagnostic import Diagnostic, count
from ai_coding.ir import Event, Outcome, Waiting

if TYPE_CHECKING:
    from rich.status import Status

# The statuses of builds that ended well, in words.
_WELL: Mapping[str, str] = {"built": "built", "locked": "from the lock", "current": "up to date"}

# What a person has to know even if the build ended well.
_ALWAYS_SHOWN = frozenset({"kept-copy", "flake8-failed", "syntax-unchecked"})

# The cells that the spinner and the blank behind it take from the line of progress.
_SPINNER_CELLS = 2


class Reader(Protocol):
    """Reads the events of a build, as Json() and Text(verbose, quiet) do."""

    def event(self, event: Event) -> None:
        """One step."""

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of the unit whose requirement file has this name."""

    def close(self) -> None:
        """Give the terminal back, however the build ended. Outcomes may follow. Twice is as once."""


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
                "waiting": [_waiting_fields(waiting) for waiting in outcome.waiting],
                "diagnostics": [asdict(diagnostic) for diagnostic in outcome.diagnostics],
                "summary": outcome.summary,
            }
        )

    def close(self) -> None:
        """Give the terminal back, however the build ended. Outcomes may follow. Twice is as once."""


class Text:
    """For people."""

    def __init__(self, verbose: bool, quiet: bool) -> None:
        """verbose: show all diagnostics and steps. quiet: show neither results nor steps."""
        self._verbose = verbose
        self._quiet = quiet
        self._answered: dict[str, int] = {}  # characters since the last question, by spec
        self._status: "Status | None" = None

    def event(self, event: Event) -> None:
        """One step."""
        if event.kind == "asked":
            self._answered[event.spec] = 0
        elif event.kind == "token":
            self._answered[event.spec] = self._answered.get(event.spec, 0) + len(event.data["text"])
        words = _words(event, self._answered.get(event.spec, 0))
        if not words or self._quiet:
            return
        line = " ".join(f"{event.spec}: {words}".splitlines())
        if sys.stderr.isatty():
            self._overwrite(line)
        elif self._verbose and event.kind != "token":
            print(line, file=sys.stderr)

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of the unit whose requirement file has this name."""
        self.close()
        well = outcome.status in _WELL
        shown: list[Diagnostic] = []
        hidden: list[Diagnostic] = []
        for diagnostic in outcome.diagnostics:
            to_show = self._verbose or not well or diagnostic.code in _ALWAYS_SHOWN
            (shown if to_show else hidden).append(diagnostic)
        show(shown)
        for waiting in outcome.waiting:
            print(f"{spec}: waiting for a reply\n  prompt  {waiting.prompt}\n  reply   {waiting.reply}")
        if well and not self._quiet:
            print(_result(spec, outcome, hidden))

    def close(self) -> None:
        """Give the terminal back, however the build ended. Outcomes may follow. Twice is as once."""
        status, self._status = self._status, None
        if status is not None:
            status.stop()

    def _overwrite(self, line: str) -> None:
        """Show the line on the terminal in place of the one before."""
        from rich.console import Console
        from rich.text import Text as RichText

        console = self._status.console if self._status is not None else Console(stderr=True)
        # A rich Text is not read as markup, which a str would be.
        text = RichText(line)
        # The status would wrap what is too long, and then it is more than one line.
        text.truncate(max(1, console.width - _SPINNER_CELLS), overflow="ellipsis")
        if self._status is not None:
            self._status.update(text)
        else:
            self._status = console.status(text)
            self._status.start()


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Their str() on standard error, an empty line between; nothing if none."""
    texts = [str(diagnostic) for diagnostic in diagnostics]
    if texts:
        print("\n\n".join(texts), file=sys.stderr)


def _print_json(fields: Mapping[str, Any]) -> None:
    """Print the fields as one line, at once: who reads a pipe is to see each step when it happens."""
    print(json.dumps(fields, default=str), flush=True)


def _waiting_fields(waiting: Waiting) -> dict[str, str]:
    return {
        "spec": str(waiting.spec),
        "request": waiting.request,
        "prompt": str(waiting.prompt),
        "reply": str(waiting.reply),
    }


def _result(spec: str, outcome: Outcome, hidden: Iterable[Diagnostic]) -> str:
    """The result of a build that ended well. hidden: its diagnostics that are not shown."""
    words = _WELL[outcome.status]
    if outcome.program is None:
        return f"{spec}: {words} ({outcome.summary})"
    if outcome.status == "built":
        words += f" ({outcome.summary})"
    warnings = sum(1 for diagnostic in hidden if diagnostic.severity == "warning")
    if warnings:
        words += f", {count(warnings, 'style warning')} (-v shows more)"
    return f"{outcome.program.entry}: {words}"


def _words(event: Event, answered: int) -> str:
    """What the event says, empty if nothing. answered: characters of the spec's answer so far."""
    data = event.data
    match event.kind:
        case "started":
            return str(data.get("why") or "")
        case "asked":
            return _asked_words(data)
        case "token":
            return f"{answered:,} characters answered"
        case "judged":
            return f"{data['passed']} of {data['tests']} tests passed, {data['errors']} errors"
        case "testing":
            return "running the whole test-suite against stage 1"
        case "stage2":
            return "stage 1 builds everything again from the recorded answers"
    return ""


def _asked_words(data: Mapping[str, Any]) -> str:
    attempt = data.get("attempt", 1)
    before = f"attempt {attempt}, " if attempt > 1 else ""
    doing = "reading the answer kept from" if data.get("recorded") else "asking"
    return f"{before}{doing} {data['model']}"
