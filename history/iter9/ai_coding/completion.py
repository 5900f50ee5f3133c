"""The command that prints what completes words in a shell.

shtab makes the script from the parser of the command line; a last part adds what shtab cannot know:
that the first word may be a requirement file, as `build` need not be said.

In: the name of a shell, and the parser of all commands and options.
Out: a script for that shell on standard output, and the exit code 0.
"""

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping

from ai_coding import arguments

# In zsh, shtab's function changes CURRENT when it completes the words behind a command, so the
# function around it has to remember where the cursor was.
_FILES_AS_FIRST_WORD = {
    "bash": "complete -o filenames -o bashdefault -o default -F _shtab_ai_coding ai_coding",
    "zsh": """\
_ai_coding() {
  local -i place=$CURRENT ret=1
  _shtab_ai_coding "$@" && ret=0
  (( place == 2 )) && _files && ret=0
  return ret
}
compdef _ai_coding ai_coding""",
    "fish": (
        "complete -c ai_coding -n __fish_use_subcommand -f"
        " -a '(__fish_complete_path (commandline -ct))'"
    ),
}


def completion(options: Namespace, env: Mapping[str, str]) -> int:
    """Print the script for options.shell; 0."""
    import shtab

    parser = arguments.parser()
    _mark(parser, {"specs": shtab.FILE, "spec": shtab.FILE, "out": shtab.DIRECTORY})
    script = shtab.complete(parser, shell=options.shell)
    print(script, _FILES_AS_FIRST_WORD[options.shell], sep="\n")
    return 0


def _mark(parser: ArgumentParser, marks: Mapping[str, object]) -> None:
    """Tell shtab what the values are, by the names they are found under, in all commands too."""
    for action in parser._actions:
        if action.dest in marks:
            action.complete = marks[action.dest]  # type: ignore[attr-defined]
        if isinstance(action, _SubParsersAction):
            for command in action.choices.values():
                _mark(command, marks)
