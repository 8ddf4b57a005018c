"""The resources that our gateway is started with: what a user would write for this load.

JSON documents, which are YAML. Only the engines' addresses are those of the benchmark.
"""

import base64
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from steelyard.api.profile import Category, Level

MODEL = "bench"
"""The model that is asked for by name."""

POLICY = "auto"
"""The policy that decides between the candidates."""

CANDIDATES = 8
"""Models that were measured."""

MODELS_PER_BACKEND = 250
"""How many models share an engine where there are many."""

_GROUP = "steelyard.dev/v1alpha1"
_SAMPLES = 40
_SEED = 8
_STEP = 13
"""The order of difficulty of a level's probes: without a common factor with their number."""


def by_name(port: int) -> list[dict[str, Any]]:
    """One engine with one model."""
    return [_backend("engine", [MODEL], f"http://127.0.0.1:{port}")]


def automatic(port: int) -> list[dict[str, Any]]:
    """Eight measured models, each on an engine of its own, and a policy over them."""
    draw = random.Random(_SEED)
    names = [f"{MODEL}-{number}" for number in range(CANDIDATES)]
    backends = [_backend(f"engine-{name}", [name], f"http://127.0.0.1:{port}") for name in names]
    profiles = [_profile(name, size, draw) for size, name in enumerate(names, 1)]
    spec = {"models": [{"name": POLICY}]}
    policy = {"apiVersion": _GROUP, "kind": "RoutingPolicy", "metadata": {"name": POLICY}, "spec": spec}
    return [*backends, *profiles, policy]


def many_models(port: int, count: int) -> list[dict[str, Any]]:
    """So many models, up to 250 to an engine; all engines are the one upstream."""
    names = model_names(count)
    return [
        _backend(f"engine-{first}", names[first : first + MODELS_PER_BACKEND], f"http://127.0.0.1:{port}")
        for first in range(0, count, MODELS_PER_BACKEND)
    ]


def model_names(count: int) -> list[str]:
    """The names of `many_models`."""
    return [f"{MODEL}-{number:04}" for number in range(count)]


def many_endpoints(port: int, count: int, engine: str = "VLLM") -> list[dict[str, Any]]:
    """One model on a Service with so many pods, each at a loopback address of its own."""
    spec = {"engine": engine, "serviceRef": {"name": "engine", "port": port}, "models": [{"name": MODEL}]}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "engine"},
        "spec": {"ports": [{"port": port}]},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "engine-1", "labels": {"kubernetes.io/service-name": "engine"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]} for address in addresses(count)],
        "ports": [{"port": port}],
    }
    return [_object("LLMBackend", "engine", spec), service, endpoints]


def addresses(count: int) -> list[str]:
    """So many loopback addresses, from 127.0.0.1 on."""
    return [f"127.0.{number // 250}.{1 + number % 250}" for number in range(count)]


def write(folder: Path, objects: Sequence[dict[str, Any]]) -> Path:
    """Write the objects into a folder that the gateway can be pointed to; returns the folder."""
    folder.mkdir(parents=True)
    (folder / "resources.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=1)
    )
    return folder


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": _GROUP, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _backend(name: str, models: Sequence[str], url: str) -> dict[str, Any]:
    return _object(
        "LLMBackend", name, {"engine": "VLLM", "url": url, "models": [{"name": one} for one in models]}
    )


def _profile(model: str, size: int, draw: random.Random) -> dict[str, Any]:
    """A measured model: the larger, the better, dearer and slower, but not in every category."""
    categories: list[dict[str, Any]] = [
        {"name": category, "levels": list(_levels(size, draw)), "outputTokensMean": draw.randint(60, 400)}
        for category in Category
    ]
    for category in categories:
        category["bitmap"] = _bitmap([level["passed"] for level in category["levels"]])
    price = {
        "inputUsdPerMillionTokens": f"{size * 0.05:.2f}",
        "outputUsdPerMillionTokens": f"{size * 0.2:.2f}",
    }
    status = {
        "fingerprint": {"suite": "Standard/1", "seed": 1},
        "quality": {"categories": categories},
        "performance": {
            "ttftMs": {"p50": 40 * size, "p95": 70 * size},
            "outputTokensPerSecond": 200 // size,
            "promptTokensPerSecond": 16_000 // size,
        },
        "price": price,
    }
    spec = {"backendRef": {"name": f"engine-{model}"}, "model": model}
    return {**_object("ModelProfile", model, spec), "status": status}


def _bitmap(passed: Sequence[int]) -> str:
    """Which probes were passed, levels in turns: of each level the easiest, the same for all models."""
    bits = "".join(
        str(int(number * _STEP % _SAMPLES < count)) for number in range(_SAMPLES) for count in passed
    )
    return base64.b64encode(int(bits, 2).to_bytes(len(bits) // 8, "big")).decode()


def _levels(size: int, draw: random.Random) -> Iterator[dict[str, Any]]:
    for harder, level in enumerate(Level):
        share = 0.55 + 0.05 * size - 0.12 * harder + draw.uniform(-0.08, 0.08)
        yield {"level": level, "passed": round(_SAMPLES * min(max(share, 0.05), 0.98)), "samples": _SAMPLES}
