"""One gateway over several namespaces of an API server: what it follows, and whose request is whose."""

import json
from typing import Any

import pytest

from fakes.cluster_gateway import (
    NAMESPACE,
    Object,
    backend,
    config_map,
    endpoint_slice,
    gateway,
    moved,
    policy,
    put,
    remove,
    service,
)
from fakes.engines import Ask, Engine, Script, answer, engine
from fakes.kubernetes_api import FakeApiServer, Refusal, status_object

GATEWAYS = "gateways"


def named(name: str) -> Script:
    """An engine that answers anything with this name."""

    def script(ask: Ask) -> None:
        message = {"role": "assistant", "content": name}
        ask.send(answer(json.dumps({"choices": [{"index": 0, "message": message}]}).encode()))

    return script


def one(up: Engine, **spec: Any) -> Object:
    """A backend of the model m on this engine."""
    return backend("b", "m", url=f"http://127.0.0.1:{up.port}", **spec)


def followed(api: FakeApiServer) -> set[str]:
    """The paths that were listed or watched."""
    return {asked.path for asked in api.requests}


@pytest.mark.parametrize("watched", [("red", "blue"), None], ids=["named", "all"])
def test_a_request_sees_the_resources_of_its_namespace_and_no_others(watched: tuple[str, ...] | None) -> None:
    with engine(named("own")) as own, engine(named("red")) as red:
        objects = one(own), moved(one(red), "red"), moved(policy("p", "auto"), "red"), policy("p", "best")
        with gateway(*objects, watched_namespaces=watched) as up:
            assert (up.models(), up.models("red")) == (["best", "m"], ["auto", "m"])
            answered = up.chat("m"), up.chat("m", NAMESPACE), up.chat("m", "red"), up.chat("auto", "red")
            texts = [each.json()["choices"][0]["message"]["content"] for each in answered]
            assert texts == ["own", "own", "red", "red"]
            assert up.chat("auto").status_code == 404
            assert up.chat("best", "red").status_code == 404


def test_each_named_namespace_is_followed_by_itself_and_all_of_them_as_one() -> None:
    with gateway(watched_namespaces=("red", NAMESPACE, "blue")) as up:
        up.api.wait_for(lambda: up.api.watches >= 15)
        spaces = [path.split("/namespaces/")[1].split("/")[0] for path in followed(up.api)]
        assert {(each, spaces.count(each)) for each in spaces} == {(NAMESPACE, 5), ("red", 5), ("blue", 5)}
    of_red = moved(one_with_a_certificate(), "red"), moved(service("pods"), "red")
    with gateway(*of_red, watched_namespaces=None) as up:
        up.api.wait_for(lambda: up.api.watches >= 7)
        assert [path for path in followed(up.api) if "/namespaces/" in path] == [
            "/api/v1/namespaces/red/configmaps"
        ]


def one_with_a_certificate() -> Object:
    """A backend of a Service that names a ConfigMap."""
    tls: Object = {"caRef": {"name": "ca", "key": "ca.crt"}}
    return backend("b", "m", serviceRef={"name": "pods", "port": 80}, tls=tls)


def test_in_all_namespaces_a_backend_gets_its_own_pods_and_certificate_and_not_a_namesakes() -> None:
    with engine(named("own")) as own, engine(named("red")) as red:
        spec: Object = {"serviceRef": {"name": "pods", "port": 80}}
        of_red = backend("b", "m", **spec), service("pods"), endpoint_slice("pods", red.port)
        objects = backend("b", "m", **spec), service("pods"), endpoint_slice("pods", own.port)
        elsewhere = moved(endpoint_slice("pods", 1), "green")
        secure = moved(one_with_a_certificate(), "blue"), moved(service("pods"), "blue"), config_map("ca")
        every = (*objects, *(moved(each, "red") for each in of_red), elsewhere, *secure)
        with gateway(*every, watched_namespaces=None) as up:
            texts = [up.chat("m", where).json()["choices"][0]["message"]["content"] for where in ("", "red")]
            assert texts == ["own", "red"]
            assert up.chat("m", "green").json()["error"]["code"] == "not_found"
            (problem,) = up.shown("LLMBackend", "b", "blue")["problems"]
            assert problem["reason"] == "CaNotFound", "the one of that name is elsewhere"


def test_it_is_not_ready_before_the_last_namespace_was_told_and_says_which_is_missing() -> None:
    refusals: list[Refusal] = []

    def refuse(api: FakeApiServer) -> None:
        body = json.dumps(status_object(403, "Forbidden", "no")).encode()
        refusals.append(api.refuse(403, body, times=1000, part="/namespaces/red/secrets?"))

    with gateway(watched_namespaces=("red",), before=refuse) as up:
        reason = "waiting for secrets in red: 403 Forbidden: no"
        up.until(lambda: up.admin.get("/readyz").json().get("reason") == reason, "the reason")
        assert [up.chat("m", where).status_code for where in ("", "red", "green")] == [503] * 3
        refusals[0].times = 0
        up.until(up.ready, "readiness")
        assert [up.chat("m", where).status_code for where in ("", "red")] == [404] * 2


def test_of_all_namespaces_one_comes_with_its_first_resource_and_goes_with_the_last() -> None:
    with engine(named("red")) as red, gateway(watched_namespaces=None) as up:
        new = moved(one(red), "red")

        def is_unknown() -> bool:
            answer = up.chat("m", "red")
            return answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"

        assert is_unknown()
        for _ in range(2):
            put(up.api, new)
            up.until(lambda: up.chat("m", "red").status_code == 200, "an answer")
            remove(up.api, new)
            up.until(is_unknown, "its end")
        counted = [line for line in up.admin.get("/metrics").text.splitlines() if 'backend="red/b"' in line]
        assert any(line.startswith("steelyard_requests_total") for line in counted), "its counts stay"


def test_engines_of_a_namespace_that_comes_later_are_asked_for_their_models() -> None:
    def script(ask: Ask) -> None:
        ask.send(answer(json.dumps({"object": "list", "data": [{"id": "told"}]}).encode()))

    with engine(script) as red, gateway(watched_namespaces=None) as up:
        put(up.api, moved(backend("b", url=f"http://127.0.0.1:{red.port}"), "red"))
        up.until(lambda: "told" in up.models("red"), "the model")
        assert up.models() == []


def test_a_change_in_one_namespace_leaves_the_others_alone() -> None:
    with gateway(moved(policy("p", "auto"), "red"), watched_namespaces=("red", "blue")) as up:
        before = [line["namespace"] for line in up.lines.named("resources in force")]
        assert sorted(before) == ["blue", "red", NAMESPACE]
        put(up.api, moved(one_at(1), "blue"))
        up.until(lambda: up.models("blue") == ["m"], "the backend")
        assert [line["namespace"] for line in up.lines.named("resources in force")][3:] == ["blue"]


def test_what_cannot_be_read_is_told_in_its_own_namespace() -> None:
    broken = moved(backend("b", "m", url="http://127.0.0.1:1", maxConcurrency="many"), "red")
    with gateway(broken, watched_namespaces=None) as up:
        shown = up.shown("LLMBackend", "b", "red")
        assert (shown["inForce"], shown["problems"][0]["reason"]) == (False, "Invalid")
        assert up.admin.get(f"/admin/resources?namespace={NAMESPACE}").json()["resources"] == []


def test_pages_tell_of_all_namespaces_or_of_one() -> None:
    objects = one_at(1), moved(one_at(2), "red")
    with gateway(*objects, watched_namespaces=("red",)) as up:

        def rows(page: str) -> list[str]:
            table = up.admin.get(f"/admin/table{page}").json()["candidates"]
            return [f"{row['namespace']} {row['endpoints'][0]['name']}" for row in table]

        assert rows("") == [f"{NAMESPACE} b@127.0.0.1:1", "red b@127.0.0.1:2"]
        assert rows("?namespace=red") == ["red b@127.0.0.1:2"]
        assert rows("?namespace=green") == []
        ask = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}

        def explained(namespace: str) -> Object:
            told: Object = up.admin.post(f"/admin/explain{namespace}", json=ask).json()
            return told

        endpoints = [explained(where)["attempts"][0]["endpoint"] for where in ("", "?namespace=red")]
        assert endpoints == ["b@127.0.0.1:1", "b@127.0.0.1:2"]
        assert "use one of team, red" in explained("?namespace=green")["error"]["message"]


def one_at(port: int) -> Object:
    """A backend of the model m on this port."""
    return backend("b", "m", url=f"http://127.0.0.1:{port}")


def test_gateways_share_the_slots_of_every_namespace_by_the_pods_of_their_service() -> None:
    def pods(*names: str) -> Object:
        made = moved(endpoint_slice(GATEWAYS, 8080), "default")
        made["endpoints"] = [
            {"addresses": [f"10.0.0.{number}"], "conditions": {"ready": True}, "targetRef": {"name": name}}
            for number, name in enumerate(names)
        ]
        return made

    with engine(named("own")) as up_engine:
        objects = moved(one(up_engine, maxConcurrency=1), "red"), pods("a", "me")
        with gateway(*objects, watched_namespaces=("red",), gateway_service=GATEWAYS) as up:
            assert up.chat("m", "red").status_code == 429, "the other has the only slot"
            put(up.api, pods("me"))
            up.until(lambda: up.chat("m", "red").status_code == 200, "all slots")
