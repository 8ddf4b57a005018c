"""The fault table's ends: engines that cannot be connected to or are killed, clients that send too much."""

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Condition, Event
from typing import Self

import pytest

from fakes import engines, folders, gateways
from fakes.engines import Ask, answer, chunk, says
from fakes.program import Gateway, gateway
from steelyard.routing.table import Endpoint

GOOD = b'{"answer":"good"}'
PLAIN, STREAMED = b'{"model":"asked"}', b'{"model":"asked","stream":true}'
ASKED = {PLAIN: b'{"model":"tiny"}', STREAMED: b'{"model":"tiny","stream":true}'}
KINDS = pytest.mark.parametrize("body", [PLAIN, STREAMED], ids=["plain", "streamed"])


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def unreachable(how: str) -> Iterator[Endpoint]:
    """An endpoint to which no connection can be made."""
    with ExitStack() as stack:
        port, more = 80, {}
        match how:
            case "refused":
                port = stack.enter_context(engines.refusing_port())
            case "deaf":
                port = stack.enter_context(engines.deaf_port())
            case "unknown":
                more = {"host": "nowhere.invalid"}
            case "silent":
                port, more = stack.enter_context(silent_port()), {"scheme": "https"}
            case "plain":
                port, more = stack.enter_context(engines.plain_port()), {"scheme": "https"}
        yield gateways.endpoint(port, "bad", gateways.SHORT, **more)


UNREACHABLE = {
    "refused": ("refused the connection", 502),
    "deaf": ("could not be connected to within 0.3 s", 504),
    "silent": ("could not be connected to within 0.3 s", 504),
    "unknown": ("has a host name that could not be resolved", 502),
    "plain": ("failed the TLS handshake", 502),
}


@KINDS
@pytest.mark.parametrize("how", UNREACHABLE)
def test_an_engine_that_cannot_be_connected_to_is_named_and_the_next_one_asked(how: str, body: bytes) -> None:
    words, status = UNREACHABLE[how]
    with unreachable(how) as bad, engines.engine(says(answer(GOOD))) as good:
        with gateways.gateway(bad) as gateway:
            told = gateway.ask(body)
        with gateways.gateway(bad, gateways.endpoint(good.port, "good"), max_attempts=1) as gateway:
            got = gateway.ask(body)

    assert (told.status, told.error()["message"]) == (status, f"No backend could answer: {bad.name} {words}.")
    assert (got.status, got.body, [ask.body for ask in good.asks]) == (200, GOOD, [ASKED[body]])


def test_a_client_that_sends_100_mb_in_chunks_is_refused_on_the_way_and_reads_why() -> None:
    piece = chunk(b"x" * 1_000_000)
    with gateways.gateway() as gateway, gateway.line() as line:
        line.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(100):
            line.send(piece)
        got = line.read()
        outcome = gateway.recorder.wait_for(1)[0]

    assert (got.status, got.error()["code"], got.headers["connection"]) == (413, "body_too_large", "close")
    assert (outcome.status, gateway.router.seen) == (413, [])


# Engines that are killed


EVENT = b'data: {"choices":[]}\n\n'
DONE = b"data: [DONE]\n\n"
ANSWERS = {
    b"plain": [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n", GOOD],
    b"streamed": [engines.stream_head() + chunk(EVENT), chunk(EVENT + DONE) + b"0\r\n\r\n"],
}
WHOLE = {b"plain": GOOD, b"streamed": EVENT * 2 + DONE}
CLIENTS = 8


def in_halves(ask: Ask) -> None:
    """Answer in two halves, so that whoever is killed is in the middle of some answers."""
    first, second = ANSWERS[b"streamed" if b'"stream":true' in ask.body else b"plain"]
    ask.send(first)
    ask.stopped.wait(0.01)
    if not ask.stopped.is_set():
        ask.send(second)


class Load:
    """Clients that ask again and again until the end of the block, and what they got."""

    def __init__(self, up: Gateway, kind: bytes) -> None:
        stream = b"true" if kind == b"streamed" else b"false"
        self._body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":%b}' % stream
        self._port = int(up.url.rpartition(":")[2])
        self._over = Event()
        self._came = Condition()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self.got: list[gateways.Answer] = []

    def __enter__(self) -> Self:
        self._clients = [self._pool.submit(self._ask_on) for _ in range(CLIENTS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for client in self._clients:
            client.result()

    def wait_for(self, number: int, wanted: Callable[[gateways.Answer], bool]) -> None:
        """Wait for so many more answers of this sort."""
        start = len(self.got)
        with self._came:
            assert self._came.wait_for(
                lambda: sum(map(wanted, self.got[start:])) >= number, 3 * gateways.SECONDS
            ), f"only {Counter(one.status for one in self.got[start:])}"

    def _ask_on(self) -> None:
        with gateways.Line(self._port) as line:
            while not self._over.is_set():
                got = line.post(self._body).read()
                with self._came:
                    self.got.append(got)
                    self._came.notify_all()


def is_whole(got: gateways.Answer) -> bool:
    return got.status == 200 and got.body in WHOLE.values()


def is_told(got: gateways.Answer) -> bool:
    """Whether it is an error in OpenAI's shape, in an event of its own where a stream had begun."""
    if got.status == 200:
        begun, _, error = got.body.rpartition(b"data: ")
        return begun == EVENT and set(json.loads(error)["error"]) == {"message", "type", "code", "param"}
    return got.error()["code"] in ("bad_upstream", "no_upstream", "rate_limit_exceeded")


@contextmanager
def fleet(directory: Path) -> Iterator[tuple[Gateway, list[engines.Engine]]]:
    """A gateway before four engines that serve the same model."""
    with ExitStack() as stack:
        ups = [stack.enter_context(engines.engine(in_halves)) for _ in range(4)]
        folders.write(
            directory,
            *(folders.backend(f"e{number}", up.port, {"name": "m"}) for number, up in enumerate(ups)),
        )
        yield stack.enter_context(gateway(directory)), ups


@pytest.mark.parametrize("kind", WHOLE)
def test_half_of_the_engines_killed_under_load_lose_nothing(kind: bytes, tmp_path: Path) -> None:
    with fleet(tmp_path) as (up, ups), Load(up, kind) as load:
        load.wait_for(5 * CLIENTS, is_whole)
        for one in ups[:2]:
            one.stop()
        load.wait_for(10 * CLIENTS, is_whole)

    assert [got for got in load.got if not is_whole(got) and not is_told(got)] == []
    if kind == b"plain":
        assert [got for got in load.got if not is_whole(got)] == []


@pytest.mark.parametrize("kind", WHOLE)
def test_all_engines_killed_and_back_under_load_lose_nothing(kind: bytes, tmp_path: Path) -> None:
    with fleet(tmp_path) as (up, ups), ExitStack() as again, Load(up, kind) as load:
        load.wait_for(5 * CLIENTS, is_whole)
        for one in ups:
            one.stop()
        load.wait_for(5 * CLIENTS, is_told)
        for one in ups:
            again.enter_context(engines.engine(in_halves, port=one.port))
        load.wait_for(10 * CLIENTS, is_whole)

    assert [got for got in load.got if not is_whole(got) and not is_told(got)] == []
