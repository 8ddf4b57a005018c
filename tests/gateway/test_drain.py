"""How a gateway ends: what is under way, what is idle, and what still comes after SIGTERM."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random, choice
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

import chaos
from fakes import gateways
from fakes.engines import Ask, Engine, Script, answer, chunk, engine, says, stream_head
from fakes.gateways import Line, post
from fakes.program import SECONDS, Gateway, gateway
from steelyard_gateway import client_connection

GOOD = b'{"object":"chat.completion"}'
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
BODY = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'
STREAMED = BODY[:-1] + b',"stream":true}'
PATIENT = ("--grace-seconds", "60", "--drain-seconds", "60")


@contextmanager
def before(script: Script, directory: Path, *flags: str) -> Iterator[tuple[Gateway, Engine]]:
    """A gateway before an engine with this script."""
    with engine(script) as at:
        chaos.write_resources(directory, [at.port])
        with gateway(directory, *flags) as up:
            yield up, at


def line_to(up: Gateway) -> Line:
    port = urlsplit(up.url).port
    assert port is not None
    return Line(port)


def drain(up: Gateway) -> None:
    up.process.terminate()
    up.wait_for("draining")


def error_of(body: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(body)["error"]
    assert set(error) == {"message", "type", "code", "param"}
    return error


def test_in_the_grace_time_all_is_answered_and_every_answer_says_close(tmp_path: Path) -> None:
    with before(says(answer(GOOD)), tmp_path, *PATIENT) as (up, _), line_to(up) as idle, line_to(up) as used:
        assert "connection" not in used.post(BODY).read().headers
        drain(up)
        ready = up.admin.get("/readyz")
        assert (ready.status_code, ready.json()["reason"]) == (503, "shutting down")
        with line_to(up) as fresh, line_to(up) as lost:
            lost.post(BODY, path="/nowhere")
            answers = [line.post(BODY).read() for line in (idle, used, fresh)] + [lost.read()]
            assert [one.status for one in answers] == [200, 200, 200, 404]
            assert [one.headers["connection"] for one in answers] == ["close"] * 4
            assert [line.read_to_end() for line in (idle, used, fresh, lost)] == [b""] * 4


def test_an_answer_that_had_not_begun_says_close(tmp_path: Path) -> None:
    held: list[Ask] = []
    with before(held.append, tmp_path, *PATIENT) as (up, at), line_to(up) as line:
        line.post(BODY)
        at.wait_for_asks(1)
        drain(up)
        held[0].send(answer(GOOD))
        got = line.read()
        assert (got.status, got.headers["connection"], line.read_to_end()) == (200, "close", b"")


def wait_until_refused(up: Gateway) -> None:
    """The door closes a moment after the connections that stood in it."""
    until = time.monotonic() + SECONDS
    with suppress(ConnectionError):
        while True:
            with line_to(up):
                assert time.monotonic() < until, "new connections are still taken"


def test_after_the_grace_time_idle_connections_are_closed_and_what_is_under_way_ends(tmp_path: Path) -> None:
    go_on = Event()

    def script(ask: Ask) -> None:
        ask.send(stream_head() + chunk(WORD))
        assert go_on.wait(SECONDS)
        ask.send(chunk(DONE) + chunk(b""))

    flags = ("--grace-seconds", "1", "--drain-seconds", "60")
    with before(script, tmp_path, *flags) as (up, _), line_to(up) as stream, line_to(up) as idle:
        stream.post(STREAMED).wait_for(b"hi")
        with line_to(up) as coming:
            head, _, rest = post(STREAMED).partition(b"\r\n")
            coming.send(head + b"\r\n")
            drain(up)
            assert idle.read_to_end() == b""
            wait_until_refused(up)
            coming.send(rest).wait_for(b"hi")
            go_on.set()
            assert coming.read().headers["connection"] == "close"
        assert stream.read().body == WORD + DONE
        assert stream.read_to_end() == b""
        assert up.process.wait(SECONDS) == 0


@pytest.mark.parametrize("seconds", ["1", "60"], ids=["time is up", "Ctrl-C was pressed"])
def test_in_the_end_what_is_under_way_is_told_that_it_is_cut_short(tmp_path: Path, seconds: str) -> None:
    def script(ask: Ask) -> None:
        if b'"stream":true' in ask.body:
            ask.send(stream_head() + chunk(WORD + b"data: {half"))
        ask.wait_for_hang_up()

    flags = ("--grace-seconds", "0", "--drain-seconds", seconds)
    with (
        before(script, tmp_path, *flags) as (up, at),
        line_to(up) as stream,
        line_to(up) as unanswered,
        line_to(up) as unfinished,
        line_to(up) as unread,
    ):
        stream.post(STREAMED).wait_for(b"hi")
        unanswered.post(BODY)
        at.wait_for_asks(2)
        unfinished.send(post(BODY)[:-1])
        unread.send(b"POST /v1/chat")
        drain(up)
        if seconds == "60":
            up.process.send_signal(signal.SIGINT)
        up.wait_for("cutting short what is still under way")
        whole, _, event = stream.read().body.partition(b"\n\ndata: ")
        assert whole + b"\n\n" == WORD
        assert error_of(event)["code"] == "stream_cut"
        for line in (unanswered, unfinished):
            got = line.read()
            assert (got.status, got.headers["connection"]) == (503, "close")
            assert error_of(got.body)["code"] == "no_upstream"
        assert [line.read_to_end() for line in (stream, unanswered, unfinished, unread)] == [b""] * 4
        assert up.process.wait(SECONDS) == 0
        told = [up.wait_for("request") for _ in range(3)]
    assert sorted(line["code"] for line in told) == ["no_upstream", "no_upstream", "stream_cut"]


def test_a_client_that_does_not_read_keeps_no_gateway_alive(tmp_path: Path) -> None:
    def script(ask: Ask) -> None:
        ask.send(stream_head())
        while not ask.stopped.is_set():
            ask.send(chunk(WORD * 1000))

    flags = ("--grace-seconds", "0", "--drain-seconds", "1")
    with before(script, tmp_path, *flags) as (up, _), line_to(up) as deaf:
        deaf.post(STREAMED).wait_for(b"hi")
        drain(up)
        assert up.process.wait(SECONDS) == 0


class Roll:
    """Gateways that are replaced one after the other, and clients that send to those that are ready."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.tally = chaos.Tally()
        self._directory, self._stack = directory, stack
        self._ready: list[Gateway] = []
        self._is_over = Event()

    def add(self) -> Gateway:
        """Start another one."""
        up = self._stack.enter_context(gateway(self._directory, "--grace-seconds", "1"))
        self._ready.append(up)
        return up

    def replace(self, old: Gateway) -> None:
        """Start a new one, and end this one in order; whoever asks sees that it is not ready."""
        self.add()
        old.process.terminate()
        old.wait_for("draining")
        assert old.admin.get("/readyz").status_code == 503
        self._ready.remove(old)
        assert old.process.wait(SECONDS) == 0

    async def load(self, clients: int) -> None:
        """Send until it is over."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(clients):
                client = chaos.Client(self._place, self.tally, Random(number))
                tasks.create_task(client.run(self._is_over.is_set))

    def end(self) -> None:
        self._is_over.set()

    def _place(self) -> chaos.Place:
        port = urlsplit(choice(self._ready).url).port
        assert port is not None
        return "127.0.0.1", port


def test_a_rolling_restart_under_load_loses_nothing(tmp_path: Path) -> None:
    def script(ask: Ask) -> None:
        if b'"stream": true' not in ask.body:
            ask.send(answer(b'{"choices":[{"index":0}]}'))
            return
        ask.send(stream_head())
        for _ in range(15):
            ask.send(chunk(WORD))
            assert not ask.stopped.wait(0.05)
        ask.send(chunk(DONE) + chunk(b""))

    with engine(script) as at, ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        chaos.write_resources(tmp_path, [at.port])
        roll = Roll(tmp_path, stack)
        olds = [roll.add(), roll.add()]
        loading = pool.submit(asyncio.run, roll.load(8))
        try:
            at.wait_for_asks(20)
            for old in olds:
                roll.replace(old)
            at.wait_for_asks(len(at.asks) + 20)
        finally:
            roll.end()
            loading.result(SECONDS)

    assert roll.tally.fates == {chaos.Fate.ANSWERED: len(at.asks)}, roll.tally.rows()


def test_an_idle_connection_is_kept_longer_than_a_proxy_keeps_it() -> None:
    with (
        engine(says(answer(GOOD))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as running,
        running.line() as line,
    ):
        line.post().read()

        assert 60 < running.idle_seconds_left() <= client_connection.Limits().keep_alive_seconds == 75


def test_an_idle_connection_is_kept_as_long_as_the_gateway_is_told(tmp_path: Path) -> None:
    with (
        before(says(answer(GOOD)), tmp_path, "--keep-alive-seconds=1") as (up, _),
        socket.create_connection(("127.0.0.1", urlsplit(up.url).port or 0), SECONDS) as connection,
    ):
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n")
        came = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert came.startswith(b"HTTP/1.1 200 ") and b"connection: close" not in came.lower()
