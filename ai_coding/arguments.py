"""A parser for the words of the command line.

In: the words of a command line, and iteration.txt beside this module, if it is there.
Out: an argparse parser that reads the words into a namespace, or ends the program: with exit code 2
if the words are wrong, with 0 after help or version.
"""

import argparse
import math
from pathlib import Path

from ai_coding import __version__, usage

COMMANDS: dict[str, str] = {
    "build": "Build programs from requirement files",
    "init": "Write a requirement file to start from",
    "check": "Check requirement files without building anything",
    "show": "Show what a build would ask the model",
    "status": "Tell which programs are up to date with their lock",
    "explain": "Explain the code of a diagnostic",
    "pending": "List the requests that wait for a reply",
    "schema": "Print the schema of requirement files",
    "completion": "Print the script that completes command lines in a shell",
    "self": "Rebuild ai_coding from its own requirement files",
}

_DESCRIPTION = """\
A compiler whose source language is a requirement file: a model writes
the program, critics check it, and a lock makes the next build give the
same bytes."""


def parser() -> argparse.ArgumentParser:
    """All commands and options; a value is found under its long option's name, as in R1."""
    top = usage.Parser(
        **usage.form("")
        | {"prog": "ai_coding", "description": _DESCRIPTION, "allow_abbrev": False}
    )
    top.add_argument(
        "--version",
        action="version",
        version=f"%(prog)s {__version__}, iteration {_iteration()}",
        help="show the version and the iteration and exit",
    )
    commands = top.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    for name, line in COMMANDS.items():
        command = commands.add_parser(
            name,
            **usage.form(name) | {"help": line, "description": line, "allow_abbrev": False},
        )
        # Help shows options in the order in which they are added: a command's own come first.
        if name == "build":
            _add_build_options(command)
        if name == "init":
            _add_init_options(command)
        if name == "explain":
            command.add_argument(
                "code", nargs="?", default="", metavar="CODE", help="code of a diagnostic"
            )
        if name == "self":
            _add_self_options(command)
        if name == "completion":
            command.add_argument(
                "shell", choices=("bash", "zsh", "fish"), help="shell that the script is for"
            )
        else:
            _add_common_options(command, name)
        if name in ("build", "self"):
            _add_run_options(command)
    return top


def _iteration() -> str:
    file = Path(__file__).with_name("iteration.txt")
    return file.read_text("utf-8").strip() if file.is_file() else "0"


def _add_common_options(command: argparse.ArgumentParser, name: str) -> None:
    command.add_argument(
        "--format",
        choices=("text", "json", "sarif") if name == "check" else ("text", "json"),
        default="text",
        help="form of the output (default: %(default)s)",
    )
    if name in ("init", "explain", "pending", "schema"):
        return
    command.add_argument(
        "-m",
        "--model",
        default="",
        help="who replies to requests, for example openai:gpt-5, 'command:llm' or manual",
    )
    if name == "self":
        return
    command.add_argument(
        "specs", nargs="+", type=Path, metavar="SPEC", help="requirement file or folder"
    )
    command.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="folder of the emitted programs"
    )


def _add_run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-j",
        "--jobs",
        type=_whole_number,
        default=8,
        metavar="N",
        help="how many jobs may run at the same time (default: %(default)s)",
    )
    command.add_argument(
        "--max-cost",
        type=_cost,
        default=0.0,
        metavar="USD",
        help="US dollars that all requests together may cost",
    )
    command.add_argument(
        "--unsafe-sandbox",
        action="store_true",
        help="accept a sandbox that does not isolate the programs it runs",
    )
    command.add_argument("-q", "--quiet", action="store_true", help="say less")
    command.add_argument("-v", "--verbose", action="store_true", help="say more")


def _add_build_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--attempts",
        type=_whole_number,
        default=0,
        metavar="N",
        help="how many attempts at a program may be made",
    )
    command.add_argument(
        "--locked", action="store_true", help="build only what the lock holds, ask for nothing"
    )
    command.add_argument(
        "--anew", action="store_true", help="ask again, even for what was already answered"
    )
    command.add_argument(
        "--force", action="store_true", help="overwrite files even if they were changed by hand"
    )


def _add_init_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", type=Path, metavar="SPEC", help="requirement file to write")
    command.add_argument(
        "-l",
        "--language",
        default="python",
        metavar="NAME",
        help="language of the program it asks for (default: %(default)s)",
    )


def _add_self_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--check", action="store_true", help="only check, rebuild nothing")
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="do all but archive the new package and put it in place",
    )
    command.add_argument("--notes", default="", metavar="TEXT", help="what changes and why")
    # A repeated option adds its names: none that was given may get lost.
    command.add_argument(
        "--anew",
        action="extend",
        nargs="*",
        metavar="NAME",
        help="ask again for the modules of these names, or for all if none is named",
    )


def _whole_number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def _cost(text: str) -> float:
    try:
        dollars = float(text)
    except ValueError:
        dollars = math.nan
    # Comparisons with nan are false, so it is refused as well.
    if not 0 < dollars < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number over 0")
    return dollars
