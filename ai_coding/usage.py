"""Examples for the help of every command, and what wrong words on the command line meant.

In: the name of a command, the words of a command line, or a word and those that are known.
Out: keywords for an argparse parser, a parser that names the option that was meant, or the
nearest of the known words.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": (
        "ai_coding hello.toml                   # build the program of this file",
        "ai_coding -m openai:gpt-5 hello.toml   # by this model of this provider",
        "ai_coding -m 'command:llm' hello.toml  # by a command of yours",
        "ai_coding -m manual hello.toml         # by replies that you write yourself",
    ),
    "build": (
        "ai_coding build hello.toml",
        "ai_coding build -j 4 --max-cost 2.50 specs",
        "ai_coding build --locked -o out hello.toml",
        "ai_coding build --format json hello.toml",
    ),
    "init": (
        "ai_coding init hello.toml",
        "ai_coding init -l python sort.toml",
    ),
    "check": (
        "ai_coding check hello.toml",
        "ai_coding check specs",
        "ai_coding check --format sarif specs > check.sarif",
    ),
    "status": (
        "ai_coding status hello.toml",
        "ai_coding status specs",
    ),
    "show": (
        "ai_coding show hello.toml",
        "ai_coding show -m openai:gpt-5 hello.toml",
    ),
    "explain": (
        "ai_coding explain E001",
        "ai_coding explain",
    ),
    "pending": (
        "ai_coding pending",
        "ai_coding pending --format json",
    ),
    "schema": ("ai_coding schema > ai_coding.schema.json",),
    "self": (
        "ai_coding self --check",
        "ai_coding self --dry-run -m openai:gpt-5",
        "ai_coding self -m openai:gpt-5 --notes notes.md",
        "ai_coding self --anew usage -m manual",
    ),
    "completion": (
        'eval "$(ai_coding completion bash)"  # in .bashrc',
        'eval "$(ai_coding completion zsh)"   # in .zshrc, behind compinit',
        "ai_coding completion fish | source   # in config.fish",
    ),
}


class Parser(argparse.ArgumentParser):
    """One whose complaint about an unknown option names the option that was meant."""

    # typeshed's overloads also allow any other object as the namespace; nobody here has one.
    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """What these words say, those of the process if None.

        Raises SystemExit, with code 2, if they are wrong or some of them are left over.
        """
        found, left = self.parse_known_args(args, namespace)
        if left:
            known = _options(self, found)
            wrong = [word.partition("=")[0] for word in left if word.startswith("--")]
            meant = [option for word in wrong if (option := nearest(word, known))]
            hint = "; did you mean " + " ".join(meant) + "?" if meant else ""
            self.error("unknown: " + " ".join(left) + hint)
        return found


def form(command: str) -> dict[str, Any]:
    """Keywords for the parser of this command; of the whole tool, whose name is empty: R1."""
    examples = _EXAMPLES.get(command)
    return {
        "epilog": "\n  ".join(("examples:", *examples)) if examples else None,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest to this one, empty if none is near."""
    import difflib  # here, because most command lines have no need of it

    return next(iter(difflib.get_close_matches(word, known, n=1)), "")


def _options(parser: argparse.ArgumentParser, found: argparse.Namespace) -> list[str]:
    """Those of the parser and of the command that was chosen among its subparsers."""
    options = list(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            chosen = action.choices.get(getattr(found, action.dest, ""))
            if chosen is not None:
                options.extend(chosen._option_string_actions)
    return options
