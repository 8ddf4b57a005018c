"""A real Traefik serves the chart's Ingress in front of a real gateway, set up as docs/ingress.md says."""

import json
import os
import re
import shlex
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import httpx
import pytest

import traefik_binary
from fakes.charts import Render, only
from fakes.engines import Ask, answer, chunk, engine, stream_head
from fakes.program import Gateway
from kube import programs, traefik, waiting
from kube.control_plane import ControlPlane
from kube.programs import Programs
from kube.spaces import Space
from steelyard.api.resources import SERVICE_NAME_LABEL
from steelyard.kube import kinds
from traefik_binary import TraefikError

PAGE = (Path(__file__).parents[2] / "docs" / "ingress.md").read_text()
HOST = "llm.example.com"
SECONDS = 30.0
"""Nothing here takes longer, unless it hangs."""

PIECES = 5
"""Of a stream."""

LARGE = 8 * 1024 * 1024
"""Bytes of a body that many proxies refuse."""

SHORT = "1s"
"""Traefik's time for reading a request, so that a test sees it run out."""


def flags_of_the_page() -> list[str]:
    """Traefik's command line, as the page has it."""
    (block,) = re.findall(r"```yaml\n# Traefik's own chart\nadditionalArguments:\n(.*?)```", PAGE, re.DOTALL)
    return re.findall(r'- "(--\S+)"', block)


def words_of_the_page() -> list[str]:
    """What the page has the chart told for Traefik."""
    (line,) = re.findall(r"^helm .*?className=traefik\b.*?[^\\]$", PAGE, re.MULTILINE | re.DOTALL)
    words = shlex.split(line.replace("\\\n", ""))
    return [word for at, word in enumerate(words) if "--set" in (word, words[at - 1])]


@dataclass
class Steps:
    """An engine's answers, each piece of which waits until the test lets it go."""

    allowed: list[Event] = field(default_factory=lambda: [Event() for _ in range(PIECES)])
    came: Event = field(default_factory=Event)

    def allow_all(self) -> None:
        """Hold nothing back any more."""
        for event in self.allowed:
            event.set()

    def hold_all(self) -> None:
        """Hold back everything again."""
        self.came.clear()
        for event in self.allowed:
            event.clear()

    def __call__(self, ask: Ask) -> None:
        """Answer one chat."""
        self.came.set()
        if json.loads(ask.body).get("stream"):
            ask.send(stream_head())
            for number, event in enumerate(self.allowed):
                event.wait(SECONDS)
                ask.send(chunk(f"data: {json.dumps(piece(number))}\n\n".encode()))
            ask.send(chunk(b"data: [DONE]\n\n") + chunk(b""))
        else:
            self.allowed[0].wait(SECONDS)
            ask.send(answer(json.dumps({"choices": [], "size": len(ask.body)}).encode()))


def piece(number: int) -> dict[str, object]:
    """One event of a stream."""
    delta = {"content": str(number)}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


@dataclass
class Front:
    """A way in through Traefik."""

    address: str
    steps: Steps
    client: httpx.Client

    @contextmanager
    def streamed(self) -> Iterator[Iterator[str]]:
        """The lines of a stream whose first piece is sent at once: no head comes before that."""
        self.steps.allowed[0].set()
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        with self.client.stream("POST", "/v1/chat/completions", json=body) as answered:
            yield (line for line in answered.iter_lines() if line)

    def wait_until_time_is_up(self) -> None:
        """Wait for as long as Traefik waits for a request that is never finished."""
        host, _, port = self.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=SECONDS) as slow:
            slow.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\n".encode())
            while slow.recv(65_536):
                continue


@pytest.fixture(scope="module")
def program() -> Path:
    """Traefik; without it the test is skipped, and fetched where CI is set."""
    try:
        return traefik_binary.install() if "CI" in os.environ else traefik_binary.find()
    except TraefikError as error:
        pytest.skip(f"needs Traefik. {error}")


@pytest.fixture(scope="module")
def entrance(
    program: Path,
    control_plane: ControlPlane,
    render: Render,
    own_address: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Front]:
    """The chart's Ingress and Service, one gateway behind them, and Traefik before them."""
    control_plane.start_api_server()
    folder, space = tmp_path_factory.mktemp("ingress"), Space(control_plane, control_plane.create_namespace())
    programs.grant(control_plane, space.namespace)
    read_timeout = re.compile(r"(respondingTimeouts\.readTimeout=)\S+")
    flags = [read_timeout.sub(rf"\g<1>{SHORT}", flag) for flag in flags_of_the_page()]
    steps = Steps()
    run = Programs(control_plane, space.namespace, folder)
    with engine(steps) as up, run.gateway(f"--host={own_address}") as gateway:
        space.backend("b", f"http://127.0.0.1:{up.port}", models=[{"name": "m"}], usage="AsAsked")
        install(space, render, gateway, own_address)
        with (
            traefik.running(program, control_plane, space.namespace, folder, flags) as address,
            httpx.Client(
                base_url=f"http://{address}", headers={"host": HOST}, timeout=SECONDS, trust_env=False
            ) as client,
        ):
            waiting.until(lambda: "data" in client.get("/v1/models").text, "an answer through Traefik")
            yield Front(address, steps, client)
    control_plane.delete_namespace(space.namespace)


@pytest.fixture
def front(entrance: Front) -> Front:
    """The way in, with an engine that holds everything back."""
    entrance.steps.hold_all()
    return entrance


def install(space: Space, render: Render, gateway: Gateway, own_address: str) -> None:
    """Make what the chart makes for Traefik, and the endpoint that Kubernetes would."""
    objects = render(*words_of_the_page(), release="steelyard", namespace=space.namespace)
    shown = [only(objects, kind, "steelyard-gateway") for kind in ("Service", "Ingress")]
    class_name = shown[1]["spec"]["ingressClassName"]
    ingress_class = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": class_name},
        "spec": {"controller": traefik.CONTROLLER},
    }
    space.kubectl("apply", "-f", "-", stdin=json.dumps(ingress_class))
    for one in shown:
        space.kubectl("apply", "-f", "-", stdin=json.dumps(one))
    space.apply(
        kinds.ENDPOINT_SLICE,
        "by-hand",
        metadata={"labels": {SERVICE_NAME_LABEL: "steelyard-gateway"}},
        addressType="IPv4",
        ports=[{"name": "http", "port": int(gateway.url.rpartition(":")[2]), "protocol": "TCP"}],
        endpoints=[{"addresses": [own_address], "conditions": {"ready": True}}],
    )


def test_each_piece_of_a_stream_passes_before_the_next_one_is_made(front: Front) -> None:
    with front.streamed() as came:
        for number, event in enumerate(front.steps.allowed):
            event.set()
            assert next(came) == f"data: {json.dumps(piece(number))}"
        assert list(came) == ["data: [DONE]"]


def test_a_stream_outlasts_the_time_that_traefik_gives_a_request(front: Front) -> None:
    with front.streamed() as came:
        assert next(came) == f"data: {json.dumps(piece(0))}"
        front.wait_until_time_is_up()
        front.steps.allow_all()
        assert len(list(came)) == PIECES


def test_a_whole_answer_outlasts_it_too_and_a_large_body_passes(front: Front) -> None:
    large = {"model": "m", "messages": [{"role": "user", "content": "x" * LARGE}]}
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(front.client.post, "/v1/chat/completions", json=large)
        front.steps.came.wait(SECONDS)
        front.wait_until_time_is_up()
        front.steps.allow_all()

        assert answered.result(SECONDS).json()["size"] > LARGE
