"""The language table: a language's name -> its row of languages.toml.

In: the data file languages.toml of the package, which is read at the first call and never again in the process, and the
name of a language as somebody wrote it.
Out: the rows as Language values, or the one row whose name or alias was asked for. A data file that is missing or
broken is a fault of the installation, not of the input, and so an exception: OSError, tomllib.TOMLDecodeError or
KeyError.
"""

import functools
import tomllib
from typing import Any

from ai_coding.ir import Language

_FILE = "languages.toml"


@functools.cache
def table() -> dict[str, Language]:
    """Every row by its name, in the file's order; the same object at each call."""
    rows = tomllib.loads(_data().decode("utf-8"))
    return {name: _language(name, row) for name, row in rows.items()}


def find(name: str) -> Language | None:
    """The row of the table whose name or alias this is, or None."""
    wanted = name.strip().casefold()
    for language in table().values():
        if any(word.casefold() == wanted for word in (language.name, *language.aliases)):
            return language
    return None


def _language(name: str, row: dict[str, Any]) -> Language:
    """One table of the file as a value; lists become tuples, so that it can be hashed."""
    return Language(
        name=name,
        extension=row["extension"],
        aliases=tuple(row.get("aliases", ())),
        check=tuple(row.get("check", ())),
        compile=tuple(row.get("compile", ())),
        run=tuple(row.get("run", ())),
    )


def _data() -> bytes:
    """The bytes of the data file, wherever the package is installed. Raises OSError if it is not there."""
    from importlib.resources import files

    try:
        return files("ai_coding").joinpath(_FILE).read_bytes()
    except NotADirectoryError:
        # importlib.resources cannot look into a zip file for a package without __init__.py; this module's loader can.
        from pkgutil import get_data

        data = get_data(__name__, _FILE)
        if data is None:
            raise
        return data
