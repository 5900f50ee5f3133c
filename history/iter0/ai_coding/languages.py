"""The language table. In: a language's name. Out: its row of languages.toml."""

import tomllib
from functools import cache
from importlib.resources import files

from ai_coding.ir import Language


@cache
def table() -> dict[str, Language]:
    """Every row, by name."""
    rows = tomllib.loads(files("ai_coding").joinpath("languages.toml").read_text("utf-8"))
    lists = ("aliases", "check", "compile", "run")
    return {
        name: Language(name, row["extension"], *(tuple(row.get(key, ())) for key in lists))
        for name, row in rows.items()
    }


def find(name: str) -> Language | None:
    """The row whose name or alias this is, in any case of letters."""
    name = name.strip().lower()
    return next((row for row in table().values() if name in (row.name, *row.aliases)), None)
