"""What the operator hears of gateways, over real HTTP: who is asked, who is believed, what is drift."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from fakes import engines
from fakes.engines import Ask, Engine
from fakes.kubernetes_api import FakeApiServer, fake_cluster
from fakes.profiled import MODEL, NOW, Story, measured
from steelyard.api.profile import ModelProfile
from steelyard.kube import kinds
from steelyard_operator import gateways
from steelyard_operator.drift import LEAST_REQUESTS, Compared, Drift, Phase, Verdict
from steelyard_operator.gateways import Gateways
from steelyard_operator.probing import Prober

OWN, NAMESPACE = "steelyard", "llm"
KEY = (NAMESPACE, "one")
INFO = b'steelyard_gateway_info{serves="x",own="true"} 1\n'


@dataclass
class FakeGateway:
    """What one gateway counts; tests add to it."""

    serves: str = NAMESPACE
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    status: str = "200 OK"
    port: int = 0

    def answers(self, ask: Ask) -> None:
        """Its metrics."""
        assert ask.line.split()[1] == b"/metrics"
        labels = f'model="{MODEL}",backend="engine",phase="first_byte"'
        lines = [f'steelyard_gateway_info{{serves="{self.serves}",own="true"}} 1.0']
        for name, value in zip(("requests", "actual_seconds", "expected_seconds"), self.sums, strict=True):
            lines.append(f"steelyard_compared_{name}_total{{{labels}}} {value}")
        ask.send(engines.answer("\n".join([*lines, ""]).encode(), self.status))

    def serve(self, ratio: float = 1.0, requests: int = LEAST_REQUESTS) -> None:
        """Streams that took so many times the expected second."""
        self.sums = [
            one + more for one, more in zip(self.sums, (requests, requests * ratio, requests), strict=True)
        ]

    def restart(self) -> None:
        """Its counters begin anew."""
        self.sums = [0.0, 0.0, 0.0]


@contextmanager
def up(*fakes: FakeGateway) -> Iterator[list[Engine]]:
    """Have these answer."""
    running: list[Engine] = []
    try:
        for fake in fakes:
            running.append(engines.Engine(fake.answers))
            fake.port = running[-1].port
        yield running
    finally:
        for engine in running:
            engine.stop()


@dataclass
class Round:
    """An operator's view of the gateways, and a clock that only the test moves."""

    api: FakeApiServer
    looks: Gateways
    profiles: list[ModelProfile]
    now: list[float]

    def put(
        self, fake: FakeGateway, name: str = "gateway-0", namespace: str = NAMESPACE, **more: Any
    ) -> None:
        """The gateway's pod."""
        labels = {"steelyard.dev/kind": "gateway"} | more.pop("labels", {})
        ports = more.pop(
            "ports", [{"name": "http", "containerPort": 1}, {"name": "admin", "containerPort": fake.port}]
        )
        ready = {"type": "Ready", "status": more.pop("ready", "True")}
        self.api.put(
            kinds.POD.plural,
            {
                "metadata": {"name": name, "namespace": namespace, "labels": labels, "uid": f"uid-{name}"}
                | more,
                "spec": {"containers": [{"name": "gateway", "ports": ports}]},
                "status": {"podIP": "127.0.0.1", "conditions": [ready]},
            },
        )

    async def look(self, *fakes: FakeGateway, ratio: float = 1.0, minutes: int = 1) -> Verdict:
        """Traffic at these gateways and a look, minute by minute; what is known then."""
        for _ in range(minutes):
            for fake in fakes:
                fake.serve(ratio)
            self.now[0] += gateways.LOOK_SECONDS
            await self.looks.look()
        return self.drift.verdict

    @property
    def drift(self) -> Drift:
        """What is known of the profile."""
        return self.looks.drift(self.profiles[0])


Tale = Callable[[Round], Awaitable[None]]


def tell(tale: Tale, profile: ModelProfile | None = None, served: tuple[str, ...] = (NAMESPACE,)) -> None:
    """Tell a tale of a profile that was measured."""

    async def told() -> None:
        profiles, now = [profile or measured().profile], [1000.0]
        async with fake_cluster() as (api, client), Prober() as prober:
            looks = Gateways(prober, client, lambda: profiles, OWN, served, clock=lambda: now[0])
            await tale(Round(api, looks, profiles, now))

    asyncio.run(told())


def test_a_model_that_gateways_see_slow_for_ten_minutes_has_drifted_and_is_told_once() -> None:
    async def tale(world: Round) -> None:
        world.put(fake)
        assert await world.look() is Verdict.UNDECIDED
        assert await world.look(fake, ratio=3.0, minutes=9) is Verdict.UNDECIDED
        fake.serve(3.0)
        world.now[0] += gateways.LOOK_SECONDS
        assert await world.looks.look() == [KEY]
        assert world.drift.verdict is Verdict.DRIFTED
        assert world.drift.words == "The first byte comes 3.0 times as late as measured."
        assert await world.looks.look() == []

    fake = FakeGateway()
    with up(fake):
        tell(tale)


def test_what_all_gateways_saw_is_added_up() -> None:
    async def tale(world: Round) -> None:
        world.put(one)
        world.put(other, "gateway-1", OWN)
        await world.look()
        for _ in range(12):
            one.serve(1.0, requests=3 * LEAST_REQUESTS)
            await world.look(other, ratio=3.0)
        assert world.drift.verdict is not Verdict.DRIFTED, "the mean of both is 1.5"
        assert await world.look(one, other, ratio=3.0, minutes=11) is Verdict.DRIFTED

    one, other = FakeGateway(), FakeGateway()
    with up(one, other):
        tell(tale)


def test_what_a_gateway_counted_before_it_was_first_read_does_not_count() -> None:
    async def tale(world: Round) -> None:
        world.put(fake)
        for _ in range(100):
            fake.serve(9.0)
        assert await world.look(minutes=15) is Verdict.UNDECIDED

    fake = FakeGateway()
    with up(fake):
        tell(tale)


def test_a_gateway_that_restarts_is_read_on_from_there() -> None:
    async def tale(world: Round) -> None:
        world.put(fake)
        await world.look(fake, ratio=3.0, minutes=3)
        for _ in range(12):
            fake.restart()
            assert await world.look(fake, ratio=3.0, minutes=2) is not Verdict.STEADY
        assert world.drift.verdict is Verdict.DRIFTED

    fake = FakeGateway()
    with up(fake):
        tell(tale)


UNHEARD: dict[str, dict[str, Any]] = {
    "not ready": {"ready": "False"},
    "going": {"deletionTimestamp": "2026-11-21T10:00:00Z"},
    "not labelled": {"labels": {"steelyard.dev/kind": "operator"}},
    "without a port for that": {"ports": [{"name": "http", "containerPort": 1}]},
    "of a namespace that is not the operator's": {"namespace": "strangers"},
}


@pytest.mark.parametrize("case", UNHEARD)
def test_who_is_not_a_gateway_of_the_namespace_is_not_heard(case: str) -> None:
    async def tale(world: Round) -> None:
        world.put(fake, **UNHEARD[case])
        assert await world.look(fake, ratio=9.0, minutes=15) is Verdict.UNREACHABLE

    fake = FakeGateway()
    with up(fake):
        tell(tale, served=())


def test_a_gateway_beside_the_operator_is_believed_of_the_namespace_that_it_serves() -> None:
    async def tale(world: Round) -> None:
        world.put(fake, namespace=OWN)
        assert await world.look(fake, ratio=9.0, minutes=15) is Verdict.DRIFTED

    fake = FakeGateway()
    with up(fake):
        tell(tale)


def test_a_gateway_of_another_namespace_says_nothing_of_a_model_of_the_same_name() -> None:
    async def tale(world: Round) -> None:
        world.put(fake, namespace=OWN)
        assert await world.look(fake, ratio=9.0, minutes=15) is Verdict.UNREACHABLE

    fake = FakeGateway(serves="another")
    with up(fake):
        tell(tale)


def test_when_no_gateway_answers_any_more_nothing_is_known() -> None:
    async def tale(world: Round) -> None:
        world.put(fake)
        assert await world.look(fake, ratio=9.0, minutes=15) is Verdict.DRIFTED
        fake.status = "503 Service Unavailable"
        assert await world.look(minutes=gateways.LOST_LOOKS - 1) is Verdict.DRIFTED
        assert await world.look() is Verdict.UNREACHABLE
        fake.status = "200 OK"
        assert await world.look() is Verdict.DRIFTED

    fake = FakeGateway()
    with up(fake):
        tell(tale)


def test_an_api_server_that_does_not_say_where_they_are_is_the_same() -> None:
    async def tale(world: Round) -> None:
        world.put(fake)
        assert await world.look(fake, ratio=9.0, minutes=15) is Verdict.DRIFTED
        world.api.refuse(403, times=100, part="/pods")
        assert await world.look(minutes=gateways.LOST_LOOKS) is Verdict.UNREACHABLE

    fake = FakeGateway()
    with up(fake):
        tell(tale)


def test_before_the_first_look_nothing_is_decided() -> None:
    async def tale(world: Round) -> None:
        assert world.drift == Drift()

    tell(tale)


def test_a_new_measurement_is_judged_anew_and_not_by_what_was_before() -> None:
    async def tale(world: Round) -> None:
        world.put(fake)
        assert await world.look(fake, ratio=9.0, minutes=15) is Verdict.DRIFTED
        status = world.profiles[0].status
        assert status.fingerprint is not None
        mark = status.fingerprint.model_copy(update={"time": NOW + timedelta(hours=1)})
        after = status.model_copy(update={"fingerprint": mark})
        world.profiles[0] = world.profiles[0].model_copy(update={"status": after})
        assert world.drift.verdict is Verdict.UNDECIDED
        assert await world.look(fake, ratio=9.0, minutes=10) is Verdict.UNDECIDED
        assert await world.look(fake, ratio=9.0) is Verdict.DRIFTED

    fake = FakeGateway()
    with up(fake):
        tell(tale)


def test_while_a_run_is_under_way_nothing_is_judged() -> None:
    async def tale(world: Round) -> None:
        world.put(fake)
        assert await world.look(fake, ratio=9.0, minutes=30) is Verdict.UNDECIDED

    story: Story = measured()
    story.annotate("now")
    story.settle()
    assert story.is_measuring
    fake = FakeGateway()
    with up(fake):
        tell(tale, story.profile)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not metrics at all",
        b'steelyard_compared_requests_total{model="m",backend="b",phase="first_byte"} 1\n',
        INFO + b'steelyard_compared_requests_total{phase="odd"} 1\n',
        INFO + b'steelyard_compared_requests_total{phase="decoding"} NaN\n',
    ],
)
def test_what_no_gateway_would_say_says_nothing(answer: bytes) -> None:
    assert gateways.read(answer) is None


def test_what_a_gateway_says_is_read() -> None:
    name = "steelyard_compared"
    text = (
        'steelyard_gateway_info{serves="x",own="true"} 1\nsteelyard_gateway_info{serves="y",own="false"} 1\n'
    )
    for backend in ("b", "y/b"):
        labels = f'model="m",backend="{backend}",phase="decoding"'
        text += f"{name}_requests_total{{{labels}}} 2\n{name}_actual_seconds_total{{{labels}}} 3\n"
        text += f"{name}_expected_seconds_total{{{labels}}} 4\n"
    told = gateways.read(text.encode())
    assert told is not None and told.serves == {"x", "y"}
    for namespace in told.serves:
        assert told.sums[namespace, "m", "b"][Phase.DECODING] == Compared(2, 3, 4)
