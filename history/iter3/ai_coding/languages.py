"""The language table: a language's name -> its row of languages.toml.

In: the package's data file languages.toml, read once, at the first call; a language's name or alias.
Out: the table of all rows by name, or the one row that a name or an alias stands for.
"""

import tomllib
from functools import cache

from ai_coding.ir import Language


@cache
def table() -> dict[str, Language]:
    """Every row by its name, in the file's order; the same object at each call."""
    return {
        name: Language(
            name=name,
            extension=row["extension"],
            aliases=tuple(row.get("aliases", ())),
            check=tuple(row.get("check", ())),
            compile=tuple(row.get("compile", ())),
            run=tuple(row.get("run", ())),
        )
        for name, row in tomllib.loads(_data().decode("utf-8")).items()
    }


def find(name: str) -> Language | None:
    """The row of the table whose name or alias this is, or None."""
    word = name.strip().casefold()
    for row in table().values():
        if any(word == known.casefold() for known in (row.name, *row.aliases)):
            return row
    return None


def _data() -> bytes:
    import pkgutil
    from importlib.resources import files

    try:
        return files("ai_coding").joinpath("languages.toml").read_bytes()
    except NotADirectoryError:
        # Python 3.11 refuses a package without __init__.py if any part of it is not a plain folder,
        # as in a zip file; this module's own loader can still read what lies beside it.
        data = pkgutil.get_data(__name__, "languages.toml")
        if data is None:
            raise
        return data
