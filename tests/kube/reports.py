"""What a profiler leaves as termination message, for Jobs that are not to measure anything."""

import json
from typing import Any

from kube.containers import Outcome
from steelyard.api.measuring import Suite
from steelyard.api.profile import Category
from steelyard_profiler import report, workload

_PROBES = 20


def line(percent: int = 80, seed: int = 1, **changes: Any) -> str:
    """A report of a run in which so many probes of every cell passed; `changes` replace fields of it."""
    cell = [percent * _PROBES // 100, _PROBES]
    value = {
        "v": report.VERSION,
        "reason": None,
        "message": "",
        "suite": workload.version(Suite.QUICK),
        "seed": seed,
        "start": 1_790_000_000,
        "finish": 1_790_000_060,
        "tokens": 4321,
        "quality": {category.value: [cell, cell, cell, 100, None] for category in Category},
        "speed": None,
        "capabilities": {"chat": True},
        "end": True,
    }
    return json.dumps({**value, **changes}, separators=(",", ":"))


def outcome(percent: int = 80, seed: int = 1, **changes: Any) -> Outcome:
    """What becomes of a container that leaves this report."""
    return Outcome(message=line(percent, seed, **changes))
