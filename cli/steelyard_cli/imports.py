"""`steelyard import`: the resources of files into a namespace of a cluster, with what was measured.

Rule 1. Profiles come before backends, so that an operator finds measurements instead of models to measure.
Rule 2. What the cluster knows better stays: a later measurement, the status of a backend or a policy.
Rule 3. A Secret or ConfigMap that is there stays as it is, and one that an export emptied is not made.
Rule 4. Services and EndpointSlices are not written: they come with the engines.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from steelyard import settings
from steelyard.api import crd
from steelyard.api.backend import LLMBackend
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import ConfigMap, ResourceSet, Secret
from steelyard.files import plain, reading
from steelyard.files.problems import FilesError
from steelyard.kube import configuration, errors, kinds
from steelyard.kube.client import Client
from steelyard.kube.kinds import Kind, Object
from steelyard_operator import jobs

FIELD_MANAGER = "steelyard-import"
"""Whose the written fields are."""

MOST_TRIES = 5
"""Attempts at a status that an operator writes at the same moment."""

_KINDS: dict[type, Kind] = {
    Secret: kinds.SECRET,
    ConfigMap: kinds.CONFIG_MAP,
    LLMBackend: kinds.LLM_BACKEND,
    ModelProfile: kinds.MODEL_PROFILE,
    RoutingPolicy: kinds.ROUTING_POLICY,
}

_Ours = LLMBackend | ModelProfile | RoutingPolicy
_Held = Secret | ConfigMap


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add what to write, and where to."""
    parser.add_argument("path", metavar="FILE|DIR", type=Path, help="a file, or a folder of files")
    described = "namespace to write into, whatever the files say"
    settings.add(parser, "--namespace", environment, described, default="default")


def main(arguments: argparse.Namespace) -> int:
    """Write them, a line for each; 1 when the files or the API server refuse something."""
    try:
        path: Path = arguments.path
        loaded = reading.load(path) if path.is_dir() else reading.load_file(path)
        resources = _of_one_namespace(loaded.resources)
    except (FilesError, _SeveralNamespacesError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for warning in loaded.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    try:
        return asyncio.run(_write(configuration.load(os.environ), resources, arguments.namespace))
    except errors.KubeError as error:
        sys.stderr.write(f"{error}\n")
        return 1


class _SeveralNamespacesError(Exception):
    """The files hold more than one namespace's resources."""


def _of_one_namespace(resources: ResourceSet) -> ResourceSet:
    """The resources; raises _SeveralNamespacesError where two of them might get one name."""
    held = (
        resources.backends,
        resources.profiles,
        resources.policies,
        resources.secrets,
        resources.config_maps,
    )
    namespaces = sorted({namespace for of_kind in held for namespace, _ in of_kind})
    if len(namespaces) > 1:
        said = ", ".join(namespaces)
        raise _SeveralNamespacesError(f"the files hold several namespaces ({said}): import each by itself")
    return resources


async def _write(configured: configuration.Configuration, resources: ResourceSet, namespace: str) -> int:
    async with Client(configured) as client:
        writing = _Writing(client, namespace)
        held: list[_Held] = [*resources.secrets.values(), *resources.config_maps.values()]
        for referred in held:
            await writing.make(referred)
        ours: list[_Ours] = [
            *resources.profiles.values(),
            *resources.backends.values(),
            *resources.policies.values(),
        ]
        for one in ours:
            await writing.put(one)
        for profile in resources.profiles.values():
            await writing.own(profile)
    if not ours:
        sys.stderr.write("The files hold no backend, profile or policy.\n")
    return int(writing.was_refused)


class _Writing:
    """Writes one object after another, and tells what became of each."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.was_refused = False
        self._client = client
        self._namespace = namespace

    async def make(self, held: _Held) -> None:
        """Make a Secret or a ConfigMap that is not there yet."""
        if not _has_values(held):
            _tell(held, "left out: its values are empty, as export leaves them without --with-secrets")
            return
        try:
            await self._client.create(_KINDS[type(held)], self._manifest(held))
        except errors.AlreadyExists:
            _tell(held, "is there already, and stays as it is")
        except errors.Refused as refusal:
            self._refuse(held, refusal)
        else:
            _tell(held, "made")

    async def put(self, one: _Ours) -> None:
        """Write the spec, then the status where the cluster knows nothing better."""
        kind = _KINDS[type(one)]
        manager = jobs.MANAGED_BY if _is_automatic(one) else FIELD_MANAGER
        try:
            there = await self._client.apply(kind, self._manifest(one), manager)
            told = await self._put_status(kind, one, there)
        except errors.Refused as refusal:
            self._refuse(one, refusal)
        else:
            _tell(one, told)

    async def own(self, profile: ModelProfile) -> None:
        """Have an automatic profile go with its backend again."""
        if not _is_automatic(profile):
            return
        name = profile.spec.backend_ref.name
        try:
            backend = await self._client.get(kinds.LLM_BACKEND, self._namespace, name)
            of = kinds.LLM_BACKEND
            owner = jobs.owner_reference(of.api_version, of.kind, name, backend["metadata"]["uid"])
            body = {"metadata": {"ownerReferences": [owner]}}
            await self._client.patch(kinds.MODEL_PROFILE, self._namespace, profile.name, body)
        except errors.NotFound:
            _tell(profile, f"has no LLMBackend {name} to go with: it stays until it is deleted")
        except errors.Refused as refusal:
            self._refuse(profile, refusal)

    async def _put_status(self, kind: Kind, one: _Ours, there: Object) -> str:
        """What became of the status."""
        status = plain.to_plain(one).get("status", {})
        if status.keys() <= crd.UNSEEN.keys():
            return "written; the files tell no status of it"
        for _ in range(MOST_TRIES):
            if _knows_better(there.get("status") or {}, one):
                return "written; the cluster's own status is newer and stays"
            metadata = there["metadata"]
            body = _as_of(status, one.metadata.generation, metadata["generation"])
            version = metadata["resourceVersion"]
            try:
                await self._client.patch_status(kind, self._namespace, one.name, body, version)
            except errors.Conflict:
                there = await self._client.get(kind, self._namespace, one.name)
            else:
                return "written with its status"
        raise errors.Conflict(409, "Conflict", "its status is being written by somebody else: import again")

    def _manifest(self, resource: _Ours | _Held) -> Object:
        """The object without its status, in the namespace meant."""
        value = plain.to_plain(resource)
        about = value["metadata"]
        metadata = {word: about[word] for word in ("name", "labels", "annotations") if word in about}
        kept = {word: part for word, part in value.items() if word != "status"}
        return {**kept, "metadata": {**metadata, "namespace": self._namespace}}

    def _refuse(self, resource: _Ours | _Held, refusal: errors.Refused) -> None:
        self.was_refused = True
        sys.stderr.write(f"{resource.kind} {resource.name}: refused: {refusal}\n")


def _tell(resource: _Ours | _Held, what: str) -> None:
    sys.stdout.write(f"{resource.kind} {resource.name}: {what}\n")


def _has_values(held: _Held) -> bool:
    texts = [
        *held.data.values(),
        *(held.string_data if isinstance(held, Secret) else held.binary_data).values(),
    ]
    return bool(texts) and all(texts)


def _is_automatic(one: _Ours) -> bool:
    """Whether an operator made this profile for its backend."""
    labels = one.metadata.labels
    return isinstance(one, ModelProfile) and labels.get(jobs.MANAGED_BY_LABEL) == jobs.MANAGED_BY


def _knows_better(there: Mapping[str, Any], one: _Ours) -> bool:
    """Whether the status in the cluster is to stay."""
    if not isinstance(one, ModelProfile):
        return bool(there.get("conditions"))
    if not there.get("quality"):
        return False
    if one.status.quality is None:
        return True
    known, ours = (there.get("fingerprint") or {}).get("time"), one.status.fingerprint
    if known is None or ours is None or ours.time is None:
        return known is not None
    return datetime.fromisoformat(known) >= ours.time


def _as_of(status: Mapping[str, Any], before: int, now: int) -> Object:
    """The status as of the new object's generation, as far as it was up to date when it was exported."""

    def dated(part: Mapping[str, Any]) -> Object:
        was_current = part.get("observedGeneration") == before
        return {**part, "observedGeneration": now if was_current else 0}

    return {**dated(status), "conditions": list(map(dated, status.get("conditions", ())))}
