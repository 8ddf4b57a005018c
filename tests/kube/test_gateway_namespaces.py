"""One gateway over several namespaces of a real API server, with the chart's rights and nothing more."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.charts import Render
from fakes.profiled_engine import ProfiledEngine
from fakes.program import Gateway
from kube import waiting
from kube.control_plane import ControlPlane
from kube.programs import Programs
from kube.spaces import Space
from steelyard.kube import kinds

RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
WITHOUT_OPERATOR = "gateway.allNamespaces=true,operator.enabled=false,rbac.aggregate=false"


@pytest.fixture
def second(control_plane: ControlPlane, namespace: str) -> Iterator[Space]:
    """Another namespace than that of the gateway."""
    name = control_plane.create_namespace()
    yield Space(control_plane, name)
    control_plane.start_api_server()
    control_plane.delete_namespace(name)


@contextmanager
def granted(control_plane: ControlPlane, render: Render, space: Space, values: str = "") -> Iterator[None]:
    """The rights that the chart gives a gateway of all namespaces in this one; taken back in the end."""
    objects = render("--set", WITHOUT_OPERATOR + values, namespace=space.namespace)
    rights = [one for one in objects if one["kind"] in RIGHTS]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": rights})
    done = control_plane.kubectl("apply", "-f", "-", stdin=listed)
    assert done.returncode == 0, done.stderr
    yield
    control_plane.kubectl("delete", "-f", "-", stdin=listed)


def status(gateway: Gateway, namespace: str, model: str = "m") -> int:
    """The status of an answer to a chat request in this namespace."""
    body = {"model": model, "messages": [{"role": "user", "content": "What is 7 + 5?"}]}
    return gateway.client.post(f"/ns/{namespace}/v1/chat/completions", json=body).status_code


def until_ready(gateway: Gateway) -> None:
    waiting.until(lambda: gateway.admin.get("/readyz").status_code == 200, "readiness")


def test_with_a_role_in_each_it_serves_the_named_namespaces(
    control_plane: ControlPlane,
    render: Render,
    space: Space,
    second: Space,
    engine: ProfiledEngine,
    tmp_path: Path,
) -> None:
    second.backend("b", engine.url, models=[{"name": "m"}])
    both = f"{space.namespace},{second.namespace}"
    with (
        granted(control_plane, render, space, f",namespaces={{{both}}}"),
        Programs(control_plane, space.namespace, tmp_path).gateway(f"--watch-namespaces={both}") as gateway,
    ):
        until_ready(gateway)
        assert [status(gateway, one.namespace) for one in (space, second)] == [404, 200]
        assert gateway.chat(model="m").status_code == 404, "it is not in the gateway's own"


def test_with_a_cluster_role_it_serves_all_and_without_one_it_says_what_it_waits_for(
    control_plane: ControlPlane,
    render: Render,
    space: Space,
    second: Space,
    engine: ProfiledEngine,
    tmp_path: Path,
) -> None:
    control_plane.kubectl("create", "serviceaccount", "steelyard-gateway", "--namespace", space.namespace)
    second.backend("b", engine.url, models=[{"name": "m"}])
    with Programs(control_plane, space.namespace, tmp_path).gateway("--watch-namespaces=*") as gateway:

        def reason() -> str:
            return str(gateway.admin.get("/readyz").json().get("reason"))

        waiting.until(lambda: "waiting for llmbackends: 403" in reason(), "the reason")
        with granted(control_plane, render, space):
            until_ready(gateway)
            assert [status(gateway, one.namespace) for one in (space, second)] == [404, 200]
            space.backend("b", engine.url, models=[{"name": "m"}])
            waiting.until(lambda: gateway.chat(model="m").status_code == 200, "the own one")
            second.delete(kinds.LLM_BACKEND, "b")
            waiting.until(lambda: status(gateway, second.namespace) == 404, "the other's end")
            assert status(gateway, space.namespace) == 200
