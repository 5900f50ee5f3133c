"""`openai:NAME` through the real SDK, against a small server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ai_coding.backends import ProviderError
from ai_coding.backends.openai import answer
from ai_coding.ir import Message, Reply, Request, Settings

START = {"model": "tiny-1", "choices": [{"index": 0, "delta": {"content": "hé"}, "finish_reason": None}]}
STOP = {"model": "tiny-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USED = {"model": "tiny-1", "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
GOOD = b"".join(b"data: %s\n\n" % json.dumps(row).encode() for row in (START, STOP, USED)) + b"data: [DONE]\n\n"


class Server(HTTPServer):
    """Gives (status, body, missing bytes) in turn, and keeps (path, headers, body) of what it was asked."""

    answers: list[tuple[int, bytes, int]]
    seen: list[tuple[str, Any, Any]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers, sent))
        status, body, missing = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if status == 200 else "application/json")
        self.send_header("Content-Length", str(len(body) + missing))
        self.send_header("Retry-After-Ms", "1")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.answers, server.seen = [], []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def ask(**env: str) -> tuple[list[str], Reply]:
    request = Request("openai:tiny", 0, {"max_tokens": 9}, (Message("user", "hi"),))
    stream, pieces = answer(request, Settings(Path("journal"), Path("."), env=env), Path("a.toml")), list[str]()
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as done:
        return pieces, done.value


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1"


def test_a_good_answer(server: Server) -> None:
    """OPENAI_API_URL ends where the protocol's own path begins. The usage is asked for, else none comes."""
    server.answers = [(200, GOOD, 0)]
    assert ask(OPENAI_API_URL=address(server), OPENAI_API_KEY="k") == (["hé"], Reply("hé", "stop", "tiny-1", 11, 7))
    ((path, headers, sent),) = server.seen
    assert (path, headers["Authorization"]) == ("/v1/chat/completions", "Bearer k")
    assert sent["stream_options"] == {"include_usage": True}
    assert (sent["model"], sent["max_tokens"], sent["stream"]) == ("tiny", 9, True)
    assert sent["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("key", [{}, {"OPENAI_API_KEY": ""}])
def test_a_local_endpoint_needs_no_key(server: Server, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]) -> None:
    """Nor is it sent a key that only the process's environment has."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    server.answers = [(200, GOOD, 0)]
    assert ask(OPENAI_API_URL=address(server), **key)[0] == ["hé"]
    assert "secret" not in str(server.seen[0][1])


@pytest.mark.parametrize("env", [{}, {"OPENAI_API_KEY": "", "OPENAI_API_URL": ""}, {"GROQ_API_KEY": "k"}])
def test_no_key(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    """Settings alone count; a variable that is empty is not set."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(ProviderError, match="^OPENAI_API_KEY is not set$") as caught:
        ask(**env)
    assert caught.value.diagnostic.code == "no-key" and "OPENAI_API_URL" in caught.value.diagnostic.help


def test_an_address_that_is_none() -> None:
    with pytest.raises(ProviderError, match="^OPENAI_API_URL is not an address: ") as caught:
        ask(OPENAI_API_URL="http://localhost:PORT/v1")
    assert caught.value.diagnostic.code == "bad-address"


def test_faults(server: Server) -> None:
    """A passing failure is tried again; a lasting one and a broken stream become a ProviderError."""
    env = {"OPENAI_API_URL": address(server), "OPENAI_API_KEY": "k"}
    server.answers = [(503, b"{}", 0), (200, GOOD, 0)]
    assert ask(**env)[1].finish == "stop" and len(server.seen) == 2
    for status, body, missing, code in [
        (401, b'{"error": {"message": "bad key"}}', 0, "provider-401"),
        (200, GOOD[:90], 100, "provider-connection"),
        (200, b"data: {not json\n\n", 0, "provider-connection"),
    ]:
        server.answers = [(status, body, missing)]
        with pytest.raises(ProviderError) as caught:
            ask(**env)
        assert caught.value.diagnostic.code == code
