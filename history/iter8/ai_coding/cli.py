"""The command line: finds the command, answers what is up to date, ends as a program should.

In: the words of a command line, and the environment, which only this module reads.
Out: the exit code; on standard output a line for each program that is up to date; on standard
error a line if interrupted, and for a person, at the very end, how to learn more about errors.
"""

import io
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ai_coding import __version__, arguments, group, journal, settings


def main(argv: Sequence[str] | None = None) -> int:
    "Run one command line (default: the process's); returns the exit code."
    try:
        return _run_and_flush(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        # Once more, because the interrupt may have come while standard output was flushed.
        _flushed()
        # With `2>&1 | tee`, ^C has ended the reader of standard error too.
        with suppress(BrokenPipeError):
            print(
                "\ninterrupted: what was answered is kept; the same command goes on from there",
                file=sys.stderr,
            )
        return 130


def _run_and_flush(words: list[str]) -> int:
    """Run a command line and flush standard output, however it ends; 1 if its reader is gone."""
    try:
        code = _run(words)
    except BrokenPipeError:
        _flushed(gone=True)
        return 1
    except SystemExit:
        if _flushed():
            raise
        return 1
    finally:
        # Bugs and interrupts pass through here: they stay what they are, even without a reader.
        whole = _flushed()
    return code if whole else 1


def _flushed(gone: bool = False) -> bool:
    """Whether standard output could be flushed; if its reader is gone, it is led to nowhere."""
    try:
        # Unlike sys.stdout.flush(), this also works in a process without a standard output.
        print(end="", flush=True)
    except BrokenPipeError:
        gone = True
    if gone:
        with suppress(io.UnsupportedOperation):
            descriptor = sys.stdout.fileno()
            # What is still buffered has to go somewhere when the interpreter flushes at its end.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)
    return not gone


def _run(words: list[str]) -> int:
    if words and words[0] not in (*arguments.COMMANDS, "-h", "--help", "--version"):
        words = ["build", *words]
    options = arguments.parser().parse_args(words)
    if options.command == "build":
        options.specs = _answer_fresh(options)
        if not options.specs:
            return 0
    # Not at the top: loading the commands takes most of the time of what is answered without them.
    from ai_coding import commands, explain, starter

    table: dict[str, commands.Command] = {
        "build": commands.build,
        "init": starter.init,
        "check": commands.check,
        "show": commands.show,
        "status": commands.status,
        "explain": explain.explain,
        "pending": commands.pending,
        "schema": starter.schema,
        "self": commands.self,
    }
    code = table[options.command](options, os.environ)
    if code in (1, 2, 3) and options.command != "explain":
        _point_to_explain(options)
    return code


def _point_to_explain(options: Namespace) -> None:
    """Say how to learn more about an error, if it is a person who reads standard error."""
    # Not every command has --quiet.
    if options.format != "text" or getattr(options, "quiet", False):
        return
    # A process without a standard error has None there.
    if sys.stderr is None or not sys.stderr.isatty():
        return
    # What the command printed comes first; if its reader is gone, nothing more is said.
    print(end="", flush=True)
    print("\nFor more about an error, try `ai_coding explain CODE`.", file=sys.stderr)


def _answer_fresh(options: Namespace) -> list[Path]:
    """Say which programs are up to date; returns the paths of the others, in order."""
    specs: list[Path] = options.specs
    if options.anew or options.force or options.format == "json":
        return specs
    folder = settings.journal(os.environ)
    out = settings.out(vars(options), None)
    programs: list[str] = []
    others: list[Path] = []
    for spec in specs:
        program = journal.fresh(folder, spec, out, __version__)
        if program:
            programs.append(program)
        else:
            others.append(spec)
    together = group.fresh(folder, others, out, __version__) if others else []
    if not options.quiet:
        for program in [*programs, *together]:
            print(f"{program}: up to date")
    return [] if together else others
