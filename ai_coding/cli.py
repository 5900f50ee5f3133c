"""The command line: finds the command and runs it; answers at once what is up to date.

In: the words of a command line, the environment, and what the journal knows of earlier builds.
Out: an exit code, a line for each program that is up to date, and what the command itself prints.
"""

import io
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ai_coding import __version__, arguments, journal, settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's); returns the exit code.

    Raises SystemExit where argparse refuses the words or answers them itself (--help, --version).
    """
    try:
        try:
            code = _run(sys.argv[1:] if argv is None else argv)
        finally:
            gone = not _flush()
    except KeyboardInterrupt:
        with suppress(BrokenPipeError):
            print("\ninterrupted: what was answered is kept", file=sys.stderr)
        _flush()  # Again: it may have been the first flush that was interrupted.
        return 130
    except BrokenPipeError:
        _discard()
        return 1
    except SystemExit:
        if gone:
            return 1
        raise
    return 1 if gone else code


def _run(words: Sequence[str]) -> int:
    if words and words[0] not in (*arguments.COMMANDS, "-h", "--help", "--version"):
        words = ["build", *words]
    options = arguments.parser().parse_args(words)
    if options.command == "build":
        options.specs = _outdated(options)
        if not options.specs:
            return 0

    # Not before: loading the commands takes longer than all that is answered without them.
    from ai_coding import commands

    table: dict[str, commands.Command] = {
        "build": commands.build,
        "check": commands.check,
        "show": commands.show,
        "status": commands.status,
        "pending": commands.pending,
        "self": commands.self,
    }
    return table[options.command](options, os.environ)


def _outdated(options: Namespace) -> list[Path]:
    """The requirement files that are left to build; the others are said to be up to date."""
    specs: list[Path] = options.specs
    if options.anew or options.force or options.format == "json":
        return specs
    folder = settings.journal(os.environ)
    out = settings.out(vars(options), None)
    outdated: list[Path] = []
    for spec in specs:
        program = journal.fresh(folder, spec, out, __version__)
        if not program:
            outdated.append(spec)
        elif not options.quiet:
            print(f"{program}: up to date")
    return outdated


def _flush() -> bool:
    """Whether standard output still has its reader; if not, it is led to the null device."""
    try:
        # Unlike sys.stdout.flush(), this also works in a process without a standard output.
        print(end="", flush=True)
    except BrokenPipeError:
        _discard()
        return False
    return True


def _discard() -> None:
    """Lead standard output to the null device, so that the interpreter's last flush succeeds."""
    with suppress(io.UnsupportedOperation):  # One in memory has no descriptor.
        descriptor = sys.stdout.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)
