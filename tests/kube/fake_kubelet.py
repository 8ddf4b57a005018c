"""FakeKubelet: runs the pods of Jobs as processes of this machine and reports on them as a kubelet does.

The first container's command is run with the test's own Python, in an environment of its own. No image is
looked at, and nothing is isolated.

Invariant: when `running` is left, every process that was started here has ended.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from kube import containers
from kube.containers import Outcome
from kube.control_plane import SECONDS, ControlPlane

PODS_OF_JOBS = "batch.kubernetes.io/job-name"
"""The label of the pods that are run here."""

_NODE = "fake-node"
_PAUSE_SECONDS = 0.1
"""Between two attempts to reach an API server that is away."""
_GONE = (404, 409)
"""How the API server answers about a pod that is no more, or is another one by now."""

_Change = tuple[str, dict[str, Any]]
"""ADDED, MODIFIED or DELETED, and the pod."""


class FakeKubelet:
    """A kubelet at work on the pods of one namespace; `running` makes one."""

    instead: Outcome | None = None
    """Set: pods that start from now on come to this at once, and their command is not run."""

    def __init__(
        self,
        api: httpx.AsyncClient,
        namespace: str,
        folder: Path,
        call: Callable[[Callable[[], None]], object],
    ) -> None:
        self.folder = folder
        """One folder for each pod, by its name: `log`, `termination-log`, `volumes`."""
        self.started: list[str] = []
        """Names of the pods whose container started, in order."""
        self._api = api
        self._namespace = f"/api/v1/namespaces/{namespace}"
        self._call = call
        self._deletions: dict[str, asyncio.Event] = {}
        self._released = asyncio.Event()
        self._released.set()

    def hold(self) -> None:
        """Let no command begin from now on: its pod is Running, and nothing happens."""
        self._call(self._released.clear)

    def release(self) -> None:
        """Let the commands begin that were held, and all later ones."""
        self._call(self._released.set)

    async def serve(self) -> None:
        """Run pods until cancelled."""
        async with self._api, asyncio.TaskGroup() as tasks:
            async for kind, pod in self._changes():
                uid = pod["metadata"]["uid"]
                if uid not in self._deletions and kind != "DELETED" and pod["status"]["phase"] == "Pending":
                    self._deletions[uid] = asyncio.Event()
                    tasks.create_task(self._run(pod, self._deletions[uid]), name=pod["metadata"]["name"])
                if kind == "DELETED" or "deletionTimestamp" in pod["metadata"]:
                    self._deletions.get(uid, asyncio.Event()).set()

    async def _changes(self) -> AsyncIterator[_Change]:
        """Every pod and every change of one, for ever; an API server that goes away comes back."""
        path = f"{self._namespace}/pods"
        while True:
            try:
                listed = await self._api.get(path, params={"labelSelector": PODS_OF_JOBS})
                pods = listed.raise_for_status().json()
                for pod in pods["items"]:
                    yield "ADDED", pod
                present = {pod["metadata"]["uid"] for pod in pods["items"]}
                for uid in self._deletions.keys() - present:
                    self._deletions[uid].set()
                async for change in self._watched(path, pods["metadata"]["resourceVersion"]):
                    yield change
            except httpx.HTTPError:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _watched(self, path: str, version: str) -> AsyncIterator[_Change]:
        asked = {"labelSelector": PODS_OF_JOBS, "watch": "1", "resourceVersion": version}
        async with self._api.stream("GET", path, params=asked, timeout=None) as answer:
            async for line in answer.raise_for_status().aiter_lines():
                change = json.loads(line)
                if change["type"] == "ERROR":
                    return
                yield change["type"], change["object"]

    async def _run(self, pod: dict[str, Any], deleted: asyncio.Event) -> None:
        """One pod from Pending to its end."""
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        path, container = f"{self._namespace}/pods/{name}", pod["spec"]["containers"][0]["name"]
        binding = {"metadata": {"name": name, "uid": uid}, "target": {"kind": "Node", "name": _NODE}}
        await self._ask("POST", f"{path}/binding", binding)
        started = _now()

        async def report(phase: str, state: dict[str, Any]) -> None:
            running = phase == "Running"
            seen = {"name": container, "image": "", "imageID": "", "restartCount": 0, "ready": running}
            conditions = [{"type": "Ready", "status": str(running), "lastTransitionTime": _now()}]
            status = {
                "phase": phase,
                "startTime": started,
                "conditions": conditions,
                "containerStatuses": [{**seen, "state": state}],
            }
            await self._ask("PATCH", f"{path}/status", {"metadata": {"uid": uid}, "status": status})

        await report("Running", {"running": {"startedAt": started}})
        self.started.append(name)
        outcome = await self._outcome(pod, deleted)
        terminated = {
            "exitCode": outcome.exit_code,
            "reason": outcome.reason or ("Error" if outcome.exit_code else "Completed"),
            "message": outcome.message,
            "startedAt": started,
            "finishedAt": _now(),
        }
        await report("Failed" if outcome.exit_code else "Succeeded", {"terminated": terminated})
        await deleted.wait()
        await self._ask("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})

    async def _outcome(self, pod: dict[str, Any], deleted: asyncio.Event) -> Outcome:
        if self.instead is not None:
            return self.instead
        container = containers.prepare(pod, await self._files(pod), self.folder / pod["metadata"]["name"])
        async with asyncio.TaskGroup() as tasks:
            waits = [tasks.create_task(event.wait()) for event in (self._released, deleted)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        return await containers.run(container, deleted)

    async def _files(self, pod: dict[str, Any]) -> dict[str, dict[str, bytes]]:
        """Contents by file name, by volume; only Secrets, ConfigMaps and annotations have any."""
        files: dict[str, dict[str, bytes]] = {}
        for volume in pod["spec"].get("volumes", []):
            if source := volume.get("secret"):
                data = await self._data(f"secrets/{source['secretName']}")
                contents = {key: base64.b64decode(text) for key, text in data.items()}
            elif source := volume.get("configMap"):
                data = await self._data(f"configmaps/{source['name']}")
                contents = {key: text.encode() for key, text in data.items()}
            elif source := volume.get("downwardAPI"):
                annotations = pod["metadata"]["annotations"]
                contents = {
                    f"metadata.annotations['{name}']": text.encode() for name, text in annotations.items()
                }
                source = {"items": [one | {"key": one["fieldRef"]["fieldPath"]} for one in source["items"]]}
            else:
                continue
            items = source.get("items") or [{"key": key, "path": key} for key in contents]
            files[volume["name"]] = {item["path"]: contents[item["key"]] for item in items}
        return files

    async def _data(self, path: str) -> dict[str, str]:
        data: dict[str, str] = (await self._ask("GET", f"{self._namespace}/{path}"))["data"]
        return data

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the API server answers, once it does; nothing about what is gone."""
        headers = {
            "content-type": "application/merge-patch+json" if method == "PATCH" else "application/json"
        }
        while True:
            try:
                answer = await self._api.request(method, path, content=json.dumps(body), headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return {} if answer.status_code in _GONE else answer.raise_for_status().json()


@contextmanager
def running(control_plane: ControlPlane, namespace: str, folder: Path) -> Iterator[FakeKubelet]:
    """A kubelet for the pods of Jobs in this namespace, with its files in `folder`."""
    trust = ssl.create_default_context(cafile=str(control_plane.authority))
    api = httpx.AsyncClient(
        base_url=control_plane.url,
        headers={"authorization": f"Bearer {control_plane.admin_token}"},
        verify=trust,
        timeout=SECONDS,
        trust_env=False,
    )
    with asyncio.Runner() as runner, ThreadPoolExecutor(1, "kubelet") as thread:
        call = runner.get_loop().call_soon_threadsafe
        kubelet = FakeKubelet(api, namespace, folder, call)
        serving = runner.get_loop().create_task(kubelet.serve(), name="kubelet")
        served = thread.submit(runner.run, _until_cancelled(serving))
        try:
            yield kubelet
        finally:
            call(serving.cancel)
            served.result(SECONDS)


async def _until_cancelled(serving: asyncio.Task[None]) -> None:
    with suppress(asyncio.CancelledError):
        await serving


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
