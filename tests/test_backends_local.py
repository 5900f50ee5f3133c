"""`local:FILE.gguf`: llama.cpp itself, on a model file with chosen answers."""

import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import xllamacpp
from llama import make

from ai_coding.backends import ProviderError
from ai_coding.backends.local import CONTEXT, answer
from ai_coding.ir import Message, Reply, Request, Settings

LINES = "one\ntwo two\nthree\n"
# Two rules without a marker are equally likely: which of them answers is chosen at random.
RULES = [(None, "heads\n"), (None, "tails\n"), ("the lines", LINES), ("the word", "a word\n")]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "chosen é.gguf"
    make(path, RULES)
    return path


def start(path: Path | str, text: str, **parameters: float) -> Generator[str, None, Reply]:
    messages = (Message("system", "be brief"), Message("user", text))
    request = Request(f"local:{path}", 0, parameters, messages)
    return answer(request, Settings(Path("journal"), Path(".")), Path("elsewhere/a.toml"))


def ask(path: Path | str, text: str, **parameters: float) -> tuple[list[str], Reply]:
    stream, pieces = start(path, text, **parameters), list[str]()
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as done:
        return pieces, done.value


def refused(path: Path | str, text: str = "hi") -> tuple[str, str, str]:
    with pytest.raises(ProviderError) as caught:
        ask(path, text)
    return caught.value.diagnostic.code, caught.value.diagnostic.message, caught.value.diagnostic.help


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What xllamacpp.Server made since the test began."""
    made: list[Any] = []
    real: Callable[[Any], Any] = xllamacpp.Server

    def server(parameters: Any) -> Any:
        time.sleep(0.1)  # as with a large model: others come meanwhile
        made.append(real(parameters))
        return made[-1]

    monkeypatch.setattr(xllamacpp, "Server", server)
    return made


def test_an_answer(weights: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In pieces, with the model's own template, which ends what it says; the engine itself says nothing."""
    pieces, reply = ask(weights, "the lines")
    assert ("".join(pieces), len(pieces)) == (LINES, 3)
    assert (reply.text, reply.finish, reply.model) == (LINES, "stop", weights.name)
    assert reply.output_tokens == 4 and 30 < reply.input_tokens < 90
    assert capfd.readouterr() == ("", "")


def test_parameters(weights: Path) -> None:
    assert ask(weights, "the lines", max_tokens=2)[1].finish == "length"
    assert ask(weights, "the lines", max_tokens=2)[1].text in LINES[:-6]
    coins = [ask(weights, "toss", seed=seed)[1].text for seed in range(8)]
    assert set(coins) == {"heads\n", "tails\n"}
    assert coins == [ask(weights, "toss", seed=seed)[1].text for seed in range(8)]
    assert len({ask(weights, "toss", seed=seed, temperature=0)[1].text for seed in range(8)}) == 1


def test_the_path(weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the current folder, whatever requirement file is built; links and the home folder are as everywhere."""
    monkeypatch.chdir(weights.parent)
    assert ask(weights.name, "the word")[1].text == "a word\n"
    monkeypatch.setenv("HOME", str(weights.parent))
    assert ask(f"~/{weights.name}", "the word")[1].text == "a word\n"
    (tmp_path / "a:b").symlink_to(weights)
    assert ask(tmp_path / "a:b", "the word")[1].text == "a word\n"


def test_one_model_is_loaded_once_and_answers_in_turn(weights: Path, tmp_path: Path, servers: list[Any]) -> None:
    """Whatever thread asks, and however it writes the path."""
    shutil.copy(weights, tmp_path / "m.gguf")
    (tmp_path / "link.gguf").symlink_to("m.gguf")
    names = [tmp_path / "m.gguf", tmp_path / "link.gguf", tmp_path / "." / ".." / tmp_path.name / "m.gguf"]
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda name=name: found.append(ask(name, "the lines" + "." * 3000)[1].text))
        for name in names * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, len(servers)) == ([LINES] * 9, 1)


def test_another_model_takes_its_place(weights: Path, tmp_path: Path, servers: list[Any]) -> None:
    """And the answer that was begun goes on to its end."""
    make(tmp_path / "a.gguf", [(None, LINES)])
    make(tmp_path / "b.gguf", [(None, "I am b\n")])
    first = start(tmp_path / "a.gguf", "hi")
    assert next(first) == "one\n"
    assert ask(tmp_path / "b.gguf", "hi")[1].text == "I am b\n"
    assert "".join(first) == "two two\nthree\n"
    assert ask(tmp_path / "b.gguf", "hi")[1].text == "I am b\n" and len(servers) == 2


def test_an_answer_that_nobody_wants(tmp_path: Path) -> None:
    """It would take the engine minutes to reach the end of its context; the next one waits for no such thing."""
    make(tmp_path / "m.gguf", [(None, "and so on\n")], endless=True)
    stream = start(tmp_path / "m.gguf", "hi")
    assert next(stream) == "and so on\n"
    stream.close()
    begun = time.monotonic()
    reply = ask(tmp_path / "m.gguf", "hi", max_tokens=3)[1]
    assert (reply.text, reply.finish, reply.output_tokens) == ("and so on\n" * 3, "length", 3)
    assert time.monotonic() - begun < 30


def test_nobody_else_can_ask(weights: Path, tmp_path: Path, servers: list[Any]) -> None:
    """The engine listens on this machine, but it knows only us."""
    for name in ("a.gguf", "b.gguf"):
        shutil.copy(weights, tmp_path / name)
        ask(tmp_path / name, "the word")
    for server in servers:
        assert server.listening_address.startswith("http://127.0.0.1:")
    for key in ("", "unused", "None"):
        url = f"{servers[1].listening_address}/v1/models"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"}))


def test_no_proxy_is_asked(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask(weights, "the word")[1].text == "a word\n"


def test_a_request_that_is_too_long(weights: Path) -> None:
    code, message, _ = refused(weights, "x" * CONTEXT)
    assert code == "provider-size" and str(CONTEXT) in message


@pytest.mark.parametrize("name", ["", "no.gguf", ".", "/dev/null", "pipe", "no/no.gguf", "~nobody-there/x", "a\0b"])
def test_no_such_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    code, message, help = refused(name)
    assert (code, message) == ("no-model-file", f"there is no file {name!r}")
    assert "current folder" in help and "-m local:FILE.gguf" in help


@pytest.mark.parametrize("size", [0, 100, 50_000])
def test_a_file_that_is_no_model(weights: Path, tmp_path: Path, size: int) -> None:
    """Empty, too short to say what it is, or broken off in a download; whole again, it is tried again."""
    path = tmp_path / "m.gguf"
    path.write_bytes(weights.read_bytes()[:size])
    code, message, help = refused(path)
    assert (code, message) == ("bad-model-file", f"llama.cpp cannot load {str(path)!r}")
    assert "GGUF" in help and "memory" in help
    shutil.copy(weights, path)
    assert ask(path, "the word")[1].text == "a word\n"


def test_without_the_package(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few have it; and importing this module does not need it."""
    path = shutil.copy(weights, tmp_path / "m.gguf")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    code, message, help = refused(path)
    assert code == "no-engine" and message.startswith("xllamacpp cannot be imported: ")
    assert help == "pip install xllamacpp"
    imported = "import sys, ai_coding.backends.local; assert 'xllamacpp' not in sys.modules"
    subprocess.run([sys.executable, "-c", imported], check=True)


def test_the_process_ends_when_it_should(weights: Path) -> None:
    """A loaded model, and a request that was begun, neither keep a process alive nor disturb its end."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom ai_coding.backends.local import answer\n"
        "from ai_coding.ir import Message, Request, Settings\n"
        "request = Request('local:' + sys.argv[1], 0, {}, (Message('user', 'the lines'),))\n"
        "stream = answer(request, Settings(Path('j'), Path('.')), Path('a.toml'))\nprint(next(stream), end='')\n"
        "sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(weights)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (7, "one\n", "")
