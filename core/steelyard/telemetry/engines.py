"""Where each engine answers.

Sources: recorded answers of vLLM 0.32, llama.cpp b11434 and Ollama 0.17; http_server.py and v1_loads.py of
SGLang.
"""

from dataclasses import dataclass
from typing import assert_never

from steelyard.api.backend import Engine


@dataclass(frozen=True, slots=True)
class Paths:
    """Where an engine answers. Of several, the first that is there counts."""

    models: str
    """The models that it serves."""
    health: str
    """The cheapest answer that shows it alive. SGLang's takes at least a second, and a token when idle."""
    load: tuple[str, ...] = ()
    """What it works on: metrics, else what there is without them. Empty: it tells none of it."""
    settings: tuple[str, ...] = ()
    """Its version, and what else it is set to. Empty: it tells nothing."""
    loaded: str | None = None
    """Which models are in its memory; None: an engine that does not load on demand."""
    show: str | None = None
    """Where Ollama shows a model that is named in a POST."""


def paths(engine: Engine, base_path: str, metrics_path: str | None = None) -> Paths:
    """Where this engine answers, given the path before /chat/completions: a closing /v1 is not its root's.

    `metrics_path`: spec.metrics.engine.path, from the root of the host, in place of the root's /metrics.
    """
    root, models = base_path.removesuffix("/v1"), f"{base_path}/models"
    metrics = metrics_path or f"{root}/metrics"
    match engine:
        case Engine.VLLM:
            return Paths(models, f"{root}/health", (metrics,), (f"{root}/version",))
        case Engine.SGLANG:
            load = (metrics, f"{root}/v1/loads?include=core")
            settings = (f"{root}/server_info", f"{root}/get_server_info")
            return Paths(models, f"{root}/health", load, settings)
        case Engine.LLAMA_CPP:
            return Paths(models, f"{root}/health", (metrics, f"{root}/slots"), (f"{root}/props",))
        case Engine.OLLAMA:
            version = f"{root}/api/version"
            tags, loaded, show = f"{root}/api/tags", f"{root}/api/ps", f"{root}/api/show"
            return Paths(tags, version, settings=(version,), loaded=loaded, show=show)
        case Engine.OPENAI:
            return Paths(models, models)
        case _:
            assert_never(engine)
