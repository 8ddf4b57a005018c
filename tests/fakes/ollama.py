"""FakeOllama: the one path of an Ollama that a search for it asks, over real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextmanager
def fake_ollama(tags: bytes) -> Iterator[str]:
    """Address of a server that answers /api/tags with `tags`, and everything else with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/api/tags"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(tags if known else b"")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, name="fake ollama")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
