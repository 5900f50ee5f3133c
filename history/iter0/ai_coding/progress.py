"""Shows a build to a person or a program. In: Events and Outcomes. Out: lines on standard output and standard error."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Protocol

from ai_coding.diagnostic import Diagnostic, count
from ai_coding.ir import Event, Outcome

ALWAYS = ("kept-copy", "flake8-failed", "syntax-unchecked")
WORDS = {"built": "built", "locked": "from the lock", "current": "up to date"}


class Reader(Protocol):
    """Reads the events of a build."""

    def event(self, event: Event) -> None:
        """One step."""

    def outcome(self, spec: str, outcome: Outcome) -> None:
        """The end of one unit."""

    def close(self) -> None:
        """Give the terminal back, however the build ended."""


class Json:
    """One JSON object a line on standard output."""

    def event(self, event: Event) -> None:
        self._line({"event": event.kind, "spec": event.spec, **event.data})

    def outcome(self, spec: str, outcome: Outcome) -> None:
        files = sorted(outcome.program.files) if outcome.program else []
        waiting = [{k: str(v) for k, v in asdict(w).items()} for w in outcome.waiting]
        found = [asdict(d) for d in outcome.diagnostics]
        rest = {"files": files, "waiting": waiting, "diagnostics": found, "summary": outcome.summary}
        self._line({"event": "finished", "spec": spec, "status": outcome.status, **rest})

    def close(self) -> None:
        """Nothing to give back."""

    def _line(self, value: dict[str, Any]) -> None:
        print(json.dumps(value, default=str), flush=True)


class Text:
    """Results on standard output, diagnostics on standard error, and on a terminal what is going on."""

    def __init__(self, verbose: bool, quiet: bool) -> None:
        self.verbose, self.quiet = verbose, quiet
        self.characters: dict[str, int] = {}
        self.status: Any = None

    def event(self, event: Event) -> None:
        words = self._words(event)
        if self.quiet or not words:
            return
        if not sys.stderr.isatty():
            if self.verbose and event.kind != "token":
                print(f"{event.spec}: {words}", file=sys.stderr)
            return
        if self.status is None:
            from rich.console import Console

            self.status = Console(stderr=True).status("")
            self.status.start()
        from rich.markup import escape

        self.status.update(escape(f"{event.spec}: {words}"))

    def _words(self, event: Event) -> str:
        data = event.data
        match event.kind:
            case "asked":
                self.characters[event.spec] = 0
                again = f"attempt {data['attempt']}, " if data["attempt"] > 1 else ""
                return f"{again}{'reading the answer kept from' if data['recorded'] else 'asking'} {data['model']}"
            case "token":
                self.characters[event.spec] = self.characters.get(event.spec, 0) + len(data["text"])
                return f"{self.characters[event.spec]:,} characters answered"
            case "judged":
                return f"{data['passed']} of {data['tests']} tests passed, {data['errors']} errors"
            case "started":
                return str(data["why"])
            case "testing":
                return "running the whole test-suite against stage 1"
            case "stage2":
                return "stage 1 builds everything again from the recorded answers"
        return ""

    def close(self) -> None:
        if self.status is not None:
            self.status.stop()
            self.status = None

    def outcome(self, spec: str, outcome: Outcome) -> None:
        self.close()
        grave = outcome.status not in WORDS
        show(d for d in outcome.diagnostics if grave or self.verbose or d.code in ALWAYS)
        minor = sum(d.severity == "warning" and d.code not in ALWAYS for d in outcome.diagnostics)
        for wait in outcome.waiting:
            print(f"{spec}: waiting for a reply\n  prompt  {wait.prompt}\n  reply   {wait.reply}")
        if not grave and not outcome.program and not self.quiet:
            print(f"{spec}: {WORDS[outcome.status]} ({outcome.summary})")
        if outcome.program and not self.quiet:
            detail = f" ({outcome.summary})" if outcome.status == "built" else ""
            detail += f", {count(minor, 'style warning')} (-v shows more)" if minor and not self.verbose else ""
            print(f"{outcome.program.entry}: {WORDS[outcome.status]}{detail}")


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Diagnostics on standard error."""
    if found := list(diagnostics):
        print("\n\n".join(map(str, found)), file=sys.stderr)
