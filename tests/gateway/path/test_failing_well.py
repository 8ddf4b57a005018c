"""What is done when engines fail, are slow or ask for pauses: the whole gateway, by a folder of resources."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.engines import Ask, Script, answer, chunk, engine, refusing_port, says, stream_head
from fakes.folders import resource
from fakes.program import gateway
from fakes.scripted_fleet import CHAT, LISTED, WORDS, Fleet, backend, body, fleet, of_its_own_model
from steelyard_gateway.breaker import LEAST_SAMPLES
from steelyard_gateway.budget import LEAST_RETRIES, RETRY_SHARE

GOOD = answer(b'{"answer":"good"}')
BAD = answer(b'{"error":"secret"}', "502 Bad Gateway")
STREAM = stream_head() + chunk(b'data: {"choices":[]}\n\n') + chunk(b"data: [DONE]\n\n") + chunk(b"")
TOO_LONG = answer(
    b'{"error":{"code":400,"message":"request (9000 tokens) exceeds the available context size (8192)"}}',
    "400 Bad Request",
)
HANGING = {"messages": [{"role": "user", "content": "hang"}]}
SLOW_SECONDS = 1.0


def slow(ask: Ask) -> None:
    """Stream, but begin much later than measured."""
    ask.stopped.wait(SLOW_SECONDS)
    ask.send(STREAM)


# Slowness


def judged(up: Fleet, words: int = WORDS) -> None:
    """Give each endpoint enough streams to be judged, the first one last."""
    for number in reversed(range(len(up.engines))):
        up.stream(f"m@engine-{number}", LEAST_SAMPLES, words)
    up.stream("m@engine-0", 1, words)


def test_one_slow_of_four_is_ejected(tmp_path: Path) -> None:
    fast = says(STREAM)
    with fleet(tmp_path, slow, fast, fast, fast) as up:
        judged(up)
        before = up.asks()
        for _ in range(3):
            up.stream("m", 4)
        after = up.asks()

        assert up.slow_ones() == [f"engine-0@127.0.0.1:{up.engines[0].port}"]
    assert after[0] == before[0]
    assert sum(after) == sum(before) + 12


def test_four_slow_of_four_are_not_ejected(tmp_path: Path) -> None:
    with fleet(tmp_path, slow, slow, slow, slow) as up:
        judged(up)
        before = up.asks()
        up.stream("m", 8)

        assert up.slow_ones() == []
        assert [now > then for now, then in zip(up.asks(), before, strict=True)] == [True] * 4


def test_long_prompts_are_not_slowness(tmp_path: Path) -> None:
    fast = says(STREAM)
    with fleet(tmp_path, slow, fast, fast, fast) as up:
        judged(up, words=2000)

        assert up.slow_ones() == []


# Pauses


def asks_for(seconds: int) -> Script:
    return says(answer(b"", "429 Too Many Requests", b"retry-after: %d\r\n" % seconds))


def test_an_engine_that_asked_for_a_pause_is_not_asked_in_it(tmp_path: Path) -> None:
    with fleet(tmp_path, asks_for(30)) as up:
        got = [up.gateway.chat(model="m") for _ in range(3)]

        assert up.asks() == [1]
    assert [one.status_code for one in got] == [429] * 3
    assert all(28 <= int(one.headers["retry-after"]) <= 30 for one in got)
    assert "asked for a pause" in got[1].json()["error"]["message"]


def test_pauses_do_not_use_up_the_attempts(tmp_path: Path) -> None:
    busy = says(answer(b"{}", "429 Too Many Requests", b"retry-after: 30\r\n"))
    listed = {"models": [{"name": "auto"}], "order": "AsListed", "failover": {"maxAttempts": 1}}
    candidates = [{"models": [f"model-{number}"]} for number in range(3)]
    policy = resource("RoutingPolicy", "default", {**listed, "candidates": candidates})
    with fleet(tmp_path, busy, busy, says(GOOD), documents=of_its_own_model, policy=policy) as up:
        got = up.gateway.chat()

    assert (got.status_code, got.headers["x-steelyard-attempts"]) == (200, "3")


def test_another_model_of_the_policy_answers_in_a_pause(tmp_path: Path) -> None:
    with fleet(tmp_path, asks_for(30), says(GOOD), documents=of_its_own_model) as up:
        got = [up.gateway.chat() for _ in range(3)]

        assert up.asks() == [1, 3]
    assert [one.headers["x-steelyard-model"] for one in got] == ["model-1"] * 3


def test_when_all_rest_the_shortest_pause_is_told(tmp_path: Path) -> None:
    with fleet(tmp_path, asks_for(50), asks_for(30), documents=of_its_own_model) as up:
        got = [up.gateway.chat() for _ in range(2)]

        assert up.asks() == [1, 1]
    assert [one.status_code for one in got] == [429, 429]
    assert all(28 <= int(one.headers["retry-after"]) <= 30 for one in got)


# What a request needs


def test_a_prompt_that_is_too_long_is_tried_once_with_a_larger_context(tmp_path: Path) -> None:
    with fleet(tmp_path, says(TOO_LONG), says(GOOD), says(GOOD), documents=of_its_own_model) as up:
        got = up.gateway.chat()

        assert up.asks() == [1, 1, 0]
    assert (got.status_code, got.headers["x-steelyard-model"]) == (200, "model-1")


def test_an_engine_that_finds_the_prompt_too_long_is_well(tmp_path: Path) -> None:
    with fleet(tmp_path, says(TOO_LONG), says(GOOD), documents=of_its_own_model) as up:
        for _ in range(3):
            up.gateway.chat()

        assert up.asks() == [3, 3]


def test_where_no_context_is_larger_the_client_gets_the_engines_own_words(tmp_path: Path) -> None:
    with fleet(tmp_path, says(TOO_LONG), says(TOO_LONG), says(TOO_LONG), documents=of_its_own_model) as up:
        by_name, by_policy = up.gateway.chat(model="model-0"), up.gateway.chat()

        assert up.asks() == [2, 1, 0]
    assert by_name.status_code == by_policy.status_code == 400
    assert by_name.content == by_policy.content == TOO_LONG.partition(b"\r\n\r\n")[2]


NO_ENGINES = {
    "a 404 in plain words": answer(b"404 page not found", "404 Not Found", b"content-type: text/plain\r\n"),
    "an empty 404": b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    "a 404 with a web page": answer(b"<html>secret", "404 Not Found", b"content-type: text/html\r\n"),
    "a 405 in plain words": answer(b"no", "405 Method Not Allowed", b"content-type: text/plain\r\n"),
    "a 413 with a web page": answer(b"<html>secret", "413 Too Large", b"content-type: text/html\r\n"),
}
"""What no engine says, or only of a path that it does not have."""


@pytest.mark.parametrize("case", NO_ENGINES)
def test_something_that_is_no_engine_does_not_end_a_list(case: str, tmp_path: Path) -> None:
    with fleet(tmp_path, says(NO_ENGINES[case]), says(GOOD), documents=of_its_own_model) as up:
        listed, by_name = up.gateway.chat(), up.gateway.chat(model="model-0")

    assert (listed.status_code, listed.headers["x-steelyard-model"]) == (200, "model-1")
    status = int(NO_ENGINES[case].split(b" ")[1])
    error = by_name.json()["error"]
    assert (by_name.status_code, error["type"], error["code"]) == (status, "invalid_request_error", "refused")
    assert f" answered {status}" in error["message"]
    assert "secret" not in error["message"]


def test_what_a_client_may_not_ask_for_does_its_engines_no_harm(tmp_path: Path) -> None:
    def without_rerank(ask: Ask) -> None:
        ask.send(NO_ENGINES["a 404 in plain words"] if b"/rerank" in ask.line else GOOD)

    with fleet(tmp_path, without_rerank, without_rerank) as up:
        for number in range(2 * LEAST_SAMPLES):
            body = {"model": "m", "query": f"{number}", "documents": ["x"]}
            assert up.gateway.client.post("/v1/rerank", json=body).json()["error"]["code"] == "refused"
        got = up.gateway.chat(model="m")

        assert up.circuits() == ["Closed", "Closed"]
    assert (got.status_code, got.headers["x-steelyard-attempts"]) == (200, "1")


NO_MODEL = answer(b'{"error":{"message":"model \'m\' not found"}}', "404 Not Found")


def test_an_engine_without_the_model_does_not_end_a_list(tmp_path: Path) -> None:
    with fleet(tmp_path, says(NO_MODEL), says(GOOD), documents=of_its_own_model) as up:
        listed, by_name = up.gateway.chat(), up.gateway.chat(model="model-0")
        for _ in range(LEAST_SAMPLES):
            up.gateway.chat(model="model-0")

        assert up.circuits() == ["Closed", "Closed"]
    assert (listed.status_code, listed.headers["x-steelyard-model"]) == (200, "model-1")
    assert (by_name.status_code, by_name.content) == (404, NO_MODEL.partition(b"\r\n\r\n")[2])


def test_a_404_of_an_engine_is_the_clients_answer(tmp_path: Path) -> None:
    said = answer(b'{"detail":"Not Found"}', "404 Not Found")
    with fleet(tmp_path, says(said), says(GOOD), documents=of_its_own_model) as up:
        got = up.gateway.chat()

    assert (got.status_code, got.json()) == (404, {"detail": "Not Found"})


# Late

NO_FIRST_BYTE = "sent no first byte within 1 s"


def hangs_at(word: str) -> Script:
    """A script that says nothing to requests with this word, and streams to all others."""

    def script(ask: Ask) -> None:
        if word.encode() in ask.body:
            ask.wait_for_hang_up()
        else:
            ask.send(STREAM)

    return script


def impatient(number: int, port: int) -> Sequence[dict[str, Any]]:
    """The resources of an engine with a model of its own, whose first byte is waited for a second."""
    made = backend(number, port, f"model-{number}")
    made["spec"]["timeouts"] = {"firstByteSeconds": 1}
    return (made,) if number else (made, LISTED)


def test_an_endpoint_that_answers_others_is_busy_and_a_late_first_byte_is_no_reason_to_leave_it(
    tmp_path: Path,
) -> None:
    with fleet(tmp_path, hangs_at("hang"), says(STREAM), documents=impatient) as up:
        with ThreadPoolExecutor() as pool:
            late = pool.submit(up.gateway.client.post, CHAT, json=body("auto", stream=True) | HANGING)
            up.engines[0].wait_for_asks(1)
            up.stream("model-0", 1)
            got = late.result()
        up.stream("auto", 1)

        assert up.asks() == [3, 0]
    assert (got.status_code, got.json()["error"]["code"]) == (504, "upstream_timeout")
    assert NO_FIRST_BYTE in got.json()["error"]["message"]


def test_an_endpoint_that_answers_nobody_is_dead_and_the_next_is_tried(tmp_path: Path) -> None:
    with fleet(tmp_path, hangs_at("hang"), says(STREAM), documents=impatient) as up:
        got = up.gateway.client.post(CHAT, json=body("auto", stream=True) | HANGING)
        up.stream("auto", 1)

        assert up.asks() == [1, 2]
    assert (got.status_code, got.headers["x-steelyard-model"]) == (200, "model-1")


# Errors


def test_an_engine_that_answers_most_requests_with_500_is_left_alone(tmp_path: Path) -> None:
    said = answer(b'{"error":"secret"}', "500 Internal Server Error")
    with fleet(tmp_path, says(said), says(GOOD), documents=of_its_own_model) as up:
        got = [up.gateway.chat(f"question {number}") for number in range(2 * LEAST_SAMPLES)]

        assert up.asks() == [LEAST_SAMPLES, 2 * LEAST_SAMPLES]
    assert [one.status_code for one in got] == [200] * len(got)


def test_one_request_that_gets_500_again_and_again_does_its_engine_no_harm(tmp_path: Path) -> None:
    said = answer(b'{"error":"secret"}', "500 Internal Server Error")
    with fleet(tmp_path, says(said), says(GOOD), documents=of_its_own_model) as up:
        for _ in range(2 * LEAST_SAMPLES):
            up.gateway.chat()

        assert up.asks() == [2 * LEAST_SAMPLES] * 2


def test_an_outage_makes_no_storm(tmp_path: Path) -> None:
    requests = 300
    with fleet(tmp_path, says(BAD), says(BAD), says(BAD)) as up:
        got = [up.gateway.chat(model="m") for _ in range(requests)]
        attempts = sum(up.asks())

    assert {one.status_code for one in got} == {502}
    assert requests + LEAST_RETRIES <= attempts <= requests * (1 + RETRY_SHARE) + LEAST_RETRIES
    assert "No other was tried" in got[-1].json()["error"]["message"]


def test_engines_that_cannot_be_reached_cost_the_budget_nothing(tmp_path: Path) -> None:
    with ExitStack() as stack:
        dead = [stack.enter_context(refusing_port()) for _ in range(3)]
        alive = stack.enter_context(engine(says(GOOD)))
        written = [one for number, port in enumerate(dead) for one in of_its_own_model(number, port)]
        written += [backend(3, alive.port, "model-3"), _listed("model-0", "model-1", "model-2", "model-3")]
        (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(written))
        up = stack.enter_context(gateway(tmp_path))
        got = [up.chat() for _ in range(2 * LEAST_RETRIES)]

    assert [one.status_code for one in got] == [200] * len(got)


def _listed(*models: str) -> dict[str, Any]:
    spec = {
        "models": [{"name": "auto"}],
        "order": "AsListed",
        "candidates": [{"models": [name]} for name in models],
    }
    return resource("RoutingPolicy", "default", spec)


def test_an_engine_that_comes_back_is_found_by_a_probe(tmp_path: Path) -> None:
    failing = [True]

    def script(ask: Ask) -> None:
        ask.send(BAD if failing[0] else GOOD)

    with fleet(tmp_path, script, says(GOOD)) as up:
        for _ in range(4):
            assert up.gateway.chat(model="m").status_code == 200
        failing[0] = False
        tried = len(up.engines[0].asks)
        while len(up.engines[0].asks) == tried:
            assert up.gateway.chat(model="m").status_code == 200
        up.gateway.wait_for("endpoint answers again")


def test_what_rests_and_why_is_told_to_people(tmp_path: Path) -> None:
    with fleet(tmp_path, says(BAD), says(GOOD), documents=of_its_own_model) as up:
        up.gateway.chat()
        told = up.gateway.admin.get("/admin/resources").json()

    problems = [problem["message"] for row in told["resources"] for problem in row["problems"]]
    assert [json.dumps(message) for message in problems if "answered 502" in message] != []
