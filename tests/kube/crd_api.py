"""The three kinds over the API server's own HTTP, in one namespace."""

import json
from subprocess import CompletedProcess
from typing import Any

import httpx

from kube.control_plane import ControlPlane
from kube.crd_samples import Json
from steelyard.api import crd

_PLURALS = {one["spec"]["names"]["kind"]: one["spec"]["names"]["plural"] for one in crd.definitions()}


class Kinds:
    """What a client with every right does with them; unknown fields are refused, as kubectl has it."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._control_plane = control_plane
        self._namespace = namespace

    def create(self, resource: Json, *, dry_run: bool = False) -> httpx.Response:
        """Have an object made."""
        return self._send("POST", self._path(resource), resource, dry_run=dry_run)

    def update(self, resource: Json, subresource: str = "", *, dry_run: bool = False) -> httpx.Response:
        """Have an object replaced that was read before; `subresource`: /status."""
        path = f"{self._path(resource)}/{resource['metadata']['name']}{subresource}"
        return self._send("PUT", path, resource, dry_run=dry_run)

    def created(self, resource: Json) -> Json:
        """Make an object, its status too, and read it back."""
        made = self.create(resource).raise_for_status().json()
        if "status" not in resource:
            return made
        return self.update({**made, "status": resource["status"]}, "/status").raise_for_status().json()

    def kubectl(self, *words: str, resource: Json = None) -> CompletedProcess[str]:
        """Run kubectl in the namespace; `resource` is its standard input."""
        stdin = "" if resource is None else json.dumps(resource)
        return self._control_plane.kubectl("--namespace", self._namespace, *words, stdin=stdin)

    def _path(self, resource: Json) -> str:
        plural = _PLURALS[resource["kind"]]
        return f"/apis/{crd.GROUP}/{crd.VERSION}/namespaces/{self._namespace}/{plural}"

    def _send(self, method: str, path: str, resource: Json, *, dry_run: bool) -> httpx.Response:
        asked: dict[str, Any] = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return self._control_plane.admin.request(method, path, params=asked, json=resource)
