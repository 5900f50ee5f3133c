"""A parser for the words of the command line.

In: the words of the command line, and iteration.txt beside this module, if there is one.
Out: an argparse parser that reads the words into a namespace, or ends the program with exit code 2 if they are wrong.
"""

import argparse
from pathlib import Path

from ai_coding import __version__

COMMANDS: dict[str, str] = {
    "build": "write the programs that requirement files describe",
    "check": "say what is wrong with requirement files; build nothing",
    "show": "show what a build would start from; build nothing",
    "status": "say which outputs are up to date with their requirement files",
    "pending": "list the questions that wait for an answer by hand",
    "self": "rebuild ai_coding from its own requirement files",
}

_DESCRIPTION = """\
A compiler whose source language is a requirement file: a model writes the
program, critics judge it, and a lock lets the next build give the same bytes."""

_EXAMPLES = """\
examples:
  ai_coding build hello.toml
  ai_coding -m openai:gpt-5 hello.toml
  ai_coding -m 'command:llm' hello.toml
  ai_coding -m manual hello.toml"""


def parser() -> argparse.ArgumentParser:
    """All commands and options; a value is found under its long option's name, as in R1."""
    # Abbreviated options are off: what is not known in full is refused, and a later option cannot change its meaning.
    result = argparse.ArgumentParser(
        prog="ai_coding",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    result.add_argument(
        "--version",
        action="version",
        version=f"ai_coding {__version__}, iteration {_iteration()}",
        help="show the version and the iteration, and exit",
    )
    commands = result.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for name, line in COMMANDS.items():
        command = commands.add_parser(name, help=line, description=line, allow_abbrev=False)
        _add_arguments(command, name)
    return result


def _add_arguments(command: argparse.ArgumentParser, name: str) -> None:
    """Give the command of this name the arguments that are its own and those that it shares with others."""
    if name not in ("pending", "self"):
        _add_specs(command)
    if name != "pending":
        command.add_argument(
            "-m", "--model", default="", help="who answers, such as openai:gpt-5, command:llm or manual"
        )
    command.add_argument(
        "--format", choices=("text", "json"), default="text", help="form of what is printed (default: %(default)s)"
    )
    if name in ("build", "self"):
        _add_running(command)
    if name == "build":
        _add_build(command)
    if name == "self":
        _add_self(command)


def _add_specs(command: argparse.ArgumentParser) -> None:
    command.add_argument("specs", nargs="+", type=Path, metavar="SPEC", help="requirement file, or folder of them")
    command.add_argument("-o", "--out", type=Path, metavar="FOLDER", help="folder of the programs that are written")


def _add_running(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-j", "--jobs", type=_count, default=8, metavar="N", help="how much is done at once (default: %(default)s)"
    )
    command.add_argument("--unsafe-sandbox", action="store_true", help="run programs even if they cannot be isolated")
    command.add_argument("-q", "--quiet", action="store_true", help="say less")
    command.add_argument("-v", "--verbose", action="store_true", help="say more")


def _add_build(command: argparse.ArgumentParser) -> None:
    command.add_argument("--attempts", type=_count, default=0, metavar="N", help="most attempts at a program")
    command.add_argument("--locked", action="store_true", help="build only what the lock records; ask nothing")
    command.add_argument("--anew", action="store_true", help="ask again, even what was answered before")
    command.add_argument("--force", action="store_true", help="replace files even if they were changed by hand")


def _add_self(command: argparse.ArgumentParser) -> None:
    command.add_argument("--check", action="store_true", help="only check the present modules; rebuild nothing")
    command.add_argument("--dry-run", action="store_true", help="say what would be done; change nothing")
    command.add_argument("--notes", default="", metavar="TEXT", help="what changes and why")
    command.add_argument(
        "--anew", nargs="*", metavar="NAME", help="ask again for the modules so named, or for all if none is"
    )


def _count(text: str) -> int:
    """The whole number from 1 on that the text is; ArgumentTypeError if it is none."""
    # int alone would also take underscores, blanks and digits of other scripts.
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def _iteration() -> str:
    """The iteration of the rebuild that wrote this module; 0 for the bootstrap, which has no iteration.txt."""
    try:
        return Path(__file__).with_name("iteration.txt").read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):  # the latter if the package is run from a zip file
        return "0"
