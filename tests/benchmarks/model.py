"""A model that always gives the same answer, streamed: python tests/benchmarks/model.py SECONDS ANSWER.

It speaks the protocol of OpenAI on a free port of this machine, whose address is its first line, and waits SECONDS
before each answer.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(float(sys.argv[1]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "fixed"}
        for piece in sys.argv[2].splitlines(keepends=True):
            self.say({**whole, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
        self.say({**whole, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def say(self, chunk: object) -> None:
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a request is no news here."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # so many ask at the same time
    daemon_threads = True


with Server(("127.0.0.1", 0), Model) as server:
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()
