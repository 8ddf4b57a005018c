"""A first byte that is late: who sends to others or answers polls is at work, and is not left for it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from fakes.engines import Ask, Engine, Script, answer, chunk, engine, stream_head
from fakes.folders import backend, model, resource, write
from fakes.program import Gateway, gateway

CHAT = "/v1/chat/completions"
EVENT = chunk(b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n')
END = chunk(b"data: [DONE]\n\n") + chunk(b"")
LOAD = answer(
    b"vllm:num_requests_running 3\nvllm:num_requests_waiting 9\n", headers=b"content-type: text\r\n"
)
LISTED = resource(
    "RoutingPolicy",
    "default",
    {
        "models": [{"name": "auto"}],
        "order": "AsListed",
        "candidates": [{"models": ["first"]}, {"models": ["second"]}],
    },
)


@contextmanager
def two(directory: Path, script: Script, **spec: Any) -> Iterator[tuple[Gateway, Sequence[Engine]]]:
    """An engine with this script, and one that would do in its place."""
    with engine(script) as first, engine(lambda ask: ask.send(stream_head() + EVENT + END)) as second:
        places = backend("a", first.port, model("first"), **spec), backend("b", second.port, model("second"))
        write(directory, *places, LISTED)
        with gateway(directory) as up:
            yield up, (first, second)


def ask(up: Gateway, name: str = "auto", word: str = "late") -> httpx.Response:
    body = {"model": name, "stream": True, "messages": [{"role": "user", "content": word}]}
    return up.client.post(CHAT, json=body)


def assert_waited_for(up: Gateway, got: httpx.Response, engines: Sequence[Engine]) -> None:
    """The client was told that it took too long, nobody else was asked, and the endpoint is well."""
    assert (got.status_code, got.json()["error"]["code"]) == (504, "upstream_timeout")
    assert "sent no first byte within" in got.json()["error"]["message"]
    assert engines[1].asks == []
    place = up.admin.get("/admin/table").json()["candidates"][0]["endpoints"][0]
    assert (place["circuit"], place["failures"]) == ("Closed", 0)


def test_who_sends_chunks_to_another_client_is_at_work(tmp_path: Path) -> None:
    def script(ask: Ask) -> None:
        if b"late" in ask.body:
            ask.wait_for_hang_up()
            return
        ask.send(stream_head())
        while not ask.stopped.wait(0.05):
            ask.send(EVENT)

    with two(tmp_path, script, timeouts={"firstByteSeconds": 1}) as (up, engines):
        body = {"model": "first", "stream": True, "messages": [{"role": "user", "content": "long"}]}
        with up.client.stream("POST", CHAT, json=body) as long:
            chunks = long.iter_raw()
            next(chunks)
            assert_waited_for(up, ask(up), engines)
            assert EVENT[4:-2] in next(chunks)


def test_who_ended_an_answer_in_that_time_is_at_work(tmp_path: Path) -> None:
    def script(ask: Ask) -> None:
        if b"late" in ask.body:
            ask.wait_for_hang_up()
            return
        ask.send(stream_head() + EVENT)
        engines[0].wait_for_asks(2)
        ask.send(EVENT + END)

    with (
        two(tmp_path, script, timeouts={"firstByteSeconds": 1}) as (up, engines),
        ThreadPoolExecutor() as pool,
    ):
        body = {"model": "first", "stream": True, "messages": [{"role": "user", "content": "long"}]}
        with up.client.stream("POST", CHAT, json=body) as long:
            chunks = long.iter_raw()
            next(chunks)
            late = pool.submit(ask, up)
            assert b"".join(chunks).endswith(b"data: [DONE]\n\n")
        assert_waited_for(up, late.result(), engines)


def test_who_answers_polls_is_at_work(tmp_path: Path) -> None:
    def script(ask: Ask) -> None:
        if b"GET /metrics" in ask.line:
            ask.send(LOAD)
        elif b"GET" in ask.line:
            ask.send(answer(b"{}"))
        else:
            ask.wait_for_hang_up()

    often = {"engine": {"intervalSeconds": 1}}
    spec: dict[str, Any] = {"engine": "VLLM", "metrics": often, "timeouts": {"firstByteSeconds": 2}}
    with two(tmp_path, script, **spec) as (up, engines):
        assert_waited_for(up, ask(up), engines)
