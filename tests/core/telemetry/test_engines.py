import pytest

from steelyard.api.backend import Engine
from steelyard.telemetry import engines


@pytest.mark.parametrize(
    ("engine", "base_path", "health", "models"),
    [
        (Engine.VLLM, "/v1", "/health", "/v1/models"),
        (Engine.SGLANG, "/llm/v1", "/llm/health", "/llm/v1/models"),
        (Engine.LLAMA_CPP, "/api", "/api/health", "/api/models"),
        (Engine.OLLAMA, "/v1", "/api/version", "/api/tags"),
        (Engine.OPENAI, "/api/v1", "/api/v1/models", "/api/v1/models"),
    ],
)
def test_an_engines_own_paths_are_beside_v1(engine: Engine, base_path: str, health: str, models: str) -> None:
    paths = engines.paths(engine, base_path)
    assert (paths.health, paths.models) == (health, models)


@pytest.mark.parametrize(
    ("engine", "load"),
    [
        (Engine.VLLM, ("/llm/metrics",)),
        (Engine.SGLANG, ("/llm/metrics", "/llm/v1/loads?include=core")),
        (Engine.LLAMA_CPP, ("/llm/metrics", "/llm/slots")),
        (Engine.OLLAMA, ()),
        (Engine.OPENAI, ()),
    ],
)
def test_an_engines_load_is_told_by_its_metrics_first(engine: Engine, load: tuple[str, ...]) -> None:
    assert engines.paths(engine, "/llm/v1").load == load


def test_the_owner_may_say_where_the_metrics_are() -> None:
    paths = engines.paths(Engine.LLAMA_CPP, "/llm/v1", "/stats/prometheus")
    assert paths.load == ("/stats/prometheus", "/llm/slots")
