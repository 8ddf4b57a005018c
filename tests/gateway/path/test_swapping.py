"""Models that are loaded on demand, over real connections: who waits for a server to be emptied."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, Engine, answer
from fakes.gateways import FixedRouter, RunningGateway
from steelyard.routing.table import Candidate
from steelyard.telemetry.samples import EngineSample, LoadedModel
from steelyard_gateway.client_connection import Limits

GOOD = b'{"answer":"good"}'
MODELS = {"resident:latest": None, "cold:latest": None}


class Told:
    """An engine's script that answers when told."""

    def __init__(self, reply: bytes = answer(GOOD)) -> None:
        self._reply = reply
        self._told = Semaphore(0)

    def __call__(self, ask: Ask) -> None:
        assert self._told.acquire(timeout=engines.SECONDS)
        ask.send(self._reply)

    def answer(self, number: int = 1) -> None:
        """Let so many answers out."""
        self._told.release(number)


class Front:
    """A gateway in front of one server, which has one model loaded."""

    def __init__(self, running: RunningGateway, up: Engine) -> None:
        self.running = running
        self._place = gateways.endpoint(up.port)
        loaded = LoadedModel("resident:latest", None, 1000, 1000, 4096, None)
        running.warmth.told(self._place, EngineSample(loaded=(loaded,), models=MODELS))

    def pair(self, model: str) -> Candidate:
        return gateways.candidate(self._place, model, loads_on_demand=True)

    def ask(self, model: str) -> gateways.Line:
        """A client that asks for this model."""
        self.running.router.decision = FixedRouter([self.pair(model)]).decision
        return self.running.line().post()

    def cold_seconds(self, model: str) -> float:
        return self.running.warmth.cold_seconds(self.pair(model).attempts[0])


@contextmanager
def front(script: Told) -> Iterator[Front]:
    """A server with "resident" loaded and "cold" not; at the end nothing is at work there or waits."""
    with engines.engine(script) as up:
        running = RunningGateway(FixedRouter([]), Limits())
        try:
            yield Front(running, up)
        finally:
            running.stop()
        assert +running.endpoints.flights == {}
        assert not running.admission.waiting()


def test_a_cold_model_s_request_waits_here_while_the_server_works_for_another() -> None:
    script = Told()
    with front(script) as yard, yard.ask("resident") as first:
        yard.running.wait_for_start()
        with yard.ask("cold") as second:
            yard.running.wait_for_queue(1)
            script.answer(2)
            assert (first.read().status, second.read().status) == (200, 200)
        assert yard.cold_seconds("cold") == 0.0
        assert yard.cold_seconds("resident") > 0.0


def test_a_client_that_leaves_while_it_waits_leaves_nothing_behind() -> None:
    script = Told()
    with front(script) as yard, yard.ask("resident") as first:
        yard.running.wait_for_start()
        with yard.ask("cold"):
            yard.running.wait_for_queue(1)
        yard.running.wait_for_queue(0)
        script.answer()
        assert first.read().status == 200
        assert yard.cold_seconds("cold") > 0.0


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found"])
def test_an_error_is_no_sign_of_a_loaded_model(status: str) -> None:
    script = Told(answer(b'{"error":"no"}', status))
    with front(script) as yard, yard.ask("cold") as line:
        script.answer()
        assert line.read().status == int(status[:3])
        yard.running.recorder.wait_for(1)
        assert yard.cold_seconds("cold") > 0.0
