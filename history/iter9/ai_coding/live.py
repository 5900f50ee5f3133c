"""Shows on a terminal what is going on: rows that are overwritten, lines that stay, diagnostics.

In: the events of a build, lines that are to stay, and diagnostics; the terminal that is standard
error, of which rich finds out the size and the colours.
Out: on standard error, the rows of an overview in place, with a spinner, above them whatever else
is written there; diagnostics in colours. Standard output is left alone.
"""

import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import replace

import rich.live
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ai_coding.diagnostic import Diagnostic
from ai_coding.ir import Event
from ai_coding.overview import Overview
from ai_coding.words import plain

_FRAMES_PER_SECOND = 8
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SEVERITY_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


class Live:
    """The rows of one overview, in place on standard error from the first event until `close`."""

    def __init__(self) -> None:
        self._console = _console()
        self._overview = Overview()
        # rich draws in a thread of its own, which must not see an overview that is half changed.
        self._lock = threading.Lock()
        self._shown: rich.live.Live | None = None

    def event(self, event: Event) -> None:
        "One step."
        with self._lock:
            self._overview.event(event, time.monotonic())
        if self._shown is None:
            # A new one each time: one that was stopped would go up over the rows it once had.
            self._shown = rich.live.Live(
                self,
                console=self._console,
                refresh_per_second=_FRAMES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
            )
            self._shown.start(refresh=True)

    def say(self, line: str) -> None:
        "A line that stays, above the rows."
        self._console.print(Text(plain(line)))

    def close(self) -> None:
        "Take the rows away and bring the cursor back. Twice is as once."
        if self._shown is not None:
            # What others wrote without a line end is still held back, and would be lost.
            sys.stderr.flush()
            self._shown.stop()
            self._shown = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The rows as they are now, for rich."""
        now = time.monotonic()
        with self._lock:
            rows = self._overview.rows(options.size.height - 1, now)
        if not rows:
            # rich ends the rows with a line end, and takes it back only if there was a row.
            yield Text("")
        frame = _SPINNER[int(now * _FRAMES_PER_SECOND) % len(_SPINNER)]
        for number, (row, dimmed) in enumerate(rows):
            text = Text("  " if number else f"{frame} ", no_wrap=True, overflow="ellipsis")
            yield text.append(row, "dim" if dimmed else None)


def usable() -> bool:
    "Whether standard error is a terminal that can move its cursor: not so with TERM=dumb."
    return sys.stderr.isatty() and _console().is_interactive


def paint(diagnostics: Iterable[Diagnostic]) -> None:
    "In colours, if the terminal has any: R3."
    console = _console()
    with console.capture() as captured:
        for number, diagnostic in enumerate(diagnostics):
            if number:
                console.line()
            console.print(_styled(diagnostic))
    # Not by the console itself: it would write past what keeps lines above the rows of a `Live`.
    sys.stderr.write(captured.get())


def _console() -> Console:
    """Standard error, where text is never markup and a line is neither cut nor broken."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _styled(diagnostic: Diagnostic) -> Text:
    """What str() gives; what a line is, its number tells, as those of a message may look alike."""
    severity = _SEVERITY_STYLES.get(diagnostic.severity, "bold")
    span = diagnostic.span
    place_lines = 0 if span is None else 4 if span.line and span.text else 1
    first_help = len(str(replace(diagnostic, help="")).split("\n"))
    lines = []
    for number, line in enumerate(str(diagnostic).split("\n")):
        text = Text(plain(line))
        if number == 0:
            text.stylize("bold")
            text.stylize(severity, 0, len(f"{diagnostic.severity}[{diagnostic.code}]"))
        elif number <= place_lines:
            text.highlight_regex(r"^ *-->.*" if number == 1 else r"^[ 0-9]*\|", "blue")
            if number == 4:
                text.highlight_regex(r"\^+$", severity)
        elif number >= first_help:
            text.highlight_regex(r"^  = help:", "cyan")
        lines.append(text)
    return Text("\n").join(lines)
