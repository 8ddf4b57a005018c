"""From a leaderboard's rows to the priors of our profiles. Pure.

Invariant: priors of categories that the leaderboard says nothing of stay as they are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from steelyard.api.backend import LLMBackend
from steelyard.api.meta import LocalObjectRef, ObjectMeta
from steelyard.api.profile import Category, ModelProfile, ModelProfileSpec, Prior, automatic_name
from steelyard.api.resources import ResourceSet
from steelyard_cli.benchmarks.matching import Match, Names
from steelyard_cli.benchmarks.scores import Score


class PairError(Exception):
    """What was said of a pair cannot be; a sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A model on a backend, with its profile."""

    profile: ModelProfile
    """The one that counts, or a new one."""
    is_new: bool
    """Whether it was not there."""
    names: tuple[str, ...]
    """The model's name and its aliases."""

    @property
    def model(self) -> str:
        """The model's own name."""
        return self.profile.spec.model

    @property
    def backend(self) -> str:
        """Its backend."""
        return self.profile.spec.backend_ref.name


def pairs(resources: ResourceSet, namespace: str) -> list[Pair]:
    """Every model of every backend of the namespace, by model and backend."""
    found: list[Pair] = []
    for (of_namespace, _), backend in resources.backends.items():
        if of_namespace == namespace:
            found += _of_backend(backend, resources)
    return sorted(found, key=lambda pair: (pair.model, pair.backend))


def named(known: Sequence[Pair], given: Iterable[str], names: Names) -> dict[tuple[str, str], Match]:
    """The rows that users named by "THEIR NAME=our model", by model and backend; raises PairError."""
    found: dict[tuple[str, str], Match] = {}
    for text in given:
        theirs, sign, ours = (part.strip() for part in text.rpartition("="))
        if not sign or not theirs or not ours:
            raise PairError(f"--match {text!r}: write 'THEIR NAME=our model'")
        meant = [one for one in known if ours in (*one.names, f"{one.model}@{one.backend}")]
        if not meant:
            raise PairError(f"--match {text!r}: no backend here serves {ours!r}")
        match = names.exactly(theirs)
        if not match.rows:
            near = f"; near are {quoted(match.near)}" if match.near else ""
            raise PairError(f"--match {text!r}: the leaderboard has no {theirs!r}{near}")
        found |= {(one.model, one.backend): match for one in meant}
    return found


def with_priors(profile: ModelProfile, scores: Mapping[Category, Score], told: Prior) -> ModelProfile:
    """The profile with these scores among its priors; `told` has their samples and source."""
    kept = {prior.category: prior for prior in profile.spec.priors}
    for category, score in scores.items():
        if score.percent is not None:
            kept[category] = told.model_copy(update={"category": category, "score_percent": score.percent})
    priors = tuple(kept[category] for category in Category if category in kept)
    spec = profile.spec.model_copy(update={"priors": priors})
    return profile.model_copy(update={"spec": spec})


def quoted(names: Iterable[str]) -> str:
    """The names in quotation marks, with commas."""
    return ", ".join(f'"{name}"' for name in names)


def _of_backend(backend: LLMBackend, resources: ResourceSet) -> Iterator[Pair]:
    key = (backend.namespace, backend.name)
    held = [one for one in resources.profiles.values() if (one.namespace, one.spec.backend_ref.name) == key]
    profiles: dict[str, ModelProfile] = {}
    for profile in sorted(held, key=lambda one: one.seniority):
        profiles.setdefault(profile.spec.model, profile)
    aliases = {model.name: model.aliases for model in backend.spec.models}
    served = aliases or {model.name: () for model in backend.status.models}
    for model in dict.fromkeys([*served, *profiles]):
        profile = profiles.get(model) or _new(backend, model)
        yield Pair(profile, model not in profiles, (model, *served.get(model, ())))


def _new(backend: LLMBackend, model: str) -> ModelProfile:
    metadata = ObjectMeta(name=automatic_name(backend.name, model), namespace=backend.namespace)
    spec = ModelProfileSpec(backend_ref=LocalObjectRef(name=backend.name), model=model)
    return ModelProfile(metadata=metadata, spec=spec)
