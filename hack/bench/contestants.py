"""How each contestant is started in front of an upstream: as its users start it, with its log in a file."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import nginx, processes, resources, rivals
from bench.processes import Launch

DIRECT = "direct"
NGINX = "nginx"
OURS = "ours"
AUTO = "ours-auto"
AUTO_NEW = "ours-auto-new"
VLLM_ROUTER = "vllm-router"
LITELLM = "litellm"

NAMES = (DIRECT, NGINX, OURS, AUTO, AUTO_NEW, VLLM_ROUTER, LITELLM)
"""Everyone, in the order of the table."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a contestant is to stand."""

    folder: Path
    """Its own, which does not exist yet."""
    port: int
    """Port of 127.0.0.1 to listen on."""
    upstream_port: int
    """Port of 127.0.0.1 to forward to."""


Start = Callable[[Site], Launch]
"""How one is started."""

Objects = Callable[[int], Sequence[dict[str, Any]]]
"""Resources for an upstream's port."""


def ours(objects: Objects) -> Start:
    """Our gateway over a folder of these resources."""

    def launch(site: Site) -> Launch:
        source = resources.write(site.folder, objects(site.upstream_port))
        ports = ("--port", str(site.port), "--admin-port", "0")
        return Launch([sys.executable, "-m", "steelyard_gateway", "--source", f"file:{source}", *ports], {})

    return launch


def proxy(*, is_streamed: bool, hosts: Sequence[str] = ("127.0.0.1",)) -> Start:
    """nginx before the upstream at these addresses; streams must not wait in its buffers."""

    def launch(site: Site) -> Launch:
        upstreams = [f"{host}:{site.upstream_port}" for host in hosts]
        return nginx.proxy(site.folder, site.port, upstreams, is_streamed=is_streamed)

    return launch


def vllm_router(site: Site) -> Launch:
    """The router of the vLLM project, in front of one worker; round robin is its cheapest policy."""
    words = [str(rivals.program(VLLM_ROUTER)), "--worker-urls", f"http://127.0.0.1:{site.upstream_port}"]
    words += ["--policy", "round_robin", "--host", "127.0.0.1", "--port", str(site.port)]
    return Launch([*words, "--prometheus-port", str(processes.free_port())], {})


def litellm(site: Site) -> Launch:
    """LiteLLM's proxy with one model."""
    engine = {
        "model": f"openai/{resources.MODEL}",
        "api_base": f"http://127.0.0.1:{site.upstream_port}/v1",
        "api_key": "none",
    }
    site.folder.mkdir(parents=True)
    path = site.folder / "config.yaml"
    path.write_text(json.dumps({"model_list": [{"model_name": resources.MODEL, "litellm_params": engine}]}))
    words = ["--config", str(path), "--host", "127.0.0.1", "--port", str(site.port)]
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    return Launch([str(rivals.program(LITELLM)), *words], environment)


def missing() -> dict[str, str]:
    """Who cannot take part, and how that is changed."""
    return {name: rivals.HOW_TO_GET for name in rivals.PACKAGES if rivals.version(name) is None}
