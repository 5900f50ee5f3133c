"""The table of providers as the tool sees it."""

import dataclasses
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ai_coding import providers
from ai_coding.providers import Provider

PACKAGE = Path(providers.__file__).parent
ROWS: dict[str, dict[str, Any]] = tomllib.loads((PACKAGE / "providers.toml").read_text("utf-8"))
LISTS = ("key", "address", "abilities")
TEXTS = ("url", "model", "prices")


def test_every_row_is_there_in_order() -> None:
    table = providers.table()
    assert list(table) == list(ROWS)
    for name, row in ROWS.items():
        lists: dict[str, Any] = {field: tuple(row.get(field, [])) for field in LISTS}
        texts: dict[str, Any] = {field: row.get(field, "") for field in TEXTS}
        assert table[name] == Provider(name=name, backend=row.get("backend", "openai"), **lists, **texts)
        hash(table[name])


def test_known_rows() -> None:
    """People's environments rest on these names."""
    every = ("json_schema", "tools", "usage")
    address = ("OPENAI_API_URL", "OPENAI_BASE_URL")
    assert providers.table()["openai"] == Provider(
        "openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), address, "gpt-5", "openai", "openai", every
    )
    assert providers.table()["groq"] == Provider(
        "groq", "", ("GROQ_API_KEY",), ("GROQ_BASE_URL",), "openai/gpt-oss-20b", "groq", "groq", ("tools", "usage")
    )
    assert providers.table()["ollama"] == Provider(
        "ollama", "http://localhost:11434/v1", address=("OLLAMA_API_URL",), abilities=every
    )
    hosted = "openai groq deepseek gemini anthropic openrouter mistral xai".split()
    assert list(providers.table()) == [*hosted, "ollama", "lmstudio", "vllm", "llamacpp"]


def test_each_row_can_be_asked() -> None:
    """What its readers rely on: a variable of its own for another address; prices where there is a key."""
    table = providers.table()
    named = [name for row in table.values() for name in (*row.key, *row.address)]
    assert len(named) == len(set(named))
    for row in table.values():
        assert row.address and bool(row.key) == bool(row.prices)
        if row.backend == "openai":
            assert row.url.startswith("https://" if row.key else "http://localhost:")
        assert list(row.abilities) == sorted(set(row.abilities) & {"json_schema", "prefix", "tools", "usage"})


def test_a_row_is_frozen_and_the_file_is_read_once() -> None:
    assert providers.table() is providers.table()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(providers.table()["openai"], "url", "http://elsewhere")


def test_nothing_is_read_on_import(tmp_path: Path) -> None:
    """The table is found where the package is: here one of two files, with a table of its own, or none yet."""
    package = tmp_path / "ai_coding"
    package.mkdir()
    (package / "providers.py").write_bytes(Path(providers.__file__).read_bytes())
    code = (
        "import pathlib, sys\nfrom ai_coding import providers\n"
        "pathlib.Path(sys.argv[1]).write_text('[me]\\nkey = [\"K\"]\\n', encoding='utf-8')\nprint(providers.table())\n"
    )
    command = [sys.executable, "-c", code, str(package / "providers.toml")]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{ {'me': Provider('me', key=('K',))} }\n", "")
