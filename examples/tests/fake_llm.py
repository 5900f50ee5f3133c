"""Runs a command against a small server that answers like a language model's.

Usage: fake_llm.py [--slow | --error] COMMAND…; the server checks the request and streams an answer that repeats the
question. --slow waits before the last piece and reports whether the first was printed before it; --error answers 503.
Standard output, standard error and the exit code are the command's own.
"""

import http.server
import json
import os
import subprocess
import sys
import threading
import time

KEY = "sk-test"
mode = sys.argv.pop(1) if sys.argv[1].startswith("--") else ""
last_sent = [0.0]


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == f"Bearer {KEY}", "wrong key"
        if self.path != "/v1/chat/completions" or not body["stream"] or body["model"] != "tiny":
            return self.fail(400, f"bad request: {self.path} {body}")
        if mode == "--error":
            return self.fail(503, "the model is asleep")
        question = body["messages"][-1]["content"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        pieces = ["You ", "asked: ", question, "\n", "\n", '  indented "quoted" ', "back\\slash é ", "漢\nend", "."]
        for piece in pieces[:-1]:
            self.event({"choices": [{"index": 0, "delta": {"content": piece}}]})
        if mode == "--slow":
            time.sleep(1.5)
        last_sent[0] = time.monotonic()
        self.event({"choices": [{"index": 0, "delta": {"content": pieces[-1]}}]})
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.event({"choices": [], "usage": {"total_tokens": 9}})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
        self.wfile.flush()

    def fail(self, status, message):
        data = json.dumps({"error": {"message": message}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
env = {**os.environ, "OPENAI_API_URL": url, "OPENAI_API_KEY": KEY, "OPENAI_API_MODEL": "tiny"}
if mode == "--slow":
    process = subprocess.Popen(sys.argv[1:], env=env, stdout=subprocess.PIPE)
    process.stdout.read1(3)
    first = time.monotonic()
    process.stdout.read()
    early = first < last_sent[0]
    print("first piece came before the last was sent" if early else "nothing was printed before the end")
    sys.exit(process.wait())
sys.exit(subprocess.run(sys.argv[1:], env=env).returncode)
