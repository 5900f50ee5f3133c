"""Whole builds against a server that fails in every way a provider does, through the SDKs as users have them.

The builds run in this process, so that the time-outs, which are the SDKs' own, can be made short.
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import groq
import openai
import pytest
from conftest import FIZZ, RIGHT

from ai_coding import asking
from ai_coding.cli import main
from ai_coding.continuation import MOST


class Server(ThreadingHTTPServer):
    """Gives the answers of its script in turn, the last one again and again; keeps what it was asked.

    An answer is a status with a body, or the chunks of a stream; a chunk can also be the name of what happens then.
    """

    daemon_threads = True
    script: list[tuple[int, Any]]
    seen: list[dict[str, Any]]
    headers: dict[str, str]
    over: threading.Event


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        server = self.server
        server.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status, body = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        if body == "silence":
            server.over.wait(10)
            return
        stream = isinstance(body, list)
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
        self.send_header("Content-Length", "100000000" if stream and body[-1:] != ["end"] else str(len(joined(body))))
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in body if stream else [body]:
            if piece == "silence":
                server.over.wait(10)
            elif piece == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            elif piece == "flood":
                self.flood()
            elif piece != "end":
                self.wfile.write(joined(piece))
                self.wfile.flush()

    def flood(self) -> None:
        try:
            for _ in range(1000):
                self.wfile.write(joined(chunk("x" * 10_000)))
        except OSError:
            self.server.over.set()  # nobody listens any longer


def joined(body: Any) -> bytes:
    if isinstance(body, list):
        return b"".join(joined(piece) for piece in body if piece not in ("end", "silence", "reset", "flood"))
    if isinstance(body, dict):
        return b"data: " + json.dumps(body).encode() + b"\n\n"
    return bytes(body)


def chunk(text: str | None, finish: str | None = None, **delta: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text, **delta}, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny-1", "choices": [choice]}


def stream(text: str, finish: str = "stop") -> tuple[int, Any]:
    """A whole answer."""
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    last = {**chunk(None), "choices": [], "usage": usage}
    pieces = [chunk(piece) for piece in text.splitlines(keepends=True)]
    return 200, [*pieces, chunk(None, finish), last, b"data: [DONE]\n\n", "end"]


def fault(status: int, **details: object) -> tuple[int, Any]:
    return status, json.dumps({"error": {"message": "something is wrong", **details}}).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.script, server.seen, server.over = [], [], threading.Event()
        server.headers = {"Retry-After-Ms": "1", "Connection": "close"}
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


class Build:
    """Builds of fizz.toml with a model of this server; what they show."""

    def __init__(self, provider: str, address: str, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]):
        self.name, self.capture = provider, capture
        self.address = f"{address}/v1/" if provider == "openai" else address
        self.key = f"{provider.upper()}_API_KEY"
        patch.setenv("OPENAI_API_URL" if provider == "openai" else "GROQ_BASE_URL", self.address)
        patch.setenv(self.key, "k")

    def run(self, *words: str) -> tuple[int, str, str]:
        code = main(["fizz.toml", "-m", f"{self.name}:tiny", *words])
        shown = self.capture.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out, shown.err


@pytest.fixture(params=["openai", "groq"])
def build(
    request: pytest.FixtureRequest,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Build:
    for name in [name for name in os.environ if name.startswith(("AI_CODING_J", "AI_CODING_M", "OPENAI", "GROQ"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AI_CODING_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(openai, "OpenAI", partial(openai.OpenAI, timeout=0.5))
    monkeypatch.setattr(groq, "Groq", partial(groq.Groq, timeout=0.5))
    Path("fizz.toml").write_text(FIZZ)
    return Build(request.param, f"http://127.0.0.1:{server.server_port}", monkeypatch, capsys)


WRONG, SOME = "something is wrong", chunk("````python\n")
# What the server does; code, words of the message, and words of the help. {p}: the provider.
FAULTS: dict[str, tuple[tuple[int, Any], str, str, str]] = {
    "parameter": (fault(400), "400", f"{{p}} answered 400: {WRONG}", "parameter"),
    "key": (fault(401), "401", f"{{p}} answered 401: {WRONG}", "check that {key} is valid and may use tiny"),
    "forbidden": (fault(403), "403", f"{{p}} answered 403: {WRONG}", "{key}"),
    "model": (fault(404), "404", f"{{p}} answered 404: {WRONG}", "is there a model tiny, and is the address {address}"),
    "late": (fault(408), "408", f"{{p}} answered 408: {WRONG}", "try again later"),
    "size": (fault(413, code="rate_limit_exceeded"), "size", f"{{p}} answered 413: {WRONG}", "max_tokens"),
    "context": (fault(400, code="context_length_exceeded"), "size", "{p} answered 400", "[project] context"),
    "limit": (fault(429), "429", f"{{p}} answered 429: {WRONG}", "wait 0 s"),
    "quota": (fault(429, code="insufficient_quota"), "quota", "{p} answered 429", "billing"),
    "broken": ((500, b"<h1>sorry</h1>"), "500", "{p} answered 500: ", "try again later"),
    "page": ((200, b"<html>welcome</html>"), "not-chat", "{address} answered with something else", "check the address"),
    "not streamed": ((200, b'{"choices": [{}]}'), "not-chat", "{address} answered with something else", "web page"),
    "silent": ((200, "silence"), "timeout", "{p} did not answer in time", "try again later"),
    "hangs up": ((200, ["reset"]), "connection", "the connection to {address} failed", "network"),
    "cut": ((200, [SOME, "reset"]), "cut", "the answer broke off after 11 characters", ""),
    "ends early": ((200, [SOME, "end"]), "cut", "the answer broke off after 11 characters", ""),
    "stalls": ((200, [SOME, "silence"]), "stalled", "{p} fell silent after 11 characters", "try again later"),
    "no JSON": ((200, [SOME, b"data: {no\n\n", "end"]), "garbled", "{p} sent what is no chat completion", "protocol"),
    "deep": ((200, [SOME, b"data: " + b"[" * 99_999 + b"\n\n", "end"]), "garbled", "no chat completion", "protocol"),
    "no chunk": ((200, [SOME, b"data: [5]\n\n", "end"]), "garbled", "{p} sent what is no chat completion", "protocol"),
    "tells": ((200, [SOME, {"error": {"message": WRONG}}, "end"]), "error", f"{{p}} reported an error: {WRONG}", "try"),
    "empty": (stream(""), "empty", "{p}:tiny answered, but with an empty text", "another model"),
    "thinks": (stream("", "length"), "empty", "{p}:tiny reached the token limit before it wrote", "raise max_tokens"),
    "refuses": ((200, [chunk(None, None, refusal="I will not"), chunk(None, "stop"), "end"]), "refusal",
                "tiny refuses to answer: I will not", "other words"),
    "filters": ((200, [SOME, chunk(None, "content_filter"), "end"]), "refusal",
                "the content filter of {p} stopped the answer after 11 characters", "other words"),
    "endless": ((200, ["flood"]), "endless", "{p}:tiny answers without end: more than 50,000 characters", "max_tokens"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_is_told_and_nothing_is_recorded(
    build: Build, server: Server, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Exit code 3, a code of its own, what happened, for whom and why it was asked, what to do. Then it goes on."""
    monkeypatch.setattr(asking, "LONGEST", 50_000)
    answer, code, message, help = FAULTS[kind]
    server.script = [answer]
    if kind == "limit":
        server.headers["Retry-After"] = "0"
    names = {"p": build.name, "key": build.key, "address": build.address}
    ended, out, err = build.run()
    assert (ended, out) == (3, ""), err
    head, *lines, last = err.splitlines()
    assert head.startswith(f"error[provider-{code}]: ") and message.format(**names) in head, err
    assert head.endswith(" (fizz.toml: never built)") and last == "fizz.toml: not built"
    assert help.format(**names) in err and all(line.startswith("  = help: ") for line in lines), err
    assert lines[-1] == "  = help: what was answered before is kept: build again"
    assert not Path("fizz.py").exists() and not Path("fizz.lock").exists()
    if kind == "endless":
        assert server.over.wait(10), "the connection was closed"
    server.script = [stream(RIGHT)]
    assert build.run()[:2] == (0, "fizz.py: built (1 request, 11 tokens in, 7 out; 1 test passed in bubblewrap)\n")


def test_nobody_is_there(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = "OPENAI_API_URL" if build.name == "openai" else "GROQ_BASE_URL"
    monkeypatch.setattr(openai, "OpenAI", partial(openai.OpenAI, max_retries=0))
    monkeypatch.setattr(groq, "Groq", partial(groq.Groq, max_retries=0))
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    code, _, err = build.run()
    assert code == 3 and err.startswith("error[provider-unreachable]: nothing answers at http://127.0.0.1:9")
    assert "is the server running there?" in err
    monkeypatch.setenv(variable, "http://nowhere.invalid")
    code, _, err = build.run()
    assert code == 3 and err.startswith("error[provider-host]: the host of http://nowhere.invalid")


def test_what_was_answered_before_a_fault_is_kept(build: Build, server: Server) -> None:
    """The first reply fails its test, the provider fails at the repair: the next build asks for that alone."""
    server.script = [stream(RIGHT.replace("Fizz", "Fuzz")), fault(503)]
    assert build.run()[0] == 3
    server.seen, server.script = [], [stream(RIGHT)]
    assert build.run()[1].startswith("fizz.py: built (2 requests, ")
    assert len(server.seen) == 1 and "What is wrong with" in server.seen[0]["messages"][1]["content"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("I would rather talk about the weather.\n", "error[syntax]"),
        ("````bash fizz.sh\necho Fizz\n````\n", "error[reply-other-file]"),
        ("````bash\nwhile true; do echo Fizz; done\n````\n", "error[syntax]"),
        ("````javascript\nconsole.log('Fizz')\n````\n", "console"),
    ],
)
def test_prose_and_the_wrong_language_are_sent_back(build: Build, server: Server, text: str, told: str) -> None:
    server.script = [stream(text), stream(RIGHT)]
    assert build.run()[1].startswith("fizz.py: built (2 requests, ")
    messages = server.seen[1]["messages"]
    assert told in messages[1]["content"].partition("What is wrong with")[2] and len(messages) == 2


def test_an_answer_that_the_token_limit_cut_off_is_continued(build: Build, server: Server) -> None:
    """It goes on where it stopped, also after a fault in between; the tokens of all parts count."""
    parts = RIGHT[:20], RIGHT[20:30], RIGHT[30:]
    server.script = [stream(parts[0], "length"), stream(parts[1], "length"), fault(503)]
    assert build.run()[0] == 3
    server.script, server.seen = [stream(parts[2])], []
    assert build.run()[1] == "fizz.py: built (3 requests, 33 tokens in, 21 out; 1 test passed in bubblewrap)\n"
    (sent,) = server.seen
    assert [each["role"] for each in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][2]["content"] == parts[0] + parts[1]
    assert Path("fizz.py").read_text() == "print('Fizz')\n"
    lock = Path("fizz.lock").read_text()
    assert "requests = 3\n" in lock and "input_tokens = 33\n" in lock and "output_tokens = 21\n" in lock


def test_a_continuation_may_hold_all_that_came_before(build: Build, server: Server) -> None:
    server.script = [stream(RIGHT[:20], "length"), stream(RIGHT)]
    assert build.run()[1].startswith("fizz.py: built (2 requests, ")
    assert Path("fizz.py").read_text() == "print('Fizz')\n"


def test_continuing_has_an_end(build: Build, server: Server) -> None:
    """What never ends is read as it is; so is what the model has no room to go on with."""
    server.script = [stream("````python\nx = 1\n", "length"), stream("y = 2\n", "length")]
    code, _, err = build.run("--attempts", "1")
    assert code == 1 and "error[reply-cut-off]" in err and len(server.seen) == 1 + MOST == 9
    server.script = [
        stream("````python\ny = 1\n", "length"),
        fault(400, type="exceed_context_size_error"),
        stream(RIGHT),
    ]
    server.seen = []
    assert build.run("--anew")[0] == 0
    assert len(server.seen) == 3 and "reply-cut-off" in server.seen[2]["messages"][1]["content"]
