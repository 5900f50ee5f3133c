"""`openai:NAME` and its like through the real SDK, against a small server."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from ai_coding.backends import ProviderError
from ai_coding.backends.openai import answer
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


def ask(model: str = "openai:tiny", **env: str) -> tuple[list[str], Reply]:
    request = Request(model, 0, {"max_tokens": 9}, (Message("user", "hi"),))
    stream, pieces = answer(request, Settings(Path("journal"), Path("."), env=env), Path("a.toml")), list[str]()
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as done:
        return pieces, done.value


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1"


def test_certificates_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many threads ask at the same moment. Stands first: later tests find them read."""
    read, make, ready = list[object](), ssl.create_default_context, threading.Barrier(8)

    def counted(*args: Any, **named: Any) -> ssl.SSLContext:
        read.append(named)
        return make(*args, **named)

    def fail(_: int) -> str:
        ready.wait()
        with pytest.raises(ProviderError) as caught:
            ask(OPENAI_API_URL="http://127.0.0.1:PORT/v1")
        return caught.value.diagnostic.code

    monkeypatch.setattr(ssl, "create_default_context", counted)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(fail, range(8))) == {"bad-address"}
    assert len(read) <= 1


def test_a_good_answer(server: Server) -> None:
    """OPENAI_API_URL ends where the protocol's own path begins. The usage is asked for, else none comes."""
    server.answers = [(200, GOOD, 0)]
    assert ask(OPENAI_API_URL=address(server), OPENAI_API_KEY="k") == (["hé"], Reply("hé", "stop", "tiny-1", 11, 7))
    ((path, headers, sent),) = server.seen
    assert (path, headers["Authorization"]) == ("/v1/chat/completions", "Bearer k")
    assert sent["stream_options"] == {"include_usage": True}
    assert (sent["model"], sent["max_tokens"], sent["stream"]) == ("tiny", 9, True)
    assert sent["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("model", "key", "variable", "usage"),
    [("deepseek:tiny", "DEEPSEEK_API_KEY", "DEEPSEEK_API_URL", True),
     ("gemini:tiny", "GEMINI_API_KEY", "GEMINI_API_URL", True),
     ("mistral:tiny", "MISTRAL_API_KEY", "MISTRAL_API_URL", False),
     ("ollama:tiny", "", "OLLAMA_API_URL", True)],
)  # fmt: skip
def test_other_providers(
    server: Server, monkeypatch: pytest.MonkeyPatch, model: str, key: str, variable: str, usage: bool
) -> None:
    """Each has its own variables, and gets no other's key. Some refuse stream_options, and tell the usage unasked."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "secret")
    server.answers = [(200, GOOD, 0)]
    env = {variable: address(server), "OPENAI_API_KEY": "secret", "OPENAI_API_URL": "http://127.0.0.1:9/v1"}
    assert ask(model, **env, **({key: "mine"} if key else {})) == (["hé"], Reply("hé", "stop", "tiny-1", 11, 7))
    ((path, headers, sent),) = server.seen
    assert path == "/v1/chat/completions" and sent["model"] == "tiny"
    assert sent.get("stream_options") == ({"include_usage": True} if usage else None)
    assert "secret" not in str(headers) and ("Bearer mine" in str(headers)) == bool(key)


def test_a_provider_is_asked_where_its_row_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without another address. Here every connection is noted, and then ends where nobody listens."""
    seen = list[str]()
    connect = socket.socket.connect

    def note(self: socket.socket, address: Any) -> None:
        seen.append(f"{address[0]}:{address[1]}")
        connect(self, ("127.0.0.1", 9))

    monkeypatch.setattr(socket.socket, "connect", note)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *_, **__: [(2, 1, 6, "", (host, port))])
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for model, key in [("openai:x", "OPENAI_API_KEY"), ("xai:x", "XAI_API_KEY"), ("ollama:x", "")]:
        with pytest.raises(ProviderError, match="^nothing answers at "):
            ask(model, **({key: "k"} if key else {}))
    assert list(dict.fromkeys(seen)) == ["api.openai.com:443", "api.x.ai:443", "localhost:11434"]


@pytest.mark.parametrize("key", [{}, {"OPENAI_API_KEY": ""}])
def test_a_local_endpoint_needs_no_key(server: Server, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]) -> None:
    """Nor is it sent a key that only the process's environment has."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    server.answers = [(200, GOOD, 0)]
    assert ask(OPENAI_API_URL=address(server), **key)[0] == ["hé"]
    assert "secret" not in str(server.seen[0][1])


@pytest.mark.parametrize("provider", ["openai", "deepseek"])
@pytest.mark.parametrize("others", [{}, {"GROQ_API_KEY": "k", "XAI_API_URL": "http://127.0.0.1:9"}])
def test_no_key(monkeypatch: pytest.MonkeyPatch, provider: str, others: dict[str, str]) -> None:
    """Settings alone count; a variable that is empty is not set."""
    key, url = f"{provider.upper()}_API_KEY", f"{provider.upper()}_API_URL"
    monkeypatch.setenv(key, "k")
    for env in (others, {**others, key: "", url: ""}):
        with pytest.raises(ProviderError, match=f"^{key} is not set$") as caught:
            ask(f"{provider}:x", **env)
        found = caught.value.diagnostic
        assert found.code == "no-key" and key in found.help and url in found.help


@pytest.mark.parametrize("model", ["openai:x", "ollama:x"])
def test_an_address_that_is_none(model: str) -> None:
    variable = f"{model[:-2].upper()}_API_URL"
    with pytest.raises(ProviderError, match=f"^{variable} is not an address: http://localhost:PORT/v1$") as caught:
        ask(model, **{variable: "http://localhost:PORT/v1"})
    assert caught.value.diagnostic.code == "bad-address"


def test_faults(server: Server) -> None:
    """A passing failure is tried again; a lasting one and a broken stream become a ProviderError."""
    env = {"OPENAI_API_URL": address(server), "OPENAI_API_KEY": "k"}
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
        assert code != "provider-401" or "OPENAI_API_KEY" in caught.value.diagnostic.help


@pytest.mark.parametrize(("body", "code"), [(None, "provider-timeout"), (FIRST, "provider-stalled")])
def test_silence(server: Server, monkeypatch: pytest.MonkeyPatch, body: bytes | None, code: str) -> None:
    """The time-outs are the SDK's own: here they are shorter."""
    monkeypatch.setattr(openai, "OpenAI", partial(openai.OpenAI, timeout=0.3, max_retries=0))
    server.answers = [(200, body, 1)] if body else []
    with pytest.raises(ProviderError) as caught:
        ask(OPENAI_API_URL=address(server), OPENAI_API_KEY="k")
    assert caught.value.diagnostic.code == code


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(openai, "OpenAI", partial(openai.OpenAI, max_retries=0))
    for host, code in [("127.0.0.1:9", "provider-unreachable"), ("nowhere.invalid", "provider-host")]:
        with pytest.raises(ProviderError, match=host) as caught:
            ask(OPENAI_API_URL=f"http://{host}", OPENAI_API_KEY="k")
        assert caught.value.diagnostic.code == code
