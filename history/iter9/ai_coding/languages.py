"""The language table: a language's name -> its row of languages.toml.

In: the package's data file languages.toml, read once, at the first call; a language's name or alias.
Out: the rows as `Language` values by their names, or the one row that a name or an alias means.
"""

import tomllib
from functools import cache

from ai_coding.ir import Language


@cache
def table() -> dict[str, Language]:
    """Every row by its name, in the file's order; the same object at each call."""
    # Imported here, as it is slow to import and most runs of the tool never need the table.
    from importlib.resources import files

    # Not sought beside this module: the package may lie in a zip file or, having no __init__.py,
    # be spread over several folders.
    text = files("ai_coding").joinpath("languages.toml").read_bytes().decode("utf-8")
    return {
        name: Language(
            name=name,
            extension=row["extension"],
            aliases=tuple(row.get("aliases", ())),
            check=tuple(row.get("check", ())),
            compile=tuple(row.get("compile", ())),
            run=tuple(row.get("run", ())),
        )
        for name, row in tomllib.loads(text).items()
    }


def find(name: str) -> Language | None:
    """The row of the table whose name or alias this is, or None."""
    wanted = name.strip().casefold()
    for row in table().values():
        if any(word.casefold() == wanted for word in (row.name, *row.aliases)):
            return row
    return None
