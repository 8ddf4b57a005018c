"""Which GPU exporters the operator asks when, over real HTTP, on a clock that only the test moves."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from fakes import engines
from fakes.gateways import endpoint
from fakes.gpu_exporter import Card, GpuExporter, gpu_exporter
from fakes.kubernetes_api import FakeApiServer, fake_cluster
from steelyard.api.backend import LLMBackend
from steelyard.api.resources import SERVICE_NAME_LABEL
from steelyard.kube import kinds
from steelyard.routing.table import Endpoint
from steelyard.telemetry.gpus import Gpu
from steelyard_operator import exporters, gpus
from steelyard_operator.exporters import Exporters
from steelyard_operator.probing import Prober

KEY = ("llm", "engine")
CARD = Card(namespace="llm", pod="engine-0")
DCGM = ("gpu-operator", "dcgm")


def backend(name: str = "engine", **gpu: Any) -> LLMBackend:
    spec = {"engine": "VLLM", "serviceRef": {"name": name, "port": 80}, "metrics": {"gpu": gpu}}
    metadata = {"name": name, "namespace": "llm"}
    return LLMBackend.model_validate_json(json.dumps({"metadata": metadata, "spec": spec}))


def place(number: int = 0, **fields: Any) -> Endpoint:
    told = {"pod": f"engine-{number}", "node": "one", "host": f"10.0.0.{number + 1}"} | fields
    return endpoint(8000, **told)


@dataclass
class Round:
    """An operator's exporters and their API server."""

    api: FakeApiServer
    looks: Exporters
    now: list[float] = field(default_factory=lambda: [1000.0])

    async def tick(self, after: float = exporters.READ_SECONDS) -> list[tuple[str, str]]:
        """Let so much time pass, then ask everybody who is due."""
        self.now[0] += after
        return await self.looks.ask(everybody=True)

    def readings(self, key: tuple[str, str] = KEY) -> dict[str, tuple[Gpu, ...] | None]:
        """What is known, by URL; nothing of the lost."""
        sights = self.looks.sights(key, {}) or ()
        every = [one for sight in sights for one in sight.readings]
        return {one.exporter.url: () if one.is_lost else one.gpus for one in every}

    def uuids(self) -> list[str] | None:
        """The GPUs of which the only exporter told; None: it was not read lately."""
        (told,) = self.readings().values()
        return None if told is None else [gpu.uuid for gpu in told]

    def slice(self, port: int, *pods: dict[str, Any], name: str = "dcgm-1", **fields: Any) -> None:
        """Pods of the exporter's Service."""
        metadata = {"name": name, "namespace": DCGM[0], "labels": {SERVICE_NAME_LABEL: DCGM[1]}}
        whole = {"metadata": metadata, "addressType": "IPv4", "ports": [{"port": port}]}
        self.api.put(kinds.ENDPOINT_SLICE.plural, whole | {"endpoints": list(pods)} | fields)


def pod(node: str = "one", address: str = "127.0.0.1", **fields: Any) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node} | fields


def asking(story: Callable[[Round], Awaitable[None]], *services: tuple[str, str], **settings: float) -> None:
    """Tell the story beside exporters that are found by these Services."""

    async def tell() -> None:
        async with fake_cluster() as (api, client), Prober() as prober:
            now = [1000.0]
            looks = Exporters(prober, client, services, clock=lambda: now[0], **settings)
            await story(Round(api, looks, now))

    asyncio.run(tell())


@pytest.fixture
def dcgm() -> Iterator[GpuExporter]:
    with gpu_exporter(CARD) as up:
        yield up


def test_the_exporter_on_the_pods_node_is_read(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        world.slice(dcgm.port, pod(), pod("two", "127.0.0.2"))
        world.looks.want(backend(), [place()])
        assert world.looks.sights(KEY, {}) is None and not world.looks.has_asked(KEY)
        assert await world.tick(0) == [KEY]
        assert world.readings().keys() == {dcgm.url} and world.uuids() == ["GPU-1"]
        assert world.looks.has_asked(KEY)

    asking(story, DCGM)


PORTS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "the one named metrics": ([{"name": "web", "port": 1}, {"name": "metrics", "port": 0}], True),
    "the only one": ([{"name": "gpu", "port": 0}], True),
    "none of several": ([{"name": "web", "port": 1}, {"name": "gpu", "port": 0}], False),
}


@pytest.mark.parametrize("case", PORTS)
def test_the_exporters_port_is(case: str, dcgm: GpuExporter) -> None:
    ports, is_found = PORTS[case]

    async def story(world: Round) -> None:
        world.slice(0, pod(), ports=[port | {"port": port["port"] or dcgm.port} for port in ports])
        world.looks.want(backend(), [place(pod="")])
        await world.tick()
        assert (dcgm.url in world.readings()) is is_found

    asking(story, DCGM)


def test_an_exporters_pod_that_is_not_ready_or_of_the_other_family_is_passed_by(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        world.slice(dcgm.port, pod(), pod(address="127.0.0.2", conditions={"ready": False}))
        world.slice(dcgm.port, pod(address="fd00::1"), name="dcgm-6", addressType="IPv6")
        world.looks.want(backend(), [place()])
        await world.tick()
        assert world.readings().keys() == {dcgm.url}

    asking(story, DCGM)


def test_an_exporter_is_read_once_a_minute_for_all_behind_it(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        world.slice(dcgm.port, pod())
        for name in ("engine", "other"):
            world.looks.want(backend(name), [place(), place(1)])
        assert await world.tick(0) == [KEY, ("llm", "other")]
        assert dcgm.asked == 1
        await world.looks.ask(everybody=False)
        assert dcgm.asked == 1, "a round of the new ones"
        await world.tick()
        assert dcgm.asked == 2

    asking(story, DCGM)


def look(world: Round, before: LLMBackend, *places: Endpoint) -> LLMBackend:
    """The backend with the status that follows, as the reconciling writes it."""
    world.looks.want(before, places)
    found = gpus.known(before, world.looks.sights(KEY, {}))
    update = {"gpus": found.gpus, "gpu_exporters": found.exporters}
    return before.model_copy(update={"status": before.status.model_copy(update=update)})


def test_figures_are_written_once_a_minute_also_where_an_endpoint_came_between(dcgm: GpuExporter) -> None:
    second, places = Card(uuid="GPU-9", namespace="llm", pod="engine-1"), [place(), place(1, node="two")]

    async def story(world: Round) -> None:
        with gpu_exporter(second) as other:
            world.slice(dcgm.port, pod())
            world.slice(other.port, pod("two"), name="dcgm-2")
            world.looks.want(backend(), places[:1])
            await world.tick(0)
            first = look(world, backend(), *places[:1])
            world.now[0] += 58
            world.looks.want(first, places)
            await world.looks.ask(everybody=False)
            written = look(world, first, *places)
            assert [gpu.uuid for gpu in written.status.gpus] == ["GPU-1", "GPU-9"]
            other.tell(second.but(util=97))
            await world.tick(2)
            assert look(world, written, *places) == written
            world.now[0] += exporters.SETTLED_SECONDS
            assert look(world, written, *places).status.gpus[1].utilization_percent == 97

    asking(story, DCGM)


def test_a_dead_exporter_changes_nothing_while_its_pod_is_there(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        world.slice(dcgm.port, pod())
        world.looks.want(backend(), [place()])
        await world.tick(0)
        told = look(world, backend(), place())
        dcgm.status = 500
        world.slice(dcgm.port, pod(conditions={"ready": False}))
        for number in range(40):
            if number == 20:  # as after a restart
                world.looks.forget(KEY)
            await world.tick(exporters.LOST_SECONDS)
            assert look(world, told, place()) == told
        world.slice(dcgm.port)
        await world.tick()
        await world.tick(exporters.LOST_SECONDS)
        gone = look(world, told, place()).status
        assert told.status.gpus and not gone.gpus and not gone.gpu_exporters

    asking(story, DCGM)


@pytest.mark.parametrize(("status", "text"), [(500, b"no"), (200, b"")])
def test_what_could_not_be_read_for_three_minutes_is_lost_until_it_is_back(
    dcgm: GpuExporter, status: int, text: bytes
) -> None:
    async def story(world: Round) -> None:
        world.looks.want(backend(url=dcgm.url), [place()])
        await world.tick(0)
        good, dcgm.status, dcgm.text = dcgm.text, status, text
        for _ in range(2):
            await world.tick()
            assert world.uuids() is None
        await world.tick()
        assert world.uuids() == []
        dcgm.status, dcgm.text = 200, good
        await world.tick()
        assert world.uuids() == ["GPU-1"]

    asking(story)


def test_an_exporter_that_was_never_there_is_lost_after_three_minutes_too() -> None:
    async def story(world: Round) -> None:
        with engines.refusing_port() as port:
            world.looks.want(backend(url=f"http://127.0.0.1:{port}"), [place()])
            await world.tick(0)
            assert world.uuids() is None and world.looks.has_asked(KEY)
            await world.tick(exporters.LOST_SECONDS)
            assert world.uuids() == []

    asking(story)


def agents_host() -> str:
    """An address of this test run's own, as an agent's port is always the same."""
    number = os.getpid()
    return f"127.{1 + (number >> 16) % 254}.{(number >> 8) % 256}.{1 + number % 254}"


def test_an_agent_in_the_pod_is_read_and_asked_again_seldom_where_there_is_none() -> None:
    async def story(world: Round) -> None:
        host = agents_host()
        agentless = exporters.AGENTLESS_SECONDS - 2 * exporters.READ_SECONDS
        world.looks.want(backend(), [place(host=host)])
        await world.tick(0)
        assert world.uuids() is None
        with gpu_exporter(Card(), agent=True, host=host, port=gpus.AGENT_PORT) as agent:
            await world.tick()
            await world.tick(agentless)
            assert agent.asked == 0, "too early"
            await world.tick()
            assert (agent.asked, world.uuids()) == (1, ["GPU-1"])
            await world.tick()
            assert agent.asked == 2, "one that is there is asked each minute"

    asking(story)


def test_an_agent_in_a_pod_that_is_new_is_asked_at_once() -> None:
    async def story(world: Round) -> None:
        host = agents_host()
        world.looks.want(backend(), [place()])
        world.looks.want(backend(source="None"), [place()])
        await world.tick(0)
        with gpu_exporter(Card(), agent=True, host=host, port=gpus.AGENT_PORT):
            world.looks.want(backend(), [place(host=host)])
            assert not world.looks.has_asked(KEY)
            assert await world.looks.ask(everybody=False) == [KEY]
            assert world.uuids() == ["GPU-1"]

    asking(story)


def test_beside_an_exporter_on_the_node_no_pod_is_asked(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        with gpu_exporter(Card(), agent=True, host=agents_host(), port=gpus.AGENT_PORT) as agent:
            world.slice(dcgm.port, pod())
            world.looks.want(backend(), [place(host=agents_host())])
            await world.tick()
            assert (dcgm.asked, agent.asked) == (1, 0)

    asking(story, DCGM)


def bad(exporter: GpuExporter, case: str) -> None:
    """Have it answer badly."""
    match case:
        case "garbage":
            exporter.text = b"\x00\xff{{{" * 1000
        case "huge":
            exporter.text = b"# nothing\n" * 1_000_000
        case "redirect":
            exporter.status, exporter.headers = 302, {"Location": "http://127.0.0.1:9/"}
        case "no number of bytes":
            exporter.headers = {"Content-Length": "many"}


@pytest.mark.parametrize("case", ["garbage", "huge", "redirect", "no number of bytes"])
def test_a_bad_answer_harms_no_other(case: str, dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        with gpu_exporter() as other:
            bad(other, case)
            world.looks.want(backend(url=dcgm.url), [place()])
            world.looks.want(backend("other", url=other.url), [place(1)])
            await world.tick()
            assert world.uuids() == ["GPU-1"] and other.asked == 1
            assert not world.readings(("llm", "other"))[other.url]

    asking(story)


def test_an_exporter_that_hangs_is_left(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        with engines.engine(lambda ask: None) as hanging:
            url = f"http://127.0.0.1:{hanging.port}/metrics"
            world.looks.want(backend(url=dcgm.url), [place()])
            world.looks.want(backend("other", url=url), [place(1)])
            await world.tick()
            assert world.uuids() == ["GPU-1"]
            assert world.readings(("llm", "other")) == {url: None}

    asking(story, answer_seconds=0.2)


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal", "[fe80::1]"])
def test_a_metadata_address_is_never_asked(host: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(world: Round) -> None:
        world.looks.want(backend(url=f"http://{host}/metrics"), [place()])
        await world.tick()
        assert world.uuids() is None

    asking(story)
    assert ["a link-local or metadata address" in vars(one)["detail"] for one in caplog.records] == [True]


def test_pods_that_cannot_be_listed_are_as_they_were(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        world.slice(dcgm.port, pod())
        world.looks.want(backend(), [place()])
        refusal = world.api.refuse(500, times=100)
        assert await world.tick() == [] and world.looks.sights(KEY, {}) is None
        refusal.times = 0
        await world.tick()
        world.api.refuse(500, times=1)
        await world.tick()
        assert (dcgm.asked, world.uuids()) == (2, ["GPU-1"])

    asking(story, DCGM)


def test_where_pods_must_not_be_listed_the_others_go_on(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        world.api.refuse(403, times=100)
        world.looks.want(backend(url=dcgm.url), [place()])
        await world.tick()
        assert world.uuids() == ["GPU-1"]

    asking(story, DCGM)


def test_a_backend_that_is_gone_is_forgotten(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        world.looks.want(backend(url=dcgm.url), [place()])
        await world.tick()
        world.looks.forget(KEY)
        await world.tick()
        assert (dcgm.asked, world.looks.sights(KEY, {})) == (1, None)

    asking(story)


def test_an_engine_is_alone_on_its_node_or_not() -> None:
    async def story(world: Round) -> None:
        world.looks.want(backend(), [place()])
        await world.tick()
        ours, others = ("llm", "engine-0"), ("llm", "other-0")
        for there, wanted in (({ours}, True), ({ours, others}, False), (set(), False)):
            (sight,) = world.looks.sights(KEY, {"one": there}) or ()
            assert sight.is_alone is wanted

    asking(story)


def test_rounds_go_on_and_tell_whom_they_concern(dcgm: GpuExporter) -> None:
    async def story(world: Round) -> None:
        told: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        running = asyncio.create_task(world.looks.run(told.put_nowait), name="read GPUs")
        world.looks.want(backend(url=dcgm.url), [place()])
        async with asyncio.timeout(engines.SECONDS):
            assert await told.get() == KEY
        assert (dcgm.asked, world.uuids()) == (1, ["GPU-1"])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asking(story)
