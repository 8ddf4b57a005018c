"""From resources to the table, with every problem as a condition would say it.

The gateway and the operator both run `compile_table`, so they exclude the same things for the same reasons.
Invariant: whatever is wrong with one resource, all others go on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from steelyard.api.backend import BackendModel, Capabilities, Engine, LLMBackend, Location, ObservedModel
from steelyard.api.measuring import LOAD_PROMPT_TOKENS
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import CategoryScore, ModelProfile, ModelProfileStatus, Quality
from steelyard.api.resources import AnyResource, ResourceSet
from steelyard.routing import bitmaps, endpoints, filters, latency, pricing, rates, selecting
from steelyard.routing.table import (
    CATEGORIES,
    DEFAULT_OUTPUT_TOKENS,
    Answers,
    Candidate,
    Endpoint,
    Policy,
    Pool,
    Problem,
    Table,
)

_Profiles = Mapping[str, Mapping[str, ModelProfile]]
"""By backend, then by model."""


def compile_table(resources: ResourceSet, namespace: str) -> tuple[Table, tuple[Problem, ...]]:
    """The table of one namespace, and all that is wrong with its resources, sorted by kind and name."""
    problems: list[Problem] = []
    profiles = _profiles(resources, namespace, problems)
    candidates: list[Candidate] = []
    unusable: dict[str, str] = {}
    for (of_namespace, _), backend in sorted(resources.backends.items()):
        if of_namespace != namespace:
            continue
        try:
            _refuse_leaving(backend)
            candidates += _candidates(backend, resources, profiles, problems)
        except endpoints.Unresolved as why:
            problems.append(problem(backend, why.condition, why.reason, why.message, excludes=True))
            unusable.update(_unusable_names(backend))
    candidates.sort(key=lambda pair: (pair.model, pair.backend))
    models, aliases = _by_name(candidates)
    table = Table(
        candidates=tuple(candidates),
        policies=_policies(resources, namespace, tuple(candidates), problems, unusable),
        models=models,
        aliases=aliases,
        pools=_pools(models, aliases),
        unusable=unusable,
    )
    return table, tuple(sorted(problems, key=lambda found: (found.kind, found.name, found.condition)))


def problem(
    resource: AnyResource, condition: str, reason: str, message: str, *, excludes: bool = False
) -> Problem:
    """A problem of this resource."""
    return Problem(
        resource.kind, resource.namespace, resource.name, condition, reason, message, excludes=excludes
    )


def _refuse_leaving(backend: LLMBackend) -> None:
    if backend.metadata.deletion_timestamp is not None:
        message = "It is being deleted: what it answers is finished, new requests go elsewhere."
        raise endpoints.Unresolved("Accepted", "Deleting", message)


@dataclass(frozen=True, slots=True)
class _Site:
    """A backend that can be connected to."""

    backend: LLMBackend
    location: Location
    endpoints: tuple[Endpoint, ...]


def _profiles(resources: ResourceSet, namespace: str, problems: list[Problem]) -> _Profiles:
    """The one profile that counts for each (backend, model): the oldest."""
    chosen: defaultdict[str, dict[str, ModelProfile]] = defaultdict(dict)
    mine = [profile for key, profile in resources.profiles.items() if key[0] == namespace]
    for profile in sorted(mine, key=lambda one: one.seniority):
        backend, model = profile.spec.backend_ref.name, profile.spec.model
        if (namespace, backend) not in resources.backends:
            message = (
                f"spec.backendRef names LLMBackend {namespace}/{backend}, which does not exist: create it."
            )
            problems.append(problem(profile, "ResolvedRefs", "BackendNotFound", message, excludes=True))
        elif model in chosen[backend]:
            older = chosen[backend][model].name
            message = f"ModelProfile {older} is older and measures the same pair: delete one of them."
            problems.append(problem(profile, "Accepted", "Duplicate", message, excludes=True))
        else:
            chosen[backend][model] = profile
    return chosen


def _candidates(
    backend: LLMBackend, resources: ResourceSet, profiles: _Profiles, problems: list[Problem]
) -> list[Candidate]:
    site = _Site(backend, endpoints.location(backend), endpoints.resolve(backend, resources))
    observed = {model.name: model for model in backend.status.models}
    listed = {model.name: model for model in backend.spec.models}
    served = tuple(listed or observed)
    if not listed and site.location is Location.EXTERNAL:
        message = "spec.models is empty on an External backend: list the models that may be used."
        raise endpoints.Unresolved("Accepted", "ModelsRequired", message)
    if not site.endpoints:
        message = "No pod of its Service is ready: see kubectl get pods."
        problems.append(problem(backend, "Ready", "NoEndpoints", message))
    if _lacks_key(site):
        message = "The key that spec.credentialsRef names is empty: requests go without one."
        problems.append(problem(backend, "ResolvedRefs", "SecretKeyEmpty", message))
    if not served:
        message = "The engine has not told its models yet: see that it runs, or list them in spec.models."
        problems.append(problem(backend, "Ready", "ModelsUnknown", message))
    own = profiles.get(backend.name, {})
    for model, profile in own.items():
        if served and model not in served:
            message = f"LLMBackend {backend.name} does not serve {model}: correct spec.model or delete this."
            problems.append(problem(profile, "Ready", "ModelGone", message))
    return [
        _candidate(site, name, (listed.get(name), observed.get(name)), own.get(name), problems)
        for name in served
    ]


def _answers(profile: ModelProfile, problems: list[Problem]) -> Answers | None:
    """Which probes the model passed; nothing else is lost where a bitmap cannot be read."""
    answers, wrong = bitmaps.read(profile.status)
    for why in wrong:
        message = f"{why}: these probes are not compared with other models'. Have it measured again."
        problems.append(problem(profile, "Ready", "BitmapInvalid", message))
    return answers


def _lacks_key(site: _Site) -> bool:
    wanted = site.backend.spec.credentials_ref is not None
    return wanted and any(endpoint.authorization is None for endpoint in site.endpoints)


def _candidate(
    site: _Site,
    name: str,
    known: tuple[BackendModel | None, ObservedModel | None],
    profile: ModelProfile | None,
    problems: list[Problem],
) -> Candidate:
    listed, observed = known
    status = profile.status if profile is not None else ModelProfileStatus()
    performance, quality = status.performance, status.quality
    priors = profile.spec.priors if profile is not None else ()
    is_known = quality is not None or bool(priors)
    ttft = performance.ttft_ms if performance else None
    context = (listed and listed.context_tokens) or (observed and observed.context_tokens)
    return Candidate(
        model=name,
        backend=site.backend.name,
        aliases=listed.aliases if listed else (),
        labels=site.backend.metadata.labels,
        location=site.location,
        endpoints=site.endpoints,
        knee=pricing.knee(site.backend.spec, performance),
        price=pricing.price_of(site.backend, listed, profile, site.location),
        capabilities=_capabilities(status.capabilities, listed.capabilities if listed else Capabilities()),
        context_tokens=context or None,
        lacks_key=_lacks_key(site),
        measured=quality is not None,
        priors=priors,
        rates=rates.pass_rates(quality, priors) if is_known else (),
        samples=rates.sample_sizes(quality, priors) if is_known else (),
        answers=_answers(profile, problems) if profile is not None else None,
        output_tokens_means=_output_tokens_means(quality) if quality else (),
        ttft_ms=ttft.p50 if ttft else None,
        load_prompt_tokens=profile.spec.load.prompt_tokens if profile else LOAD_PROMPT_TOKENS,
        prompt_tokens_per_second=performance.prompt_tokens_per_second if performance else None,
        output_tokens_per_second=performance.output_tokens_per_second if performance else None,
        curve=latency.curve(performance) if performance else None,
        loads_on_demand=site.backend.spec.engine is Engine.OLLAMA,
        digest=observed.digest if observed else None,
        cold_load_seconds=_seconds(performance.cold_load_ms) if performance else None,
    )


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _capabilities(measured: Capabilities, stated: Capabilities) -> Mapping[str, bool]:
    """Those that are known; what the owner states overrides what was measured."""
    return {
        **measured.model_dump(by_alias=True, exclude_none=True),
        **stated.model_dump(by_alias=True, exclude_none=True),
    }


def _output_tokens_means(quality: Quality) -> tuple[float, ...]:
    by_name: dict[str, CategoryScore] = {score.name: score for score in quality.categories}
    means = [by_name[category].output_tokens_mean if category in by_name else None for category in CATEGORIES]
    return tuple(DEFAULT_OUTPUT_TOKENS if mean is None else float(mean) for mean in means)


def _unusable_names(backend: LLMBackend) -> Iterable[tuple[str, str]]:
    listed = [(model.name, model.aliases) for model in backend.spec.models]
    observed = [(model.name, ()) for model in backend.status.models]
    for model, aliases in listed or observed:
        for name in (model, *aliases):
            yield name, f"backend {backend.name!r}"
            yield f"{name}@{backend.name}", f"backend {backend.name!r}"


def _by_name(
    candidates: Iterable[Candidate],
) -> tuple[dict[str, tuple[Candidate, ...]], dict[str, tuple[Candidate, ...]]]:
    models: dict[str, list[Candidate]] = defaultdict(list)
    aliases: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        models[candidate.model].append(candidate)
        for alias in candidate.aliases:
            aliases[alias].append(candidate)
    return (
        {name: tuple(pairs) for name, pairs in models.items()},
        {name: tuple(pairs) for name, pairs in aliases.items()},
    )


def _pools(
    models: Mapping[str, tuple[Candidate, ...]], aliases: Mapping[str, tuple[Candidate, ...]]
) -> dict[str, Pool]:
    """What a request by each name chooses among; a name comes before an alias, both before model@backend."""
    whole = {name: filters.pool(pairs) for name, pairs in {**aliases, **models}.items()}
    pools: dict[str, Pool] = {}
    for name, pool in whole.items():
        by_backend: defaultdict[str, list[Candidate]] = defaultdict(list)
        for pair in pool.candidates:
            by_backend[pair.backend].append(pair)
        for backend, pairs in by_backend.items():
            is_all = len(by_backend) == 1
            pools[f"{name}@{backend}"] = pool if is_all else filters.pool(tuple(pairs))
    return pools | whole


def _policies(
    resources: ResourceSet,
    namespace: str,
    candidates: tuple[Candidate, ...],
    problems: list[Problem],
    unusable: dict[str, str],
) -> dict[str, tuple[Policy, ...]]:
    """Policies by the names that they answer, the first to try first; without those that select nothing."""
    mine = [policy for key, policy in resources.policies.items() if key[0] == namespace]
    mine.sort(key=lambda one: (-one.spec.priority, one.seniority))
    by_name: dict[str, list[Policy]] = defaultdict(list)
    for resource in mine:
        policy, empty = selecting.resolve(resource, candidates)
        is_leaving = resource.metadata.deletion_timestamp is not None
        if is_leaving:
            message = "It is being deleted: what it answers is finished, new requests pass it by."
            problems.append(problem(resource, "Accepted", "Deleting", message, excludes=True))
        else:
            problems += [_selects_nothing(resource, policy, index) for index in empty]
        for model in resource.spec.models:
            if is_leaving or not _is_usable(policy):
                unusable.setdefault(model.name, f"policy {policy.name!r}")
                continue
            before = by_name[model.name]
            if before:
                message = (
                    f"RoutingPolicy {before[0].name} answers {model.name} before this one: "
                    "this is tried where the other's spec.match fails."
                )
                problems.append(problem(resource, "Accepted", "Shadowed", message))
            before.append(policy)
    return {name: tuple(policies) for name, policies in by_name.items()}


def _is_usable(policy: Policy) -> bool:
    return any(entry.candidates for entry in policy.entries)


def _selects_nothing(resource: RoutingPolicy, policy: Policy, index: int) -> Problem:
    if index == selecting.ALL_LOCAL:
        message = "There is no Local model in this namespace: apply an LLMBackend that serves one."
    else:
        message = f"spec.candidates[{index}] selects no model: check its labels and model names."
    if _is_usable(policy):
        return problem(resource, "Ready", "EntryEmpty", message)
    return problem(resource, "ResolvedRefs", "NoCandidates", message, excludes=True)
