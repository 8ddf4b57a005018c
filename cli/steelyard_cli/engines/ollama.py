"""An Ollama that already runs on this machine: what can it serve? Nothing here changes it."""

import httpx
import pydantic

USUAL_URL = "http://127.0.0.1:11434"

PATIENCE_SECONDS = 1.0
"""It lists its models from memory; one that takes longer is of no use to a demo."""


class _Model(pydantic.BaseModel):
    name: str


class _Tags(pydantic.BaseModel):
    models: list[_Model]


def find_ollama(url: str = USUAL_URL) -> list[str] | None:
    """Names of the models that the Ollama at `url` has; None when there is no Ollama."""
    try:
        answer = httpx.get(f"{url}/api/tags", timeout=PATIENCE_SECONDS, trust_env=False).raise_for_status()
        return [model.name for model in _Tags.model_validate_json(answer.content).models]
    except (httpx.HTTPError, pydantic.ValidationError):
        return None
