"""An OpenAI-compatible engine that answers probes rightly with known chances, and fails in named ways."""

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fakes.loading_ollama import LoadingOllama
from steelyard.api.measuring import Suite
from steelyard.api.profile import Category, Level
from steelyard_profiler import workload
from steelyard_profiler.probe import Probe
from steelyard_profiler.target import Call, Target

WRONG = "I do not know."
"""An answer that no probe accepts."""


class Fault(StrEnum):
    """How it fails."""

    NONE = "None"
    HANGS = "Hangs"
    HANGS_MIDWAY = "HangsMidway"
    HTML = "Html"
    HALF_STREAM = "HalfStream"
    STATUS_500 = "500"
    FIRST_500 = "First500"
    STATUS_401 = "401"
    STATUS_404 = "404"
    REDIRECT = "Redirect"
    NOT_JSON = "NotJson"
    ERROR_EVENT = "ErrorEvent"
    NO_USAGE = "NoUsage"
    REFUSES_STREAM_OPTIONS = "RefusesStreamOptions"
    WRONG_USAGE = "WrongUsage"
    SHORT_CONTEXT = "ShortContext"
    BABBLES = "Babbles"
    PROBES_401 = "Probes401"
    REFUSES_TOOLS = "RefusesTools"
    BREAKS_ON_TOOLS = "BreaksOnTools"
    TOOLS_AS_TEXT = "ToolsAsText"


@dataclass
class ProfiledEngine:
    """What it does and what it was asked."""

    chances: Mapping[tuple[Category, Level], float] = field(default_factory=dict)
    """Chance of a right answer by cell; absent: 1."""
    refused: Callable[[Probe], bool] = lambda probe: False
    """Probes that it takes for bad requests."""
    seed: int = 1
    """Seed of the probes that it knows."""
    fault: Fault = Fault.NONE
    """How it fails."""
    models: Any = ("m",)
    """What it lists."""
    ollama: LoadingOllama | None = None
    """What answers below /api; None: nothing."""
    first_token_seconds: float = 0
    """Its latency law: until the first token."""
    token_seconds: float = 0
    """Its latency law: each further token."""
    load: list[int] = field(default_factory=list)
    """Requests of others, look by look at its metrics, the last again and again; empty: it has no metrics."""
    made_tokens: int | None = None
    """What its metrics say that it made before; None: they do not say."""
    load_path: str = "/metrics"
    """Where its load is told."""
    looks: int = 0
    """How often it was looked at."""
    host: str = "127.0.0.1"
    """The address that it answers on."""
    port: int = 0
    """The port; it has one once it runs."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Chat requests, in order."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """Their headers."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the engine ends: hanging requests wait for it."""

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://{self.host}:{self.port}/v1"

    def target(self, **changes: Any) -> Target:
        """Itself as a target."""
        return replace(Target(self.url, "m", first_byte_seconds=5, idle_seconds=5), **changes)

    def answer(self, question: str) -> str:
        """Right with the cell's chance, always the same for one question."""
        probe = self._probes.get(question)
        if probe is None:
            return "Once upon a time there was a " + "very " * 20 + "long story."
        return probe.right()[0] if self._is_right(probe) else WRONG

    def calls(self, question: str) -> tuple[Call, ...]:
        """The tools that it calls besides."""
        probe = self._probes.get(question)
        return probe.right()[1] if probe is not None and self._is_right(probe) else ()

    def _is_right(self, probe: Probe) -> bool:
        draw = int.from_bytes(hashlib.sha256(probe.question.encode()).digest()[:4], "big") / 2**32
        return draw < self.chances.get((probe.category, probe.level), 1)

    def known(self) -> tuple[Probe, ...]:
        """The probes that it knows."""
        return tuple(self._probes.values())

    def probe(self, question: str) -> Probe | None:
        """The probe that asks this; None: it is none."""
        return self._probes.get(question)

    def __post_init__(self) -> None:
        self._probes = {probe.question: probe for probe in workload.probes(Suite.QUICK, self.seed)}

    @contextlib.contextmanager
    def running(self) -> Iterator["ProfiledEngine"]:
        """Answer on a free port."""
        engine = self

        class Handler(_Handler):
            profiled = engine

        server = ThreadingHTTPServer((self.host, 0), Handler)
        server.daemon_threads = True
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, name="profiled engine", args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    profiled: ProfiledEngine

    def handle(self) -> None:
        """Serve a connection; a client may leave at any time."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self._is_native():
            return
        if self.path == self.profiled.load_path:
            self._metrics()
            return
        if self.profiled.fault is Fault.HTML:
            self._whole(200, "text/html", b"<html>secret page</html>")
            return
        models = self.profiled.models
        entries = [{"id": model} if isinstance(model, str) else model for model in models]
        self._whole(200, "application/json", json.dumps({"data": entries}).encode())

    def do_POST(self) -> None:
        engine = self.profiled
        sent = self.rfile.read(int(self.headers["content-length"]))
        if self._is_native(sent):
            return
        if not self.path.endswith("/chat/completions"):
            self._whole(404, "application/json", b"{}")
            return
        body = json.loads(sent)
        engine.bodies.append(body)
        engine.headers.append({name.lower(): value for name, value in self.headers.items()})
        content = body["messages"][-1]["content"]
        question = content if isinstance(content, str) else content[0]["text"]
        if not self._refused(body, question):
            self._stream(body, question)

    def _metrics(self) -> None:
        engine = self.profiled
        engine.looks += 1
        if not engine.load:
            self._whole(404, "text/plain", b"")
            return
        number = engine.load.pop(0) if len(engine.load) > 1 else engine.load[0]
        text = f"vllm:num_requests_running {number}\nvllm:num_requests_waiting 0\n"
        if engine.made_tokens is not None:
            text += f"vllm:generation_tokens_total {engine.made_tokens}\n"
        self._whole(200, "text/plain", text.encode())

    def _is_native(self, sent: bytes | None = None) -> bool:
        """Whether Ollama's own API was asked, which then has answered."""
        if self.profiled.ollama is None or not self.path.startswith("/api/"):
            return False
        status, body = self.profiled.ollama.answer(self.path, sent)
        self._whole(status, "application/json", body)
        return True

    def _refused(self, body: dict[str, Any], question: str) -> bool:
        fault = self.profiled.fault
        match fault:
            case Fault.HANGS:
                self.profiled.stopping.wait()
                self.close_connection = True
            case Fault.HTML:
                self._whole(200, "text/html; charset=utf-8", b"<html>secret page</html>")
            case Fault.REDIRECT:
                self._whole(302, "text/plain", b"", location="http://127.0.0.1:9/")
            case Fault.STATUS_500 | Fault.STATUS_401 | Fault.STATUS_404:
                self._whole(int(fault), "application/json", b'{"error": "secret detail"}')
            case Fault.PROBES_401 if self.profiled.probe(question):
                self._whole(401, "application/json", b'{"error": "secret detail"}')
            case Fault.FIRST_500 if len(self.profiled.bodies) == 1:
                self._whole(500, "application/json", b"{}")
            case Fault.REFUSES_STREAM_OPTIONS if "stream_options" in body:
                self._whole(400, "application/json", b"{}")
            case Fault.REFUSES_TOOLS if "tools" in body:
                self._whole(400, "application/json", b"{}")
            case Fault.BREAKS_ON_TOOLS if "tools" in body:
                self._whole(500, "application/json", b"{}")
            case Fault.SHORT_CONTEXT if len(question) > 1500:
                self._whole(400, "application/json", b"{}")
            case _:
                probe = self.profiled.probe(question)
                if probe is None or not self.profiled.refused(probe):
                    return False
                self._whole(400, "application/json", b"{}")
        return True

    def _stream(self, body: dict[str, Any], question: str) -> None:
        engine, fault = self.profiled, self.profiled.fault
        answer, calls = engine.answer(question), engine.calls(question)
        if fault is Fault.TOOLS_AS_TEXT and calls:
            said = [{"name": call.name, "arguments": json.loads(call.arguments)} for call in calls]
            answer, calls = json.dumps(said), ()
        tokens = [answer[at : at + 4] for at in range(0, len(answer), 4)][: body.get("max_tokens")]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        engine.stopping.wait(engine.first_token_seconds)
        while fault is Fault.BABBLES and not engine.stopping.is_set():
            self._event({"choices": [{"delta": {"content": "and so on "}}]})
        for at, token in enumerate(tokens):
            if at:
                engine.stopping.wait(engine.token_seconds)
            self._event({"choices": [{"delta": {"content": token}, "finish_reason": None}]})
            if fault in (Fault.HALF_STREAM, Fault.HANGS_MIDWAY, Fault.NOT_JSON, Fault.ERROR_EVENT):
                self._break(fault)
                return
        for index, call in enumerate(calls):
            for at in range(0, len(call.arguments) + 1, 4):
                piece: dict[str, Any] = {
                    "index": index,
                    "function": {"arguments": call.arguments[at : at + 4]},
                }
                if at == 0:
                    piece |= {"id": f"call{index}", "type": "function"}
                    piece["function"] |= {"name": call.name}
                tokens.append("call")
                self._event({"choices": [{"delta": {"tool_calls": [piece]}, "finish_reason": None}]})
        self._event({"choices": [{"delta": {}, "finish_reason": "tool_calls" if calls else "stop"}]})
        if "stream_options" in body and fault is not Fault.NO_USAGE:
            count = 0 if fault is Fault.WRONG_USAGE else len(tokens)
            usage = {"prompt_tokens": len(question) // 4 + 8, "completion_tokens": count}
            self._event({"choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _break(self, fault: Fault) -> None:
        if fault is Fault.HANGS_MIDWAY:
            self.profiled.stopping.wait()
        elif fault is Fault.NOT_JSON:
            self._chunk(b"data: secret {\n\n")
        elif fault is Fault.ERROR_EVENT:
            self._event({"error": {"message": "secret detail"}})
        self.close_connection = True

    def _event(self, value: dict[str, Any]) -> None:
        self._chunk(f"data: {json.dumps(value)}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _whole(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
