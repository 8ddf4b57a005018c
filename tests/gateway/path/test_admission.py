"""`maxConcurrency`: what an endpoint is given at once, who waits, and what becomes of those who do."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock, Semaphore

import msgspec
import pytest

from fakes import engines, gateways
from fakes.engines import Ask, Engine, Script, answer, chunk, refusing_port, says, stream_head
from fakes.gateways import FixedRouter, RunningGateway
from fakes.resources import backend, policy, resource_set
from steelyard.routing.compiling import compile_table
from steelyard.routing.table import Candidate, Table
from steelyard_gateway.client_connection import Limits
from steelyard_gateway.shares import Fleet

STREAMED = b'{"model":"asked","stream":true}'
GOOD = b'{"answer":"good"}'


class Slow:
    """An engine's script that answers when told, and counts how many requests it has at once."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._lock = Lock()
        self._told = Semaphore(0)
        self._began = Semaphore(0)

    def __call__(self, ask: Ask) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._began.release()
        assert self._told.acquire(timeout=engines.SECONDS)
        with self._lock:
            self._now -= 1
        ask.send(answer(GOOD))

    def wait_for(self, number: int) -> None:
        """Wait until so many more requests came."""
        for _ in range(number):
            assert self._began.acquire(timeout=engines.SECONDS)

    def answer(self, number: int = 1) -> None:
        """Let so many answers out."""
        self._told.release(number)


def serves(up: Engine, backend: str = "engine", model: str = "tiny", limit: int | None = 1) -> Candidate:
    """A model on this engine, which may have so many requests at once."""
    return gateways.candidate(gateways.endpoint(up.port, backend, max_concurrency=limit), model)


@contextmanager
def in_front_of(*pairs: Candidate, max_wait_seconds: int | None = None) -> Iterator[RunningGateway]:
    """A gateway that tries these in this order; with a policy, where one is to say how long to wait."""
    router = FixedRouter(pairs)
    if max_wait_seconds is not None:
        asked = policy("p", "asked", maxWaitSeconds=max_wait_seconds)
        compiled, _ = compile_table(resource_set(backend("b", "m"), asked), "default")
        assert router.decision is not None
        router.decision = msgspec.structs.replace(router.decision, policy=compiled.policies["asked"][0])
    running = RunningGateway(router, Limits())
    try:
        yield running
    finally:
        running.stop()
    assert +running.endpoints.flights == {}
    assert not running.admission.waiting()


def lines(running: RunningGateway, stack: ExitStack, number: int) -> list[gateways.Line]:
    """So many clients that ask one after another."""
    opened = []
    for _ in range(number):
        opened.append(stack.enter_context(running.line()).post())
    return opened


def test_an_endpoint_gets_no_more_than_its_limit_and_the_others_wait_their_turn() -> None:
    slow = Slow()
    with engines.engine(slow) as up, in_front_of(serves(up, limit=2)) as running, ExitStack() as stack:
        clients = lines(running, stack, 6)
        running.wait_for_queue(4)
        slow.wait_for(2)
        slow.answer(6)
        assert [client.read().status for client in clients] == [200] * 6
    assert slow.most == 2


def test_who_waits_is_answered_in_the_order_of_arrival() -> None:
    slow = Slow()
    with engines.engine(slow) as up, in_front_of(serves(up)) as running, ExitStack() as stack:
        for number in range(4):
            client = stack.enter_context(running.line())
            client.post(headers=f"x-number: {number}\r\n")
            running.wait_for_start()
            running.wait_for_queue(number)
        slow.answer(4)
        up.wait_for_asks(4)
        running.recorder.wait_for(4)
        assert [ask.headers[b"x-number"] for ask in up.asks] == [b"0", b"1", b"2", b"3"]


def test_one_request_too_many_is_told_at_once_to_come_again() -> None:
    slow = Slow()
    with engines.engine(slow) as up, in_front_of(serves(up)) as running, ExitStack() as stack:
        clients = lines(running, stack, 9)
        running.wait_for_queue(8)
        refused = running.ask()
        slow.answer(9)
        assert [client.read().status for client in clients] == [200] * 9
    assert (refused.status, int(refused.headers["retry-after"]) >= 1) == (429, True)
    assert refused.error() == {
        "message": f"No backend could answer: engine@127.0.0.1:{up.port} cannot take model 'tiny' now: "
        "it is at its limit of 1 requests at once (maxConcurrency), and 8 requests wait already.",
        "type": "rate_limit_error",
        "code": "rate_limit_exceeded",
        "param": None,
    }


def test_who_waited_as_long_as_the_policy_says_is_told_to_come_again() -> None:
    slow = Slow()
    with (
        engines.engine(slow) as up,
        in_front_of(serves(up), max_wait_seconds=1) as running,
        running.line() as first,
    ):
        first.post()
        running.wait_for_start()
        refused = running.ask()
        slow.answer()
        assert first.read().status == 200
    assert (refused.status, int(refused.headers["retry-after"]) >= 1) == (429, True)
    assert "and no request ended in time" in refused.error()["message"]
    assert len(up.asks) == 1


def test_where_no_wait_is_allowed_the_next_model_answers() -> None:
    slow = Slow()
    with engines.engine(slow) as up, engines.engine(says(answer(b"other"))) as spare:
        pairs = serves(up), serves(spare, "spare", "other")
        with in_front_of(*pairs, max_wait_seconds=0) as running, running.line() as first:
            first.post()
            running.wait_for_start()
            assert running.ask().body == b"other"
            slow.answer()
            assert first.read().status == 200


def test_another_endpoint_of_the_model_that_has_room_is_not_waited_for() -> None:
    slow = Slow()
    with (
        engines.engine(slow) as up,
        engines.engine(says(answer(b"roomy"))) as roomy,
        in_front_of(serves(up), serves(roomy, "roomy")) as running,
        running.line() as first,
    ):
        first.post()
        running.wait_for_start()
        assert [running.ask().body for _ in range(2)] == [b"roomy"] * 2
        slow.answer()
        assert first.read().status == 200


def test_an_endpoint_that_rests_is_no_room() -> None:
    slow = Slow()
    with (
        engines.engine(slow) as up,
        engines.engine(says(answer(b"tired"))) as tired,
        in_front_of(serves(up), serves(tired, "tired")) as running,
        ExitStack() as stack,
    ):
        running.endpoints.resting.add("tired")
        first, second = lines(running, stack, 2)
        running.wait_for_queue(1)
        slow.answer(2)
        assert second.read().body == first.read().body == GOOD
    assert tired.asks == []


def test_a_request_that_fails_over_to_a_full_endpoint_waits_there() -> None:
    slow = Slow()
    with engines.engine(slow) as up, refusing_port() as dead:
        gone = gateways.candidate(gateways.endpoint(dead, "gone"))
        with in_front_of(gone, serves(up)) as running, running.line() as first, running.line() as second:
            first.post()
            up.wait_for_asks(1)
            second.post()
            running.wait_for_queue(1)
            slow.answer(2)
            assert [client.read().status for client in (first, second)] == [200, 200]
    assert slow.most == 1


def test_a_failure_and_a_full_endpoint_are_both_told() -> None:
    slow = Slow()
    broken = says(answer(b"", "502 Bad Gateway"))
    with engines.engine(slow) as up, engines.engine(broken) as bad:
        pairs = serves(bad, "bad", limit=None), serves(up)
        with in_front_of(*pairs, max_wait_seconds=0) as running, running.line() as first:
            first.post()
            up.wait_for_asks(1)
            refused = running.ask()
            slow.answer()
            first.read()
    assert refused.status == 503
    assert "answered 502; engine@" in refused.error()["message"]
    assert int(refused.headers["retry-after"]) >= 1


def test_a_client_that_leaves_the_queue_is_not_sent_to_an_engine() -> None:
    slow = Slow()
    with engines.engine(slow) as up, in_front_of(serves(up)) as running, ExitStack() as stack:
        (first,) = lines(running, stack, 1)
        running.wait_for_start()
        with running.line() as leaves:
            leaves.post()
            running.wait_for_queue(1)
        running.wait_for_queue(0)
        (last,) = lines(running, stack, 1)
        slow.answer(2)
        assert [client.read().status for client in (first, last)] == [200, 200]
        outcomes = running.recorder.wait_for(3)
    assert [outcome.status for outcome in outcomes] == [499, 200, 200]
    assert len(up.asks) == 2


def breaks_a_stream_off(ask: Ask) -> None:
    ask.send(stream_head() + chunk(b"data: 1\n\n"))
    ask.reset()


HOW_ATTEMPTS_END: dict[str, tuple[Script, bytes, int]] = {
    "an answer": (says(answer(GOOD)), b'{"model":"asked"}', 200),
    "a reset": (lambda ask: ask.reset(), b'{"model":"asked"}', 502),
    "a 500": (says(answer(b"", "500 Oh")), b'{"model":"asked"}', 502),
    "a 503": (says(answer(b"", "503 Oh")), b'{"model":"asked"}', 503),
    "a 429": (says(answer(b"", "429 Oh")), b'{"model":"asked"}', 429),
    "a 400": (says(answer(b"", "400 Oh")), b'{"model":"asked"}', 400),
    "a cut stream": (breaks_a_stream_off, STREAMED, 200),
}


@pytest.mark.parametrize("how", HOW_ATTEMPTS_END)
def test_however_an_attempt_ends_its_slot_is_free_again(how: str) -> None:
    script, body, status = HOW_ATTEMPTS_END[how]
    with engines.engine(script) as up, in_front_of(serves(up)) as running:
        assert [running.ask(body).status for _ in range(3)] == [status] * 3
        assert not running.admission.is_full(gateways.endpoint(up.port, max_concurrency=1))


def test_a_slot_of_a_client_that_left_is_free_again() -> None:
    def stream_for_ever(ask: Ask) -> None:
        ask.send(stream_head() + chunk(b"data: 1\n\n"))
        ask.wait_for_hang_up()

    with engines.engine(stream_for_ever) as up, in_front_of(serves(up)) as running:
        for number in range(3):
            with running.line() as client:
                client.post(STREAMED).wait_for(b"data: 1")
            running.recorder.wait_for(number + 1)


def test_who_waits_for_a_pod_that_leaves_goes_to_the_one_that_comes() -> None:
    slow = Slow()
    with (
        engines.engine(slow) as old,
        engines.engine(says(answer(b"new"))) as new,
        in_front_of(serves(old)) as running,
        ExitStack() as stack,
    ):
        first, second, third = lines(running, stack, 3)
        running.wait_for_queue(2)
        running.router.decide_for(gateways.endpoint(new.port, max_concurrency=1))
        running.do(lambda: running.admission.follow(Table()))
        assert [second.read().body, third.read().body] == [b"new", b"new"]
        slow.answer()
        assert first.read().body == GOOD


def test_a_gateway_without_a_slot_answers_429() -> None:
    with engines.engine(says(answer(GOOD))) as up, in_front_of(serves(up)) as running:
        running.do(lambda: running.admission.resize(Fleet(frozenset({"a", "b"}), "b")))
        refused = running.ask()
        running.do(lambda: running.admission.resize(Fleet(frozenset({"b"}), "b")))
        assert running.ask().status == 200
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert "all of them are for other gateways" in refused.error()["message"]
