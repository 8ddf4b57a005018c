"""The compiled table: everything a decision reads, looked up and computed once per change of the resources.

Only values live here; `compiling` makes them, `deciding` reads them. Invariant: a table is never changed;
readers take it once per request. A memo only saves work: decisions are the same without it.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import msgspec

from steelyard.api.backend import CostBasis, Location, Timeouts
from steelyard.api.measuring import LOAD_PROMPT_TOKENS
from steelyard.api.policy import Goal, RoutingPolicySpec
from steelyard.api.profile import Category, Level, Prior
from steelyard.routing import points

CATEGORIES = tuple(Category)
"""The order of categories in every vector."""

LEVELS = tuple(Level)
"""The order of levels in every vector."""

CELLS = len(CATEGORIES) * len(LEVELS)
"""A cell is (category, level); its index is category · 3 + level."""

DEFAULT_OUTPUT_TOKENS = 200.0
"""Expected length of an answer where it was not measured, in tokens."""


DEFAULT_KNEE = 8
"""Requests in flight on one endpoint from which more of them wait, where nothing says otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One address of a backend, with all that a request to it needs."""

    name: str
    """backend@host:port, unique in a table and stable over tables, so that live load survives a reload."""
    backend: str
    """The LLMBackend's name."""
    scheme: str
    """http or https."""
    host: str
    """Host name or address literal, without brackets."""
    port: int
    """TCP port."""
    base_path: str
    """Path before /chat/completions, without a trailing slash: /v1."""
    timeouts: Timeouts
    """Of the backend."""
    authorization: str | None = field(default=None, repr=False)
    """Value of the Authorization header; None: send none."""
    ca_pem: str | None = field(default=None, repr=False)
    """Certificate authority in PEM; None: the system's."""
    server_name: str | None = None
    """Name that the certificate must carry; None: the host."""
    max_concurrency: int | None = None
    """Requests that all gateways together may have there at once; None: any number."""
    asks_usage: bool = False
    """Whether streams are asked for usage, which is hidden from clients that did not ask."""
    pod: str = ""
    """The pod behind it; empty: unknown."""
    node: str = ""
    """The node that the pod runs on; empty: unknown."""
    location: Location = Location.LOCAL
    """Where it runs: External ones may be behind a proxy."""
    budget_mib: int | None = None
    """What models that were loaded on demand may take of its memory; None: what the engine allows."""
    pinned: tuple[str, ...] = ()
    """Names of the models that are never to be unloaded for another, as their owner writes them."""


@dataclass(frozen=True, slots=True, eq=False)
class Price:
    """What tokens cost. Both numbers are None where a price is unknown."""

    input_usd: float | None
    """US dollars for one prompt token, amortised where it comes from an hourly cost."""
    output_usd: float | None
    """US dollars for one output token, likewise."""
    basis: CostBasis | None = None
    """How the backend's `cost` is paid; None: billed by token, or free."""

    def is_same(self, other: "Price") -> bool:
        """Whether both say the same."""
        mine = (self.input_usd, self.output_usd, self.basis)
        return mine == (other.input_usd, other.output_usd, other.basis)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """How one endpoint's speed bends as requests meet there."""

    concurrency: tuple[int, ...]
    """Streams at once, rising from 1."""
    tokens_per_second: tuple[float, ...]
    """Output of all of them together, at each of these."""
    added_ttft_seconds: tuple[float, ...]
    """Time to first token beyond that of the least measured, at each of these."""
    seconds: tuple[float, ...] = ()
    """Predicted time of a request as long as the measured ones, by the requests that it finds there."""
    queue_seconds: float = 0.0
    """What each request beyond the last measured ones adds to that."""


class Attempt(msgspec.Struct, frozen=True, eq=False):
    """One try: this model on this endpoint. Made with the table."""

    candidate: "Candidate"
    """The pair."""
    endpoint: Endpoint
    """The address."""
    point: int = 0
    """Where the endpoint's name falls among 2^64."""
    is_gated: bool = False
    """Whether requests have to be let in: there is a bound on them, or models are loaded on demand."""
    memo: dict[Hashable, object] = msgspec.field(default_factory=dict[Hashable, object])
    """What is the same for all requests that are tried there; kept by who works it out."""

    def __post_init__(self) -> None:
        is_gated = self.endpoint.max_concurrency is not None or self.candidate.loads_on_demand
        msgspec.structs.force_setattr(self, "is_gated", is_gated)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Which probes a model passed, in the order of their suite."""

    suite: str
    """The suite and its version."""
    seed: int
    """The seed of the probes: with the same suite and seed, models were asked the same."""
    bits: tuple[int, ...]
    """By category, [10]: a bit for each probe, the first probe's the highest; 1: passed."""
    counts: tuple[int, ...]
    """By category, [10]: how many probes that are; 0: not known."""


class Pairing(msgspec.Struct, frozen=True, eq=False, gc=False):
    """How much better one model is than another on the probes that both were asked, by cell."""

    means: tuple[float, ...]
    """Posterior mean of the difference of their pass rates, [30], -1 to 1."""
    variances: tuple[float, ...]
    """Its variance, [30]."""
    commons: tuple[int, ...]
    """Probes that both were asked, [30]."""
    known: int
    """The cells with enough of them: bit 0 is cell 0."""
    most_apart: float
    """In none of these a mean is further from the difference of the rates."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A pair (model, backend) with what is known of it."""

    model: str
    """The engine's own name of the model."""
    backend: str
    """The LLMBackend's name."""
    aliases: tuple[str, ...]
    """Further names of the model."""
    labels: Mapping[str, str]
    """The backend's labels."""
    location: Location
    """Where the backend runs."""
    endpoints: tuple[Endpoint, ...]
    """Where it answers; empty while no pod is ready."""
    price: Price
    """What its tokens cost."""
    capabilities: Mapping[str, bool]
    """Those that are known, by the API's name."""
    context_tokens: int | None = None
    """Context length in tokens."""
    knee: int = DEFAULT_KNEE
    """Requests in flight on one endpoint from which more of them wait, and begin to cost."""
    lacks_key: bool = False
    """Whether its credentials are empty, as in an export: requests would go without."""
    measured: bool = False
    """Whether a profile with quality counts."""
    priors: tuple[Prior, ...] = ()
    """What others measured; counts in `rates`."""
    rates: tuple[float, ...] = ()
    """Pass rate by cell, [30], 0 to 1; empty where nothing was measured, by others neither."""
    samples: tuple[float, ...] = ()
    """How many samples each of these rests on, [30]; empty likewise."""
    answers: Answers | None = None
    """Which probes it passed; None: not known."""
    output_tokens_means: tuple[float, ...] = ()
    """Mean answer length in tokens by category, [10]; empty where nothing was measured."""
    ttft_ms: float | None = None
    """Median time to first token."""
    load_prompt_tokens: int = LOAD_PROMPT_TOKENS
    """Length of the prompts that it was measured with."""
    prompt_tokens_per_second: float | None = None
    """How fast a prompt is read."""
    output_tokens_per_second: float | None = None
    """Speed of one stream."""
    curve: Curve | None = None
    """How its speed bends under load; None: not measured."""
    loads_on_demand: bool = False
    """Whether its engine loads a model when it is asked for, and may drop it again."""
    digest: str | None = None
    """Digest of the model's weights, where the engine tells it."""
    cold_load_seconds: float | None = None
    """How long the engine takes to load it; None: not measured."""
    attempts: tuple[Attempt, ...] = field(init=False, repr=False)
    """One for each endpoint."""
    ring: tuple[Attempt, ...] = field(init=False, repr=False)
    """The same by their points."""

    def __post_init__(self) -> None:
        attempts = [Attempt(self, place, points.of_text(place.name)) for place in self.endpoints]
        object.__setattr__(self, "attempts", tuple(attempts))
        object.__setattr__(self, "ring", tuple(sorted(attempts, key=lambda one: one.point)))


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Candidates that a request may choose among, with what can be said of that before it comes."""

    candidates: tuple[Candidate, ...]
    """All of them."""
    open: tuple[Candidate, ...]
    """Those that are not ruled out whatever the request."""
    attempts: tuple[Attempt, ...]
    """Every endpoint of the open ones."""
    passes: frozenset[str]
    """Needs that rule out none of the open ones, by the API's name."""
    most_tokens: float
    """The longest prompt that rules out none of them; below 0 where there are none."""
    has_namesakes: bool
    """Whether two of the open ones have one model name."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A policy's candidate entry with the pairs that it selects."""

    candidates: tuple[Candidate, ...]
    """Selected pairs, sorted by model and backend."""
    categories: frozenset[Category] | None
    """The entry counts only for these most probable categories; None: always."""
    weight: int
    """Share of conversations with order Weighted."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A RoutingPolicy, resolved."""

    name: str
    """The RoutingPolicy's name."""
    spec: RoutingPolicySpec
    """What it says."""
    entries: tuple[Entry, ...]
    """Its candidate entries, in order; an empty list in the spec is one entry of all Local pairs."""
    eligible: Mapping[Category | None, "Eligible"]
    """Who may answer a request of each most probable category; None: of a request that has none."""
    headers: tuple[tuple[str, str], ...]
    """`match.headers`, names in lower case."""
    goals: Mapping[str, Goal]
    """The goal by each name that it answers."""
    memo: dict[Hashable, "Settled | None"] = field(default_factory=dict, repr=False)
    """Choices at rest that were made lately, by all that they depend on; None: nobody could."""
    pairings: dict[Candidate, dict[Candidate, Pairing | None]] = field(default_factory=dict, repr=False)
    """By the better, then by the other; None: they were not asked the same. Made when first needed."""


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """The choice for one turn with the fleet at rest."""

    chosen: Candidate
    """Who is preferred."""
    qualities: Mapping[Candidate, float]
    """Who else is in the first group, with the expected quality of each; 0: not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Eligible:
    """Whom a policy allows for requests of one most probable category."""

    entries: tuple[Entry, ...]
    """The entries that count."""
    pool: Pool
    """What they select."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What one namespace's requests are decided by."""

    candidates: tuple[Candidate, ...] = ()
    """Every pair, sorted by model and backend."""
    policies: Mapping[str, tuple[Policy, ...]] = field(default_factory=dict)
    """By the name that clients ask for, the first to try first."""
    models: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    """By an engine's own model name."""
    aliases: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    """By alias."""
    pools: Mapping[str, Pool] = field(default_factory=dict)
    """What a request by name chooses among: by model name, alias and model@backend."""
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Names that an excluded backend or policy would answer, with which it is, as a sentence names it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about one resource that people should know, as a condition would say it."""

    kind: str
    """The resource's kind."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    condition: str
    """The condition that tells it: Accepted, ResolvedRefs or Ready."""
    reason: str
    """One CamelCase word."""
    message: str
    """A sentence that says what to do."""
    excludes: bool
    """Whether the resource plays no part because of it."""
