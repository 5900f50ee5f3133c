"""`groq:NAME` through the real SDK, against a small server."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import groq
import pytest

from ai_coding.backends import ProviderError
from ai_coding.backends.groq import answer
from ai_coding.ir import Message, Reply, Request, Settings

START = {"model": "tiny-1", "choices": [{"index": 0, "delta": {"content": "hé"}, "finish_reason": None}]}
STOP = {"model": "tiny-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USED = {"model": "tiny-1", "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
GOOD = b"".join(b"data: %s\n\n" % json.dumps(row).encode() for row in (START, STOP, USED)) + b"data: [DONE]\n\n"
FIRST = GOOD[: GOOD.index(b"\n\n") + 2]


class Server(HTTPServer):
    """Gives (status, body, missing bytes) in turn, and keeps (path, headers, body) of what it was asked.

    It falls silent when it has no answer left, and when one byte is missing.
    """

    silence: threading.Event
    answers: list[tuple[int, bytes, int]]
    seen: list[tuple[str, Any, Any]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers, sent))
        if not self.server.answers:
            self.server.silence.wait(5)
            return
        status, body, missing = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if status == 200 else "application/json")
        self.send_header("Content-Length", str(len(body) + missing))
        self.send_header("Retry-After-Ms", "1")
        self.end_headers()
        self.wfile.write(body)
        if missing == 1:
            self.server.silence.wait(5)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.answers, server.seen, server.silence = [], [], threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.silence.set()
        server.shutdown()


def ask(**env: str) -> tuple[list[str], Reply]:
    request = Request("groq:openai/tiny", 0, {"max_tokens": 9}, (Message("user", "hi"),))
    stream, pieces = answer(request, Settings(Path("journal"), Path("."), env=env), Path("a.toml")), list[str]()
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as done:
        return pieces, done.value


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_a_good_answer(server: Server) -> None:
    """GROQ_BASE_URL is a host. The usage is asked for, else none comes."""
    server.answers = [(200, GOOD, 0)]
    assert ask(GROQ_BASE_URL=address(server), GROQ_API_KEY="k") == (["hé"], Reply("hé", "stop", "tiny-1", 11, 7))
    ((path, headers, sent),) = server.seen
    assert (path, headers["Authorization"]) == ("/openai/v1/chat/completions", "Bearer k")
    assert sent["stream_options"] == {"include_usage": True}
    assert (sent["model"], sent["max_tokens"], sent["stream"]) == ("openai/tiny", 9, True)
    assert sent["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    "env", [{}, {"GROQ_API_KEY": ""}, {"GROQ_BASE_URL": "http://127.0.0.1:9"}, {"OPENAI_API_KEY": "k"}]
)
def test_no_key(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    """Settings alone count; a variable that is empty is not set."""
    monkeypatch.setenv("GROQ_API_KEY", "k")
    with pytest.raises(ProviderError, match="^GROQ_API_KEY is not set$") as caught:
        ask(**env)
    assert caught.value.diagnostic.code == "no-key"


def test_an_address_that_is_none() -> None:
    with pytest.raises(ProviderError, match="^GROQ_BASE_URL is not an address: ") as caught:
        ask(GROQ_BASE_URL="http://localhost:PORT", GROQ_API_KEY="k")
    assert caught.value.diagnostic.code == "bad-address"


def test_faults(server: Server) -> None:
    """A passing failure is tried again; a lasting one and a broken stream become a ProviderError."""
    env = {"GROQ_BASE_URL": address(server), "GROQ_API_KEY": "k"}
    server.answers = [(503, b"{}", 0), (200, GOOD, 0)]
    assert ask(**env)[1].finish == "stop" and len(server.seen) == 2
    for status, body, missing, code in [
        (401, b'{"error": {"message": "bad key"}}', 0, "provider-401"),
        (429, b'{"error": {"type": "insufficient_quota"}}', 0, "provider-quota"),
        (200, GOOD[:90], 100, "provider-connection"),
        (200, FIRST, 100, "provider-cut"),
        (200, b"data: {not json\n\n", 0, "provider-garbled"),
        (200, b"<html></html>", 0, "provider-not-chat"),
        (200, FIRST + b'data: {"error": {"message": "busy"}}\n\n', 0, "provider-error"),
    ]:
        server.answers = [(status, body, missing)] * 3
        with pytest.raises(ProviderError) as caught:
            ask(**env)
        assert caught.value.diagnostic.code == code
        assert code != "provider-401" or "GROQ_API_KEY" in caught.value.diagnostic.help


@pytest.mark.parametrize(("body", "code"), [(None, "provider-timeout"), (FIRST, "provider-stalled")])
def test_silence(server: Server, monkeypatch: pytest.MonkeyPatch, body: bytes | None, code: str) -> None:
    """The time-outs are the SDK's own: here they are shorter."""
    monkeypatch.setattr(groq, "Groq", partial(groq.Groq, timeout=0.3, max_retries=0))
    server.answers = [(200, body, 1)] if body else []
    with pytest.raises(ProviderError) as caught:
        ask(GROQ_BASE_URL=address(server), GROQ_API_KEY="k")
    assert caught.value.diagnostic.code == code


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(groq, "Groq", partial(groq.Groq, max_retries=0))
    for host, code in [("127.0.0.1:9", "provider-unreachable"), ("nowhere.invalid", "provider-host")]:
        with pytest.raises(ProviderError, match=host) as caught:
            ask(GROQ_BASE_URL=f"http://{host}", GROQ_API_KEY="k")
        assert caught.value.diagnostic.code == code
