"""Which models a server that loads on demand is known to lack, by what it was asked and when."""

import json
from collections.abc import Sequence

from bench.processes import free_port
from fakes import engines
from fakes.engines import Ask, Engine, Script, answer
from fakes.polled import Polled, run
from fakes.resources import backend
from steelyard.api.backend import LLMBackend
from steelyard.routing.placing import MISSING
from steelyard.routing.table import Attempt
from steelyard.telemetry.samples import EngineSample


def having(*models: str, statuses: Sequence[str] = ("200 OK",)) -> Script:
    """A server that has these models, none in memory; each time it is asked which, the next status."""
    left = list(statuses)

    def script(ask: Ask) -> None:
        match ask.line.split(b" ")[1]:
            case b"/api/tags":
                told = {"models": [{"name": name, "digest": name.encode().hex() * 8} for name in models]}
                ask.send(answer(json.dumps(told).encode(), left.pop(0) if len(left) > 1 else left[0]))
            case b"/api/ps":
                ask.send(answer(b'{"models":[]}'))
            case _:
                ask.send(answer(b'{"version":"0.17.4"}'))

    return script


def ollama(port: int) -> LLMBackend:
    url = f"http://127.0.0.1:{port}"
    return backend("a", "m", engine="Ollama", url=url, metrics={"engine": {"intervalSeconds": 2}})


def attempt(polled: Polled) -> Attempt:
    assert polled.current.snapshot is not None
    return polled.current.snapshot.table.candidates[0].attempts[0]


def lists(engine: Engine) -> int:
    """How often it was asked which models it has."""
    return sum(ask.line.startswith(b"GET /api/tags ") for ask in engine.asks)


def test_a_server_that_was_down_at_first_is_asked_what_it_has_as_soon_as_it_answers() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        assert polled.known().sample is None
        with engines.engine(having("other"), port=port):
            await polled.round(3)
            assert polled.live.cold_seconds(attempt(polled)) == MISSING

    port = free_port()
    run(work, ollama(port))


def test_a_server_that_did_not_say_what_it_has_is_asked_again_at_the_next_reading() -> None:
    async def work(polled: Polled) -> None:
        for _ in range(3):
            await polled.round(3)
        assert polled.live.cold_seconds(attempt(polled)) == MISSING

    with engines.engine(having("other", statuses=("500 Internal Server Error", "200 OK"))) as up:
        run(work, ollama(up.port))
        assert lists(up) == 2


def test_a_server_that_tells_again_after_a_silence_is_asked_what_it_has() -> None:
    async def work(polled: Polled) -> None:
        with engines.engine(having("m"), port=port):
            await polled.round()
        await polled.round(3)
        with engines.engine(having("other"), port=port):
            await polled.round(3)
            assert polled.live.cold_seconds(attempt(polled)) == MISSING

    port = free_port()
    run(work, ollama(port))


def test_a_server_that_says_it_lacks_a_model_is_no_candidate_until_it_was_asked_anew() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        one, live = attempt(polled), polled.live
        assert live.cold_seconds(one) < MISSING
        live.lacks(one)
        assert (live.cold_seconds(one), live.wait_seconds(one)) == (MISSING, MISSING)
        await polled.round(3)
        assert lists(up) == 2
        assert live.cold_seconds(one) < MISSING  # it has it again
        await polled.round(3)
        assert lists(up) == 2

    with engines.engine(having("m")) as up:
        run(work, ollama(up.port))


def test_what_a_server_told_of_its_memory_three_intervals_ago_is_unknown() -> None:
    async def work(polled: Polled) -> None:
        with engines.engine(having("m"), port=port):
            await polled.round()
        one = attempt(polled)
        for seconds in (3.0, 2.0):
            await polled.round(seconds)
            assert polled.live.cold_seconds(one)
        await polled.round(1.5)
        assert not polled.live.cold_seconds(one)

    port = free_port()
    run(work, ollama(port))


def test_a_server_that_told_what_it_has_before_it_said_that_it_lacks_a_model_is_not_believed() -> None:
    async def work(polled: Polled) -> None:
        one, live = attempt(polled), polled.live
        live.lacks(one)
        live.sampled(one.endpoint, EngineSample(loaded=(), models={"m:latest": None}), 0, 6.0)
        assert live.cold_seconds(one) == MISSING
        await polled.round()
        assert live.cold_seconds(one) < MISSING

    with engines.engine(having("m")) as up:
        run(work, ollama(up.port))


def test_a_server_of_which_nothing_is_known_can_lack_a_model() -> None:
    async def work(polled: Polled) -> None:
        one = attempt(polled)
        polled.live.lacks(one)
        assert polled.live.cold_seconds(one) == MISSING

    run(work, ollama(1))
