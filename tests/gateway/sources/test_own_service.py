"""The pods of the gateways' own Service, by which gateways count one another."""

import asyncio
from collections.abc import Callable

import pytest

from fakes import cluster_gateway
from fakes.cluster_gateway import NAMESPACE, Object, backend, endpoint_slice, put, remove
from fakes.engines import Ask, answer, engine
from fakes.kubernetes_api import FakeApiServer, configuration, fake_api_server
from steelyard.api.resources import ResourceSet
from steelyard.kube.watching import Pace
from steelyard_gateway import shares
from steelyard_gateway.sources.kubernetes import KubernetesSource

HOME = "default"
"""The namespace of the fake configuration."""


def gateways(service: str, namespace: str, *pods: str, not_ready: str = "") -> Object:
    """The slice of a Service with these pods."""
    made = endpoint_slice(service, 8080)
    made["metadata"]["namespace"] = namespace
    made["endpoints"] = [
        {
            "addresses": [f"10.0.0.{number}"],
            "conditions": {"ready": pod != not_ready, "serving": True, "terminating": pod == not_ready},
            "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod},
        }
        for number, pod in enumerate(pods)
    ]
    return made


def says_hello(ask: Ask) -> None:
    """An engine's answer to anything."""
    ask.send(answer(b'{"choices": []}'))


def counted(namespace: str, steps: list[Callable[[FakeApiServer], None]]) -> tuple[list[set[str]], set[str]]:
    """The gateways counted after each step, and the selectors by which EndpointSlices were asked for."""
    states: list[set[str]] = []

    def take(resources: ResourceSet, _: object) -> None:
        slices = resources.slices_by_service.get((HOME, "gateways"), ())
        names = set(shares.gateways(slices))
        if states and states[-1] == names:
            return
        states.append(names)
        if not steps:
            raise asyncio.CancelledError
        steps.pop(0)(api)

    async def story(url: str) -> None:
        source = KubernetesSource(
            configuration(url), [namespace], Pace(longest_pause_seconds=0.01), gateway_service="gateways"
        )
        async with asyncio.timeout(cluster_gateway.SECONDS):
            await source.run(take)

    with fake_api_server() as (url, api):
        steps.pop(0)(api)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(story(url))
        asked = {f"{one.path} {one.query['labelSelector']}" for one in api.asked("/endpointslices?")}
    return states, asked


@pytest.mark.parametrize("namespace", [HOME, NAMESPACE])
def test_gateways_are_counted_as_their_pods_come_and_go_wherever_the_resources_are(namespace: str) -> None:
    states, _ = counted(
        namespace,
        [
            lambda api: put(api, gateways("gateways", HOME, "a")),
            lambda api: put(api, gateways("gateways", HOME, "a", "b")),
            lambda api: put(api, gateways("gateways", HOME, "a", "b", "c", not_ready="a")),
            lambda api: remove(api, gateways("gateways", HOME)),
        ],
    )
    assert states == [{"a"}, {"a", "b"}, {"b", "c"}, set()]


def test_beside_the_backends_it_is_one_of_the_services_that_are_followed() -> None:
    of_home = backend("b", "m", serviceRef={"name": "pods", "port": 80})
    of_home["metadata"]["namespace"] = HOME

    def both(api: FakeApiServer) -> None:
        put(api, of_home)
        put(api, gateways("gateways", HOME, "a"))

    states, asked = counted(HOME, [both])
    assert states == [{"a"}]
    path = f"/apis/discovery.k8s.io/v1/namespaces/{HOME}/endpointslices"
    assert f"{path} kubernetes.io/service-name in (gateways,pods)" in asked


def test_elsewhere_nothing_else_of_its_namespace_is_asked_for() -> None:
    states, asked = counted(NAMESPACE, [lambda api: put(api, gateways("gateways", HOME, "a"))])
    assert states == [{"a"}]
    assert asked == {
        f"/apis/discovery.k8s.io/v1/namespaces/{HOME}/endpointslices kubernetes.io/service-name=gateways"
    }


def test_a_gateway_takes_the_share_that_the_pods_of_its_service_leave_it() -> None:
    with engine(says_hello) as up_engine:
        limited = backend("b", "m", url=f"http://127.0.0.1:{up_engine.port}", maxConcurrency=1)
        with cluster_gateway.gateway(
            limited, gateways("gateways", HOME, "a", "me"), gateway_service="gateways"
        ) as up:
            refused = up.chat("m")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            put(up.api, gateways("gateways", HOME, "me"))
            up.until(lambda: up.chat("m").status_code == 200, "an answer")
