"""Whom the operator asks when, over real engines, on a clock that only the test moves."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from fakes import engines as fakes
from fakes.engines import Ask
from fakes.gateways import endpoint
from fakes.profiled import backend
from steelyard.api.backend import LLMBackend
from steelyard.routing.table import Endpoint
from steelyard_operator import looking
from steelyard_operator.backends import EndpointView
from steelyard_operator.looking import Looks
from steelyard_operator.metrics import Metrics
from steelyard_operator.probing import Prober

INTERVAL = 10
KEY = ("llm", "engine")


@dataclass
class Switched:
    """An engine that can be broken and mended, and told to serve another model."""

    models: str = "tiny"
    is_well: bool = True
    asks: list[str] = field(default_factory=list)

    def script(self, ask: Ask) -> None:
        """Answer as vLLM does."""
        path = ask.line.split()[1].decode()
        self.asks.append(path)
        if not self.is_well:
            ask.send(fakes.answer(b"", "503 Service Unavailable"))
            return
        listed = b'{"data": [{"id": "%b"}]}' % self.models.encode()
        bodies = {"/v1/models": listed, "/version": b'{"version": "1.0"}'}
        ask.send(fakes.answer(bodies.get(path, b"")))

    def healths(self) -> int:
        """How often it was asked how it is."""
        return self.asks.count("/health")

    def descriptions(self) -> int:
        """How often it was asked what it serves."""
        return self.asks.count("/v1/models")


@dataclass
class Site:
    """Some endpoints of one backend, and who looks at them."""

    looks: Looks
    engines: Sequence[Switched]
    places: Sequence[Endpoint]
    backend: LLMBackend
    now: list[float]

    async def look(self, after: float = 0.0) -> float:
        """Let so much time pass, then look; when the next look is wanted."""
        self.now[0] += after
        return await self.looks.look(self.backend, self.places)

    def views(self) -> list[EndpointView]:
        """What is known, in the order of the engines."""
        return list(self.looks.views(KEY))

    def answers(self) -> list[bool | None]:
        """Which endpoints count as reachable."""
        return [view.answers for view in self.views()]

    def healths(self) -> list[int]:
        """How often each was asked how it is."""
        return [engine.healths() for engine in self.engines]


@contextmanager
def up(number: int) -> Iterator[tuple[list[Switched], list[Endpoint]]]:
    """So many engines."""
    if number == 0:
        yield [], []
        return
    switched = Switched()
    with fakes.engine(switched.script) as one, up(number - 1) as (engines, places):
        yield [switched, *engines], [endpoint(one.port, "engine"), *places]


def looking_at(number: int, story: Callable[[Site], Awaitable[None]], unhealthy_after: int = 3) -> None:
    """Tell the story with so many engines."""

    async def tell() -> None:
        with up(number) as (engines, places):
            now = [1000.0]
            async with Prober() as prober:
                looks = Looks(prober, Metrics(), clock=lambda: now[0])
                of = backend(probe={"intervalSeconds": INTERVAL, "unhealthyAfter": unhealthy_after})
                await story(Site(looks, engines, places, of, now))

    asyncio.run(tell())


def test_endpoints_that_were_never_asked_are_asked_at_once() -> None:
    async def story(site: Site) -> None:
        assert site.views() == []
        assert await site.look() == INTERVAL
        assert site.answers() == [True, True, True]
        for view in site.views():
            assert view.description is not None
            assert [model.name for model in view.description.models] == ["tiny"]
            assert view.description.engine_version == "1.0"

    looking_at(3, story)


def test_one_endpoint_is_asked_in_each_interval_each_in_its_turn() -> None:
    async def story(site: Site) -> None:
        await site.look()
        assert site.healths() == [1, 1, 1]
        for _ in range(3):
            await site.look(INTERVAL)
        assert site.healths() == [2, 2, 2]

    looking_at(3, story)


def test_a_look_before_the_interval_is_over_asks_nobody() -> None:
    async def story(site: Site) -> None:
        await site.look()
        assert await site.look(4) == INTERVAL - 4
        assert site.healths() == [1]

    looking_at(1, story)


def test_a_shorter_interval_counts_at_once() -> None:
    async def story(site: Site) -> None:
        shorter = site.backend
        site.backend = backend(probe={"intervalSeconds": 3600})
        await site.look()
        site.backend = shorter
        assert await site.look(4) == INTERVAL - 4
        await site.look(INTERVAL - 4)
        assert site.healths() == [2]

    looking_at(1, story)


def test_an_endpoint_fails_after_so_many_failures_in_a_row() -> None:
    async def story(site: Site) -> None:
        (engine,) = site.engines
        await site.look()
        for is_well, failures in ((False, 1), (False, 2), (True, 0), (False, 1), (False, 2)):
            engine.is_well = is_well
            await site.look(INTERVAL)
            assert (site.answers(), site.views()[0].failures) == ([True], failures)
        await site.look(INTERVAL)
        assert site.answers() == [False]
        failure = site.views()[0].failure
        assert failure is not None and failure.reason == "NotReady"

        engine.is_well = True
        await site.look(INTERVAL)
        assert (site.answers(), site.views()[0].failure) == ([True], None)

    looking_at(1, story, unhealthy_after=3)


def test_failures_are_counted_for_each_endpoint() -> None:
    async def story(site: Site) -> None:
        await site.look()
        site.engines[0].is_well = False
        for _ in range(2):
            await site.look(INTERVAL)
        assert site.answers() == [True, True]
        await site.look(INTERVAL)
        assert site.answers() == [False, True]

    looking_at(2, story, unhealthy_after=2)


def test_an_endpoint_that_never_answered_counts_as_failed_at_once() -> None:
    async def story(site: Site) -> None:
        site.engines[0].is_well = False
        await site.look()
        assert site.answers() == [False]

    looking_at(1, story)


def test_models_are_asked_for_once_a_minute() -> None:
    async def story(site: Site) -> None:
        (engine,) = site.engines
        await site.look()
        engine.models = "other"
        for _ in range(5):
            await site.look(INTERVAL)
        assert engine.descriptions() == 1
        await site.look(looking.DESCRIBE_SECONDS - 5 * INTERVAL)
        assert engine.descriptions() == 2
        description = site.views()[0].description
        assert description is not None and description.models[0].name == "other"

    looking_at(1, story)


def test_models_are_asked_for_when_an_endpoint_is_back() -> None:
    async def story(site: Site) -> None:
        (engine,) = site.engines
        await site.look()
        engine.is_well = False
        await site.look(INTERVAL)
        assert site.views()[0].description is not None, "what it said stays"
        engine.is_well, engine.models = True, "other"
        await site.look(INTERVAL)
        description = site.views()[0].description
        assert description is not None and description.models[0].name == "other"

    looking_at(1, story)


def test_an_endpoint_with_another_key_is_asked_at_once() -> None:
    async def story(site: Site) -> None:
        await site.look()
        site.places = [replace(site.places[0], authorization="Bearer new")]
        await site.look(1)
        assert site.healths() == [2]
        assert site.answers() == [True]

    looking_at(1, story)


def test_what_left_the_service_is_forgotten_and_what_joined_is_asked_at_once() -> None:
    async def story(site: Site) -> None:
        every = site.places
        site.places = every[:2]
        await site.look()
        site.places = every[1:]
        await site.look(1)
        assert [view.endpoint for view in site.views()] == [*every[1:]]
        assert site.healths() == [1, 1, 1]

    looking_at(3, story)


def test_of_many_new_endpoints_some_are_asked_at_a_time() -> None:
    async def story(site: Site) -> None:
        assert await site.look() == 0
        assert site.answers().count(None) == 4
        assert await site.look() == INTERVAL
        assert None not in site.answers()

    looking_at(looking.MOST_AT_ONCE + 4, story)


def test_a_backend_without_endpoints_wants_no_next_look() -> None:
    async def story(site: Site) -> None:
        assert await site.look() == float("inf")
        assert site.views() == []

    looking_at(0, story)


def test_a_backend_that_is_gone_is_forgotten() -> None:
    async def story(site: Site) -> None:
        await site.look()
        site.looks.forget(KEY)
        site.looks.forget(KEY)
        assert site.views() == []

    looking_at(1, story)
