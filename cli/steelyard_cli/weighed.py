"""What a profile says of a model, as people compare models: quality, price, speed. Pure.

Invariant: what was not measured is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from steelyard.api.backend import TokenPrice
from steelyard.api.profile import Category, CategoryScore, ModelProfile, OverallScore
from steelyard.api.resources import ResourceSet


@dataclass(frozen=True, slots=True)
class Score:
    """A pass rate with the interval that it lies in."""

    percent: int
    """The pass rate."""
    low: int | None
    """Low end of its 95 % interval."""
    high: int | None
    """High end of it."""

    def __str__(self) -> str:
        """As 63% (58-68)."""
        spread = "" if self.low is None or self.high is None else f" ({self.low}-{self.high})"
        return f"{self.percent}%{spread}"


@dataclass(frozen=True, slots=True)
class Weighed:
    """One model on one backend."""

    profile: ModelProfile
    """Where it is from."""
    overall: Score | None
    """Quality over all categories."""
    scores: Mapping[Category, Score]
    """Quality by category; those that were measured."""
    tokens_per_second: int | None
    """Speed of one stream."""
    ttft_ms: int | None
    """Median time to the first token of one stream."""
    price: TokenPrice | None
    """The provider's price by token, or the amortised one that was measured."""
    memory_mib: int | None
    """What it takes of its GPU or engine."""
    suite: str
    """What was asked, as Standard/1."""
    measured: datetime | None
    """When the last run ended; before any, when the profile was made."""

    @property
    def model(self) -> str:
        """The model, as its engine names it."""
        return self.profile.spec.model

    @property
    def backend(self) -> str:
        """The LLMBackend that serves it."""
        return self.profile.spec.backend_ref.name


def profiles(resources: ResourceSet, namespace: str) -> tuple[Weighed, ...]:
    """The namespace's profiles, by model and backend."""
    found = [_weighed(one, resources) for one in resources.profiles.values() if one.namespace == namespace]
    return tuple(sorted(found, key=lambda one: (one.model, one.backend, one.profile.name)))


def _weighed(profile: ModelProfile, resources: ResourceSet) -> Weighed:
    status = profile.status
    quality, speed, used = status.quality, status.performance, status.resources
    run = status.run
    return Weighed(
        profile=profile,
        overall=score(quality.overall) if quality and quality.overall else None,
        scores={one.name: found for one in (quality.categories if quality else ()) if (found := score(one))},
        tokens_per_second=speed.output_tokens_per_second if speed else None,
        ttft_ms=speed.ttft_ms.p50 if speed and speed.ttft_ms else None,
        price=_price(profile, resources),
        memory_mib=used.memory_mib if used else None,
        suite=status.fingerprint.suite if status.fingerprint else "",
        measured=run.completion_time if run else profile.metadata.creation_timestamp,
    )


def score(measured: OverallScore | CategoryScore) -> Score | None:
    """The score with its interval; None where there is none."""
    if measured.score_percent is None:
        return None
    return Score(measured.score_percent, measured.low_percent, measured.high_percent)


def _price(profile: ModelProfile, resources: ResourceSet) -> TokenPrice | None:
    backend = resources.backends.get((profile.namespace, profile.spec.backend_ref.name))
    if backend is None or backend.spec.cost is not None:
        return profile.status.price
    declared = backend.spec.declared(profile.spec.model)
    return declared.price if declared else None
