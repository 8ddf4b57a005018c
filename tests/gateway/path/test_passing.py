"""What passes through the gateway unchanged, and what it changes on the way."""

import json

import pytest

from fakes import engines, gateways
from fakes.engines import answer, says
from steelyard_gateway.client_connection import Limits
from steelyard_gateway.ports import Reply

COMPLETION = b'{"id":"1","object":"chat.completion","choices":[{"message":{"content":"12 \xe2\x82\xac"}}]}'


def test_an_answer_passes_with_its_body_and_status_unchanged() -> None:
    with (
        engines.engine(says(answer(COMPLETION))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask()

    assert (got.status, got.body) == (200, COMPLETION)
    assert got.headers["content-length"] == str(len(COMPLETION))


def test_the_answer_tells_who_answered_after_how_many_attempts() -> None:
    with (
        engines.engine(says(answer(COMPLETION))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(headers="x-request-id: mine-1\r\n")

    told = {name: value for name, value in got.headers.items() if name.startswith("x-")}
    assert int(told.pop("x-steelyard-overhead-us")) >= 0
    assert told == {
        "x-request-id": "mine-1",
        "x-steelyard-model": "tiny",
        "x-steelyard-backend": "engine",
        "x-steelyard-attempts": "1",
    }


def test_only_the_model_is_replaced_in_the_body() -> None:
    body = '{ "unknown": [1, 2.50, "é"],\n "model" :"asked" , "messages":[]}'.encode()
    with (
        engines.engine(says(answer(COMPLETION))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        gateway.ask(body)

    assert up.asks[0].body == body.replace(b'"asked"', b'"tiny"')
    assert up.asks[0].headers[b"content-length"] == b"%d" % (len(body) - 1)


def test_an_engine_gets_the_clients_headers_but_those_of_one_hop_and_those_that_identify() -> None:
    sent = (
        "Accept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: test/1\r\nContent-Type: application/json\r\n"
        "X-Custom: kept\r\ntraceparent: 00-1\r\nAuthorization: Bearer client\r\nCookie: a=b\r\nOrigin: http://o\r\n"
        "Referer: http://r\r\nTE: trailers\r\nX-Steelyard-Goal: Best\r\nX-Api-Key: k\r\napi-key: k\r\n"
        "OpenAI-Organization: o\r\nOpenAI-Project: p\r\nForwarded: for=1\r\nX-Forwarded-For: 1.2.3.4\r\n"
        "X-Only-Here: h\r\nConnection: keep-alive, x-only-here\r\nKeep-Alive: 5\r\nProxy-Authorization: p\r\n"
        "X-Request-ID: r-1\r\n"
    )
    with (
        engines.engine(says(answer(COMPLETION))) as up,
        gateways.gateway(gateways.endpoint(up.port, authorization="Bearer backend%1")) as gateway,
    ):
        gateway.ask(headers=sent)

    assert up.asks[0].line == b"POST /v1/chat/completions HTTP/1.1"
    assert up.asks[0].headers == {
        b"host": b"127.0.0.1:%d" % up.port,
        b"authorization": b"Bearer backend%1",
        b"accept": b"*/*",
        b"user-agent": b"test/1",
        b"content-type": b"application/json",
        b"x-custom": b"kept",
        b"traceparent": b"00-1",
        b"x-request-id": b"r-1",
        b"content-length": b"16",
    }


def test_the_client_gets_the_engines_headers_but_those_of_one_hop_and_those_the_gateway_sets() -> None:
    sent = (
        b"Server: engine/1\r\nDate: Sat, 21 Nov 2026 10:00:35 GMT\r\nX-Custom: kept\r\nEmpty:\r\n"
        b"X-Here: h\r\nConnection: x-here\r\nX-Steelyard-Model: other\r\nX-Request-Id: other\r\n"
        b"Keep-Alive: 5\r\nTrailer: t\r\n"
    )
    with (
        engines.engine(says(answer(COMPLETION, headers=sent))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(headers="x-request-id: mine\r\n")

    got.headers.pop("x-steelyard-overhead-us")
    assert got.headers == {
        "server": "engine/1",
        "date": "Sat, 21 Nov 2026 10:00:35 GMT",
        "content-type": "application/json",
        "content-length": str(len(COMPLETION)),
        "x-custom": "kept",
        "empty": "",
        "x-steelyard-model": "tiny",
        "x-steelyard-backend": "engine",
        "x-steelyard-attempts": "1",
        "x-request-id": "mine",
    }


@pytest.mark.parametrize("given", ["", "x-request-id: two words\r\n", f"x-request-id: {'r' * 129}\r\n"])
def test_a_request_without_a_usable_id_gets_one_that_engine_client_and_record_share(given: str) -> None:
    with (
        engines.engine(says(answer(COMPLETION))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        first, second = gateway.ask(headers=given), gateway.ask(headers=given)
        outcomes = gateway.recorder.wait_for(2)

    ids = [got.headers["x-request-id"] for got in (first, second)]
    assert ids[0] != ids[1]
    assert [ask.headers[b"x-request-id"].decode() for ask in up.asks] == ids
    assert [outcome.request_id.decode() for outcome in outcomes] == ids


@pytest.mark.parametrize(
    "path",
    [
        "//v1//chat/completions",
        "/v1/chat/completions/",
        "/openai/v1/chat/completions",
        "http://h/v1/chat/completions",
    ],
)
def test_a_path_may_be_spelled_in_other_ways(path: str) -> None:
    with (
        engines.engine(says(answer(COMPLETION))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(path=path)

    assert got.status == 200
    assert up.asks[0].line == b"POST /v1/chat/completions HTTP/1.1"


def test_the_query_and_the_backends_base_path_are_kept() -> None:
    with (
        engines.engine(says(answer(COMPLETION))) as up,
        gateways.gateway(gateways.endpoint(up.port, base_path="/deep/v2")) as gateway,
    ):
        gateway.ask(path="/v1/embeddings?api-version=1&a=%20b")

    assert up.asks[0].line == b"POST /deep/v2/embeddings?api-version=1&a=%20b HTTP/1.1"


@pytest.mark.parametrize(
    ("status", "body"),
    [("201 Created", b"{}"), ("404 Not Found", b'{"error":1}'), ("400 Bad Request", b"<html>")],
)
def test_an_answer_that_is_no_failure_passes_whatever_its_status(status: str, body: bytes) -> None:
    with (
        engines.engine(says(answer(body, status))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask()
        outcome = gateway.recorder.wait_for(1)[0]

    assert (got.status, got.body) == (int(status[:3]), body)
    assert (outcome.status, outcome.code) == (int(status[:3]), "")
    assert gateway.endpoints.told == [("answered", "engine")]


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_an_answer_without_a_body_leaves_both_connections_usable(sent: bytes) -> None:
    with (
        engines.engine(says(sent)) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        got = [line.post().read() for _ in range(2)]

    assert [one.body for one in got] == [b"", b""]
    assert up.connections == 1


def test_interim_answers_are_skipped() -> None:
    sent = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + answer(COMPLETION)
    with engines.engine(says(sent)) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        got = gateway.ask()

    assert (got.status, got.body) == (200, COMPLETION)
    assert "link" not in got.headers


STREAMED = b'{"model":"asked","stream":true}'


def test_a_stream_without_a_length_reaches_the_client_in_chunks_and_an_old_client_until_the_close() -> None:
    def script(ask: engines.Ask) -> None:
        ask.send(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        ask.send(b" second")
        ask.close()

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        got = gateway.ask(STREAMED)
        with gateway.line() as line:
            old = line.send(gateways.post(STREAMED).replace(b"HTTP/1.1", b"HTTP/1.0")).read_to_end()

    assert (got.headers["transfer-encoding"], got.body) == ("chunked", b"first second")
    head, _, body = old.partition(b"\r\n\r\n")
    assert body == b"first second"
    assert b"connection: close" in head
    assert b"transfer-encoding" not in head


def test_an_answer_that_is_not_streamed_has_a_length_whatever_the_engines_framing() -> None:
    def script(ask: engines.Ask) -> None:
        ask.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        ask.send(b"7\r\n second\r\n0\r\n\r\n")

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        got = gateway.ask()

    assert (got.headers["content-length"], got.body) == ("12", b"first second")
    assert "transfer-encoding" not in got.headers


def test_a_large_body_passes_both_ways() -> None:
    text = "ö" * 3_000_000
    body = json.dumps({"model": "asked", "text": text}).encode()
    with (
        engines.engine(lambda ask: ask.send(answer(ask.body))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(body)

    assert json.loads(got.body) == {"model": "tiny", "text": text}
    assert up.asks[0].body == got.body


def test_a_header_value_that_is_no_visible_ascii_is_percent_encoded() -> None:
    with engines.engine(says(answer(COMPLETION))) as up:
        place = gateways.endpoint(up.port)
        router = gateways.FixedRouter([gateways.candidate(place, "Größe\r\nx: y %")])
        running = gateways.RunningGateway(router, Limits())
        got = running.ask()
        running.stop()

    assert got.headers["x-steelyard-model"] == "Gr%C3%B6%C3%9Fe%0D%0Ax: y %25"
    assert json.loads(up.asks[0].body) == {"model": "Größe\r\nx: y %"}


def test_headers_that_any_of_several_lines_says_are_of_one_hop_do_not_pass() -> None:
    sent = (
        "Connection: keep-alive\r\nConnection: x-one\r\nConnection: close, x-two\r\nx-one: 1\r\nx-two: 2\r\n"
    )
    with (
        engines.engine(says(answer(COMPLETION))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        gateway.ask(headers=sent)

    assert {b"x-one", b"x-two", b"connection"}.isdisjoint(up.asks[0].headers)


def test_the_gateways_own_answers_carry_the_request_id() -> None:
    with gateways.gateway() as gateway:
        gateway.router.replies["/v1/models"] = Reply(200, b'{"data":[]}')
        with gateway.line() as line:
            got = line.send(b"GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n").read()
            head = line.send(b"HEAD /v1/models HTTP/1.1\r\nhost: g\r\n\r\n").read(method="HEAD")
        outcome = gateway.recorder.wait_for(2)[0]

    assert (got.status, got.body) == (200, b'{"data":[]}')
    assert got.headers["x-request-id"] == outcome.request_id.decode()
    assert got.headers["content-type"] == "application/json"
    assert (head.body, head.headers["content-length"]) == (b"", "11")
    assert (outcome.path, outcome.routed, outcome.attempts) == ("/v1/models", None, 0)


def test_a_model_path_is_decided_as_it_was_sent_and_recorded_without_its_name() -> None:
    with gateways.gateway() as gateway:
        gateway.router.replies["/v1/models/org%2Fname"] = Reply(200, b"{}")
        with gateway.line() as line:
            got = line.send(b"GET /v1/models/org%2Fname HTTP/1.1\r\nhost: g\r\n\r\n").read()
        outcome = gateway.recorder.wait_for(1)[0]

    assert (got.status, outcome.path) == (200, "/v1/models/{id}")


def test_a_router_that_breaks_is_answered_with_an_error_and_no_trace() -> None:
    with gateways.gateway() as gateway:
        got = gateway.ask(b"no json")
        outcome = gateway.recorder.wait_for(1)[0]

    assert (got.status, got.error()["code"]) == (500, "internal_error")
    assert "Traceback" not in got.body.decode()
    assert (outcome.status, outcome.code) == (500, "internal_error")
