"""Backends over real HTTP, each in a process as users have it. What goes wrong there is in test_provider_faults."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import RIGHT, Run

Provider = tuple[str, dict[str, str]]


class Server(ThreadingHTTPServer):
    """Answers with a stream of chunks, after so many failures; keeps what it was asked."""

    chunks: list[object] = []
    seen: list[dict[str, object]]
    failures = 0


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.server.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if self.server.failures:
            self.server.failures -= 1
            self.send_response(503)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in self.server.chunks:
            data = chunk if isinstance(chunk, bytes) else b"data: " + json.dumps(chunk).encode() + b"\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(params=["openai", "groq"])
def provider(request: pytest.FixtureRequest, server: Server) -> Provider:
    url = f"http://127.0.0.1:{server.server_port}"
    if request.param == "openai":
        return "openai:tiny", {"OPENAI_API_URL": f"{url}/v1", "OPENAI_API_KEY": "k"}
    return "groq:tiny", {"GROQ_BASE_URL": url, "GROQ_API_KEY": "k"}


def stream(text: str) -> list[object]:
    def chunk(delta: dict[str, str], end: str | None = None) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": end}
        return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny-1", "choices": [choice]}

    pieces: list[object] = [chunk({"role": "assistant", "content": piece}) for piece in text.splitlines(keepends=True)]
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    last = {**chunk({}), "choices": [], "usage": usage}
    return [*pieces, chunk({}, "stop"), last, b"data: [DONE]\n\n"]


def test_a_good_answer(run: Run, fizz: Path, server: Server, provider: Provider) -> None:
    name, keys = provider
    fizz.write_text(fizz.read_text() + "[model]\ntemperature = 0.5\nmax_tokens = 900\n")
    server.chunks = stream(RIGHT)
    done = run(fizz, "-m", name, **keys)
    assert done.stdout == "fizz.py: built (1 request, 11 tokens in, 7 out; 1 test passed in bubblewrap)\n", done.stderr
    (sent,) = server.seen
    assert (sent["model"], sent["temperature"], sent["max_tokens"], sent["stream"]) == ("tiny", 0.5, 900, True)
    assert [m["role"] for m in sent["messages"]] == ["system", "user"]  # type: ignore[attr-defined]


def test_a_passing_failure_is_tried_again(run: Run, fizz: Path, server: Server, provider: Provider) -> None:
    name, keys = provider
    server.failures, server.chunks = 1, stream(RIGHT)
    assert run(fizz, "-m", name, **keys).returncode == 0
    assert len(server.seen) == 2


def test_without_a_key(run: Run, fizz: Path) -> None:
    """Another provider's key or address is of no use."""
    for provider in ("openai", "groq", "mistral"):
        others = {"OPENAI_API_KEY": "k", "OPENAI_API_URL": "http://127.0.0.1:9/v1"} if provider == "mistral" else {}
        done = run(fizz, "-m", f"{provider}:x", **others)
        assert done.returncode == 3 and f"{provider.upper()}_API_KEY is not set (fizz.toml: never built)" in done.stderr
    assert "MISTRAL_API_URL" in done.stderr


@pytest.mark.parametrize("name", ["deepseek", "gemini", "mistral", "ollama"])
def test_each_provider_has_variables_of_its_own(run: Run, fizz: Path, server: Server, name: str) -> None:
    """A server of one's own needs no key. What is not asked for with stream_options is told all the same, or is not."""
    keys = {f"{name.upper()}_API_URL": f"http://127.0.0.1:{server.server_port}/v1"}
    if name != "ollama":
        keys["GOOGLE_API_KEY" if name == "gemini" else f"{name.upper()}_API_KEY"] = "k"
    server.chunks = stream(RIGHT)
    done = run(fizz, "-m", f"{name}:tiny:1b", **keys)
    assert done.stdout == "fizz.py: built (1 request, 11 tokens in, 7 out; 1 test passed in bubblewrap)\n", done.stderr
    (sent,) = server.seen
    assert sent["model"] == "tiny:1b" and ("stream_options" in sent) == (name != "mistral")
    assert f'model = "{name}:tiny:1b"' in fizz.with_name("fizz.lock").read_text()


def test_a_local_server_at_another_address_has_no_price(run: Run, fizz: Path, server: Server) -> None:
    """It may be somebody else's."""
    url = f"http://127.0.0.1:{server.server_port}/v1"
    done = run(fizz, "-m", "ollama:qwen3", "--max-cost", "1", OLLAMA_API_URL=url)
    assert done.returncode == 2 and "error[no-price]" in done.stderr and server.seen == []


def test_an_unknown_provider_and_no_model(run: Run, fizz: Path) -> None:
    done = run(fizz, "-m", "olama:qwen3")
    assert done.returncode == 3 and "error[unknown-provider]: no provider is called 'olama'" in done.stderr
    assert "did you mean `ollama`?" in done.stderr and "known: openai:…, " in done.stderr
    assert "-m xai:NAME" in run(fizz, XAI_API_KEY="k").stderr


def test_which_model(run: Run, fizz: Path, model: Callable[..., str]) -> None:
    """Command line, then requirement file, then environment, then default."""

    def asked(*args: str, **env: str) -> str:
        return str(json.loads(run("show", fizz, "--format", "json", *args, **env).stdout)["model"])

    everything = {"AI_CODING_MODEL": "command:cat", "OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"}
    assert asked(**everything) == "command:cat"
    assert asked(OPENAI_API_KEY="k", GROQ_API_KEY="k") == "openai:gpt-5"
    assert asked(OPENAI_BASE_URL="http://x", OPENAI_API_MODEL="tiny") == "openai:tiny"
    assert asked(GROQ_API_KEY="k") == asked(GROQ_API_KEY="k", XAI_API_KEY="k") == "groq:openai/gpt-oss-20b"
    assert asked(XAI_API_KEY="k") == ""
    fizz.write_text(fizz.read_text() + '[model]\nname = "groq:pinned"\n')
    assert asked(**everything) == "groq:pinned"
    assert asked("-m", "manual", **everything) == "manual"
