"""The table of providers that answer over HTTP, as the package's own providers.toml lists them.

In: providers.toml, the UTF-8 file that lies beside this module, in a folder or in a zip file; one
table a provider. It is read at the first call of `table`.
Out: a provider's name -> its row, in the file's order. The file is ours, so one that is missing
(OSError), is not UTF-8 TOML (ValueError) or has an unknown key (TypeError) is a bug and raises.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Provider:
    """A row of providers.toml, a frozen dataclass. url: the base address. key, address: the
    environment variables of its key and of another base address, the one that counts first, then
    those that stand in for it; no key: a server of one's own. model: the default, "" for none.
    prices: its name in genai_prices. backend: the module of ai_coding.backends that asks it.
    abilities: of json_schema, prefix, tools, usage."""

    name: str
    url: str = ""
    key: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    model: str = ""
    prices: str = ""
    backend: str = "openai"
    abilities: tuple[str, ...] = ()


def _provider(name: str, row: dict[str, Any]) -> Provider:
    fields: dict[str, Any] = {
        field: tuple(value) if isinstance(value, list) else value for field, value in row.items()
    }
    return Provider(name, **fields)


@cache
def table() -> dict[str, Provider]:
    """Every row by its name, in the file's order; the same object at each call."""
    import pkgutil
    import tomllib

    # Asked by this module's name, not the package's: importlib.resources fails for a package
    # that has no __init__.py and lies in a zip file; this module's loader reads beside it anywhere.
    data = pkgutil.get_data(__name__, "providers.toml")
    if data is None:
        raise FileNotFoundError(f"the loader of {__name__} cannot read providers.toml")
    rows: dict[str, dict[str, Any]] = tomllib.loads(data.decode("utf-8"))
    return {name: _provider(name, row) for name, row in rows.items()}
