"""Builds over real HTTP against llama.cpp, with the SDKs as users have them."""

import signal
import subprocess
import sys
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


def test_a_model_file_builds_and_repairs_without_a_server(run: Run, fizz: Path) -> None:
    """No key, no network, and it costs nothing; a unit that is built beside it asks the same model."""
    fizz.with_name("buzz.toml").write_text(FIZZ.replace("fizz", "buzz").replace("Fizz", "Buzz"))
    buzz = "````python buzz.py\nprint('Buzz')\n````\n"
    make(fizz.with_name("chosen.gguf"), [*RULES, ("Print Buzz", buzz)])
    done = run("buzz.toml", "fizz.toml", "-j", "2", "-m", "local:chosen.gguf", "--max-cost", "0.01")
    assert (done.returncode, done.stderr) == (0, "")
    assert "buzz.py: built (1 request, " in done.stdout and "fizz.py: built (2 requests, " in done.stdout
    assert fizz.with_name("fizz.py").read_text() == "if True:\n    print('Fizz')\n"
    lock = fizz.with_name("fizz.lock").read_text()
    assert 'model = "local:chosen.gguf"' in lock and "output_tokens = 0" not in lock
    fizz.with_name("chosen.gguf").unlink()
    assert run(fizz).stdout == "fizz.py: up to date\n"
    gone = run(fizz, "-m", "local:chosen.gguf", "--anew")
    assert gone.returncode == 3 and "error[no-model-file]: there is no file 'chosen.gguf'" in gone.stderr


def test_a_requirement_file_cannot_name_a_model_file(run: Run, fizz: Path, weights: Path) -> None:
    """It may come from a stranger, with a file that is made to break what reads it."""
    fizz.write_text(f'{FIZZ}[model]\nname = "local:{weights}"\n')
    done = run(fizz)
    assert done.returncode == 2 and "error[model-not-allowed]" in done.stderr
    assert not fizz.with_name("fizz.py").exists()


def test_an_interrupt_ends_a_build_that_a_model_file_answers(env: dict[str, str], fizz: Path, tmp_path: Path) -> None:
    """The engine leaves signals to us: the answer that was begun is recorded, and no other asked for."""
    make(tmp_path / "long.gguf", [(None, "and so on\n")], endless=True)
    fizz.write_text(FIZZ + "[model]\nmax_tokens = 300\n")
    command = [sys.executable, "-m", "ai_coding", "fizz.toml", "-m", "local:long.gguf", "--format", "json"]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=-1, text=True) as build:
        assert build.stdout and build.stderr
        while '"event": "token"' not in build.stdout.readline():
            assert build.poll() is None
        build.send_signal(signal.SIGINT)
        said = build.stdout.read()
        assert (build.wait(30), said.count('"event": "asked"')) == (130, 0)
        assert "interrupted" in build.stderr.read()


def test_tokens_are_reported(run: Run, fizz: Path, address: str) -> None:
    keys = {"OPENAI_API_KEY": KEY, "OPENAI_API_URL": f"{address}/v1"}
    done = run(fizz, "-m", "openai:tiny", "--format", "json", **keys)
    assert '"event": "token"' in done.stdout
    lock = fizz.with_name("fizz.lock").read_text()
    assert "input_tokens = 0" not in lock and "output_tokens = 0" not in lock


def test_a_wrong_key_says_so(run: Run, fizz: Path, address: str) -> None:
    done = run(fizz, "-m", "openai:tiny", OPENAI_API_KEY="sk-wrong", OPENAI_API_URL=f"{address}/v1")
    assert done.returncode == 3
    assert "error[provider-401]: openai answered 401" in done.stderr
    assert "OPENAI_API_KEY" in done.stderr.partition("help:")[2]
    assert not fizz.with_name("fizz.py").exists()


def test_what_the_token_limit_cut_off_is_continued(run: Run, tmp_path: Path) -> None:
    """Every line of an answer is a token of this model. Its first answer is cut off, and it is asked for the rest."""
    half = ["````python fizz.py\n", "print(\n", "    'Fizz'\n", ")\n````\n"]
    path = tmp_path / "halves.gguf"
    make(path, [(None, "".join(half)), ("exactly where it stops", "".join(half[2:]))])
    spec = tmp_path / "fizz.toml"
    spec.write_text(FIZZ + "[model]\nmax_tokens = 2\n")
    with serving(path) as address:
        done = run(spec, "-m", "openai:tiny", OPENAI_API_KEY=KEY, OPENAI_API_URL=f"{address}/v1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fizz.py: built (2 requests, ")
    assert spec.with_name("fizz.py").read_text() == "print(\n    'Fizz'\n)\n"


def test_prose_without_a_program_is_not_accepted(run: Run, tmp_path: Path, address: str) -> None:
    path = tmp_path / "other.toml"
    path.write_text(FIZZ.replace("Print Fizz", "Print something").replace('"fizz"', '"other"'))
    keys = {"OPENAI_API_KEY": KEY, "OPENAI_API_URL": f"{address}/v1"}
    done = run(path, "-m", "openai:tiny", **keys)
    assert done.returncode == 1
    assert "error[not-accepted]" in done.stderr
    assert not (tmp_path / "other.py").exists() and not (tmp_path / "other.lock").exists()
