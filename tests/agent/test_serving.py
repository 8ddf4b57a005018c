"""The agent's HTTP port, its command line, and what it loads."""

import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import programs
from agent.programs import Program
from fakes.nvml.driver import FakeDriver
from steelyard_agent import agent as agents
from steelyard_agent import settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lone(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """An agent without a driver. Shared: leave it running."""
    folder = tmp_path_factory.mktemp("lone")
    with programs.running(FakeDriver(library, folder), folder) as up:
        yield up


@pytest.mark.parametrize(
    ("request_head", "status", "has_body"),
    [
        (b"GET /healthz?verbose HTTP/1.1\r\n\r\n", 200, True),
        (b"HEAD /metrics HTTP/1.0\r\nHost: a\r\n\r\n", 200, False),
        (b"GET / HTTP/1.1\r\n\r\n", 404, True),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405, True),
        (b"GET /metrics\r\n\r\n", 400, True),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, True),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 50_000 + b"\r\n\r\n", 400, True),
    ],
    ids=["health", "head", "another page", "another method", "HTTP/0.9", "TLS", "a head that is too long"],
)
def test_each_request_has_its_answer(lone: Program, request_head: bytes, status: int, has_body: bool) -> None:
    with socket.create_connection(lone.address, timeout=programs.SECONDS) as client:
        client.sendall(request_head)
        with client.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert bool(body) is has_body


def test_a_client_that_leaves_in_mid_request_harms_nobody(lone: Program) -> None:
    for beginning in (b"", b"GET /metr"):
        with socket.create_connection(lone.address) as client:
            client.sendall(beginning)

    assert lone.metrics().labels("steelyard_agent_info")


def test_a_port_that_is_taken_is_told_in_a_sentence(lone: Program) -> None:
    port = lone.address[1]
    words = [sys.executable, "-m", "steelyard_cli", "agent", "--host=127.0.0.1", f"--port={port}"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=programs.SECONDS)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(
        rf"Cannot listen on 127\.0\.0\.1:{port} \(.+\): choose others with --host and --port\.\n",
        ended.stderr,
    )


def test_the_settings_have_these_defaults() -> None:
    assert settings.parse([], {"NODE_NAME": "node-7"}) == settings.Settings(
        host="0.0.0.0",  # noqa: S104
        port=9400,
        interval_seconds=2,
        kubelet_socket="/var/lib/kubelet/pod-resources/kubelet.sock",
        hostname="node-7",
    )
    assert settings.parse([], {}).hostname == socket.gethostname()


def test_a_setting_may_come_from_the_environment() -> None:
    variables = {"STEELYARD_HOSTNAME": "a", "STEELYARD_KUBELET_SOCKET": "", "STEELYARD_INTERVAL_SECONDS": "5"}
    chosen = settings.parse(["--port", "0"], variables | {"NODE_NAME": "b"})

    assert (chosen.hostname, chosen.kubelet_socket, chosen.interval_seconds, chosen.port) == ("a", "", 5, 0)


def test_the_version_is_that_of_the_project() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == agents.VERSION


def test_the_agent_loads_nothing_heavy() -> None:
    listing = "import sys, steelyard_agent.command; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", listing], check=True, capture_output=True, text=True)

    assert {"pynvml", "h2"} <= set(loaded.stdout.split())
    heavy = {"kopf", "fastapi", "httpx", "pydantic", "prometheus_client", "grpc", "uvicorn", "aiohttp"}
    assert not heavy & set(loaded.stdout.split())
