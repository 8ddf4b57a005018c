"""Probes of engines that answer as real ones did, and of addresses where another thing answers, or none."""

import asyncio
import json
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fakes import engines as fakes
from fakes.engines import Ask, Script
from fakes.gateways import endpoint
from steelyard.api.backend import Engine, ObservedModel, Timeouts
from steelyard.routing.table import Endpoint
from steelyard.telemetry import models
from steelyard_cli.engines.fleet import Engine as RealEngine
from steelyard_operator.probing import Description, Failure, Prober

TESTS = Path(__file__).parents[1]
CERTIFICATES = TESTS / "gateway" / "upstream" / "certificates"
SECONDS = 5.0
T = TypeVar("T")


def probe(what: Callable[[Prober], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Prober() as prober:
            return await what(prober)

    return asyncio.run(run())


def health(engine: Engine, place: Endpoint, seconds: float = SECONDS) -> Failure | None:
    return probe(lambda prober: prober.health(engine, place, seconds))


def describe(engine: Engine, place: Endpoint, seconds: float = SECONDS) -> Description | Failure:
    return probe(lambda prober: prober.describe(engine, place, seconds))


def activity(engine: Engine, place: Endpoint, seconds: float = SECONDS) -> int | None:
    return probe(lambda prober: prober.activity(engine, place, seconds))


def recorded(name: str) -> bytes:
    """An answer of a real engine, with a head that fits the fake's framing."""
    return fakes.answer((TESTS / "recordings" / "probes" / f"{name}.body").read_bytes())


def answering(answers: Mapping[bytes, bytes]) -> Script:
    """Answer by path; 404 elsewhere."""
    lost = fakes.answer(b"secret page", "404 Not Found", b"content-type: text/html; charset=utf-8\r\n")
    return lambda ask: ask.send(answers.get(ask.line.split()[1], lost))


def status(number: int, headers: bytes = b"") -> Script:
    """Answer everything with this status."""
    return lambda ask: ask.send(fakes.answer(b'{"error": "secret detail"}', f"{number} Status", headers))


VLLM = {
    b"/health": recorded("vllm-0.32.0/health"),
    b"/version": recorded("vllm-0.32.0/version"),
    b"/metrics": recorded("vllm-0.32.0/metrics"),
    b"/v1/models": recorded("vllm-0.32.0/models"),
}
LLAMA_CPP = {
    b"/health": recorded("llama.cpp-b11434/health"),
    b"/props": recorded("llama.cpp-b11434/props"),
    b"/metrics": recorded("llama.cpp-b11434/metrics"),
    b"/slots": recorded("llama.cpp-b11434/slots"),
    b"/v1/models": recorded("llama.cpp-b11434/models"),
}
OLLAMA = {
    b"/api/version": recorded("ollama-0.17.4/version"),
    b"/api/tags": recorded("ollama-0.17.4/tags"),
}


def shown(ask: Ask) -> None:
    """Ollama: one of its models sets its context."""
    if ask.line.startswith(b"POST /api/show "):
        name = json.loads(ask.body)["model"]
        ask.send(recorded("ollama-0.17.4/show_long" if name == "smollm2-long:135m" else "ollama-0.17.4/show"))
    else:
        answering(OLLAMA)(ask)


@pytest.mark.parametrize(
    ("engine", "answers"), [(Engine.VLLM, VLLM), (Engine.LLAMA_CPP, LLAMA_CPP), (Engine.OLLAMA, OLLAMA)]
)
def test_an_engine_that_is_well_is_healthy_by_one_request(
    engine: Engine, answers: dict[bytes, bytes]
) -> None:
    with fakes.engine(answering(answers)) as up:
        assert health(engine, endpoint(up.port)) is None
    assert len(up.asks) == 1


@pytest.mark.parametrize(
    ("engine", "answers", "wanted"),
    [
        (
            Engine.VLLM,
            VLLM,
            Description((ObservedModel(name="smollm2:135m", context_tokens=2048),), "0.32.0"),
        ),
        (
            Engine.LLAMA_CPP,
            LLAMA_CPP,
            Description((ObservedModel(name="smollm2-135m", context_tokens=2048),), "b0-unknown"),
        ),
        (Engine.OPENAI, VLLM, Description((ObservedModel(name="smollm2:135m", context_tokens=2048),), None)),
    ],
)
def test_models_and_version_are_described(
    engine: Engine, answers: dict[bytes, bytes], wanted: Description
) -> None:
    with fakes.engine(answering(answers)) as up:
        assert describe(engine, endpoint(up.port)) == wanted


def test_an_older_sglang_tells_its_version_elsewhere() -> None:
    answers = {**VLLM, b"/get_server_info": fakes.answer(b'{"version": "0.4.6", "api_key": "secret"}')}
    with fakes.engine(answering(answers)) as up:
        described = describe(Engine.SGLANG, endpoint(up.port))
    assert isinstance(described, Description) and described.engine_version == "0.4.6"
    assert [ask.line.split()[1] for ask in up.asks] == [b"/v1/models", b"/server_info", b"/get_server_info"]


def test_ollama_is_asked_for_each_digest_once_and_tells_only_the_context_that_is_set() -> None:
    async def twice(prober: Prober) -> list[Description | Failure]:
        return [await prober.describe(Engine.OLLAMA, endpoint(up.port), SECONDS) for _ in range(2)]

    with fakes.engine(shown) as up:
        first, second = probe(twice)

    assert isinstance(first, Description) and first == second
    assert {model.name: model.context_tokens for model in first.models} == {
        "gemma3:270m": None,
        "smollm2-long:135m": 8192,
        "smollm2:135m": None,
    }
    assert all(model.digest for model in first.models)
    assert sum(ask.line.startswith(b"POST") for ask in up.asks) == 3


def test_an_ollama_without_models_serves_none_which_is_no_failure() -> None:
    with fakes.engine(answering({**OLLAMA, b"/api/tags": fakes.answer(b'{"models":[]}')})) as up:
        assert describe(Engine.OLLAMA, endpoint(up.port)) == Description((), "0.17.4")


@pytest.mark.parametrize("code", [403, 404, 501])
def test_a_version_that_is_not_told_is_absent(code: int) -> None:
    def script(ask: Ask) -> None:
        (status(code) if b"/version" in ask.line else answering(VLLM))(ask)

    with fakes.engine(script) as up:
        described = describe(Engine.VLLM, endpoint(up.port))
    assert isinstance(described, Description) and described.engine_version is None


def test_a_version_that_could_not_be_told_just_now_does_not_vanish() -> None:
    def script(ask: Ask) -> None:
        (status(503) if b"/version" in ask.line else answering(VLLM))(ask)

    with fakes.engine(script) as up:
        failure = describe(Engine.VLLM, endpoint(up.port))
    assert isinstance(failure, Failure) and failure.reason == "NotReady"


def test_a_wrong_key_of_llama_cpp_shows_though_it_lists_its_models_to_everybody() -> None:
    def script(ask: Ask) -> None:
        (status(401) if b"/props" in ask.line else answering(LLAMA_CPP))(ask)

    with fakes.engine(script) as up:
        failure = describe(Engine.LLAMA_CPP, endpoint(up.port, authorization="Bearer hush"))
    assert isinstance(failure, Failure) and failure.reason == "Unauthorized"
    assert "check the key that spec.credentialsRef names" in failure.message
    assert "hush" not in failure.message


def test_the_key_is_sent_and_proxies_and_cookies_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def twice(prober: Prober) -> None:
        for _ in range(2):
            await prober.health(Engine.OPENAI, endpoint(up.port, authorization="Bearer key"), SECONDS)

    with fakes.engine(status(200, b"set-cookie: a=b\r\n")) as up:
        probe(twice)
    heads = [ask.head.lower() for ask in up.asks]
    assert len(heads) == up.connections == 2
    assert all(b"\r\nauthorization: bearer key" in head and b"cookie" not in head for head in heads)


FAILURES: dict[str, tuple[Script, str, str]] = {
    "a web site": (
        answering({}),
        "NotAnEngine",
        "answered 404 (text/html), which VLLM would not: check spec",
    ),
    "no key": (status(401), "Unauthorized", "it wants a key; name the Secret that holds it"),
    "forbidden": (status(403), "Unauthorized", "answered 403 (application/json)"),
    "loading": (status(503), "NotReady", "answered 503 (application/json): it is loading or overloaded"),
    "broken": (status(500), "EngineError", "answered 500 (application/json): see the engine's log"),
    "busy": (status(429), "EngineError", "answered 429"),
    "elsewhere": (
        status(307, b"location: http://127.0.0.1:9/\r\n"),
        "Redirected",
        "answered 307 (application/json): redirects are not followed",
    ),
    "killed": (Ask.reset, "NoAnswer", "broke the connection off or does not speak HTTP"),
    "another protocol": (
        lambda ask: ask.send(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
        "NoAnswer",
        "broke the connection off or does not speak HTTP",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.parametrize("question", [health, describe])
def test_a_failing_engine_is_told_in_words_without_its_body(
    case: str, question: Callable[[Engine, Endpoint], Any]
) -> None:
    script, reason, words = FAILURES[case]
    with fakes.engine(script) as up:
        failure = question(Engine.VLLM, endpoint(up.port))

    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert words in failure.message
    assert f"127.0.0.1:{up.port}" in failure.message
    assert "secret" not in failure.message


NO_LISTS = {
    "a page": (
        fakes.answer(b"<html>secret", headers=b"content-type: text/html\r\n"),
        "(text/html), but its answer",
    ),
    "another JSON": (
        fakes.answer(b'{"secret": []}'),
        "(application/json), but its answer holds no list named data",
    ),
    "endless": (
        fakes.answer(b" " * (models.MOST_ANSWER_BYTES + 1)),
        f"answered 200 (application/json) and more than {models.MOST_ANSWER_BYTES} bytes",
    ),
}


@pytest.mark.parametrize("case", NO_LISTS)
def test_an_answer_that_is_no_list_of_models_is_told(case: str) -> None:
    answer, words = NO_LISTS[case]
    with fakes.engine(answering({b"/v1/models": answer})) as up:
        failure = describe(Engine.VLLM, endpoint(up.port))
    assert isinstance(failure, Failure) and failure.reason == "NotAnEngine"
    assert words in failure.message
    assert "secret" not in failure.message


def test_an_engine_that_hangs_is_left_after_its_time() -> None:
    def hang(ask: Ask) -> None:
        ask.wait_for_hang_up()

    with fakes.engine(hang) as up:
        failure = health(Engine.VLLM, endpoint(up.port), seconds=0.2)
        up.wait_for_hang_ups(1)
    assert failure == Failure(
        "TimedOut",
        f"http://127.0.0.1:{up.port}/health did not answer in 0.2 s: is the engine stuck or overloaded?",
    )


def test_an_address_where_nothing_listens_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        failure = health(Engine.VLLM, endpoint(port))
    assert failure == Failure(
        "Unreachable",
        f"http://127.0.0.1:{port} cannot be reached (connection refused): is the engine running there?",
    )


def test_a_name_that_nobody_knows_is_told() -> None:
    failure = health(Engine.VLLM, endpoint(80, host="engine.invalid"))
    assert failure and failure.reason == "Unreachable"
    assert "http://engine.invalid:80 cannot be reached (the name is not known)" in failure.message


def test_an_address_that_swallows_connections_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        failure = health(Engine.VLLM, endpoint(port, timeouts=Timeouts(connect_seconds=1)))
        for one in waiting:
            one.close()
    assert failure and failure.reason == "Unreachable"
    assert f"127.0.0.1:{port} did not accept a connection in 1 s" in failure.message


def tls_engine() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "engine.crt", CERTIFICATES / "engine.key")
    return context


TLS: dict[str, tuple[dict[str, Any], str]] = {
    "trusted": ({"server_name": "engine.test"}, ""),
    "another name": ({"server_name": "other.test"}, "check spec.tls.caRef and spec.tls.serverName"),
    "the host": ({}, "check spec.tls.caRef and spec.tls.serverName"),
    "no authority": (
        {"server_name": "engine.test", "ca_pem": None},
        "that is not accepted (self-signed certificate)",
    ),
    "no PEM": ({"ca_pem": "-----BEGIN CERTIFICATE-----"}, "does spec.tls.caRef hold no certificate?"),
    "a name that is none": ({"server_name": ".test"}, "cannot be reached"),
}


@pytest.mark.parametrize("case", TLS)
def test_certificates_are_checked_by_authority_and_name(case: str) -> None:
    more, words = TLS[case]
    with fakes.engine(answering(VLLM), tls_engine()) as up:
        place = {"scheme": "https", "ca_pem": (CERTIFICATES / "engine.crt").read_text(), **more}
        failure = health(Engine.VLLM, endpoint(up.port, **place))
    if not words:
        assert failure is None
    else:
        assert failure and words in failure.message
        assert f"https://127.0.0.1:{up.port}" in failure.message


def test_an_engine_without_tls_is_told() -> None:
    with fakes.engine(answering(VLLM)) as up:
        failure = health(Engine.VLLM, endpoint(up.port, scheme="https"))
    assert failure and failure.reason == "TlsFailed"
    assert "does it serve http only" in failure.message


def test_more_authorities_than_are_kept_at_hand_are_no_trouble() -> None:
    pem = (CERTIFICATES / "engine.crt").read_text()

    async def ask_by_many() -> list[Failure | None]:
        places = [
            endpoint(up.port, scheme="https", server_name="engine.test", ca_pem=pem + "\n" * number)
            for number in (0, 1, 2, 0)
        ]
        async with Prober(most_clients=2) as prober:
            asked = [prober.health(Engine.VLLM, place, SECONDS) for place in places]
            return list(await asyncio.gather(*asked))

    with fakes.engine(answering(VLLM), tls_engine()) as up:
        assert asyncio.run(ask_by_many()) == [None] * 4


def test_busy_slots_stand_in_for_metrics_that_are_off() -> None:
    busy = fakes.answer(b'[{"is_processing": true}, {"is_processing": false}]')
    off = fakes.answer(b"{}", "501 Not Implemented")
    with fakes.engine(answering({**LLAMA_CPP, b"/metrics": off, b"/slots": busy})) as up:
        assert activity(Engine.LLAMA_CPP, endpoint(up.port)) == 1
    assert len(up.asks) == 2


@pytest.mark.parametrize(
    ("engine", "answers", "wanted"),
    [
        (Engine.VLLM, VLLM, 0),
        (Engine.LLAMA_CPP, LLAMA_CPP, 0),
        (Engine.SGLANG, VLLM, None),
        (Engine.SGLANG, {}, None),
        (Engine.LLAMA_CPP, {}, None),
        (Engine.OLLAMA, OLLAMA, None),
    ],
)
def test_activity_that_is_not_told_is_unknown(
    engine: Engine, answers: dict[bytes, bytes], wanted: int | None
) -> None:
    with fakes.engine(answering(answers)) as up:
        assert activity(engine, endpoint(up.port)) == wanted


def test_a_real_llama_cpp_is_well_described_and_idle(smollm2_engine: RealEngine) -> None:
    place = endpoint(int(smollm2_engine.url.rsplit(":", 1)[1]))
    described = describe(Engine.LLAMA_CPP, place)

    assert health(Engine.LLAMA_CPP, place) is None
    assert isinstance(described, Description) and described.engine_version
    assert [model.name for model in described.models] == [smollm2_engine.alias]
    assert described.models[0].context_tokens
    assert activity(Engine.LLAMA_CPP, place) == 0
