"""ModelProfile: what one model does on one backend, measured.

Invariant: what was not measured is absent, never 0.
"""

import hashlib
import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from steelyard.api.backend import Capabilities, Digest, TokenPrice
from steelyard.api.measuring import ProfileOptions, Streams
from steelyard.api.meta import Conditions, LocalObjectRef, ModelName, Percent, Resource, Spec, Time
from steelyard.api.rules import Immutable, Rule, map_by


class Category(StrEnum):
    """A kind of work that requests ask for; the order is the order in tables."""

    MATH = "Math"
    CODING = "Coding"
    REASONING = "Reasoning"
    KNOWLEDGE = "Knowledge"
    INSTRUCTION = "Instruction"
    EXTRACTION = "Extraction"
    TOOL_USE = "ToolUse"
    LONG_CONTEXT = "LongContext"
    MULTILINGUAL = "Multilingual"
    WRITING = "Writing"


class Level(StrEnum):
    """How difficult, easiest first."""

    EASY = "Easy"
    MEDIUM = "Medium"
    HARD = "Hard"


_OTHER_PAIR = "cannot be changed: make another ModelProfile for the other pair of model and backend"


class Prior(Spec):
    """What others measured of the model in one category."""

    category: Category
    """The category."""
    score_percent: Percent
    """The share of right answers."""
    samples: Annotated[int, Field(ge=1, le=100_000)]
    """As many probes of our own as it shall weigh."""
    source: Annotated[str, Field(min_length=1, max_length=253)]
    """Who says so, and when."""


class ModelProfileSpec(ProfileOptions):
    """What to measure."""

    backend_ref: Annotated[LocalObjectRef, Immutable(f"backendRef {_OTHER_PAIR}")]
    """The LLMBackend that serves the model."""
    model: Annotated[ModelName, Immutable(f"model {_OTHER_PAIR}")]
    """The model, as its engine names it."""
    priors: Annotated[tuple[Prior, ...], Field(max_length=10), *map_by("category")] = ()
    """Outside knowledge: counts beside what was measured, and needs no run."""
    suspend: bool = False
    """In a cluster: true ends a run under way and begins none; what was measured stays."""


class LevelScore(Spec):
    """How many probes of one level were answered rightly."""

    rules = (
        Rule(
            "self.passed <= self.samples",
            "passed must be at most samples",
            lambda score: score.passed <= score.samples,
        ),
    )

    level: Level
    """How difficult."""
    passed: Annotated[int, Field(ge=0)]
    """Probes answered rightly."""
    samples: Annotated[int, Field(ge=0)]
    """Probes asked."""


class CategoryScore(Spec):
    """A model's measured quality in one category."""

    name: Category
    """The category."""
    score_percent: Percent | None = None
    """The mean pass rate of its levels on this suite's generated probes: not ability as such."""
    low_percent: Percent | None = None
    """Low end of the 95 % interval of the pass rate that endless probes of this suite would give."""
    high_percent: Percent | None = None
    """High end of that interval."""
    chance_percent: Percent | None = None
    """What blind guessing would score, by its closed questions; absent: nothing."""
    levels: Annotated[tuple[LevelScore, ...], Field(min_length=1, max_length=3), *map_by("level")]
    """The same by difficulty; decisions are made from these."""
    output_tokens_mean: Annotated[int, Field(ge=1)] | None = None
    """Mean length of an answer, in tokens."""
    bitmap: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9+/]*={0,2}$")] | None = None
    """Base64 of one bit for each probe in order, 1 for passed; absent where a probe got no answer."""


class OverallScore(Spec):
    """A model's measured quality over all categories."""

    score_percent: Percent
    """The unweighted mean of the categories."""
    low_percent: Percent | None = None
    """Low end of the 95 % interval of the mean that endless probes of this suite would give."""
    high_percent: Percent | None = None
    """High end of that interval."""
    samples: Annotated[int, Field(ge=0)]
    """Probes asked in all."""


class Quality(Spec):
    """Measured quality: pass rates on this suite's generated probes, which is not ability as such."""

    overall: OverallScore | None = None
    """Over all categories."""
    categories: Annotated[tuple[CategoryScore, ...], Field(max_length=10), *map_by("name")] = ()
    """By category."""


class Ttft(Spec):
    """Time to first token, one request at a time."""

    p50: Annotated[int, Field(ge=0, le=2**53)]
    """The median, in milliseconds."""
    p95: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """The 95th percentile, in milliseconds."""


class InterToken(Spec):
    """Time between two tokens of one stream."""

    p50: Annotated[int, Field(ge=0, le=2**53)]
    """The median, in microseconds."""
    p95: Annotated[int, Field(ge=0, le=2**53)]
    """The 95th percentile, in microseconds."""


class SaturationPoint(Spec):
    """Speed with so many requests at once."""

    concurrency: Streams
    """Requests at once on one endpoint."""
    output_tokens_per_second: Annotated[int, Field(ge=1, le=2**53)]
    """Output tokens of all streams together by the second, the time that prompts take included."""
    ttft_ms_p95: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """The 95th percentile of the time to first token, in milliseconds."""


class Performance(Spec):
    """Measured speed."""

    ttft_ms: Ttft | None = None
    """Time to first token, one request at a time, with fresh prompts of about load.promptTokens."""
    cached_ttft_ms: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """Time to first token of a prompt that was just answered: less than ttftMs where prompts are cached."""
    output_tokens_per_second: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """Speed of one stream, from its first token on."""
    inter_token_us: InterToken | None = None
    """Time between two tokens of one stream; absent where tokens do not come one by one."""
    prompt_tokens_per_second: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """How fast a fresh prompt is read."""
    cold_load_ms: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """How long Ollama takes to load the model; of another engine, the first token of the first request after
    its start. Absent where others had asked before."""
    saturation: Annotated[tuple[SaturationPoint, ...], Field(max_length=16), *map_by("concurrency")] = ()
    """How speed bends as requests meet at one endpoint; it ends where it rises no more."""


class ResourceUse(Spec):
    """What the model takes of its GPU, measured while it was profiled."""

    memory_mib: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """Memory in use while it answers: of its GPUs, or of the engine that tells a model's own."""
    power_watts: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """Mean power of its GPUs while it answers one request at a time."""
    joules_per_thousand_tokens: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """Energy of its GPUs for a thousand output tokens, one request at a time."""


class Fingerprint(Spec):
    """What the measurement holds for."""

    suite: Annotated[str, Field(max_length=64)]
    """The suite and its version, as Quick/2."""
    seed: Annotated[int, Field(ge=0)]
    """The seed of the probes."""
    model_digest: Digest | None = None
    """Digest of the model's weights, where the engine tells it."""
    engine_version: Annotated[str, Field(max_length=64)] | None = None
    """The engine's version, where it tells it."""
    gpu: Annotated[str, Field(max_length=128)] | None = None
    """The GPUs behind the endpoint, as 2x NVIDIA L4, where an exporter tells of them."""
    endpoint: Annotated[str, Field(max_length=320)] | None = None
    """The address that was measured, as host:port."""
    time: Time | None = None
    """When it was measured."""


HistoryLine = Annotated[str, Field(max_length=200)]
"""One run: when it ended, suite, overall score, speed of one stream, outcome; the unknown is left out."""


class Run(Spec):
    """The last run."""

    start_time: Time
    """When it began."""
    completion_time: Time | None = None
    """When it ended; absent while it is under way."""
    tokens_used: Annotated[int, Field(ge=0)] = 0
    """Tokens spent, prompt and output together."""
    job_name: Annotated[str, Field(max_length=63)] | None = None
    """The Job that measures; absent where there is no cluster."""
    reason: Annotated[str, Field(max_length=64)] | None = None
    """Why it began: Asked, or the reason that Fresh had."""
    cause: Annotated[str, Field(max_length=64)] | None = None
    """A digest of the spec, the model and the engine as it began: attempts are counted for one cause."""
    asked: Annotated[str, Field(max_length=253)] | None = None
    """The annotation steelyard.dev/profile-now as it began: another value asks for one more run."""
    attempts: Annotated[int, Field(ge=1)] | None = None
    """Runs for this cause so far, this one included."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """How it goes, in a sentence: what its pod waits for, or why the next attempt comes later."""


class ModelProfileStatus(Spec):
    """What was measured, and whether the last run succeeded."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that this status is about."""
    conditions: Conditions = ()
    """Accepted, ResolvedRefs, Succeeded (the last run), Fresh (the measurement still holds), Ready; and while
    they are true Reconciling (a run for this spec is under way or due) and Stalled (no run will follow)."""
    gone_since: Time | None = None
    """Since when the backend no longer serves the model; absent while it does."""
    fingerprint: Fingerprint | None = None
    """What the measurement holds for."""
    quality: Quality | None = None
    """What it can do: pass rates on the suite's generated probes, in all and by category."""
    performance: Performance | None = None
    """How fast it is."""
    resources: ResourceUse | None = None
    """What it takes of its GPU."""
    price: TokenPrice | None = None
    """The backend's cost by the hour spread over measured throughput."""
    capabilities: Capabilities = Capabilities()
    """What probing found."""
    context_tokens_verified: Annotated[int, Field(ge=1, le=2**31)] | None = None
    """The longest prompt whose first words the model could still tell, in tokens; longer may work as well."""
    embedding_dimension: Annotated[int, Field(ge=1, le=2**20)] | None = None
    """Numbers in one embedding; absent where the model makes none."""
    run: Run | None = None
    """The last run."""
    history: Annotated[tuple[HistoryLine, ...], Field(max_length=3)] = ()
    """The last three runs, newest first, a line each; failures in a row are one."""


class ModelProfile(Resource):
    """What one model does on one backend, measured."""

    api_version: Literal["steelyard.dev/v1alpha1"] = "steelyard.dev/v1alpha1"
    """The version of this kind."""
    kind: Literal["ModelProfile"] = "ModelProfile"
    """The kind."""
    spec: ModelProfileSpec
    """What to measure."""
    status: ModelProfileStatus = ModelProfileStatus()
    """What was measured."""


def automatic_name(backend: str, model: str) -> str:
    """The name of the profile that Steelyard makes by itself for this pair: stable and unique."""
    digest = hashlib.sha256(f"{backend}\n{model}".encode()).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9]+", "-", model.lower())[:60].strip("-")
    return "-".join(part for part in (backend[:40].strip("-."), slug, digest) if part)
