"""Resources as plain tables, as `kubectl get` prints them. Pure.

Invariant: what is not known is an empty cell or `Unknown`, never 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from steelyard.api import conditions
from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Condition, Resource
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import Key, ResourceSet

_R = TypeVar("_R", bound=Resource)


def backends_table(resources: ResourceSet, now: datetime, namespace: str = "default") -> str:
    """LLMBackends by name."""
    rows = [
        [
            backend.name,
            backend.spec.engine,
            _status(backend.status.conditions, "Ready"),
            str(len(_model_names(backend)) or ""),
            _age(backend, now),
        ]
        for backend in _of(resources.backends, namespace)
    ]
    return table(("NAME", "ENGINE", "READY", "MODELS", "AGE"), rows)


def profiles_table(resources: ResourceSet, now: datetime, namespace: str = "default") -> str:
    """ModelProfiles by model and backend."""
    found = _of(resources.profiles, namespace)
    found = sorted(found, key=lambda profile: (profile.spec.model, profile.spec.backend_ref.name))
    header = ("MODEL", "BACKEND", "QUALITY", "TOK/S", "TTFT", "READY", "AGE")
    return table(header, [_profile_row(profile, now) for profile in found])


def policies_table(resources: ResourceSet, now: datetime, namespace: str = "default") -> str:
    """RoutingPolicies by name."""
    rows = [
        [
            policy.name,
            ",".join(model.name for model in policy.spec.models),
            policy.spec.goal,
            _eligible([candidate.eligible for candidate in policy.status.candidates]),
            _status(policy.status.conditions, "Ready"),
            _age(policy, now),
        ]
        for policy in _of(resources.policies, namespace)
    ]
    return table(("NAME", "MODELS", "GOAL", "CANDIDATES", "READY", "AGE"), rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns three spaces apart; what the header says if there is no row, too."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(header))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that gives at least two, as kubectl has it."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _profile_row(profile: ModelProfile, now: datetime) -> list[str]:
    status, speed = profile.status, profile.status.performance
    overall = status.quality.overall if status.quality else None
    ttft = speed.ttft_ms if speed else None
    spread = (
        f" ({overall.low_percent}-{overall.high_percent})"
        if overall and overall.low_percent is not None
        else ""
    )
    measured = status.run.completion_time if status.run else profile.metadata.creation_timestamp
    return [
        profile.spec.model,
        profile.spec.backend_ref.name,
        f"{overall.score_percent}%{spread}" if overall else "",
        str(speed.output_tokens_per_second or "") if speed else "",
        f"{ttft.p50}ms" if ttft else "",
        _status(status.conditions, "Ready"),
        age(measured, now),
    ]


def _of(kind: Mapping[Key, _R], namespace: str) -> list[_R]:
    return [resource for (where, _), resource in sorted(kind.items()) if where == namespace]


def _status(found: tuple[Condition, ...], condition_type: str) -> str:
    condition = conditions.find(found, condition_type)
    return condition.status if condition else "Unknown"


def _eligible(eligible: Sequence[bool]) -> str:
    return f"{sum(eligible)}/{len(eligible)}" if eligible else ""


def _model_names(backend: LLMBackend) -> list[str]:
    return [model.name for model in backend.spec.models or backend.status.models]


def _age(resource: Resource, now: datetime) -> str:
    return age(resource.metadata.creation_timestamp, now)
