"""GpuExporter: tells of GPUs as dcgm-exporter or `steelyard agent` does, over real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

SECONDS = 10.0
"""No test waits longer."""


@dataclass(frozen=True)
class Card:
    """A GPU and who has it."""

    uuid: str = "GPU-1"
    name: str = "NVIDIA L4"
    used: int = 17408
    total: int = 23034
    util: int = 40
    temperature: int = 60
    power: float = 60.4
    joules: float = 1000.0
    namespace: str = ""
    pod: str = ""
    """Empty: the exporter names none."""

    def but(self, **changes: Any) -> "Card":
        """The same GPU a moment later."""
        return replace(self, **changes)

    def lines(self) -> Iterator[str]:
        """What an exporter says of it."""
        labels = f'gpu="0",UUID="{self.uuid}",modelName="{self.name}",Hostname="node"'
        if self.pod:
            labels += f',namespace="{self.namespace}",pod="{self.pod}",container="engine"'
        for name, value in (
            ("GPU_UTIL", self.util),
            ("FB_USED", self.used),
            ("FB_FREE", self.total - self.used),
            ("GPU_TEMP", self.temperature),
            ("POWER_USAGE", self.power),
            ("TOTAL_ENERGY_CONSUMPTION", round(self.joules * 1000)),
        ):
            yield f"# TYPE DCGM_FI_DEV_{name} gauge"
            yield f"DCGM_FI_DEV_{name}{{{labels}}} {value}"


def exposition(*cards: Card, agent: bool = False) -> bytes:
    """What an exporter with these says."""
    lines = [line for card in cards for line in card.lines()]
    return "\n".join([*lines, *(['steelyard_agent_info{version="1"} 1'] if agent else []), ""]).encode()


@dataclass
class GpuExporter:
    """What it says, and how often it was asked."""

    text: bytes
    """The body of its answers."""
    status: int = 200
    """Their status."""
    headers: dict[str, str] = field(default_factory=dict)
    """What else they say."""
    asked: int = 0
    """How often it was asked."""
    port: int = 0
    """The port; it has one once it runs."""
    host: str = "127.0.0.1"
    """The address."""
    changed: Condition = field(default_factory=Condition)

    @property
    def url(self) -> str:
        """Where it tells."""
        return f"http://{self.host}:{self.port}/metrics"

    def tell(self, *cards: Card, agent: bool = False) -> None:
        """From now on it tells of these."""
        self.text = exposition(*cards, agent=agent)

    def answer(self) -> bytes:
        """The body of the next answer."""
        with self.changed:
            self.asked += 1
            self.changed.notify_all()
        return self.text

    def wait_for_asks(self, number: int) -> None:
        """Return once it was asked so often."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked >= number, SECONDS)


@contextmanager
def gpu_exporter(
    *cards: Card, agent: bool = False, host: str = "127.0.0.1", port: int = 0, of: GpuExporter | None = None
) -> Iterator[GpuExporter]:
    """An exporter of these GPUs that is up inside the block."""
    exporter = of or GpuExporter(exposition(*cards, agent=agent), host=host)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = exporter.answer() if self.path == "/metrics" else b""
            self.send_response(exporter.status if self.path == "/metrics" else 404)
            for name, value in {"Content-Length": str(len(body)), **exporter.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer((host, port), Handler) as server:
        server.daemon_threads = True
        exporter.port = server.server_port
        thread = Thread(target=server.serve_forever, args=(0.02,), name="GPU exporter")
        thread.start()
        try:
            yield exporter
        finally:
            server.shutdown()
            thread.join()
