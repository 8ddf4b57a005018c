"""Every path through the gateway's public face: what reaches an engine, comes back and is written down."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.engines import Ask, Engine, Script, answer, chunk, engine, says
from fakes.folders import backend, model, resource, write
from fakes.program import Gateway, gateway

JSON_PATHS = (
    "chat/completions",
    "completions",
    "embeddings",
    "responses",
    "rerank",
    "score",
    "audio/speech",
    "images/generations",
)
FORM_PATHS = ("audio/transcriptions", "audio/translations", "images/edits", "images/variations")
NEEDS = {
    "embeddings": "embeddings",
    "rerank": "rerank",
    "score": "rerank",
    "audio/speech": "audio",
    "audio/transcriptions": "audio",
    "images/generations": "images",
    "images/edits": "images",
    "responses": "chat",
}
MESSAGES = [{"role": "user", "content": "x"}]
AUDIO = b"RIFF\x00\xff\r\n--other\r\n\n\x80"
PAGE = {"origin": "https://page.example"}


def echo(ask: Ask) -> None:
    kind = b"content-type: application/x-echo\r\naccess-control-allow-origin: https://engine.example\r\n"
    ask.send(answer(ask.body, headers=kind))


def body(name: str = "asked", **more: Any) -> dict[str, Any]:
    return {"x": [1.0, "é"], "model": name, "messages": MESSAGES, **more}


def post(up: Gateway, path: str, name: str, **headers: str) -> httpx.Response:
    """A good request for this path."""
    if path in FORM_PATHS:
        files = {"file": ("a.wav", AUDIO, "audio/wav")}
        return up.client.post(f"/v1/{path}", data={"model": name}, files=files, headers=headers)
    return up.client.post(f"/v1/{path}", json=body(name), headers=headers)


@contextmanager
def running(directory: Path, up: Engine, *flags: str) -> Iterator[Gateway]:
    write(directory, backend("only", up.port, {**model("served"), "aliases": ["asked"]}))
    with gateway(directory, *flags) as running_gateway:
        yield running_gateway


@pytest.fixture(scope="module")
def engine_up() -> Iterator[Engine]:
    with engine(echo) as up:
        yield up


@pytest.fixture(scope="module")
def up(engine_up: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    every = set(NEEDS.values())
    able, unable = model("able", **dict.fromkeys(every, True)), model("unable", **dict.fromkeys(every, False))
    directory = tmp_path_factory.mktemp("conf")
    write(
        directory,
        backend("only", engine_up.port, {**model("served"), "aliases": ["asked"]}, unable, able),
        backend("short", engine_up.port, {**model("short"), "contextTokens": 10}),
        resource(
            "RoutingPolicy",
            "any",
            {"models": [{"name": "auto"}], "candidates": [{"models": ["able", "unable"]}]},
        ),
    )
    with gateway(directory) as running_gateway:
        yield running_gateway


@pytest.mark.parametrize("path", JSON_PATHS)
def test_of_a_json_body_only_the_model_is_changed(up: Gateway, engine_up: Engine, path: str) -> None:
    sent = b' { "x":[1.0, "\xc3\xa9"],"messages" : %b ,"model" :\t"asked"}\n' % json.dumps(MESSAGES).encode()
    got = up.client.post(f"/v1/{path}?a=%20b", content=sent, headers={"content-type": "application/json"})
    assert (got.status_code, got.content) == (200, sent.replace(b'"asked"', b'"served"'))
    assert (got.headers["content-type"], got.headers["x-steelyard-model"]) == ("application/x-echo", "served")
    assert engine_up.asks[-1].line == f"POST /v1/{path}?a=%20b HTTP/1.1".encode()


@pytest.mark.parametrize("path", FORM_PATHS)
def test_of_a_form_only_the_model_is_changed(up: Gateway, engine_up: Engine, path: str) -> None:
    request = up.client.build_request(
        "POST", f"/v1/{path}", data={"model": "asked", "n": "1"}, files={"file": ("a.wav", AUDIO)}
    )
    sent = request.read()
    got = up.client.send(request)
    assert (got.status_code, got.content) == (200, sent.replace(b"\r\n\r\nasked\r\n", b"\r\n\r\nserved\r\n"))
    ask = engine_up.asks[-1]
    assert ask.line == f"POST /v1/{path} HTTP/1.1".encode()
    assert ask.headers[b"content-type"] == request.headers["content-type"].encode()
    assert got.headers["x-steelyard-model"] == "served"


@pytest.mark.parametrize("path", FORM_PATHS)
def test_a_form_path_takes_json_that_says_so(up: Gateway, path: str) -> None:
    got = up.client.post(f"/v1/{path}", json={"model": "asked", "images": []})
    assert (got.status_code, got.json()["model"]) == (200, "served")
    assert up.client.post(f"/v1/{path}", content=b"{}").status_code == 400


@pytest.mark.parametrize("path", [*JSON_PATHS, *FORM_PATHS])
def test_a_model_that_does_not_exist_is_404_on_every_path(up: Gateway, path: str) -> None:
    got = post(up, path, "nobody")
    assert (got.status_code, got.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("path", [*JSON_PATHS, *FORM_PATHS])
def test_a_decision_is_explained_on_every_path(up: Gateway, engine_up: Engine, path: str) -> None:
    before = len(engine_up.asks)
    got = post(up, path, "asked", **{"x-steelyard-explain": "1"})
    assert (got.status_code, got.json()["chosen"]) == (200, {"model": "served", "backend": "only"})
    assert len(engine_up.asks) == before


def test_paths_that_are_not_offered_are_404_written_down_and_never_forwarded(
    up: Gateway, engine_up: Engine
) -> None:
    before = len(engine_up.asks)
    for method, path in (
        ("POST", "/v1/load_lora_adapter"),
        ("GET", "/metrics"),
        ("DELETE", "/v1/files/x"),
        ("PUT", "/"),
    ):
        got = up.client.request(method, path, headers={"x-request-id": "mine"})
        assert (got.status_code, got.json()["error"]["code"], got.headers["x-request-id"]) == (
            404,
            "not_found",
            "mine",
        )
        assert path in got.json()["error"]["message"]
        line = up.wait_for("request")
        while line["path"] != "other":
            line = up.wait_for("request")
        assert (line["status"], line["code"], line["request_id"]) == (404, "not_found", "mine")
    assert up.client.head("/nowhere").status_code == 404
    assert len(engine_up.asks) == before
    counted = 'code="not_found",model="",path="other",policy="",status="404"}'
    assert counted in up.admin.get("/metrics").text


def test_the_gateways_own_answers_carry_the_date(up: Gateway) -> None:
    for got in (
        up.client.get("/v1/models"),
        post(up, "chat/completions", "nobody"),
        up.client.get("/nowhere"),
    ):
        (date,) = got.headers.get_list("date")
        assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 60


def test_models_are_told_to_head_as_to_get(up: Gateway) -> None:
    for path in ("/v1/models", "/v1/models/asked", "/v1/models/nobody"):
        got, head = up.client.get(path), up.client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("path", ["embeddings", "images/edits"])
def test_nothing_is_said_of_web_pages_unless_it_is_set(up: Gateway, path: str) -> None:
    got = up.client.options(f"/v1/{path}", headers={**PAGE, "access-control-request-method": "POST"})
    assert (got.status_code, got.headers["allow"]) == (204, "OPTIONS, POST")
    assert [name for name in got.headers if name.startswith("access-control-")] == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "application/json"), (b"null", "application/json"), (b"a=b", "application/x-www-form-urlencoded")],
)
@pytest.mark.parametrize("path", [*JSON_PATHS, *FORM_PATHS])
def test_no_body_and_a_wrong_one_are_bad_requests(up: Gateway, path: str, content: bytes, kind: str) -> None:
    got = up.client.post(f"/v1/{path}", content=content, headers={"content-type": kind})
    assert (got.status_code, got.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("path", NEEDS)
def test_a_model_that_cannot_do_it_is_no_candidate_and_is_named(up: Gateway, path: str) -> None:
    assert post(up, path, "auto").headers["x-steelyard-model"] == "able"
    refused = post(up, path, "unable")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "no_candidate")
    assert f"unable@only: {NEEDS[path]}" in refused.json()["error"]["message"]


def closes_after(sent: bytes) -> Script:
    """A script that sends this and no more."""

    def script(ask: Ask) -> None:
        ask.send(sent)
        ask.close()

    return script


FAULTS: dict[str, Script] = {
    "reset": Ask.reset,
    "cut after the head": closes_after(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
    "no HTTP": closes_after(b"secret\r\n\r\n"),
    "500": says(answer(b"{}", "500 Internal Server Error")),
    "503 as a page": says(answer(b"<html>", "503 Service Unavailable", b"content-type: text/html\r\n")),
    "429": says(answer(b"{}", "429 Too Many Requests", b"retry-after: 1\r\n")),
    "no such path": says(answer(b"404 page not found", "404 Not Found", b"content-type: text/plain\r\n")),
    "no such model": says(answer(b'{"error":{"message":"model not found"}}', "404 Not Found")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_another_endpoint_answers_where_one_fails_on_every_path(
    engine_up: Engine, fault: str, tmp_path: Path
) -> None:
    paths = {f"model-{number}": path for number, path in enumerate([*JSON_PATHS, *FORM_PATHS])}
    with engine(FAULTS[fault]) as failing:
        pairs = [("a", failing.port), ("b", engine_up.port)]
        write(
            tmp_path,
            *(backend(f"{side}-{name}", port, model(name)) for name in paths for side, port in pairs),
        )
        with gateway(tmp_path) as up:
            for name, path in paths.items():
                before = len(failing.asks)
                got = [post(up, path, name) for _ in range(2)]
                assert [(one.status_code, one.headers["x-steelyard-backend"]) for one in got] == [
                    (200, f"b-{name}")
                ] * 2, path
                assert len(failing.asks) > before, path


@pytest.mark.parametrize("field", ["messages", "input", "prompt"])
def test_a_prompt_that_is_too_long_for_a_model_is_refused_with_both_lengths(up: Gateway, field: str) -> None:
    path = {"messages": "chat/completions", "input": "responses", "prompt": "completions"}[field]
    text = "x" * 400
    told = [{"role": "user", "content": text}] if field == "messages" else text
    got = up.client.post(f"/v1/{path}", json={"model": "short", field: told})
    assert (got.status_code, got.json()["error"]["code"]) == (400, "no_candidate")
    assert "short@short: length 100 > 2 × 10 tokens" in got.json()["error"]["message"]


def test_speech_is_heard_while_it_is_made(tmp_path: Path) -> None:
    def script(ask: Ask) -> None:
        ask.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ntransfer-encoding: chunked\r\n\r\n"
            + chunk(b"first")
        )
        if ask.wait_for_hang_up():
            ask.close()

    request = {"model": "asked", "input": "x", "voice": "y"}
    with (
        engine(script) as speaker,
        running(tmp_path, speaker) as up,
        up.client.stream("POST", "/v1/audio/speech", json=request) as got,
    ):
        assert next(got.iter_raw()) == b"first"


def test_a_form_above_the_limit_is_refused(engine_up: Engine, tmp_path: Path) -> None:
    with running(tmp_path, engine_up, "--max-body-bytes", "4096") as up:
        files = {"file": ("a.wav", b"x" * 5000)}
        got = up.client.post("/v1/audio/transcriptions", data={"model": "asked"}, files=files)
        assert (got.status_code, got.json()["error"]["code"]) == (413, "body_too_large")


def test_with_origins_set_every_answer_names_the_page(engine_up: Engine, tmp_path: Path) -> None:
    with running(tmp_path, engine_up, "--cors-origins", "https://other.example,https://page.example") as up:
        asked = {
            **PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        }
        allowed = up.client.options("/v1/chat/completions", headers=asked)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-methods"] == "OPTIONS, POST"
        assert allowed.headers["access-control-allow-headers"] == "authorization"
        answers = [
            allowed,
            post(up, "chat/completions", "asked", **PAGE),
            post(up, "chat/completions", "nobody", **PAGE),
            up.client.get("/v1/chat/completions", headers=PAGE),
            up.client.get("/v1/models", headers=PAGE),
            up.client.get("/nowhere", headers=PAGE),
            up.client.post("/v1/embeddings", content=b"{", headers=PAGE),
        ]
        assert [one.status_code for one in answers] == [204, 200, 404, 405, 200, 404, 400]
        for one in answers:
            assert one.headers.get_list("access-control-allow-origin") == ["https://page.example"]
            assert one.headers["vary"] == "origin"
        stranger = post(up, "chat/completions", "asked", origin="https://stranger.example")
        assert "access-control-allow-origin" not in stranger.headers
