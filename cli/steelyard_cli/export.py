"""`steelyard export`: a namespace's resources as YAML for `--source file:`, which decides the same by them.

Invariant: a Secret's value is written only with --with-secrets; without it the key is there and empty.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from steelyard import settings
from steelyard.api.backend import LLMBackend
from steelyard.api.resources import AnyResource, ConfigMap, ResourceSet, Secret
from steelyard.files import plain
from steelyard.kube.errors import KubeError
from steelyard_cli import cluster

_SERVER_FIELDS = ("uid", "resourceVersion", "ownerReferences", "deletionTimestamp")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add whose resources, and whether with keys."""
    settings.add_namespace(parser, environment)
    described = "write the values of Secrets, too; without it they are empty"
    parser.add_argument("--with-secrets", action="store_true", help=described)


def main(arguments: argparse.Namespace) -> int:
    """Write them to standard output; 1 when the API server cannot be read."""
    try:
        store = cluster.read(os.environ, arguments.namespace)
    except KubeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for invalid in store.invalid:
        sys.stderr.write(f"{invalid.kind} {invalid.namespace}/{invalid.name} left out: {invalid.message}\n")
    found = [document(one, with_secrets=arguments.with_secrets) for one in exported(store.resources)]
    if not found:
        sys.stderr.write(f"No resources in namespace {arguments.namespace}.\n")
    yaml.safe_dump_all(found, sys.stdout, sort_keys=False, allow_unicode=True, explicit_start=True)
    return 0


def exported(resources: ResourceSet) -> Iterator[AnyResource]:
    """Our kinds, and of the others what backends refer to."""
    yield from resources.backends.values()
    yield from resources.profiles.values()
    yield from resources.policies.values()
    referred = {name for backend in resources.backends.values() for name in _referred(backend)}
    for held in (resources.secrets, resources.config_maps, resources.services):
        yield from (one for one in held.values() if (one.kind, one.name) in referred)
    for one in resources.endpoint_slices.values():
        if ("Service", one.service) in referred:
            yield one


def document(resource: AnyResource, *, with_secrets: bool) -> dict[str, Any]:
    """The resource as people would write it."""
    value = plain.to_plain(resource)
    metadata = {key: held for key, held in value["metadata"].items() if key not in _SERVER_FIELDS}
    annotations = {key: text for key, text in metadata.get("annotations", {}).items() if key != _LAST_APPLIED}
    value["metadata"] = {**metadata, "annotations": annotations}
    if not annotations:
        del value["metadata"]["annotations"]
    if isinstance(resource, Secret) and not with_secrets:
        value["data"] = {
            key: text if _is_public(resource, key) else "" for key, text in resource.data.items()
        }
    return value


def _is_public(secret: Secret, key: str) -> bool:
    """Whether the value is a certificate and nothing else, as tls.caRef names one."""
    text = (secret.value(key) or "").strip()
    return text.startswith("-----BEGIN CERTIFICATE-----") and "PRIVATE KEY" not in text


def _referred(backend: LLMBackend) -> Iterable[tuple[str, str]]:
    spec = backend.spec
    if spec.service_ref is not None:
        yield "Service", spec.service_ref.name
    if spec.credentials_ref is not None:
        yield Secret.__name__, spec.credentials_ref.name
    if spec.tls is not None and spec.tls.ca_ref is not None:
        yield Secret.__name__, spec.tls.ca_ref.name
        yield ConfigMap.__name__, spec.tls.ca_ref.name
