"""ClusterGateway: the whole gateway in a thread, over a FakeApiServer; and objects as a cluster has them."""

import asyncio
import base64
import gc
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread
from typing import Any, TypeVar

import httpx
import uvloop

from fakes.kubernetes_api import FakeApiServer, configuration, fake_api_server
from kube import waiting
from steelyard.api.meta import SECRET_LABEL, SECRET_LABEL_VALUE
from steelyard.api.resources import SERVICE_NAME_LABEL
from steelyard_gateway.app import App
from steelyard_gateway.settings import Settings

SECONDS = 20.0
"""Nothing here takes longer, unless it hangs."""

NAMESPACE = "team"
"""The gateway's own."""

API = "steelyard.dev/v1alpha1"
Object = dict[str, Any]
T = TypeVar("T")


def backend(name: str, model: str = "", status: Object | None = None, **spec: Any) -> Object:
    """An LLMBackend that lists this model, or none."""
    models = [{"name": model}] if model else []
    body = {"engine": "VLLM", "models": models, **spec}
    made = {"apiVersion": API, "kind": "LLMBackend", "metadata": _metadata(name), "spec": body}
    return made | ({"status": status} if status else {})


def policy(name: str, model: str, **spec: Any) -> Object:
    """A RoutingPolicy that answers this name."""
    body = {"models": [{"name": model}], **spec}
    return {"apiVersion": API, "kind": "RoutingPolicy", "metadata": _metadata(name), "spec": body}


def service(name: str) -> Object:
    """A Service with the port 80."""
    spec = {"type": "ClusterIP", "clusterIP": "10.96.0.9", "ports": [{"port": 80, "targetPort": 8000}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(name), "spec": spec}


def endpoint_slice(of_service: str, port: int, *, ready: bool = True) -> Object:
    """One pod behind a Service, on loopback."""
    endpoint = {"addresses": ["127.0.0.1"], "conditions": {"ready": ready, "serving": ready}}
    metadata = _metadata(f"{of_service}-{port}", {SERVICE_NAME_LABEL: of_service})
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": [endpoint],
        "ports": [{"name": "", "port": port, "protocol": "TCP"}],
    }


def secret(name: str, value: str, *, labelled: bool = True) -> Object:
    """A Secret with this value as `api-key`; API servers show base64."""
    labels = {SECRET_LABEL: SECRET_LABEL_VALUE} if labelled else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(name, labels),
        "type": "Opaque",
        "data": {"api-key": base64.b64encode(value.encode()).decode()},
    }


def config_map(name: str, **data: str) -> Object:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(name), "data": data}


def _metadata(name: str, labels: dict[str, str] | None = None) -> Object:
    return {"name": name, "namespace": NAMESPACE, "labels": labels or {}, "generation": 1}


class Lines(logging.Handler):
    """What the gateway logs, for tests to wait for."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []
        self._came = Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._came:
            self.records.append(record)
            self._came.notify_all()

    def named(self, event: str) -> list[dict[str, Any]]:
        """The fields of the lines of this event so far."""
        return [vars(record) for record in list(self.records) if record.getMessage() == event]

    def wait_for(self, event: str, number: int = 1) -> dict[str, Any]:
        """The fields of the line of this event with this number, counted from 1."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.named(event)) >= number, SECONDS), self.records
        return self.named(event)[number - 1]


class ClusterGateway:
    """A gateway that listens; `gateway` makes one. An exception in its log is an error."""

    def __init__(
        self,
        api: FakeApiServer,
        api_url: str,
        gateway_service: str = "",
        watched_namespaces: tuple[str, ...] | None = (),
    ) -> None:
        self.api = api
        self._gateway_service = gateway_service
        self._watched_namespaces = watched_namespaces
        self.lines = Lines()
        self._thread = Thread(target=lambda: uvloop.run(self._serve(api_url)), name="gateway")

    def ready(self) -> bool:
        """Whether it takes requests."""
        return self.admin.get("/readyz").status_code == 200

    def chat(self, model: str, namespace: str = "") -> httpx.Response:
        """The answer to one chat request, in this namespace or in the gateway's own."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
        return self.client.post(f"{place(namespace)}/v1/chat/completions", json=body)

    def endpoints(self) -> list[str]:
        """Every endpoint in the table, as host:port."""
        pairs = self.admin.get("/admin/table").json()["candidates"]
        named = {endpoint["name"] for pair in pairs for endpoint in pair["endpoints"]}
        return sorted(name.rpartition("@")[2] for name in named)

    def models(self, namespace: str = "") -> list[str]:
        """Every name that can be asked for there."""
        listed = self.client.get(f"{place(namespace)}/v1/models").json()
        return [model["id"] for model in listed.get("data", [])]

    def shown(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
        """A resource as /admin/resources has it; empty where it has none."""
        rows = self.admin.get("/admin/resources").json()["resources"]
        wanted = (kind, namespace, name)
        found: list[Object] = [row for row in rows if (row["kind"], row["namespace"], row["name"]) == wanted]
        return found[0] if found else {}

    def gauge(self, name: str) -> float:
        """A gauge without labels."""
        text = self.admin.get("/metrics").text
        return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])

    def until(self, look: Callable[[], T | None], what: str) -> T:
        """The first answer that is neither None nor false."""
        return waiting.until(look, what, SECONDS)

    @contextmanager
    def up(self) -> Iterator[None]:
        """Run it."""
        root = logging.getLogger()
        level = root.level
        root.addHandler(self.lines)
        root.setLevel(logging.INFO)
        self._thread.start()
        try:
            listening = self.lines.wait_for("listening")
            url, admin = listening["url"], listening["admin"]
            with (
                httpx.Client(base_url=url, timeout=SECONDS, trust_env=False) as self.client,
                httpx.Client(base_url=admin, timeout=SECONDS, trust_env=False) as self.admin,
            ):
                yield
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(SECONDS)
            root.removeHandler(self.lines)
            root.setLevel(level)
            gc.unfreeze()
        assert not self._thread.is_alive()
        assert [record for record in self.lines.records if record.exc_info] == []

    async def _serve(self, api_url: str) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        settings = Settings(
            directory=None,
            host="127.0.0.1",
            port=0,
            admin_port=0,
            namespace=NAMESPACE,
            drain_seconds=5,
            max_body_bytes=2**20,
            gateway_service=self._gateway_service,
            gateway_name="me",
            watched_namespaces=self._watched_namespaces,
        )
        await App(settings, io.BytesIO(), configuration(api_url)).serve(self._stop)


@contextmanager
def gateway(
    *objects: Object,
    before: Callable[[FakeApiServer], None] | None = None,
    gateway_service: str = "",
    watched_namespaces: tuple[str, ...] | None = (),
) -> Iterator[ClusterGateway]:
    """A gateway over a FakeApiServer with these objects, ready unless `before` has done something to it.

    Its own pod is called me.
    """
    with fake_api_server() as (url, api):
        for one in objects:
            put(api, one)
        if before is not None:
            before(api)
        running = ClusterGateway(api, url, gateway_service, watched_namespaces)
        with running.up():
            if before is None:
                running.until(running.ready, "readiness")
            yield running


def place(namespace: str) -> str:
    """What stands before a path of this namespace; of the own one nothing."""
    return f"/ns/{namespace}" if namespace else ""


def moved(value: Object, namespace: str) -> Object:
    """The object in another namespace."""
    return value | {"metadata": value["metadata"] | {"namespace": namespace}}


def put(api: FakeApiServer, value: Object) -> None:
    """Make or change an object."""
    api.put(PLURALS[value["kind"]], value)


def remove(api: FakeApiServer, value: Object) -> None:
    """Delete an object."""
    api.remove(PLURALS[value["kind"]], value["metadata"]["namespace"], value["metadata"]["name"])


PLURALS = {
    "LLMBackend": "llmbackends",
    "ModelProfile": "modelprofiles",
    "RoutingPolicy": "routingpolicies",
    "Secret": "secrets",
    "ConfigMap": "configmaps",
    "Service": "services",
    "EndpointSlice": "endpointslices",
}
"""The word in paths by kind."""
