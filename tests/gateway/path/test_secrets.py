"""The client's words about itself stop here; the backend's credential is sent to it and goes no further."""

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import engines, folders, gateways
from fakes.engines import Ask, answer, chunk, says, stream_head
from fakes.program import gateway

SECRET = "sk-of-the-backend"
CLIENTS = {
    "authorization": "Bearer sk-of-the-client",
    "x-api-key": "sk-of-the-client",
    "cookie": "session=of-the-client",
    "origin": "http://page.of-the-client.test",
    "referer": "http://page.of-the-client.test/path",
    "proxy-authorization": "Basic of-the-client",
    "forwarded": "for=of-the-client",
    "x-forwarded-for": "of-the-client",
}
HEADERS = "".join(f"{name}: {value}\r\n" for name, value in CLIENTS.items())
EVENT = b'data: {"choices":[]}\n\n'


def quoting(ask: Ask) -> None:
    """Answer in words that quote the request, as careless engines do."""
    ask.send(answer(ask.head, "502 Bad Gateway"))


def resetting(ask: Ask) -> None:
    ask.send(stream_head() + chunk(EVENT))
    ask.reset()


WAYS = {
    "a good answer": says(answer(b'{"choices":[]}')),
    "a stream": says(stream_head() + chunk(EVENT + b"data: [DONE]\n\n") + b"0\r\n\r\n"),
    "a stream that is cut": resetting,
    "a refusal in the request's own words": quoting,
    "no HTTP": lambda ask: ask.send(ask.head),
    "a reset": lambda ask: ask.reset(),
    "a pause": says(answer(b"", "429 Slow", b"retry-after: 1\r\n")),
}


def credential() -> dict[str, Any]:
    metadata = {"name": "key", "labels": {"steelyard.dev/kind": "backend-credential"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"api-key": SECRET}}


@pytest.mark.parametrize("way", WAYS)
def test_no_secret_is_passed_on_logged_or_told_whatever_becomes_of_the_request(
    way: str, tmp_path: Path
) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":%b}'
    with engines.engine(WAYS[way]) as up:
        reference = {"name": "key", "key": "api-key"}
        folders.write(
            tmp_path, folders.backend("e", up.port, {"name": "m"}, credentialsRef=reference), credential()
        )
        with gateway(tmp_path) as running:
            answers = []
            for stream in (b"false", b"true"):
                with gateways.Line(int(running.url.rpartition(":")[2])) as line:
                    answers.append(line.post(body % stream, headers=HEADERS + "x-custom: kept\r\n").read())
            for _ in answers:
                running.wait_for("request")
            pages = [
                running.admin.get(page).text for page in ("/metrics", "/admin/resources", "/admin/table")
            ]
        logged = json.dumps([running.lines, pages])

    for ask in up.asks:
        assert ask.headers[b"authorization"] == f"Bearer {SECRET}".encode()
        assert (ask.headers[b"host"], ask.headers[b"x-custom"]) == (b"127.0.0.1:%d" % up.port, b"kept")
        assert b"of-the-client" not in ask.head
    told = json.dumps([(one.headers, one.body.decode()) for one in answers])
    assert up.asks != []
    assert SECRET not in told + logged
    assert "of-the-client" not in told + logged


MALFORMED = {
    "a request that is not HTTP": b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nx y: z\r\n%b\r\n",
    "a head that is too long": b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nx: %s\r\n" % (b"x" * 70_000)
    + b"%b\r\n",
    "a path that is not offered": b"GET /of-nobody HTTP/1.1\r\nhost: g\r\n%b\r\n",
    "no JSON": b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n%bcontent-length: 2\r\n\r\n{]",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_request_that_is_refused_leaves_no_trace_of_its_secrets(case: str, tmp_path: Path) -> None:
    folders.write(tmp_path, folders.backend("e", 1, {"name": "m"}))
    with gateway(tmp_path) as running:
        with gateways.Line(int(running.url.rpartition(":")[2])) as line:
            got = line.send(MALFORMED[case] % HEADERS.encode()).read()
        if case != "a path that is not offered":
            running.wait_for("request")

    assert got.status in (400, 404, 431)
    got.error()
    assert "of-the-client" not in json.dumps([got.headers, got.body.decode(), running.lines])
