"""RoutingPolicy: which model answers which request."""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from steelyard.api.backend import Location
from steelyard.api.meta import Conditions, DnsName, LabelValue, ModelName, Money, Percent, Resource, Spec
from steelyard.api.profile import Category
from steelyard.api.rules import SET, Rule, map_by

DEFAULT_MAX_WAIT_SECONDS = 20
"""How long a request may wait for a slot where no policy says otherwise."""


class Goal(StrEnum):
    """What the choice among the good-enough models goes by."""

    BEST = "Best"
    CHEAPEST = "Cheapest"
    FASTEST = "Fastest"
    BALANCED = "Balanced"


class Order(StrEnum):
    """How candidates are put in order."""

    MEASURED = "Measured"
    AS_LISTED = "AsListed"
    WEIGHTED = "Weighted"


class BalanceType(StrEnum):
    """How a model's endpoints share its requests."""

    LEAST_LOAD = "LeastLoad"
    POWER_OF_TWO = "PowerOfTwo"
    ROUND_ROBIN = "RoundRobin"
    AFFINITY = "Affinity"


class AffinityKey(StrEnum):
    """What requests have in common that shall meet at one endpoint."""

    PREFIX = "Prefix"
    SESSION = "Session"


class Capability(StrEnum):
    """A capability that a policy may require; the field of the same name says whether a model has it."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    VISION = "vision"
    TOOLS = "tools"
    JSON_SCHEMA = "jsonSchema"
    JSON_MODE = "jsonMode"
    REASONING = "reasoning"
    RERANK = "rerank"
    AUDIO = "audio"
    IMAGES = "images"
    LOGPROBS = "logprobs"
    SYSTEM_PROMPT = "systemPrompt"


_SIGNATURE = r"^([ \t\r\n]*[^{} \t\r\n]){2}[^{}]*((\{model\}|\{backend\})[^{}]+)*(\{model\}|\{backend\})?$"
"""Words first, so that a signature is known again whichever names it holds."""

HeaderValue = Annotated[str, Field(max_length=4096)]
"""The value of a request header."""


class PolicyModel(Spec):
    """A name that clients ask for."""

    name: ModelName
    """The name; it may take over a model's own name."""
    goal: Goal | None = None
    """The goal of requests by this name; absent: the policy's."""


class Match(Spec):
    """What a request must be for this policy to answer it; all that is given must hold."""

    headers: Annotated[dict[str, HeaderValue], Field(max_length=16)] = Field(default={})
    """Request headers and the exact value of each."""
    min_prompt_tokens: Annotated[int, Field(ge=0)] = 0
    """The least length of the prompt, in tokens (UTF-8 bytes ÷ 4)."""


class Selector(Spec):
    """A label selector over backends."""

    match_labels: Annotated[dict[str, LabelValue], Field(max_length=16)] = Field(default={})
    """Labels that the backend must carry; none: every backend."""


class When(Spec):
    """When a candidate is eligible."""

    categories: Annotated[tuple[Category, ...], Field(min_length=1, max_length=10), *SET]
    """The request's most probable category must be one of these."""


class CandidateEntry(Spec):
    """Models that may answer."""

    rules = (
        Rule(
            "has(self.selector) || (has(self.models) && size(self.models) > 0)",
            "a candidate needs selector or models: name models, or write selector: {} for all",
            lambda entry: entry.selector is not None or bool(entry.models),
        ),
    )

    selector: Selector | None = None
    """The backends; absent: every one."""
    models: Annotated[tuple[ModelName, ...], Field(max_length=32), *SET] = ()
    """Names, aliases or model@backend, * and ? as wildcards; empty: every model of these backends."""
    when: When | None = None
    """When they are eligible; absent: always."""
    weight_percent: Percent | None = None
    """With order Weighted: this entry's share of conversations, among the entries that are eligible."""


class Require(Spec):
    """What every candidate must meet."""

    location: Location | None = None
    """Where it must run."""
    min_quality_percent: Percent | None = None
    """The least expected quality for the request."""
    max_usd_per_million_tokens: Money | None = None
    """The highest price, the larger of input and output."""
    capabilities: Annotated[tuple[Capability, ...], Field(max_length=16), *SET] = ()
    """What it must be able to do."""


class Weights(Spec):
    """The weights of goal Balanced."""

    quality: Percent = 60
    """Weight of expected quality."""
    price: Percent = 20
    """Weight of a low price."""
    latency: Percent = 20
    """Weight of a short answer time."""


class Balance(Spec):
    """How a model's endpoints share its requests."""

    rules = (
        Rule(
            "self.type == 'Affinity' || !has(self.key)",
            "key needs type: Affinity: set it or remove key",
            lambda balance: balance.type is BalanceType.AFFINITY or balance.key is None,
        ),
    )

    type: BalanceType = BalanceType.LEAST_LOAD
    """LeastLoad: the least wait. PowerOfTwo: the less of two. RoundRobin: each in turn. Affinity: by key."""
    key: AffinityKey | None = None
    """Of Affinity: Prefix (the prompt's first 1024 characters) or Session; absent: Prefix."""


class Failover(Spec):
    """How often another endpoint is tried."""

    max_attempts: Annotated[int, Field(ge=1, le=16)] = 3
    """The most attempts for one request, without endpoints that were not reached or asked for a pause."""


def _is_weighted(candidates: tuple[CandidateEntry, ...]) -> bool:
    weights = [entry.weight_percent for entry in candidates]
    return None not in weights and any(weights)


class RoutingPolicySpec(Spec):
    """Which model answers which request."""

    rules = (
        Rule(
            "self.order != 'Weighted' || (has(self.candidates)"
            " && self.candidates.all(entry, has(entry.weightPercent))"
            " && self.candidates.exists(entry, entry.weightPercent > 0))",
            "order Weighted needs weightPercent in every candidate, one of them above 0",
            lambda spec: spec.order is not Order.WEIGHTED or _is_weighted(spec.candidates),
        ),
        Rule(
            "self.order == 'Weighted' || !has(self.candidates)"
            " || !self.candidates.exists(entry, has(entry.weightPercent))",
            "weightPercent needs order: Weighted: set it or remove weightPercent",
            lambda spec: (
                spec.order is Order.WEIGHTED or all(one.weight_percent is None for one in spec.candidates)
            ),
        ),
        Rule(
            "self.order != 'AsListed' || (has(self.candidates) && size(self.candidates) > 0)",
            "order AsListed needs candidates: list the models in the order to try",
            lambda spec: spec.order is not Order.AS_LISTED or bool(spec.candidates),
        ),
        Rule(
            f"!has(self.signature) || self.signature.matches(r'{_SIGNATURE}')",
            "signature must begin with two characters of its own or more; it may hold {model} and {backend}"
            " with text between them, and no other braces",
            lambda spec: spec.signature is None or re.fullmatch(_SIGNATURE, spec.signature) is not None,
        ),
    )

    models: Annotated[tuple[PolicyModel, ...], Field(min_length=1, max_length=32), *map_by("name")]
    """The names that clients ask for and that this policy answers."""
    priority: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)] = 0
    """Among policies with one name the highest is tried first, then the oldest, then by name."""
    match: Match = Match()
    """What a request must be."""
    candidates: Annotated[tuple[CandidateEntry, ...], Field(max_length=32)] = ()
    """The models that may answer; empty: every Local one that can do what the path asks."""
    require: Require = Require()
    """What every candidate must meet."""
    order: Order = Order.MEASURED
    """Measured: by the goal. AsListed: the first entry that is up. Weighted: by weightPercent."""
    goal: Goal = Goal.CHEAPEST
    """What the choice among the good-enough models goes by."""
    tolerance_percent: Percent = 5
    """Cheapest and Fastest choose among those within so many points of the best expected quality."""
    weights: Weights = Weights()
    """The weights of goal Balanced."""
    max_wait_seconds: Annotated[int, Field(ge=0, le=3600)] = DEFAULT_MAX_WAIT_SECONDS
    """How long a request may wait for a model whose endpoints are all at maxConcurrency, before the next."""
    switch_percent: Percent = 5
    """A conversation changes its model only for a gain in expected quality above so many points."""
    balance: Balance = Balance()
    """How a model's endpoints share its requests."""
    failover: Failover = Failover()
    """How often another endpoint is tried."""
    signature: Annotated[str, Field(max_length=256)] | None = None
    """Text under each answer of chats and completions; {model} and {backend} stand for who answered."""
    sse_comment_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """Above 0: a stream that still waits gets a comment so often, for proxies that cut silence."""


class PolicyCandidate(Spec):
    """A model that this policy may choose."""

    model: ModelName
    """The model."""
    backend: DnsName
    """Its backend."""
    eligible: bool
    """Whether it can be chosen now."""
    reason: Annotated[str, Field(max_length=1024)] = ""
    """Why not."""


class PolicySummary(Spec):
    """What kubectl prints."""

    models: Annotated[str, Field(max_length=1024)]
    """The names that it answers."""
    candidates: Annotated[str, Field(max_length=32)]
    """Models that can be chosen now, of all that it selects: 3/5."""


class RoutingPolicyStatus(Spec):
    """What the policy resolves to."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that this status is about."""
    conditions: Conditions = ()
    """Accepted, ResolvedRefs, Precise (profiles tell the candidates apart at this tolerance), Ready."""
    summary: PolicySummary | None = None
    """What kubectl prints."""
    candidates: Annotated[tuple[PolicyCandidate, ...], Field(max_length=50)] = ()
    """The models that it may choose, sorted."""


class RoutingPolicy(Resource):
    """Which model answers which request."""

    api_version: Literal["steelyard.dev/v1alpha1"] = "steelyard.dev/v1alpha1"
    """The version of this kind."""
    kind: Literal["RoutingPolicy"] = "RoutingPolicy"
    """The kind."""
    spec: RoutingPolicySpec
    """What to do."""
    status: RoutingPolicyStatus = RoutingPolicyStatus()
    """What it resolves to."""
