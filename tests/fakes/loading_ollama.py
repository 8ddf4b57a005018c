"""LoadingOllama: what a real Ollama does with its memory, as docs/ollama.md tells it, on a clock of the test.

`answer` is the server without a network; `served` puts it behind real HTTP. There a load that must wait does;
without a network it gets no answer, and is told in `starved`.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

FOR_EVER_SECONDS = 9_223_372_036.854_775
SERVER_CONTEXT = 4096
SERVER_KEEP_SECONDS = 300.0
LOAD_SECONDS = 0.5
ANSWER_SECONDS = 0.001
WORK_SECONDS = 0.1
"""A chat's answer takes so long where no other one begins meanwhile, and until it does where one does."""
SECONDS = 10.0
"""Nothing in a test takes longer, unless it hangs."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """A model on the server's disk."""

    name: str
    mib: int
    blob: str = ""
    """The file of its weights; empty: its own."""
    num_ctx: int = SERVER_CONTEXT
    trained: int = 131_072
    embeds_only: bool = False
    is_remote: bool = False
    """Whether another server answers for it."""

    @property
    def digest(self) -> str:
        """64 hexadecimal digits of its own."""
        return self.name.encode().hex()[:60].ljust(64, "0")

    @property
    def key(self) -> str:
        """What its runner is known by."""
        return self.blob or self.name


@dataclass
class Runner:
    """A model in memory."""

    model: Stored
    num_ctx: int
    keep_seconds: float
    users: int = 0
    expires_at: float | None = None
    """None: it was never idle."""

    def is_over(self, now: float) -> bool:
        return not self.users and self.expires_at is not None and self.expires_at <= now


@dataclass
class LoadingOllama:
    """A server."""

    models: list[Stored]
    capacity_mib: int = 10**9
    most_loaded: int = 10**9
    now: float = 1_790_000_000.0
    failing: dict[str, int] = field(default_factory=dict)
    """Status of loads, by name."""
    journal: list[tuple[str, str]] = field(default_factory=list)
    """What happened to which model: loaded, unloaded (by a client's word), evicted."""
    broken: list[str] = field(default_factory=list)
    """What nobody should ask for: models unloaded while they worked."""
    starved: list[str] = field(default_factory=list)
    """Models whose loading had to wait for others that worked."""
    asked: list[tuple[str, Object]] = field(default_factory=list)
    """Every POST that a model is loaded for."""
    lets_go: bool = True
    """Whether what was told to go goes; otherwise it is still there, as while a GPU's memory is freed."""
    is_down: bool = False
    says: bytes | None = None
    """Instead of everything else."""

    def __post_init__(self) -> None:
        self.runners: dict[str, Runner] = {}
        self.dead: set[str] = set()
        self.changed = Condition()
        self.loading = 0
        self.most_loading = 0
        self.chats = self.looks = 0

    # What happens to it

    def use(self, name: str, num_ctx: int | None = None) -> None:
        """A client's request from beginning to end; one that must wait is dropped."""
        if self.begin(name, num_ctx):
            self.end(name)

    def begin(self, name: str, num_ctx: int | None = None, keep_alive: float | None = None) -> bool:
        """A client's request begins; whether it did."""
        runner = self._runner(self.stored(name), num_ctx, keep_alive)
        if runner is None:
            return False
        runner.users += 1
        return True

    def end(self, name: str) -> None:
        """A client's request ends."""
        runner = self.runners[self.stored(name).key]
        runner.users -= 1
        if not runner.users:
            runner.expires_at = self.now + runner.keep_seconds
        self._expire()

    def restart(self) -> None:
        """It starts anew."""
        self.runners.clear()

    def kill(self, name: str) -> None:
        """A runner dies, which the server does not notice."""
        self.dead.add(self.stored(name).key)

    def loaded(self) -> list[str]:
        """Names of what is in memory."""
        self._expire()
        return [runner.model.name for runner in self.runners.values()]

    def used_mib(self) -> int:
        return sum(_size(runner) for runner in self.runners.values())

    def busy(self) -> list[str]:
        return [runner.model.name for runner in self.runners.values() if runner.users]

    def stored(self, name: str) -> Stored:
        """The model of this name; StopIteration where there is none."""
        short = name.lower().removeprefix("library/")
        return next(one for one in self.models if one.name in (short, f"{short}:latest"))

    # What it answers

    def answer(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Status and body; status 0: it would not answer for as long as others work."""
        self.now += ANSWER_SECONDS
        self._expire()
        if self.is_down or self.says is not None:
            return (0, b"") if self.says is None else (200, self.says)
        if body is None:
            self.looks += path == "/api/ps"
            told = {"/api/ps": self._ps(), "/api/tags": self._tags(), "/api/version": {"version": "0.17.4"}}
            return (200, json.dumps(told[path]).encode()) if path in told else (404, b"404 page not found")
        if path not in ("/api/generate", "/api/embed"):
            return 404, b"404 page not found"
        asked: Object = json.loads(body)
        self.asked.append((path, asked))
        return self._answer_post(path, asked)

    def _answer_post(self, path: str, asked: Object) -> tuple[int, bytes]:
        try:
            model = self.stored(asked["model"])
        except StopIteration:
            return 404, b'{"error":"model not found"}'
        if model.is_remote:
            return 200, b'{"done":true,"done_reason":"stop","remote_host":"https://ollama.com:443"}'
        keep = asked.get("keep_alive")
        if path == "/api/generate" and keep == 0:
            self._unload(model)
            return 200, b'{"done":true,"done_reason":"unload"}'
        if path == "/api/generate" and model.embeds_only:
            return 400, b'{"error":"\\"%b\\" does not support generate"}' % model.name.encode()
        seconds = None if keep is None else FOR_EVER_SECONDS if keep < 0 else float(keep)
        num_ctx = asked.get("options", {}).get("num_ctx")
        if model.name in self.failing and model.key not in self.runners:
            return self.failing[model.name], b'{"error":"no"}'
        if not self.begin(model.name, num_ctx, seconds):
            return 0, b""
        self.end(model.name)
        return 200, b'{"done":true,"done_reason":"load"}'

    def _ps(self) -> Object:
        return {"models": [self._told(runner) for runner in self.runners.values()]}

    def _told(self, runner: Runner) -> Object:
        expires_at = self.now + runner.keep_seconds if runner.expires_at is None else runner.expires_at
        return {
            "name": runner.model.name,
            "model": runner.model.name,
            "size": _size(runner) * 2**20,
            "size_vram": 0,
            "digest": runner.model.digest,
            "context_length": min(runner.num_ctx, runner.model.trained),
            "expires_at": datetime.fromtimestamp(expires_at, UTC).isoformat().replace("+00:00", "Z"),
        }

    def _tags(self) -> Object:
        elsewhere = {"remote_model": "large", "remote_host": "https://ollama.com:443"}
        return {
            "models": [
                {"name": one.name, "digest": one.digest, "size": 1} | (elsewhere if one.is_remote else {})
                for one in self.models
            ]
        }

    # Its scheduler

    def _runner(self, model: Stored, num_ctx: int | None, keep: float | None) -> Runner | None:
        """The runner that answers, loaded where need be; None: it must wait for others that work."""
        wanted = num_ctx or model.num_ctx
        runner = self.runners.get(model.key)
        if runner is not None and (runner.num_ctx != wanted or model.key in self.dead):
            if runner.users:
                self.starved.append(model.name)
                return None
            del self.runners[model.key]
            runner = None
        if runner is None:
            while self.runners and self._is_full_for(model):
                victims = sorted(self.runners.values(), key=lambda one: (one.keep_seconds, one.model.key))
                victim = next((one for one in victims if not one.users), None)
                if victim is None:
                    self.starved.append(model.name)
                    return None
                self.journal.append(("evicted", victim.model.name))
                del self.runners[victim.model.key]
            self.dead.discard(model.key)
            runner = self.runners[model.key] = Runner(model, wanted, SERVER_KEEP_SECONDS)
            self.journal.append(("loaded", model.name))
            self.now += LOAD_SECONDS
        if keep is not None:
            runner.keep_seconds = keep
        return runner

    def _is_full_for(self, model: Stored) -> bool:
        return len(self.runners) >= self.most_loaded or self.used_mib() + model.mib > self.capacity_mib

    def _unload(self, model: Stored) -> None:
        runner = self.runners.get(model.key)
        if runner is None:
            return
        self.journal.append(("unloaded", runner.model.name))
        if runner.users:
            self.broken.append(runner.model.name)
        runner.keep_seconds, runner.expires_at = 0.0, self.now
        self._expire()

    def _expire(self) -> None:
        for key, runner in list(self.runners.items()):
            if self.lets_go and runner.is_over(self.now):
                del self.runners[key]


def _size(runner: Runner) -> int:
    """A longer context takes more."""
    return runner.model.mib * max(runner.num_ctx, SERVER_CONTEXT) // SERVER_CONTEXT


def _chat(ollama: LoadingOllama, model: str) -> tuple[int, bytes]:
    """Status and answer to a chat: while one follows another the server has always something to do."""
    with ollama.changed:
        if model not in [one.name for one in ollama.models]:
            return 404, b'{"error":{"message":"model not found","type":"not_found_error"}}'
        assert ollama.changed.wait_for(lambda: ollama.begin(model), SECONDS)
        ollama.chats += 1
        number = ollama.chats
        ollama.changed.notify_all()
        ollama.changed.wait_for(lambda: ollama.chats > number, WORK_SECONDS)
        ollama.now += ANSWER_SECONDS
        ollama.end(model)
        ollama.changed.notify_all()
    choice = {"index": 0, "message": {"role": "assistant", "content": "12"}, "finish_reason": "stop"}
    return 200, json.dumps({"model": model, "object": "chat.completion", "choices": [choice]}).encode()


@contextmanager
def served(ollama: LoadingOllama, before_load: Callable[[str], None] = lambda name: None) -> Iterator[str]:
    """Its URL while it is up. `before_load` is called before a model is loaded, and may take its time."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            asked = json.loads(body)
            is_load = asked.get("keep_alive") != 0 and asked["model"] not in ollama.loaded()
            with ollama.changed:
                ollama.loading += is_load
                ollama.most_loading = max(ollama.most_loading, ollama.loading)
                ollama.changed.notify_all()
            if is_load:
                before_load(asked["model"])
            self._answer(body)
            with ollama.changed:
                ollama.loading -= is_load
                ollama.changed.notify_all()

        def _answer(self, body: bytes | None) -> None:
            if body is not None and self.path == "/v1/chat/completions":
                status, said = _chat(ollama, json.loads(body)["model"])
            else:
                status, said = self._told(body)
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def _told(self, body: bytes | None) -> tuple[int, bytes]:
            with ollama.changed:
                status, said = ollama.answer(self.path, body)
                while not status and not ollama.is_down:
                    assert ollama.changed.wait(SECONDS)
                    status, said = ollama.answer(self.path, body)
                ollama.changed.notify_all()
            return status, said

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None: ...

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), name="loading ollama")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
