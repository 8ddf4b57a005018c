"""The gateway over an API server: what it lists, when it is ready, what it does with each change."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from fakes import cluster_gateway
from fakes.cluster_gateway import (
    NAMESPACE,
    backend,
    config_map,
    endpoint_slice,
    gateway,
    policy,
    put,
    remove,
    secret,
    service,
)
from fakes.engines import Ask, answer, engine
from fakes.kubernetes_api import FakeApiServer, Refusal, configuration, fake_api_server, status_object
from steelyard.api.resources import ResourceSet
from steelyard.kube.watching import Pace
from steelyard_gateway.sources.kubernetes import QUIET_SECONDS, KubernetesSource

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
IN_SERVICE: dict[str, Any] = {"serviceRef": {"name": "pods", "port": 80}}
IN_FORCE = "resources in force"


def says_hello(ask: Ask) -> None:
    """An engine's answer to anything."""
    message = {"role": "assistant", "content": "hello"}
    ask.send(answer(json.dumps({"choices": [{"index": 0, "message": message}]}).encode()))


def tells(*models: str) -> bytes:
    """An engine's list of models."""
    return answer(json.dumps({"object": "list", "data": [{"id": model} for model in models]}).encode())


def test_requests_are_answered_by_the_pods_of_a_service() -> None:
    with engine(says_hello) as pod:
        objects = backend("b", "m", **IN_SERVICE), service("pods"), endpoint_slice("pods", pod.port)
        with gateway(*objects, policy("p", "auto")) as up:
            answered = up.chat("auto")
            assert (answered.status_code, answered.headers["x-steelyard-backend"]) == (200, "b")
            assert up.endpoints() == [f"127.0.0.1:{pod.port}"]


def test_only_lists_and_watches_are_asked_for_in_one_namespace() -> None:
    with gateway(backend("b", "m", **IN_SERVICE), service("pods")) as up:
        up.api.wait_for(lambda: up.api.watches >= 6)
        assert {asked.method for asked in up.api.requests} == {"GET"}
        assert all(f"/namespaces/{NAMESPACE}/" in asked.path for asked in up.api.requests)


@pytest.mark.parametrize(
    ("kind", "status", "body", "told"),
    [
        ("secrets", 403, status_object(403, "Forbidden", "not for you"), "403 Forbidden: not for you"),
        ("modelprofiles", 404, "404 page not found", "404: 404 page not found"),
    ],
)
def test_it_is_not_ready_before_everything_was_listed_and_says_what_is_missing(
    kind: str, status: int, body: Any, told: str
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    refusals: list[Refusal] = []

    def refuse(api: FakeApiServer) -> None:
        refusals.append(api.refuse(status, text.encode(), times=1000, part=f"/{kind}?"))

    with gateway(backend("b", "m", url="http://127.0.0.1:1"), before=refuse) as up:
        up.until(
            lambda: up.admin.get("/readyz").json().get("reason") == f"waiting for {kind}: {told}", "reason"
        )
        assert up.admin.get("/healthz").status_code == 200
        assert (up.chat("m").status_code, up.chat("m").json()["error"]["code"]) == (503, "no_upstream")
        assert up.lines.wait_for("kind cannot be followed")["detail"] == told
        up.api.wait_for(lambda: len(up.api.asked(f"/{kind}?")) >= 4)
        assert (up.ready(), up.chat("m").status_code) == (False, 503)
        refusals[0].times = 0
        up.until(up.ready, "readiness")
        assert up.models() == ["m"]


def test_an_api_server_that_is_away_at_start_is_waited_for() -> None:
    def leave(api: FakeApiServer) -> None:
        api.away = True

    with gateway(backend("b", "m", url="http://127.0.0.1:1"), before=leave) as up:
        kinds = "llmbackends, modelprofiles, routingpolicies, services, secrets"
        reason = f"waiting for {kinds}: 503 ServiceUnavailable"
        up.until(lambda: up.admin.get("/readyz").json()["reason"].startswith(reason), "the reason")
        up.api.away = False
        up.until(up.ready, "readiness")


def test_a_new_backend_can_be_asked_and_a_deleted_one_is_unknown() -> None:
    with engine(says_hello) as up_engine, gateway() as up:
        assert up.chat("m").status_code == 404
        new = backend("b", "m", url=f"http://127.0.0.1:{up_engine.port}")
        put(up.api, new)
        up.until(lambda: up.chat("m").status_code == 200, "an answer")
        remove(up.api, new)
        up.until(lambda: up.models() == [], "an empty table")
        refused = up.chat("m")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")


def test_a_pod_that_leaves_is_not_asked_any_more() -> None:
    with engine(says_hello) as stays, engine(says_hello) as leaves:
        slices = [endpoint_slice("pods", pod.port) for pod in (stays, leaves)]
        with gateway(backend("b", "m", **IN_SERVICE), service("pods"), *slices) as up:
            assert len(up.endpoints()) == 2
            put(up.api, endpoint_slice("pods", leaves.port, ready=False))
            up.until(lambda: up.endpoints() == [f"127.0.0.1:{stays.port}"], "one endpoint")
            asked_before = len(leaves.asks)
            assert [up.chat("m").status_code for _ in range(4)] == [200] * 4
            assert len(leaves.asks) == asked_before
            remove(up.api, slices[0])
            up.until(lambda: up.endpoints() == [], "no endpoint")
            refused = up.chat("m")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_upstream")


def test_a_backend_that_moves_to_another_service_is_never_without_pods() -> None:
    with engine(says_hello) as old, engine(says_hello) as new:
        objects = service("pods"), service("others"), endpoint_slice("others", new.port)
        with gateway(backend("b", "m", **IN_SERVICE), *objects, endpoint_slice("pods", old.port)) as up:
            put(up.api, backend("b", "m", serviceRef={"name": "others", "port": 80}))
            up.until(lambda: up.endpoints() == [f"127.0.0.1:{new.port}"], "the new pod")
            put(up.api, endpoint_slice("pods", old.port, ready=False))
            assert "NoEndpoints" not in [line["reason"] for line in up.lines.named("resource noted")]
            selectors = {asked.query["labelSelector"] for asked in up.api.asked("/endpointslices")}
            assert selectors == {f"kubernetes.io/service-name in ({name})" for name in ("pods", "others")}


def test_the_slices_of_very_many_services_are_asked_for_without_their_names() -> None:
    backends = [
        backend(f"b{number}", "m", serviceRef={"name": f"s{number}", "port": 80}) for number in range(101)
    ]
    with engine(says_hello) as pod, gateway(*backends, service("s7"), endpoint_slice("s7", pod.port)) as up:
        assert up.endpoints() == [f"127.0.0.1:{pod.port}"]
        selectors = {asked.query["labelSelector"] for asked in up.api.asked("/endpointslices")}
        assert selectors == {"kubernetes.io/service-name"}


def test_a_rotated_secret_is_sent_from_then_on() -> None:
    with engine(says_hello) as up_engine:
        spec = {"credentialsRef": {"name": "key", "key": "api-key"}}
        keyed = backend("b", "m", url=f"http://127.0.0.1:{up_engine.port}", **spec)
        with gateway(keyed, secret("key", "first")) as up:

            def sent() -> bytes:
                assert up.chat("m").status_code == 200
                return up_engine.asks[-1].headers[b"authorization"]

            assert sent() == b"Bearer first"
            put(up.api, secret("key", "second"))
            up.until(lambda: sent() == b"Bearer second", "the new key")


def test_a_secret_without_the_label_is_not_read() -> None:
    keyed = backend("b", "m", url="http://127.0.0.1:1", credentialsRef={"name": "key", "key": "api-key"})
    with gateway(keyed, secret("key", "x", labelled=False)) as up:
        assert up.shown("LLMBackend", "b")["problems"][0]["reason"] == "SecretNotFound"
        put(up.api, secret("key", "x"))
        up.until(lambda: up.shown("LLMBackend", "b")["inForce"], "the backend")


def test_only_config_maps_that_backends_name_are_read() -> None:
    tls = {"caRef": {"name": "authority", "key": "ca.crt"}}
    trusting = backend("b", "m", url="https://127.0.0.1:1", tls=tls)
    with gateway(trusting, config_map("unrelated", a="b")) as up:
        assert up.shown("LLMBackend", "b")["problems"][0]["reason"] == "CaNotFound"
        put(up.api, config_map("authority", **{"ca.crt": CERTIFICATE}))
        up.until(lambda: up.shown("LLMBackend", "b")["inForce"], "the backend")
        remove(up.api, trusting)
        up.until(lambda: not up.shown("LLMBackend", "b"), "no backend")
        put(up.api, trusting)
        up.until(lambda: up.shown("LLMBackend", "b").get("inForce"), "the backend again")
        selectors = {asked.query["fieldSelector"] for asked in up.api.asked("/configmaps")}
        assert selectors == {"metadata.name=authority"}


def test_it_serves_on_while_the_api_server_is_away_and_catches_up() -> None:
    age, connected = "steelyard_gateway_resources_age_seconds", "steelyard_gateway_source_connected"
    with engine(says_hello) as up_engine:
        url = f"http://127.0.0.1:{up_engine.port}"
        with gateway(backend("b", "m", url=url)) as up:
            up.until(lambda: up.gauge(connected) == 1, "a connection")
            up.api.away = True
            up.api.cut_watches()
            up.until(lambda: up.gauge(connected) == 0, "the outage")
            put(up.api, backend("c", "n", url=url))
            first = up.gauge(age)
            up.until(lambda: up.gauge(age) > first + 0.5, "growing age")
            assert (up.ready(), up.chat("m").status_code) == (True, 200)
            source = up.admin.get("/admin/resources").json()["source"]
            assert (source["kind"], source["connected"], source["ageSeconds"] > 0) == (
                "Kubernetes",
                False,
                True,
            )
            up.api.away = False
            up.until(lambda: up.chat("n").status_code == 200, "what changed meanwhile")
            up.until(lambda: up.gauge(connected) == 1, "the connection again")
            assert up.gauge(age) < first + 0.5
            lost = [line["kind"] for line in up.lines.named("kind cannot be followed")]
            assert sorted(lost) == sorted(set(lost))


def test_what_does_not_fit_its_type_is_told_and_all_else_goes_on() -> None:
    with engine(says_hello) as up_engine:
        url = f"http://127.0.0.1:{up_engine.port}"
        newer = backend("newer", "x", url=url) | {"spec": {"engine": "Abacus", "url": url}}
        with gateway(backend("b", "m", url=url), newer) as up:
            assert up.chat("m").status_code == 200
            row = up.shown("LLMBackend", "newer")
            (problem,) = row["problems"]
            assert (row["inForce"], problem["condition"], problem["reason"]) == (False, "Accepted", "Invalid")
            assert "spec.engine" in problem["message"]
            told = next(line for line in up.lines.named("resource excluded"))
            assert (told["object"], told["reason"]) == (f"{NAMESPACE}/newer", "Invalid")
            put(up.api, backend("newer", "x", url=url))
            up.until(lambda: up.chat("x").status_code == 200, "the corrected backend")
            assert up.shown("LLMBackend", "newer")["problems"] == []


def test_another_namespaces_resources_are_unknown() -> None:
    elsewhere = backend("elsewhere", "x", url="http://127.0.0.1:1")
    elsewhere["metadata"]["namespace"] = "other"
    with gateway(elsewhere) as up:
        put(up.api, backend("here", "m", url="http://127.0.0.1:1"))
        up.until(lambda: up.models() == ["m"], "the namespace's own model")
        assert up.chat("x").status_code == 404


def test_changes_that_come_together_are_compiled_together() -> None:
    with gateway() as up:
        before = len(up.lines.named(IN_FORCE))
        for number in range(100):
            put(up.api, backend(f"b{number}", f"m{number}", url="http://127.0.0.1:1"))
            Event().wait(QUIET_SECONDS / 20)
        up.until(lambda: len(up.models()) == 100, "all of them")
        assert len(up.lines.named(IN_FORCE)) - before <= 10


def test_a_change_gets_through_a_stream_of_others() -> None:
    enough = Event()

    def stream(api: FakeApiServer) -> None:
        for number in range(300):
            put(api, policy("restless", "auto", priority=number % 2))
            if enough.wait(QUIET_SECONDS / 5):
                return

    with gateway() as up, ThreadPoolExecutor(1) as pool:
        streaming = pool.submit(stream, up.api)
        put(up.api, backend("wanted", "m", url="http://127.0.0.1:1"))
        up.until(lambda: "m" in up.models(), "the backend")
        assert not streaming.done()
        enough.set()


def test_models_that_the_operator_found_are_taken_from_status() -> None:
    found = {"models": [{"name": "found", "endpoints": 1}]}
    with engine(says_hello) as up_engine:
        url = f"http://127.0.0.1:{up_engine.port}"
        with gateway(backend("b", status=found, url=url)) as up:
            assert up.models() == ["found"]
            assert up.chat("found").status_code == 200
            assert [ask.line for ask in up_engine.asks if ask.line.startswith(b"GET /v1/models")] == []


def test_an_engine_is_asked_for_its_models_until_the_operator_was() -> None:
    def script(ask: Ask) -> None:
        if ask.line.startswith(b"GET /v1/models "):
            ask.send(tells("told"))
        else:
            says_hello(ask)

    with engine(script) as up_engine:
        url = f"http://127.0.0.1:{up_engine.port}"
        with gateway(backend("b", url=url)) as up:
            assert up.models() == ["told"]
            put(up.api, backend("b", status={"models": [{"name": "found", "endpoints": 1}]}, url=url))
            up.until(lambda: up.models() == ["found"], "the operator's word")


def test_a_fault_of_our_own_is_logged_and_all_is_followed_anew(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[ResourceSet] = []

    def take(resources: ResourceSet, _: object) -> None:
        taken.append(resources)
        if len(taken) == 1:
            raise RuntimeError("a fault")
        raise asyncio.CancelledError

    async def story(url: str) -> None:
        source = KubernetesSource(configuration(url), [NAMESPACE], Pace(longest_pause_seconds=0.01))
        async with asyncio.timeout(cluster_gateway.SECONDS):
            await source.run(take)

    with fake_api_server() as (url, api):
        put(api, backend("b", "m", url="http://127.0.0.1:1"))
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(story(url))
    assert [list(resources.backends) for resources in taken] == [[(NAMESPACE, "b")]] * 2
    assert [record.getMessage() for record in caplog.records] == ["resources cannot be followed, begun anew"]
