"""The command line: finds the command, answers what is up to date, ends as a program should.

In: the words of a command line, and the environment, which only this module reads.
Out: the exit code; on standard output a line for each program that is up to date; on standard
error what a misspelt command should have been, a line if interrupted, what the system refused,
and for a person, at the very end, how to learn more about errors.
"""

import io
import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from ai_coding import __version__, arguments, group, journal, settings, usage

# The name of a command, which is also that of its function -> the module that has the function.
_HOMES = {
    "build": "commands",
    "init": "starter",
    "check": "commands",
    "show": "commands",
    "status": "commands",
    "explain": "explain",
    "pending": "commands",
    "schema": "starter",
    "completion": "completion",
    "self": "commands",
}


def main(argv: Sequence[str] | None = None) -> int:
    "Run one command line (default: the process's); returns the exit code."
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run_and_flush(words)
    except KeyboardInterrupt:
        # Once more, because the interrupt may have come while standard output was flushed.
        _flush()
        again = shlex.join(["ai_coding", *words])
        # With `2>&1 | tee`, ^C has ended the reader of standard error too.
        with suppress(OSError):
            _say(f"\ninterrupted: what was answered is kept; to go on: {again}")
        return 130


def _run_and_flush(words: list[str]) -> int:
    """Run a command line and flush standard output, however it ends; 1 if the system refused."""
    options: Namespace | None = None
    failure: OSError | None = None
    code = 1
    try:
        options = _parse(words)
        code = 2 if options is None else _run(options)
    except OSError as error:
        failure = error
    except SystemExit:
        failure = _flush()
        if failure is None:
            raise
    finally:
        # Bugs and interrupts pass through here: they stay what they are, even without a reader.
        unflushed = _flush(gone=isinstance(failure, BrokenPipeError))
    # What a command could not print cannot be flushed either: that is one error, not two.
    refused = failure or unflushed
    if refused is not None:
        code = 1
    gone = isinstance(failure, BrokenPipeError) or isinstance(unflushed, BrokenPipeError)
    # If standard error cannot be written, there is nobody left to tell.
    with suppress(OSError):
        if refused is not None and not isinstance(refused, BrokenPipeError):
            _say(
                f"error[system]: {refused}\n  = help: make room, or let AI_CODING_JOURNAL name "
                "another folder, and run it again; what was recorded is kept"
            )
        if options is not None and code in (1, 2, 3) and not gone:
            _point_to_explain(options)
    return code


def _flush(gone: bool = False) -> OSError | None:
    """Flush standard output; returns what prevented it. Then, or if gone, it is led to nowhere."""
    failure: OSError | None = None
    try:
        # Unlike sys.stdout.flush(), this also works in a process without a standard output.
        print(end="", flush=True)
    except OSError as error:
        failure = error
    if gone or failure is not None:
        with suppress(io.UnsupportedOperation):
            descriptor = sys.stdout.fileno()
            # What is still buffered has to go somewhere when the interpreter flushes at its end.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)
    return failure


def _say(text: str) -> None:
    # A process without a standard error has None there, which print takes for standard output.
    if sys.stderr is not None:
        print(text, file=sys.stderr)


def _parse(words: list[str]) -> Namespace | None:
    """The options; None if the first word is a misspelt command, which is said."""
    if words and words[0] not in (*arguments.COMMANDS, "-h", "--help", "--version"):
        word = words[0]
        # Not Path.exists, which raises an error if the word is too long for a file's name.
        if word.isalpha() and not os.path.exists(word):
            meant = usage.nearest(word, arguments.COMMANDS)
            if meant:
                _say(f"ai_coding: no command {word!r}; did you mean {meant!r}?")
                return None
        words = ["build", *words]
    return arguments.parser().parse_args(words)


def _run(options: Namespace) -> int:
    if options.command == "build":
        options.specs = _answer_fresh(options)
        if not options.specs:
            return 0
    # Not at the top: loading the commands takes most of the time of what is answered without them.
    home = import_module(f"ai_coding.{_HOMES[options.command]}")
    command: Callable[[Namespace, Mapping[str, str]], int] = getattr(home, options.command)
    return command(options, os.environ)


def _point_to_explain(options: Namespace) -> None:
    """Say how to learn more about an error, if it is a person who reads standard error."""
    if options.command == "explain":
        return
    # Completion has no --format, and not every command has --quiet.
    if getattr(options, "format", "") != "text" or getattr(options, "quiet", False):
        return
    # A process without a standard error has None there.
    if sys.stderr is None or not sys.stderr.isatty():
        return
    _say("\nFor more about an error, try `ai_coding explain CODE`.")


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
