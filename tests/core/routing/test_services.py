"""Backends behind Services: their pods as endpoints, and what is wrong when a Service leads nowhere."""

from dataclasses import replace
from typing import Any

import pytest

from fakes.resources import backend, endpoint_slice, policy, resource_set, service
from steelyard.api.resources import AnyResource
from steelyard.routing import endpoints
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import Decision, NoLoad, Request, Turn
from steelyard.routing.table import Endpoint
from steelyard.routing.undecidable import NoCandidate

IN_CLUSTER: dict[str, Any] = {"serviceRef": {"name": "engine", "port": 8000}}


def test_each_ready_pod_of_a_service_is_an_endpoint() -> None:
    pods = endpoint_slice(
        "engine",
        {"addresses": ["10.0.0.2"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.1"]},
        {"addresses": ["10.0.0.3"], "conditions": {"ready": False, "serving": True, "terminating": True}},
        # A Service may publish addresses that are not ready: then even this is called ready.
        {"addresses": ["10.0.0.4"], "conditions": {"ready": True, "serving": True, "terminating": True}},
        {"addresses": ["10.0.0.5"], "conditions": {"ready": False, "serving": False, "terminating": False}},
    )
    resources = resource_set(backend("b", "m", **IN_CLUSTER), service("engine"), pods)
    table, problems = compile_table(resources, "default")

    assert [one.name for one in table.models["m"][0].endpoints] == ["b@10.0.0.1:8000", "b@10.0.0.2:8000"]
    assert problems == ()


def test_a_pod_of_both_families_is_one_endpoint() -> None:
    four = endpoint_slice("engine", {"addresses": ["10.0.0.1"]})
    six = endpoint_slice("engine", {"addresses": ["fd00::1"]}, addressType="IPv6")
    named = six.model_copy(update={"metadata": six.metadata.model_copy(update={"name": "engine-six"})})
    one = backend("b", "m", **IN_CLUSTER)

    both = endpoints.resolve(one, resource_set(service("engine"), four, named))
    assert [found.host for found in both] == ["10.0.0.1"]
    [only] = endpoints.resolve(one, resource_set(service("engine"), named))
    assert (only.host, only.name) == ("fd00::1", "b@[fd00::1]:8000")


def test_a_port_is_found_by_number_or_name_and_leads_to_the_pods_own_port() -> None:
    web = service("engine", {"name": "admin", "port": 9000}, {"name": "http", "port": 80})
    ports = [{"name": "admin", "port": 1}, {"name": "http", "port": 8080}]
    pods = endpoint_slice("engine", {"addresses": ["10.0.0.1"]}, ports=ports)
    for port in (80, "http"):
        one = backend("b", "m", serviceRef={"name": "engine", "port": port, "path": "/api/"})
        [endpoint] = endpoints.resolve(one, resource_set(web, pods))

        assert (endpoint.host, endpoint.port, endpoint.base_path) == ("10.0.0.1", 8080, "/api")


def test_routing_by_cluster_ip_is_one_endpoint_by_name() -> None:
    one = backend("b", "m", serviceRef={"name": "engine", "port": 8000, "routing": "ClusterIP"})
    [endpoint] = endpoints.resolve(one, resource_set(service("engine")))

    assert (endpoint.scheme, endpoint.host, endpoint.port) == ("http", "engine.default.svc", 8000)


def test_tls_with_a_service_means_https_under_the_services_name() -> None:
    pods = endpoint_slice("engine", {"addresses": ["10.0.0.1"]})
    [endpoint] = endpoints.resolve(
        backend("b", "m", tls={}, **IN_CLUSTER), resource_set(service("engine"), pods)
    )

    assert (endpoint.scheme, endpoint.server_name) == ("https", "engine.default.svc")


SERVICE_MISTAKES: dict[str, tuple[list[AnyResource], str]] = {
    "no Service": ([], "ServiceNotFound"),
    "no such port": ([service("engine", {"name": "http", "port": 80})], "ServicePortNotFound"),
    "no pods ever": ([service("engine", type="ExternalName")], "ServiceHasNoPods"),
    "a pod at a metadata address": (
        [service("engine"), endpoint_slice("engine", {"addresses": ["169.254.169.254"]})],
        "UrlForbidden",
    ),
}


@pytest.mark.parametrize("case", SERVICE_MISTAKES)
def test_a_service_that_leads_nowhere_excludes_the_backend_and_nothing_else(case: str) -> None:
    others, reason = SERVICE_MISTAKES[case]
    table, problems = compile_table(
        resource_set(backend("b", "m", **IN_CLUSTER), backend("ok", "n"), *others), "default"
    )

    assert [problem.reason for problem in problems if problem.excludes] == [reason]
    assert set(table.models) == {"n"}
    assert table.unusable["m"] == "backend 'b'"


def test_a_model_without_a_ready_pod_stays_known_and_is_passed_over() -> None:
    resources = resource_set(backend("b", "m", **IN_CLUSTER), backend("ok", "n"), service("engine"))
    resources = replace(resources, policies=resource_set(policy("p", "auto")).policies)
    table, problems = compile_table(resources, "default")
    turn = Turn("What is 2 + 2?", 10, frozenset({"chat"}))

    def decided(model: str) -> Decision:
        return decide(Request(model, (turn,), conversation="c"), table, NoLoad(), 0, lambda _: ())

    assert [problem.reason for problem in problems] == ["NoEndpoints"]
    assert [one.candidate.model for one in decided("auto").attempts] == ["n"]
    with pytest.raises(NoCandidate) as caught:
        decided("m")
    assert caught.value.may_pass


def test_requests_spread_by_what_an_endpoint_takes_at_once() -> None:
    one = backend("small", "m", maxConcurrency=2)
    other = backend("large", "m", url="http://127.0.0.1:8001", maxConcurrency=20)
    table, _ = compile_table(resource_set(one, other), "default")
    turn = Turn("Hello", 10, frozenset({"chat"}))

    class Busy(NoLoad):
        def in_flight(self, endpoint: Endpoint) -> int:
            return {"small": 1, "large": 5}[endpoint.backend]

    decision = decide(Request("m", (turn,), conversation="c"), table, Busy(), 0, lambda _: ())

    assert decision.attempts[0].endpoint.backend == "large"
