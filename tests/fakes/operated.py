"""The operator in this process, over a FakeApiServer that also tells kopf what kinds there are.

Every object that was ever written is kept, so that tests can look at all of them.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fakes import engines, kubernetes_api
from fakes.engines import Ask
from fakes.kubernetes_api import FakeApiServer, Object, Request, configuration, status_object
from steelyard.kube import kinds
from steelyard.kube.client import Client
from steelyard.kube.kinds import Kind
from steelyard_operator.lease import Lease
from steelyard_operator.metrics import Metrics
from steelyard_operator.probing import Prober
from steelyard_operator.running import _Active
from steelyard_operator.settings import Settings

NAMESPACE = "llm"
KINDS = (
    *(value for value in vars(kinds).values() if isinstance(value, Kind)),
    # kopf waits until these are known.
    Kind("", "v1", "namespaces", "Namespace", namespaced=False),
    Kind("", "v1", "events", "Event"),
    Kind(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
    ),
)


_SETTINGS = Settings(
    namespaces=(NAMESPACE,),
    concurrent_profiles=1,
    profiler_image="profiler:1",
    host="127.0.0.1",
    port=0,
    lease_namespace="steelyard",
    lease_name="operator",
    identity="one",
)


class DiscoverableApiServer(FakeApiServer):
    """Tells what kinds there are, as kopf asks at its start; and remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[Request] = []
        self.over_quota = ""
        """Writes to paths with this in them are refused; empty: none are."""

    def answer(self, asked: Request) -> tuple[int, bytes]:
        """Status and body for everything but a watch."""
        found = discovery().get(asked.path)
        if found is not None:
            return 200, json.dumps(found).encode()
        if asked.method != "GET":
            self.writes.append(asked)
            if self.over_quota and self.over_quota in asked.path:
                return 403, json.dumps(status_object(403, "Forbidden", "exceeded quota")).encode()
        return super().answer(asked)

    def watch(self, asked: Request) -> Iterator[bytes]:
        """Lines of a watch, which goes on for as long as the test where nothing else was asked for."""
        asked.query.setdefault("timeoutSeconds", "60")
        return super().watch(asked)

    def _list(self, asked: Request, plural: str, namespace: str | None) -> Object:
        found = super()._list(asked, plural, namespace)
        # kopf takes the items' kind from here, and cannot read null.
        kind = next(kind.kind for kind in KINDS if kind.plural == plural)
        return found | {"kind": f"{kind}List", "items": found["items"] or []}


def discovery() -> dict[str, Object]:
    """What there is, by path."""
    groups = {kind.group: kind.version for kind in KINDS if kind.group}
    found: dict[str, Object] = {
        "/version": {"major": "1", "minor": "36"},
        "/api": {"versions": ["v1"]},
        "/apis": {
            "groups": [
                {"name": name, "versions": [{"version": version}], "preferredVersion": {"version": version}}
                for name, version in groups.items()
            ]
        },
    }
    for kind in KINDS:
        path = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
        names = {"name": kind.plural, "singularName": kind.kind.lower(), "kind": kind.kind}
        verbs = {"namespaced": kind.namespaced, "verbs": ["get", "list", "watch", "patch"]}
        found.setdefault(path, {"resources": []})["resources"].append(names | verbs)
    return found


@dataclass
class Operated:
    """An operator at work."""

    api: DiscoverableApiServer
    """The API server."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: the operator ends."""
    metrics: Metrics = field(default_factory=Metrics)
    """What it counts."""

    async def until(self, what: Callable[[], object], seconds: float = 10.0) -> None:
        """Return once this holds."""
        await asyncio.to_thread(self.api.wait_for, lambda: bool(what()), seconds)

    def put(self, kind: Kind, name: str, generation: int = 1, **fields: Any) -> Object:
        """Somebody makes or changes an object; what they do not say stays."""
        key = (kind.plural, NAMESPACE, name)
        before = self.api.objects.get(key, {})
        metadata = {"name": name, "namespace": NAMESPACE, "generation": generation}
        metadata |= {"creationTimestamp": "2026-11-21T10:00:00Z"} | fields.pop("metadata", {})
        whole = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        return self.api.put(kind.plural, before | whole | fields)

    def end_job(self, name: str, message: str, exit_code: int = 0) -> None:
        """The pod of a Job leaves this message, and the Job is over."""
        job = self.get(kinds.JOB, name)
        labels = job["metadata"]["labels"] | {"batch.kubernetes.io/job-name": name}
        ended = {"terminated": {"exitCode": exit_code, "reason": "Completed", "message": message}}
        status = {"phase": "Succeeded", "containerStatuses": [{"name": "profiler", "state": ended}]}
        self.put(kinds.POD, f"{name}-pod", metadata={"labels": labels}, status=status)
        over = {"type": "Failed" if exit_code else "Complete", "status": "True"}
        self.api.put(kinds.JOB.plural, job | {"status": {"conditions": [over]}})

    def get(self, kind: Kind, name: str) -> Object:
        """An object; empty where there is none."""
        return self.api.objects.get((kind.plural, NAMESPACE, name), {})

    def all(self, kind: Kind) -> list[Object]:
        """Every object of a kind."""
        return [value for (plural, _, _), value in self.api.objects.items() if plural == kind.plural]

    def said(self, kind: Kind, name: str, condition: str) -> tuple[str, str]:
        """Status and reason of a condition; empty where it is not there."""
        found = self.get(kind, name).get("status", {}).get("conditions", [])
        told = ((one["status"], one["reason"]) for one in found if one["type"] == condition)
        return next(told, ("", ""))

    def written(self, kind: Kind | None = None) -> list[Request]:
        """Every write of the operator, or those of one kind; the lease is left out."""
        wanted = f"/{kind.plural}" if kind is not None else ""
        return [one for one in self.api.writes if wanted in one.path and "/leases" not in one.path]


Tale = Callable[[Operated], Awaitable[None]]


def operate(*tales: Tale, folder: Path, patch: pytest.MonkeyPatch, **settings: Any) -> DiscoverableApiServer:
    """Tell each tale beside an operator of its own, one after another; the API server as it is left."""
    with served() as (url, api):
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(url)))
        # The package read KUBECONFIG as it was imported.
        patch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
        for tale in tales:
            asyncio.run(_told(tale, api, url, str(kubeconfig), settings))
    return api


@contextmanager
def served() -> Iterator[tuple[str, DiscoverableApiServer]]:
    """URL and state of an API server that is up."""
    api = DiscoverableApiServer()
    with kubernetes_api._Server(api) as server:
        server.RequestHandlerClass = _TypedHandler
        thread = Thread(target=server.serve_forever, args=(0.05,), name="discoverable API server")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", api
        finally:
            api.cut_watches()
            server.shutdown()
            thread.join()


async def _told(
    tale: Tale, api: DiscoverableApiServer, url: str, kubeconfig: str, settings: dict[str, Any]
) -> None:
    pace = {"resync_seconds": settings.pop("resync_seconds")} if "resync_seconds" in settings else {}
    chosen = replace(_SETTINGS, **settings)
    operated = Operated(api)
    async with _leading(url, chosen) as (lease, client), Prober() as prober, asyncio.TaskGroup() as tasks:
        active = _Active(chosen, {"KUBECONFIG": kubeconfig}, lease, client, prober, operated.metrics, **pace)
        tasks.create_task(active.serve(operated.stop), name="operator")
        try:
            await tale(operated)
        finally:
            operated.stop.set()


@asynccontextmanager
async def _leading(url: str, chosen: Settings) -> AsyncIterator[tuple[Lease, Client]]:
    """A lease that is held, and a client that writes only while it is."""
    async with Client(configuration(url)) as plain:
        lease = Lease(plain, chosen.lease_namespace, chosen.lease_name, chosen.identity)
        await lease.acquire()
        async with Client(configuration(url), guard=lease.check) as client:
            yield lease, client


class _TypedHandler(kubernetes_api._Handler):
    """Says that its answers are JSON, without which kopf does not read them."""

    def send_response(self, code: int, message: str | None = None) -> None:
        super().send_response(code, message)
        self.send_header("Content-Type", "application/json")


def _kubeconfig(url: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": "test"}}],
        "contexts": [
            {"name": "test", "context": {"cluster": "test", "user": "test", "namespace": NAMESPACE}}
        ],
    }


def vllm(*models: str) -> Callable[[Ask], None]:
    """An engine that serves these and has nothing to do."""
    listed = json.dumps({"data": [{"id": model} for model in models]}).encode()
    idle = b"vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n"
    bodies = {b"/v1/models": listed, b"/version": b'{"version": "1.0"}', b"/metrics": idle, b"/health": b""}
    lost = engines.answer(b"", "404 Not Found")

    def answer(ask: Ask) -> None:
        body = bodies.get(ask.line.split()[1])
        ask.send(lost if body is None else engines.answer(body))

    return answer
