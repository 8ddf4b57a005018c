"""Short ways to make resources for tests: documents as users write them, checked by the real types."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from steelyard.api.backend import LLMBackend
from steelyard.api.meta import SECRET_LABEL, SECRET_LABEL_VALUE
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import (
    SERVICE_NAME_LABEL,
    AnyResource,
    ConfigMap,
    EndpointSlice,
    ResourceSet,
    Secret,
    Service,
)

LABELLED = {SECRET_LABEL: SECRET_LABEL_VALUE}


def backend(name: str, *models: str, **spec: Any) -> LLMBackend:
    """A backend that lists these models, on loopback unless told otherwise."""
    labels = spec.pop("labels", {})
    status = spec.pop("status", {})
    body = {"engine": "VLLM", "models": [{"name": model} for model in models], **spec}
    if "serviceRef" not in body:
        body.setdefault("url", "http://127.0.0.1:8000")
    return LLMBackend.model_validate_json(
        json.dumps({"metadata": {"name": name, "labels": labels}, "spec": body, "status": status})
    )


def profile(name: str, of_backend: str, model: str, **metadata: Any) -> ModelProfile:
    """A profile that was never run."""
    spec = {"backendRef": {"name": of_backend}, "model": model}
    return ModelProfile.model_validate_json(
        json.dumps({"metadata": {"name": name, **metadata}, "spec": spec})
    )


def measured(of_backend: str, model: str, percent: int, **status: Any) -> ModelProfile:
    """A profile by which every cell of every category passes at this rate."""
    levels = [
        {"level": level, "passed": percent * 10, "samples": 1000} for level in ("Easy", "Medium", "Hard")
    ]
    names = ("Math", "Coding", "Reasoning", "Knowledge", "Instruction", "Extraction", "Writing")
    quality = {"categories": [{"name": name, "levels": levels, "outputTokensMean": 100} for name in names]}
    document = {
        "metadata": {"name": f"{of_backend}-profile"},
        "spec": {"backendRef": {"name": of_backend}, "model": model},
        "status": {"quality": quality, **status},
    }
    return ModelProfile.model_validate_json(json.dumps(document))


def answered(of_backend: str, model: str, seed: int = 1, **passed: Sequence[bool]) -> ModelProfile:
    """A profile with these answers to the probes of suite Standard, by category, each with its bitmap."""
    document = {
        "metadata": {"name": f"{of_backend}-profile"},
        "spec": {"backendRef": {"name": of_backend}, "model": model},
        "status": {
            "fingerprint": {"suite": "Standard/1", "seed": seed},
            "quality": {"categories": [category(name, answers) for name, answers in passed.items()]},
        },
    }
    return ModelProfile.model_validate_json(json.dumps(document))


def category(name: str, passed: Sequence[bool]) -> dict[str, Any]:
    """A category's score with its bitmap, from the answers to its probes in order."""
    padded = [*passed, *[False] * (-len(passed) % 8)]
    packed = bytes(
        sum(bit << (7 - at) for at, bit in enumerate(padded[start : start + 8]))
        for start in range(0, len(padded), 8)
    )
    levels = [
        {"level": level, "passed": sum(passed[index::3]), "samples": len(passed[index::3])}
        for index, level in enumerate(("Easy", "Medium", "Hard"))
    ]
    return {"name": name, "levels": levels, "bitmap": base64.b64encode(packed).decode()}


def policy(name: str, *models: str, created: str | None = None, **spec: Any) -> RoutingPolicy:
    """A policy that answers these names."""
    metadata = {"name": name} | ({"creationTimestamp": created} if created else {})
    body = {"models": [{"name": model} for model in models], **spec}
    return RoutingPolicy.model_validate_json(json.dumps({"metadata": metadata, "spec": body}))


def secret(name: str, values: dict[str, str], labels: dict[str, str] | None = None) -> Secret:
    """A Secret with these values, labelled for use unless told otherwise."""
    metadata = {"name": name, "labels": LABELLED if labels is None else labels}
    return Secret.model_validate_json(json.dumps({"metadata": metadata, "stringData": values}))


def service(name: str, *ports: dict[str, Any], **spec: Any) -> Service:
    """A Service with these ports, unnamed 8000 if none is given."""
    body = {"ports": list(ports) or [{"port": 8000}], **spec}
    return Service.model_validate_json(json.dumps({"metadata": {"name": name}, "spec": body}))


def endpoint_slice(of_service: str, *endpoints: dict[str, Any], **fields: Any) -> EndpointSlice:
    """Pods behind a Service, on their unnamed port 8000 unless told otherwise."""
    metadata = {"name": f"{of_service}-abc", "labels": {SERVICE_NAME_LABEL: of_service}}
    body = {"addressType": "IPv4", "endpoints": list(endpoints), "ports": [{"port": 8000}], **fields}
    return EndpointSlice.model_validate_json(json.dumps({"metadata": metadata, **body}))


def resource_set(*resources: AnyResource) -> ResourceSet:
    """All of these, by kind and key."""
    by_type: dict[type, dict[tuple[str, str], Any]] = {
        kind: {}
        for kind in (LLMBackend, ModelProfile, RoutingPolicy, Secret, ConfigMap, Service, EndpointSlice)
    }
    for one in resources:
        by_type[type(one)][one.namespace, one.name] = one
    return ResourceSet(*by_type.values())
