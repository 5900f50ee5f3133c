"""The command explain: what a code means, or which codes there are.

In: the parsed options, that is a code or "" and the format, text or json.
Out: the explanation or the list of all codes on standard output and exit code 0; for an unknown
code a diagnostic on standard error and exit code 2.
"""

import json
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict

from ai_coding.diagnostic import error


def explain(options: Namespace, env: Mapping[str, str]) -> int:
    """Print what a code means, or which codes there are."""
    # Imported here, as is progress below, because start-up must not pay for what they import.
    from ai_coding import explanations

    as_json = options.format == "json"
    if not options.code:
        table = explanations.table()
        if as_json:
            print(json.dumps([asdict(each) for each in table.values()]))
        else:
            width = max(map(len, table))
            for code, each in table.items():
                print(f"{code:<{width}}  {each.title}")
        return 0

    found = explanations.find(options.code)
    if found is None:
        from ai_coding import progress

        message = f"there is no code {options.code!r}"
        help_text = _help(explanations.near(options.code))
        progress.show([error("unknown-code", message, help=help_text)])
        return 2

    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print(f"{found.code}: {found.title}\n\n{found.text}")
    return 0


def _help(near: list[str]) -> str:
    lines = ["`ai_coding explain` lists all codes"]
    if near:
        *others, last = [f"`{code}`" for code in near]
        meant = ", ".join(others) + " or " + last if others else last
        lines.insert(0, f"did you mean {meant}?")
    return "\n".join(lines)
