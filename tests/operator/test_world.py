"""What the operator takes for the present state, whoever told it last."""

from typing import Any

from steelyard.api.resources import SERVICE_NAME_LABEL
from steelyard.kube import kinds
from steelyard.kube.kinds import Object
from steelyard_operator.world import World


def backend(name: str, version: int, url: str = "http://10.0.0.1:8000") -> Object:
    return {
        "apiVersion": "steelyard.dev/v1alpha1",
        "kind": "LLMBackend",
        "metadata": {"name": name, "namespace": "llm", "uid": f"uid-{name}", "resourceVersion": str(version)},
        "spec": {"engine": "VLLM", "url": url},
    }


def job(name: str, version: int, *conditions: Any) -> Object:
    metadata = {"name": name, "namespace": "llm", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {}, "status": {"conditions": list(conditions)}}


def held(world: World) -> dict[str, str | None]:
    """Each backend's URL by its name."""
    return {name: one.spec.url for (_, name), one in world.resources.backends.items()}


def test_a_list_removes_what_is_gone_and_brings_what_no_watch_told() -> None:
    world = World()
    world.put(backend("gone", 1))
    known = world.known(kinds.LLM_BACKEND, None)
    world.renew(kinds.LLM_BACKEND, known, [backend("missed", 2)])

    assert set(held(world)) == {"missed"}


def test_what_a_watch_told_while_the_list_was_under_way_is_newer() -> None:
    world = World()
    for name in ("changed", "removed", "kept"):
        world.put(backend(name, 1))
    known = world.known(kinds.LLM_BACKEND, None)
    listed = [backend(name, 1) for name in ("changed", "removed", "kept")]
    world.put(backend("changed", 3, url="http://10.0.0.2:8000"))
    world.remove(kinds.LLM_BACKEND, ("llm", "removed"))
    world.put(backend("made", 4))
    world.renew(kinds.LLM_BACKEND, known, listed)

    assert set(held(world)) == {"changed", "kept", "made"}
    assert held(world)["changed"] == "http://10.0.0.2:8000"


def test_a_job_that_is_over_stays_over_whatever_an_older_answer_says() -> None:
    world = World()
    ended = {"type": "Complete", "status": "True"}
    world.put_job(job("run", 2, ended))
    world.put_job(job("run", 1))

    assert world.jobs["llm", "run"].finished == "Complete"
    assert world.running() == []


def test_jobs_are_renewed_likewise() -> None:
    world = World()
    world.put_job(job("gone", 1))
    known = world.known(kinds.JOB, "llm")
    world.put_job(job("made", 2))
    world.renew(kinds.JOB, known, [])

    assert [name for _, name in world.jobs] == ["made"]


def pods(service: str, version: int, *names: str, node: str = "one") -> Object:
    endpoints = [
        {"addresses": [f"10.0.0.{number}"], "nodeName": node}
        | ({"targetRef": {"name": name}} if name else {})
        for number, name in enumerate(names)
    ]
    labels = {SERVICE_NAME_LABEL: service}
    metadata = {"name": f"{service}-1", "namespace": "llm", "resourceVersion": str(version), "labels": labels}
    whole = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
    return whole | {"metadata": metadata, "endpoints": endpoints}


def test_the_engines_on_a_node_are_the_pods_of_all_backends_whatever_their_state() -> None:
    world = World()
    for name in ("a", "b"):
        spec = {"engine": "VLLM", "serviceRef": {"name": name, "port": 80}}
        world.put(backend(name, 1) | {"spec": spec})
    world.put(backend("elsewhere", 1))
    world.put(pods("a", 1, "a-0", ""))
    world.put(pods("b", 1, "b-0"))
    world.put(pods("unrelated", 1, "web-0"))
    assert world.engines_by_node() == {"one": {("llm", "a-0"), ("llm", "10.0.0.1"), ("llm", "b-0")}}

    world.put(pods("b", 2, "b-0", node="two"))
    assert world.engines_by_node()["two"] == {("llm", "b-0")}
