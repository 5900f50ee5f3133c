"""The words of the command line. In: nothing. Out: a parser for all commands and options."""

import argparse
from pathlib import Path

from ai_coding import __version__

COMMANDS = {
    "build": "ask for, check and write the programs of requirement files (the default command)",
    "check": "check requirement files; asks no model",
    "show": "print the request that a build would send; asks no model",
    "status": "say what is up to date, stale (and why), edited by hand, never built or waiting",
    "pending": "list the requests that wait for a reply",
    "self": "rebuild the tool from self/, or prove that it is what self/ says",
}
EXAMPLES = """\
examples:
  ai_coding qsort.toml                   build qsort.py, from qsort.lock if nothing changed
  ai_coding -m openai:gpt-5 qsort.toml   ask this model
  ai_coding -m 'command:llm' qsort.toml  ask through any program
  ai_coding -m manual qsort.toml         answer yourself: writes a prompt file, reads a reply file
"""


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    top = argparse.ArgumentParser(
        prog="ai_coding",
        description="A compiler whose source language is a requirement file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"ai_coding {__version__}, iteration {_iteration()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help in COMMANDS.items():
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--format", choices=("text", "json"), default="text", help="json: one object a line")
        if name == "pending":
            continue
        if name != "self":
            sub.add_argument("specs", nargs="+", metavar="SPEC", type=Path, help="a requirement file, or a folder")
            sub.add_argument("-o", "--out", metavar="DIR", type=Path, help="where programs go (default: here)")
        sub.add_argument("-m", "--model", default="", help="openai:NAME, groq:NAME, command:WORDS or manual")
        if name in ("build", "self"):
            _add_building(sub)
        if name == "build":
            sub.add_argument("--attempts", type=_positive, default=0, metavar="N", help="ask at most N times a program")
            sub.add_argument("--locked", action="store_true", help="only from the lock: ask nothing")
            sub.add_argument("--anew", action="store_true", help="ask again, from scratch, for another program")
            sub.add_argument("--force", action="store_true", help="overwrite edited files, keeping a copy")
        if name == "self":
            sub.add_argument("--check", action="store_true", help="prove, offline, that ai_coding/ is what self/ says")
            sub.add_argument("--anew", nargs="*", metavar="MODULE", help="ask for these modules (or all) from scratch")
            sub.add_argument("--dry-run", action="store_true", help="build and test, but archive and promote nothing")
            sub.add_argument("--notes", default="", metavar="TEXT", help="what changes and why, for the archive")
    return top


def _add_building(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("-j", "--jobs", type=_positive, default=8, metavar="N", help="build N at a time (default: 8)")
    sub.add_argument("--unsafe-sandbox", action="store_true", help="run programs unconfined if there is no sandbox")
    sub.add_argument("-q", "--quiet", action="store_true", help="say only what is wrong or waits")
    sub.add_argument("-v", "--verbose", action="store_true", help="say every step and every warning")


def _positive(word: str) -> int:
    """A number of things, at least one."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 1 on")
    return int(word)


def _iteration() -> str:
    """Which generation this package is; the rebuild writes it beside the modules."""
    try:
        return Path(__file__).with_name("iteration.txt").read_text("utf-8").strip()
    except OSError:
        return "0"
