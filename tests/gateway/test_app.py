"""The main job through the gateway's public face: resources in files, engines on sockets, HTTP requests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import yaml

from fakes.engines import Ask, Engine, Script, answer, chunk, engine, says, stream_head
from fakes.folders import resource
from fakes.program import Gateway, gateway

MODELS = {
    "small": {"quality": (90, 50, 10), "price": "0.1", "speed": 150, "ttft": 30},
    "medium": {"quality": (94, 75, 35), "price": "0.8", "speed": 80, "ttft": 60},
    "large": {"quality": (96, 88, 65), "price": "6", "speed": 30, "ttft": 200},
}
LEVELS = ("Easy", "Medium", "Hard")
CATEGORIES = ("Math", "Coding", "Reasoning", "Knowledge", "Instruction", "Extraction", "Writing")
EASY = "What is 7 + 5?"
HARD = "Prove rigorously that every bounded sequence has a convergent subsequence, then derive a bound."
USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}


def chats(name: str) -> Script:
    """A script that answers chat requests, streamed or not, naming itself and the model it was asked for."""

    def script(ask: Ask) -> None:
        body = json.loads(ask.body or b"{}")
        text = f"{body.get('model')} from {name}"
        if body.get("stream"):
            words = [text, " indeed"]
            events = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
            ask.send(stream_head())
            for event in events:
                full = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": name} | event
                ask.send(chunk(b"data: %b\n\n" % json.dumps(full).encode()))
            ask.send(chunk(b"data: [DONE]\n\n") + chunk(b""))
            return
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        full = {"id": "x", "object": "chat.completion", "created": 1, "model": name, "usage": USAGE}
        ask.send(answer(json.dumps(full | {"choices": [choice]}).encode()))

    return script


def backend(name: str, port: int, model: str, **spec: Any) -> dict[str, Any]:
    price = MODELS.get(model, {}).get("price", "1")
    models = [
        {
            "name": model,
            "aliases": [f"{model}-latest"],
            "price": {"inputUsdPerMillionTokens": price, "outputUsdPerMillionTokens": price},
        }
    ]
    body = {"engine": "OpenAI", "url": f"http://127.0.0.1:{port}", "models": models, **spec}
    return resource("LLMBackend", name, body)


def profile(of_backend: str, model: str) -> dict[str, Any]:
    known: dict[str, Any] = MODELS[model]
    levels = [
        {"level": level, "passed": rate * 10, "samples": 1000}
        for level, rate in zip(LEVELS, known["quality"], strict=True)
    ]
    categories = [{"name": name, "levels": levels, "outputTokensMean": 100} for name in CATEGORIES]
    performance = {"ttftMs": {"p50": known["ttft"]}, "outputTokensPerSecond": known["speed"]}
    status = {"quality": {"categories": categories}, "performance": performance}
    spec = {"backendRef": {"name": of_backend}, "model": model}
    return resource("ModelProfile", of_backend, spec, status=status)


def policy(name: str = "default", **spec: Any) -> dict[str, Any]:
    body = {"models": [{"name": "auto"}], **spec}
    return resource("RoutingPolicy", name, body)


def write(directory: Path, *documents: dict[str, Any], name: str = "all.yaml") -> None:
    fresh = directory / f".{name}"
    fresh.write_text(yaml.safe_dump_all(documents))
    fresh.replace(directory / name)


@dataclass
class Fleet:
    """A gateway before one engine for each model."""

    directory: Path
    engines: dict[str, Engine]
    gateway: Gateway

    def rewrite(self, *documents: dict[str, Any]) -> None:
        """Replace the resources by the fleet's backends and profiles with these documents."""
        write(self.directory, *self.resources(), *documents)
        self.gateway.wait_for("resources in force")

    def resources(self) -> list[dict[str, Any]]:
        made = [backend(name, up.port, name) for name, up in self.engines.items()]
        return made + [profile(name, name) for name in self.engines]


@contextmanager
def running(directory: Path, *documents: dict[str, Any]) -> Iterator[Fleet]:
    with ExitStack() as stack:
        engines = {name: stack.enter_context(engine(chats(name))) for name in MODELS}
        fleet = Fleet.__new__(Fleet)
        fleet.directory, fleet.engines = directory, engines
        write(directory, *fleet.resources(), *documents)
        fleet.gateway = stack.enter_context(gateway(directory))
        yield fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    names = [
        {"name": "auto"},
        {"name": "auto-best", "goal": "Best"},
        {"name": "auto-fast", "goal": "Fastest"},
    ]
    with running(tmp_path_factory.mktemp("conf"), policy(models=names)) as up:
        yield up


def test_the_goal_and_tolerance_of_a_request_choose_its_model(fleet: Fleet) -> None:
    def answered(text: str, model: str = "auto", **headers: str) -> str:
        return fleet.gateway.chat(text, model, **headers).headers["x-steelyard-model"]

    assert answered(EASY, "auto-best") == "large"
    assert answered(HARD) == "large"
    assert answered(EASY, x_steelyard_tolerance="60") == "small"
    assert answered(HARD, x_steelyard_tolerance="60") == "small"
    assert answered(EASY, "auto-fast", x_steelyard_tolerance="60") == "small"
    assert answered(EASY, x_steelyard_goal="best", x_steelyard_tolerance="60") == "large"


def test_the_answer_says_who_gave_it_and_passes_byte_for_byte(fleet: Fleet) -> None:
    given = fleet.gateway.chat(EASY, "small-latest", x_request_id="mine-1", authorization="Bearer client-key")
    ask = fleet.engines["small"].asks[-1]
    sent = json.loads(ask.body)
    assert given.json()["choices"][0]["message"]["content"] == "small from small"
    assert sent == {"model": "small", "messages": [{"role": "user", "content": EASY}]}
    assert {name: given.headers[name] for name in given.headers if name.startswith("x-")} == {
        "x-request-id": "mine-1",
        "x-steelyard-model": "small",
        "x-steelyard-backend": "small",
        "x-steelyard-attempts": "1",
        "x-steelyard-overhead-us": given.headers["x-steelyard-overhead-us"],
    }
    assert b"client-key" not in ask.head


def test_a_decision_by_policy_names_policy_and_category(fleet: Fleet) -> None:
    headers = fleet.gateway.chat(EASY).headers
    assert (headers["x-steelyard-policy"], headers["x-steelyard-category"]) == ("default", "Math")


def test_an_explanation_spends_nothing_and_is_the_same_on_both_ports(fleet: Fleet) -> None:
    before = {name: len(up.asks) for name, up in fleet.engines.items()}
    shown = fleet.gateway.chat(HARD, x_steelyard_explain="1").json()
    body = {"model": "auto", "messages": [{"role": "user", "content": HARD}]}
    admin = fleet.gateway.admin.post("/admin/explain", json=body).json()
    assert shown == admin
    assert shown["chosen"] == {"model": "large", "backend": "large"}
    assert "the cheapest of 1 within 5 points of the best" in shown["reason"]
    assert {name: len(up.asks) for name, up in fleet.engines.items()} == before


def test_the_official_client_chats_streams_lists_and_reads_errors(fleet: Fleet) -> None:
    client = openai.OpenAI(base_url=f"{fleet.gateway.url}/v1", api_key="none", max_retries=0)
    with client:
        said = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": HARD}])
        assert said.choices[0].message.content == "large from large"
        with client.chat.completions.create(
            model="small", messages=[{"role": "user", "content": "x"}], stream=True
        ) as stream:
            pieces = [event.choices[0].delta.content for event in stream]
        assert pieces == ["small from small", " indeed"]
        listed = [model.id for model in client.models.list()]
        assert listed[:3] == ["auto", "auto-best", "auto-fast"]
        assert {"small", "small-latest"} < set(listed)
        assert client.models.retrieve("large").owned_by == "large"
        with pytest.raises(openai.NotFoundError, match="'nobody' does not exist") as missing:
            client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "x"}])
        assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.BadRequestError, match="'messages' is missing or empty"):
            client.chat.completions.create(model="auto", messages=[])


def test_metrics_count_by_names_of_resources(fleet: Fleet) -> None:
    fleet.gateway.chat(EASY, "medium")
    text = fleet.gateway.admin.get("/metrics").text
    labels = 'backend="medium",code="",model="medium",path="/v1/chat/completions",policy="",status="200"'
    assert f"steelyard_requests_total{{{labels}}}" in text
    assert 'steelyard_in_flight_requests{backend="medium",endpoint="medium@127.0.0.1' in text
    assert "steelyard_overhead_seconds_bucket" in text


def test_health_readiness_and_unknown_paths(fleet: Fleet) -> None:
    assert fleet.gateway.admin.get("/healthz").json() == {"status": "ok"}
    assert fleet.gateway.admin.get("/readyz").status_code == 200
    missing = fleet.gateway.client.post("/v1/fine_tuning/jobs", json={})
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "invalid_request_error")


def test_the_table_shows_every_pair_with_its_load(fleet: Fleet) -> None:
    pairs = fleet.gateway.admin.get("/admin/table").json()["candidates"]
    assert [pair["model"] for pair in pairs] == ["large", "medium", "small"]
    shown = pairs[0]["endpoints"][0]
    assert (shown.pop("sample")["running"], shown.pop("gpus")["gpus"]) == (None, None)
    assert shown == {
        "name": f"large@127.0.0.1:{fleet.engines['large'].port}",
        "inFlight": 0,
        "othersInFlight": 0,
        "isFull": False,
        "failures": 0,
        "restSeconds": 0.0,
        "pauseSeconds": 0.0,
        "circuit": "Closed",
        **dict.fromkeys(("maxConcurrency", "cause", "ttftRatio")),
    }


def test_a_reload_changes_decisions_and_a_broken_file_leaves_the_last_table(tmp_path: Path) -> None:
    with running(tmp_path, policy(goal="Best")) as fleet:
        assert fleet.gateway.chat(EASY).headers["x-steelyard-model"] == "large"
        fleet.rewrite(policy(goal="Cheapest", tolerancePercent=60))
        assert fleet.gateway.chat(EASY).headers["x-steelyard-model"] == "small"
        mistaken = policy("x")
        mistaken["spec"]["gaol"] = "Best"
        write(tmp_path, mistaken, name="broken.yaml")
        line = fleet.gateway.wait_for("resources refused, the last good ones stay")
        assert (Path(line["file"]).name, line["line"], line["field"]) == ("broken.yaml", 6, "spec.gaol")
        assert "did you mean `goal`" in line["detail"]
        assert fleet.gateway.chat(EASY).headers["x-steelyard-model"] == "small"
        refused = fleet.gateway.admin.get("/admin/resources").json()["refused"]
        assert {row["field"] for row in refused} >= {"spec.gaol"}
        (tmp_path / "broken.yaml").unlink()
        fleet.gateway.wait_for("resources in force")
        assert fleet.gateway.admin.get("/admin/resources").json()["refused"] == []


def test_what_refers_to_nothing_is_excluded_and_everything_else_goes_on(tmp_path: Path) -> None:
    lost = backend("lost", 1, "lost", credentialsRef={"name": "gone", "key": "k"})
    with running(tmp_path, policy(), lost) as fleet:
        told = next(line for line in fleet.gateway.lines if line["event"] == "resource excluded")
        assert (told["object"], told["reason"]) == ("default/lost", "SecretNotFound")
        shown = fleet.gateway.admin.get("/admin/resources").json()["resources"]
        (row,) = [one for one in shown if one["name"] == "lost"]
        assert row["inForce"] is False
        assert "Secret default/gone, which does not exist" in row["problems"][0]["message"]
        unusable = fleet.gateway.chat(model="lost")
        assert unusable.status_code == 503
        assert "backend 'lost' only" in unusable.json()["error"]["message"]
        assert fleet.gateway.chat(EASY).status_code == 200


def test_a_dead_engine_is_failed_over_and_rests(tmp_path: Path) -> None:
    with running(tmp_path, policy(goal="Best")) as fleet:
        fleet.engines["large"].stop()
        first = fleet.gateway.chat(EASY)
        assert first.status_code == 200
        assert (first.headers["x-steelyard-model"], first.headers["x-steelyard-attempts"]) == ("medium", "2")
        second = fleet.gateway.chat(EASY)
        assert second.headers["x-steelyard-attempts"] == "1"
        assert fleet.gateway.wait_for("endpoint failed")["detail"] == "refused the connection"
        shown = fleet.gateway.admin.get("/admin/resources").json()["resources"]
        (row,) = [one for one in shown if (one["kind"], one["name"]) == ("LLMBackend", "large")]
        assert row["inForce"] is True
        assert "refused the connection" in row["problems"][0]["message"]
        alone = fleet.gateway.chat(EASY, "large")
        assert alone.status_code in (502, 503)
        assert "large" in alone.json()["error"]["message"]


@contextmanager
def under_way(up: Gateway, model: str, at: Engine) -> Iterator[Future[httpx.Response]]:
    """A request that the engine has got and not answered."""
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(up.chat, "x", model)
        at.wait_for_asks(1)
        yield answered


def test_load_is_spread_over_replicas_by_requests_in_flight(tmp_path: Path) -> None:
    held: list[Ask] = []
    with engine(held.append) as slow, engine(chats("fast")) as fast:
        write(tmp_path, backend("a", slow.port, "twin"), backend("b", fast.port, "twin"))
        with gateway(tmp_path) as up, under_way(up, "twin@a", slow) as answered:
            chosen = [up.chat(model="twin").headers["x-steelyard-backend"] for _ in range(6)]
            held[0].send(answer(b"{}"))
            assert answered.result(20).status_code == 200
        assert chosen == ["b"] * 6


def test_replicas_take_turns_whatever_else_is_asked_or_explained(tmp_path: Path) -> None:
    with engine(chats("one")) as one, engine(chats("two")) as two:
        write(tmp_path, *(backend(name, at.port, "twin") for name, at in (("a", one), ("b", two))))
        with gateway(tmp_path) as up:
            chosen = []
            for _ in range(4):
                up.admin.post(
                    "/admin/explain", json={"model": "twin", "messages": [{"role": "user", "content": "x"}]}
                )
                up.chat(model="twin@b")
                chosen.append(up.chat(model="twin").headers["x-steelyard-backend"])
        assert chosen in (["a", "b"] * 2, ["b", "a"] * 2)


def test_an_engine_tells_its_own_models_where_none_is_listed(tmp_path: Path) -> None:
    listed = json.dumps({"object": "list", "data": [{"id": "found", "meta": {"n_ctx": 512}}]}).encode()

    def script(ask: Ask) -> None:
        if ask.line.startswith(b"GET /v1/models "):
            ask.send(answer(listed))
        else:
            chats("found")(ask)

    with engine(script) as up:
        document = backend("b", up.port, "x")
        document["spec"]["models"] = []
        write(tmp_path, document, policy())
        with gateway(tmp_path) as running_gateway:
            running_gateway.wait_for("resources in force")
            assert running_gateway.chat(model="found").status_code == 200
            assert running_gateway.chat().headers["x-steelyard-model"] == "found"
            (pair,) = running_gateway.admin.get("/admin/table").json()["candidates"]
            assert pair["contextTokens"] == 512
            assert "resource excluded" not in [line["event"] for line in running_gateway.lines]


def test_an_engine_that_is_down_and_never_told_its_models_is_named_and_its_policy_answers_503(
    tmp_path: Path,
) -> None:
    with engine(chats("x")) as up:
        document = backend("b", up.port, "x")
    document["spec"]["models"] = []
    write(tmp_path, document, policy())
    with gateway(tmp_path) as running_gateway:
        assert running_gateway.wait_for("models not told")["detail"] == "refused the connection"
        answered = running_gateway.chat()
        assert (answered.status_code, answered.json()["error"]["code"]) == (503, "no_upstream")


def test_an_engine_that_tells_no_models_is_named_in_the_log(tmp_path: Path) -> None:
    with engine(says(answer(b"<html>", headers=b"content-type: text/html\r\n"))) as up:
        document = backend("b", up.port, "x")
        document["spec"]["models"] = []
        write(tmp_path, document)
        with gateway(tmp_path) as running_gateway:
            line = running_gateway.wait_for("models not told")
            assert (line["backend"], line["detail"]) == ("b", "is not JSON")


def test_the_credential_is_sent_to_its_backend_and_never_logged_or_shown(tmp_path: Path) -> None:
    labels = {"steelyard.dev/kind": "backend-credential"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "labels": labels}}
    secret["stringData"] = {"api-key": "sk-topsecret"}
    with engine(chats("small")) as up:
        kept = backend("b", up.port, "small", credentialsRef={"name": "key", "key": "api-key"})
        write(tmp_path, kept, secret, policy())
        with gateway(tmp_path) as running_gateway:
            assert running_gateway.chat().status_code == 200
            assert up.asks[-1].headers[b"authorization"] == b"Bearer sk-topsecret"
            pages = ("/admin/table", "/admin/resources", "/metrics")
            texts = [running_gateway.admin.get(page).text for page in pages]
            running_gateway.wait_for("request")
        assert "sk-topsecret" not in json.dumps([texts, running_gateway.lines])


def test_files_and_traffic_load_nothing_of_admin_pages_and_clusters() -> None:
    asked = "import sys, steelyard_gateway.__main__; print({'fastapi', 'httpx'} & {*sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert loaded.stdout == "set()\n"


def test_requests_under_way_end_before_the_gateway_does(tmp_path: Path) -> None:
    held: list[Ask] = []
    with engine(held.append) as slow:
        write(tmp_path, backend("a", slow.port, "m"))
        with gateway(tmp_path) as up, under_way(up, "m", slow) as answered:
            up.process.terminate()
            up.wait_for("draining")
            up.process.terminate()  # as a runtime does that is asked once more to stop a container
            assert up.admin.get("/readyz").json() == {"status": "not ready", "reason": "shutting down"}
            held[0].send(answer(b"{}"))
            assert answered.result(20).status_code == 200
