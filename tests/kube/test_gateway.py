"""The gateway over a real API server, with the shipped role and nothing more."""

import base64
from pathlib import Path

import httpx

from fakes.profiled_engine import ProfiledEngine
from fakes.program import Gateway
from kube import programs, waiting
from kube.control_plane import ControlPlane
from kube.programs import Programs
from kube.spaces import Json, Space
from steelyard.api.meta import SECRET_LABEL, SECRET_LABEL_VALUE
from steelyard.api.resources import SERVICE_NAME_LABEL
from steelyard.kube import kinds

LISTED: Json = {"models": [{"name": "m", "aliases": ["alias"]}]}
"""What makes the engine's model known without an operator."""


def until_answered(gateway: Gateway, model: str) -> None:
    waiting.until(lambda: gateway.chat(model=model).status_code == 200, f"an answer from {model}")


def until_ready(gateway: Gateway) -> None:
    waiting.until(lambda: gateway.admin.get("/readyz").status_code == 200, "readiness")


def endpoints(gateway: Gateway) -> list[str]:
    pairs = gateway.admin.get("/admin/table").json()["candidates"]
    return sorted(endpoint["name"] for pair in pairs for endpoint in pair["endpoints"])


def connected(gateway: Gateway) -> bool:
    source = gateway.admin.get("/admin/resources").json()["source"]
    return bool(source["connected"])


def test_a_backend_is_asked_as_long_as_it_is_there(
    run: Programs, space: Space, engine: ProfiledEngine
) -> None:
    with run.gateway() as gateway:
        until_ready(gateway)
        assert gateway.chat(model="m").status_code == 404
        space.backend("b", engine.url, **LISTED)
        space.policy("auto")
        until_answered(gateway, "auto")
        assert gateway.chat(model="alias").headers["x-steelyard-backend"] == "b"
        space.delete(kinds.LLM_BACKEND, "b")
        refused = waiting.until(lambda: refusal(gateway, "m"), "a refusal")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
        left = gateway.chat(model="auto")
        assert (left.status_code, left.json()["error"]["code"]) == (503, "no_upstream")


def refusal(gateway: Gateway, model: str) -> httpx.Response | None:
    answered = gateway.chat(model=model)
    return None if answered.status_code == 200 else answered


def test_a_secrets_new_value_is_sent_without_a_restart(
    run: Programs, space: Space, engine: ProfiledEngine
) -> None:
    def keep(value: str) -> None:
        labels = {SECRET_LABEL: SECRET_LABEL_VALUE}
        data = {"api-key": base64.b64encode(value.encode()).decode()}
        space.apply(kinds.SECRET, "key", metadata={"labels": labels}, data=data)

    def sent() -> str:
        assert gateway.chat(model="m").status_code == 200
        return engine.headers[-1]["authorization"]

    keep("first")
    space.backend("b", engine.url, **LISTED, credentialsRef={"name": "key", "key": "api-key"})
    with run.gateway() as gateway:
        until_ready(gateway)
        assert sent() == "Bearer first"
        keep("second")
        waiting.until(lambda: sent() == "Bearer second", "the new key")


def test_ready_pods_of_a_service_are_in_the_table_and_no_others(run: Programs, space: Space) -> None:
    def pods(*ready: bool) -> None:
        space.apply(
            kinds.ENDPOINT_SLICE,
            "pods-1",
            metadata={"labels": {SERVICE_NAME_LABEL: "pods"}},
            addressType="IPv4",
            ports=[{"name": "", "port": 8000}],
            endpoints=[
                {"addresses": [f"10.244.0.{number}"], "conditions": {"ready": one}}
                for number, one in enumerate(ready)
            ],
        )

    space.apply(kinds.SERVICE, "pods", {"ports": [{"port": 80}]})
    space.backend("b", **LISTED, serviceRef={"name": "pods", "port": 80})
    pods(True, True)
    with run.gateway() as gateway:
        until_ready(gateway)
        assert endpoints(gateway) == ["b@10.244.0.0:8000", "b@10.244.0.1:8000"]
        pods(False, True)
        waiting.until(lambda: endpoints(gateway) == ["b@10.244.0.1:8000"], "the pod's leaving")


def test_it_trusts_the_authority_of_a_config_map(run: Programs, space: Space) -> None:
    space.backend("b", "https://127.0.0.1:1", **LISTED, tls={"caRef": {"name": "authority", "key": "ca.crt"}})

    def reasons() -> list[str]:
        rows = gateway.admin.get("/admin/resources").json()["resources"]
        return [problem["reason"] for row in rows for problem in row["problems"]]

    with run.gateway() as gateway:
        until_ready(gateway)
        assert reasons() == ["CaNotFound"]
        pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
        space.apply(kinds.CONFIG_MAP, "authority", data={"ca.crt": pem})
        waiting.until(lambda: reasons() == [], "the authority")


def test_it_serves_on_without_an_api_server_and_catches_up(
    control_plane: ControlPlane, run: Programs, space: Space, engine: ProfiledEngine
) -> None:
    space.backend("b", engine.url, **LISTED)
    with run.gateway() as gateway:
        until_answered(gateway, "m")
        waiting.until(lambda: connected(gateway), "a connection")
        control_plane.stop_api_server()
        waiting.until(lambda: not connected(gateway), "the outage")
        assert gateway.chat(model="m").status_code == 200
        assert gateway.admin.get("/readyz").status_code == 200
        control_plane.start_api_server()
        space.backend("c", engine.url, models=[{"name": "m", "aliases": ["later"]}])
        until_answered(gateway, "later")
        waiting.until(lambda: connected(gateway), "the connection again")


def test_it_goes_on_when_its_watches_have_expired(
    control_plane: ControlPlane, run: Programs, space: Space, engine: ProfiledEngine
) -> None:
    space.backend("b", engine.url, **LISTED)
    with run.gateway() as gateway:
        until_answered(gateway, "m")
        control_plane.expire_watches()
        space.backend("c", engine.url, models=[{"name": "m", "aliases": ["later"]}])
        until_answered(gateway, "later")
        waiting.until(lambda: connected(gateway), "the connection again")
        assert gateway.chat(model="m").status_code == 200


def test_without_its_rights_it_says_what_it_waits_for_and_begins_when_it_has_them(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    control_plane.kubectl("create", "serviceaccount", programs.GATEWAY, "--namespace", namespace)
    with Programs(control_plane, namespace, tmp_path).gateway() as gateway:

        def reason() -> str:
            return str(gateway.admin.get("/readyz").json()["reason"])

        waiting.until(lambda: reason().startswith("waiting for llmbackends: 403 Forbidden: "), "the reason")
        assert f"system:serviceaccount:{namespace}:{programs.GATEWAY}" in reason()
        programs.grant(control_plane, namespace)
        until_ready(gateway)


def test_its_own_namespace_is_the_one_without_a_word(run: Programs, space: Space) -> None:
    space.backend("b", "http://127.0.0.1:1", **LISTED)
    with run.gateway("--namespace=") as gateway:
        until_ready(gateway)
        shown = gateway.admin.get("/admin/resources").json()["resources"]
        assert [(row["namespace"], row["name"]) for row in shown] == [(space.namespace, "b")]
