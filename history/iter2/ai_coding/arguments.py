"""A parser for the words of the command line.

In: the words of the command line; iteration.txt beside this module, if there is one.
Out: a namespace with the command and the values of its options, or argparse's exit: with code 2
and a message if the words are wrong, with code 0 after a help text or the version.
"""

import argparse
from pathlib import Path

from ai_coding import __version__

COMMANDS: dict[str, str] = {
    "build": "build programs from requirement files",
    "check": "check requirement files without building anything",
    "show": "show what a build would ask the model",
    "status": "tell which programs are up to date and which are not",
    "pending": "list the questions that wait for an answer",
    "self": "rebuild ai_coding from its own requirement files",
}

_DESCRIPTION = "A compiler whose source language is a requirement file."

_EXAMPLES = """\
examples:
  ai_coding build app.toml
  ai_coding -m openai:gpt-5 app.toml
  ai_coding -m 'command:llm' app.toml
  ai_coding -m manual app.toml
"""


def parser() -> argparse.ArgumentParser:
    """All commands and options; a value is found under its long option's name, as in R1."""
    result = argparse.ArgumentParser(
        prog="ai_coding",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        # Other formatters would fill the lines of the examples into a paragraph.
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    result.add_argument(
        "--version",
        action="version",
        version=f"ai_coding {__version__}, iteration {_iteration()}",
        help="show the version and the iteration and exit",
    )
    commands = result.add_subparsers(
        title="commands",
        dest="command",
        metavar="COMMAND",
        required=True,
        help="what to do; COMMAND --help explains its options",
    )
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        _add_shared_options(name, command)
        if name == "build":
            _add_build_options(command)
        elif name == "self":
            _add_self_options(command)
    return result


def _add_shared_options(name: str, command: argparse.ArgumentParser) -> None:
    """Add what the command of this name has in common with others."""
    add = command.add_argument
    if name not in ("pending", "self"):
        add("specs", nargs="+", type=Path, metavar="SPEC", help="requirement file or folder")
        add("-o", "--out", type=Path, metavar="DIR", help="folder for the programs")
    if name != "pending":
        add(
            "-m",
            "--model",
            default="",
            help="model to ask, such as openai:gpt-5, command:llm or manual",
        )
    add(
        "--format",
        choices=("text", "json"),
        default="text",
        help="form of the output (default: %(default)s)",
    )
    if name in ("build", "self"):
        add(
            "-j",
            "--jobs",
            type=_positive,
            default=8,
            metavar="N",
            help="number of jobs done at the same time (default: %(default)s)",
        )
        add("--unsafe-sandbox", action="store_true", help="allow a sandbox that is not safe")
        add("-q", "--quiet", action="store_true", help="tell less")
        add("-v", "--verbose", action="store_true", help="tell more")


def _add_build_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--attempts",
        type=_positive,
        default=0,
        metavar="N",
        help="number of attempts at a program before giving up",
    )
    add("--locked", action="store_true", help="build from the lock only")
    add("--anew", action="store_true", help="build anew, whatever was recorded before")
    add("--force", action="store_true", help="overwrite files even if they were changed")


def _add_self_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--check", action="store_true", help="check only, without rebuilding")
    add("--dry-run", action="store_true", help="show what would be done, without doing it")
    add("--notes", default="", metavar="TEXT", help="what changes and why")
    add("--anew", nargs="*", metavar="NAME", help="names of the modules to write anew")


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def _iteration() -> str:
    try:
        return Path(__file__).with_name("iteration.txt").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        # The bootstrap was not written by a rebuild, so nothing counted it.
        return "0"
