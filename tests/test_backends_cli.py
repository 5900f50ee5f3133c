"""Backends against a small server that misbehaves in every way a provider does."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import RIGHT, Run

Provider = tuple[str, dict[str, str]]


class Server(ThreadingHTTPServer):
    """Answers with status and body; counts requests. body: a list of stream chunks, or an error's text."""

    status: int = 200
    chunks: list[object] = []
    headers: dict[str, str] = {}
    seen: list[dict[str, object]]
    failures = 0
    cut = False


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.server.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status = self.server.status
        if self.server.failures:
            self.server.failures -= 1
            status = 503
        if status != 200:
            data = b'{"error": {"message": "something is wrong"}}'
            self.send_response(status)
            for name, value in self.server.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in self.server.chunks:
            data = chunk if isinstance(chunk, bytes) else b"data: " + json.dumps(chunk).encode() + b"\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        if not self.server.cut:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.seen, server.headers = [], {"Retry-After": "0"}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(params=["openai", "groq"])
def provider(request: pytest.FixtureRequest, server: Server) -> Provider:
    url = f"http://127.0.0.1:{server.server_port}"
    if request.param == "openai":
        return "openai:tiny", {"OPENAI_API_URL": f"{url}/v1", "OPENAI_API_KEY": "k"}
    return "groq:tiny", {"GROQ_BASE_URL": url, "GROQ_API_KEY": "k"}


def stream(text: str, finish: str | None = "stop") -> list[object]:
    def chunk(delta: dict[str, str], end: str | None = None) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": end}
        return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny-1", "choices": [choice]}

    pieces: list[object] = [chunk({"role": "assistant", "content": piece}) for piece in text.splitlines(keepends=True)]
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    last = {**chunk({}), "choices": [], "usage": usage}
    return pieces + ([chunk({}, finish), last, b"data: [DONE]\n\n"] if finish else [])


def test_a_good_answer(run: Run, fizz: Path, server: Server, provider: Provider) -> None:
    name, keys = provider
    fizz.write_text(fizz.read_text() + "[model]\ntemperature = 0.5\nmax_tokens = 900\n")
    server.chunks = stream(RIGHT)
    done = run(fizz, "-m", name, **keys)
    assert done.stdout == "fizz.py: built (1 request, 11 tokens in, 7 out; 1 test passed in bubblewrap)\n", done.stderr
    (sent,) = server.seen
    assert (sent["model"], sent["temperature"], sent["max_tokens"], sent["stream"]) == ("tiny", 0.5, 900, True)
    assert [m["role"] for m in sent["messages"]] == ["system", "user"]  # type: ignore[attr-defined]


STATUSES = {400: "parameter", 401: "key", 403: "key", 404: "name", 413: "shorten", 429: "limits", 500: "later"}


@pytest.mark.parametrize(("status", "words"), STATUSES.items())
def test_statuses(run: Run, fizz: Path, server: Server, provider: Provider, status: int, words: str) -> None:
    name, keys = provider
    server.status = status
    done = run(fizz, "-m", name, **keys)
    assert done.returncode == 3
    assert f"error[provider-{status}]: the provider answered {status}: something is wrong" in done.stderr
    assert words in done.stderr and "Traceback" not in done.stderr
    assert not fizz.with_name("fizz.lock").exists()


def test_a_passing_failure_is_tried_again(run: Run, fizz: Path, server: Server, provider: Provider) -> None:
    name, keys = provider
    server.failures, server.chunks = 1, stream(RIGHT)
    assert run(fizz, "-m", name, **keys).returncode == 0
    assert len(server.seen) == 2


@pytest.mark.parametrize("how", ["ends early", "breaks", "is not JSON"])
def test_a_broken_stream_is_not_taken_for_an_answer(
    run: Run, fizz: Path, server: Server, provider: Provider, how: str
) -> None:
    """What came is not a complete answer: it is not recorded, and the next build asks again."""
    name, keys = provider
    server.chunks, server.cut = stream(RIGHT, None), how == "breaks"
    if how == "is not JSON":
        server.chunks.append(b"data: {not json\n\n")
    done = run(fizz, "-m", name, **keys)
    assert done.returncode == 3, done.stdout
    assert "error[provider-c" in done.stderr and "Traceback" not in done.stderr
    server.chunks, server.cut = stream(RIGHT), False
    assert run(fizz, "-m", name, **keys).returncode == 0


def test_an_answer_cut_by_the_token_limit_is_sent_back(
    run: Run, fizz: Path, server: Server, provider: Provider
) -> None:
    name, keys = provider
    server.chunks = stream("````python fizz.py\nprint(", "length")
    done = run(fizz, "-m", name, "--attempts", "2", **keys)
    assert done.returncode == 1 and "reply-cut-off" in done.stderr
    assert "reply-cut-off" in server.seen[1]["messages"][1]["content"]  # type: ignore[index]


def test_nobody_listens(run: Run, fizz: Path) -> None:
    done = run(fizz, "-m", "openai:x", OPENAI_API_URL="http://127.0.0.1:9/v1", OPENAI_API_KEY="k")
    assert done.returncode == 3 and "error[provider-connection]" in done.stderr and "Traceback" not in done.stderr
    assert "OPENAI_API_KEY is not set" in run(fizz, "-m", "openai:x").stderr
    assert "GROQ_API_KEY is not set" in run(fizz, "-m", "groq:x").stderr


def test_which_model(run: Run, fizz: Path, model: Callable[..., str]) -> None:
    """Command line, then requirement file, then environment, then default."""

    def asked(*args: str, **env: str) -> str:
        return str(json.loads(run("show", fizz, "--format", "json", *args, **env).stdout)["model"])

    everything = {"AI_CODING_MODEL": "command:cat", "OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"}
    assert asked(**everything) == "command:cat"
    assert asked(OPENAI_API_KEY="k", GROQ_API_KEY="k") == "openai:gpt-5"
    assert asked(OPENAI_BASE_URL="http://x", OPENAI_API_MODEL="tiny") == "openai:tiny"
    assert asked(GROQ_API_KEY="k") == "groq:openai/gpt-oss-20b"
    fizz.write_text(fizz.read_text() + '[model]\nname = "groq:pinned"\n')
    assert asked(**everything) == "groq:pinned"
    assert asked("-m", "manual", **everything) == "manual"
