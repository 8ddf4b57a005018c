"""The resources of the demo's fleet, written as a user would write them."""

from collections.abc import Sequence
from pathlib import Path

from steelyard_cli.engines.fleet import Engine

USD_PER_HOUR = "0.05"
"""What each engine is said to cost: about half of a small cloud machine, since two share this one."""

FILES = ("backends.yaml", "policy.yaml")
"""The files that `write` makes."""

_BACKEND = """\
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata:
  name: {name}
  labels: {{fleet: demo}}
spec:
  engine: LlamaCpp
  url: {url}
  models:
  - name: {alias}
    contextTokens: 4096
  cost: {{usdPerHour: "{usd}", basis: PerUse}}   # a request pays for the time it takes
"""

_OLLAMA = """\
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata:
  name: ollama
  labels: {{fleet: demo}}
spec:
  engine: Ollama
  url: {url}
  models:
{models}
"""

_POLICY = """\
apiVersion: steelyard.dev/v1alpha1
kind: RoutingPolicy
metadata:
  name: default
spec:
  models:
  - {name: auto}                    # the cheapest that is good enough
  - {name: auto-best, goal: Best}
  - {name: auto-fast, goal: Fastest}
  goal: Cheapest
  tolerancePercent: 5               # within 5 points of the best expected quality
"""


def write(folder: Path, engines: Sequence[Engine], ollama_url: str, ollama_models: Sequence[str]) -> None:
    """Write backends and policy into the folder."""
    backends = [
        _BACKEND.format(name=f"llamacpp-{engine.alias}", url=engine.url, alias=engine.alias, usd=USD_PER_HOUR)
        for engine in engines
    ]
    if ollama_models:
        listed = "\n".join(f"  - name: {name}" for name in ollama_models)
        backends.append(_OLLAMA.format(url=ollama_url, models=listed))
    for name, text in zip(FILES, ("---\n".join(backends), _POLICY), strict=True):
        (folder / name).write_text(text)
