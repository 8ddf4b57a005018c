"""An engine that answers at once: a script for a pod, with nothing but the standard library.

quick_engine.py MODEL PORT
"""

import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = sys.argv[1] if len(sys.argv) > 1 else "quick"
CHOICE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
ANSWERS: dict[str, dict[str, Any]] = {
    "/health": {},
    "/v1/models": {"object": "list", "data": [{"id": MODEL, "object": "model"}]},
    "/v1/chat/completions": {"id": "1", "object": "chat.completion", "model": MODEL, "choices": [CHOICE]},
}


class Handler(BaseHTTPRequestHandler):
    """Answers what is known."""

    protocol_version = "HTTP/1.1"
    timeout = 300

    def do_POST(self) -> None:
        """Read the body, and answer."""
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def do_GET(self) -> None:
        """Answer."""
        answer = ANSWERS.get(self.path)
        text = json.dumps(answer).encode()
        self.send_response(404 if answer is None else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    server = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[2])), Handler)  # noqa: S104
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait([signal.SIGTERM])
    server.shutdown()
