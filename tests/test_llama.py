"""Builds over real HTTP against llama.cpp, with the SDKs as users have them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EDIT, FIZZ, WRONG, Run
from llama import KEY, make, serving

RULES = [(None, "I do not know that one.\n"), ("Print Fizz", WRONG), ("What is wrong with", EDIT)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "chosen.gguf"
    make(path, RULES)
    return path


@pytest.fixture(scope="module")
def address(weights: Path) -> Iterator[str]:
    with serving(weights) as address:
        yield address


def test_openai_sdk_builds_and_repairs(run: Run, fizz: Path, address: str) -> None:
    """The first program fails its test; the edit that the model sends then makes it pass."""
    keys = {"OPENAI_API_KEY": KEY, "OPENAI_API_URL": f"{address}/v1", "OPENAI_API_MODEL": "tiny"}
    done = run(fizz, **keys)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fizz.py: built (2 requests, ")
    assert fizz.with_name("fizz.py").read_text() == "if True:\n    print('Fizz')\n"
    assert 'model = "openai:tiny"' in fizz.with_name("fizz.lock").read_text()
    again = run(fizz)
    assert (again.returncode, again.stdout) == (0, "fizz.py: up to date\n")


def test_groq_sdk_builds_and_repairs(run: Run, fizz: Path, weights: Path) -> None:
    with serving(weights, "/openai") as address:
        done = run(fizz, "-m", "groq:tiny", GROQ_API_KEY=KEY, GROQ_BASE_URL=address)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fizz.py: built (2 requests, ")
    assert fizz.with_name("fizz.py").read_text() == "if True:\n    print('Fizz')\n"


def test_tokens_are_reported(run: Run, fizz: Path, address: str) -> None:
    keys = {"OPENAI_API_KEY": KEY, "OPENAI_API_URL": f"{address}/v1"}
    done = run(fizz, "-m", "openai:tiny", "--format", "json", **keys)
    assert '"event": "token"' in done.stdout
    lock = fizz.with_name("fizz.lock").read_text()
    assert "input_tokens = 0" not in lock and "output_tokens = 0" not in lock


def test_a_wrong_key_says_so(run: Run, fizz: Path, address: str) -> None:
    done = run(fizz, "-m", "openai:tiny", OPENAI_API_KEY="sk-wrong", OPENAI_API_URL=f"{address}/v1")
    assert done.returncode == 3
    assert "error[provider-401]: the provider answered 401" in done.stderr
    assert "key" in done.stderr.partition("help:")[2]
    assert not fizz.with_name("fizz.py").exists()


def test_prose_without_a_program_is_not_accepted(run: Run, tmp_path: Path, address: str) -> None:
    path = tmp_path / "other.toml"
    path.write_text(FIZZ.replace("Print Fizz", "Print something").replace('"fizz"', '"other"'))
    keys = {"OPENAI_API_KEY": KEY, "OPENAI_API_URL": f"{address}/v1"}
    done = run(path, "-m", "openai:tiny", **keys)
    assert done.returncode == 1
    assert "error[not-accepted]" in done.stderr
    assert not (tmp_path / "other.py").exists() and not (tmp_path / "other.lock").exists()
