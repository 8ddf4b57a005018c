"""Resources as plain tables, as `kubectl get` prints them. Pure.

Invariant: what is not known is an empty cell or `Unknown`, never 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from steelyard.api import conditions
from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Condition, Resource
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import Category, Prior
from steelyard.api.resources import Key, ResourceSet
from steelyard_cli import weighed

_WHY = ("REASON", "MESSAGE")

_R = TypeVar("_R", bound=Resource)


@dataclass(frozen=True, slots=True)
class Table:
    """Cells in rows under a header."""

    header: Sequence[str]
    """The names of the columns."""
    rows: Sequence[Sequence[str]]
    """As many cells each."""

    def text(self) -> str:
        """Columns three spaces apart; the header alone if there is no row."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        return "\n".join(
            "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in (self.header, *self.rows)
        )

    def markdown(self) -> str:
        """A table of Markdown."""
        lines = (self.header, ("---",) * len(self.header), *self.rows)
        return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def backends(resources: ResourceSet, now: datetime, namespace: str, *, is_wide: bool = False) -> Table:
    """LLMBackends by name."""
    header = ("NAME", "ENGINE", "READY", "MODELS", *(("VERSION", "LOCATION", *_WHY) if is_wide else ()))
    rows = []
    for backend in _of(resources.backends, namespace):
        status = backend.status
        more = (status.engine_version or "", status.location or "", *_why(status.conditions))
        rows.append(
            (
                backend.name,
                backend.spec.engine,
                _status(status.conditions, "Ready"),
                str(len(_model_names(backend)) or ""),
                *(more if is_wide else ()),
                _age(backend, now),
            )
        )
    return Table((*header, "AGE"), rows)


def profiles(resources: ResourceSet, now: datetime, namespace: str, *, is_wide: bool = False) -> Table:
    """ModelProfiles by model and backend; what others say is a column of its own where anybody does."""
    found = weighed.profiles(resources, namespace)
    shown = [category for category in Category if any(category in one.scores for one in found)]
    has_priors = any(one.profile.spec.priors for one in found)
    header = ("MODEL", "BACKEND", "QUALITY", *(("PRIORS",) if has_priors else ()), "TOK/S", "TTFT")
    wide = (*(category.upper() for category in shown), "USD/M IN", "USD/M OUT", "MEM", "FRESH", "SUITE")
    rows = []
    for one in found:
        conditions_ = one.profile.status.conditions
        more = (
            *(str(one.scores[category]) if category in one.scores else "" for category in shown),
            one.price.input_usd_per_million_tokens if one.price else "",
            one.price.output_usd_per_million_tokens if one.price else "",
            "" if one.memory_mib is None else f"{one.memory_mib}Mi",
            _status(conditions_, "Fresh"),
            one.suite,
        )
        rows.append(
            (
                one.model,
                one.backend,
                str(one.overall or ""),
                *((_priors(one.profile.spec.priors),) if has_priors else ()),
                str(one.tokens_per_second or ""),
                "" if one.ttft_ms is None else f"{one.ttft_ms}ms",
                *(more if is_wide else ()),
                _status(conditions_, "Ready"),
                age(one.measured, now),
            )
        )
    return Table((*header, *(wide if is_wide else ()), "READY", "AGE"), rows)


def policies(resources: ResourceSet, now: datetime, namespace: str, *, is_wide: bool = False) -> Table:
    """RoutingPolicies by name."""
    header = (
        "NAME",
        "MODELS",
        "GOAL",
        "CANDIDATES",
        "READY",
        *(("PRECISE", *_WHY) if is_wide else ()),
        "AGE",
    )
    rows = [
        (
            policy.name,
            ",".join(model.name for model in policy.spec.models),
            policy.spec.goal,
            _eligible([candidate.eligible for candidate in policy.status.candidates]),
            _status(policy.status.conditions, "Ready"),
            *((_precise(policy), *_why(policy.status.conditions)) if is_wide else ()),
            _age(policy, now),
        )
        for policy in _of(resources.policies, namespace)
    ]
    return Table(header, rows)


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that gives at least two, as kubectl has it."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _priors(priors: Sequence[Prior]) -> str:
    """What others say, the first two of it."""
    told = [f"{prior.category} {prior.score_percent}%" for prior in priors[:2]]
    more = [f"+{len(priors) - 2}"] if len(priors) > 2 else []
    return ",".join([*told, *more])


def _of(kind: Mapping[Key, _R], namespace: str) -> list[_R]:
    return [resource for (where, _), resource in sorted(kind.items()) if where == namespace]


def _status(found: tuple[Condition, ...], condition_type: str) -> str:
    condition = conditions.find(found, condition_type)
    return condition.status if condition else "Unknown"


def _why(found: tuple[Condition, ...]) -> tuple[str, str]:
    """The reason and message of Ready."""
    condition = conditions.find(found, "Ready")
    return (condition.reason, condition.message) if condition else ("", "")


def _precise(policy: RoutingPolicy) -> str:
    """Whether its candidates are told apart; empty where nothing depends on it."""
    condition = conditions.find(policy.status.conditions, "Precise")
    return condition.status if condition else ""


def _eligible(eligible: Sequence[bool]) -> str:
    return f"{sum(eligible)}/{len(eligible)}" if eligible else ""


def _model_names(backend: LLMBackend) -> list[str]:
    return [model.name for model in backend.spec.models or backend.status.models]


def _age(resource: Resource, now: datetime) -> str:
    return age(resource.metadata.creation_timestamp, now)
