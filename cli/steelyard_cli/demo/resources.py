"""The demo's folder: the resources of its fleet, written as a user would write them.

Invariant: nothing is removed from a folder that an earlier demo did not make.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from steelyard_cli.demo.errors import InTheWay
from steelyard_cli.engines.fleet import Engine

LOGS = "logs"
"""Folder within it for what engines and gateway have to say."""

MARK = ".steelyard-demo"
"""File that tells a demo's folder from one with a user's own resources."""

USD_PER_HOUR = "0.05"
"""What each engine is said to cost: about half of a small cloud machine, since two share this one."""

FILES = ("backends.yaml", "policy.yaml", "guests.yaml")
"""The files that `write` makes, the last one only with guests."""

NEEDED_BYTES = 10_000_000
"""What a demo writes, logs above all, is below a tenth of this."""

GUEST = "ollama"
"""Name of the backend that is an Ollama which ran already."""

MEASURING_TOKENS = 9_000
"""What measuring a model may cost: less than half of suite Quick, for whoever looks on waits for it."""

GUEST_SECONDS = 60
"""How long measuring a guest's model may take: it may be a large one."""

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
  profiling:                    # a demo is short: without this, all of suite Quick and a load curve
    template:
      load: {{concurrency: [1], promptTokens: 128, outputTokens: 32}}
      limits: {{maxTokens: {tokens}}}
"""

_OLLAMA = """\
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata:
  name: {guest}
  labels: {{fleet: demo}}
spec:
  engine: Ollama
  url: {url}
  models: {models}
  profiling: {{template: {{limits: {{maxDurationSeconds: {seconds}}}}}}}
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


def clear(folder: Path) -> None:
    """Make the folder, empty but for its mark and logs. Raises InTheWay when it holds a user's files."""
    folder.mkdir(parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < NEEDED_BYTES:
        raise InTheWay(
            f"{folder} has {free_bytes // 10**6} MB left: make room, or choose another with --folder"
        )
    found = sorted(folder.iterdir())
    is_ours = (folder / MARK).is_file()
    for path in found:
        is_known = path.name in (MARK, LOGS, *FILES) or path.name.startswith("modelprofile-")
        if not is_ours or not is_known:
            raise InTheWay(f"{path} is not the demo's own: choose another folder with --folder")
    (folder / MARK).touch()
    for path in found:
        if path.name == LOGS:
            shutil.rmtree(path)
        elif path.name != MARK:
            path.unlink()
    (folder / LOGS).mkdir()


def write(folder: Path, engines: Sequence[Engine], guest_url: str, guest_models: Sequence[str]) -> None:
    """Write backends and policy into the folder."""
    backends = [
        _BACKEND.format(
            name=f"llamacpp-{number}",
            url=engine.url,
            alias=engine.alias,
            usd=USD_PER_HOUR,
            tokens=MEASURING_TOKENS,
        )
        for number, engine in enumerate(engines, 1)
    ]
    texts = ["---\n".join(backends), _POLICY]
    if guest_models:
        names = [f"{{name: {json.dumps(name)}}}" for name in guest_models]
        models = f"[{', '.join(names)}]"
        texts.append(_OLLAMA.format(guest=GUEST, url=guest_url, models=models, seconds=GUEST_SECONDS))
    for name, text in zip(FILES, texts, strict=False):
        (folder / name).write_text(text)
