"""ModelProfile: what one model does on one backend, measured.

Invariant: what was not measured is absent, never 0.
"""

import hashlib
import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from steelyard.api.backend import Capabilities, Digest, TokenPrice
from steelyard.api.measuring import ProfileOptions
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


class ModelProfileSpec(ProfileOptions):
    """What to measure."""

    backend_ref: Annotated[LocalObjectRef, Immutable(f"backendRef {_OTHER_PAIR}")]
    """The LLMBackend that serves the model."""
    model: Annotated[ModelName, Immutable(f"model {_OTHER_PAIR}")]
    """The model, as its engine names it."""
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
    """The share of probes answered rightly."""
    low_percent: Percent | None = None
    """Low end of the 95 % interval of scorePercent."""
    high_percent: Percent | None = None
    """High end of the 95 % interval of scorePercent."""
    levels: Annotated[tuple[LevelScore, ...], Field(min_length=1, max_length=3), *map_by("level")]
    """The same by difficulty; decisions are made from these."""
    output_tokens_mean: Annotated[int, Field(ge=1)] | None = None
    """Mean length of an answer, in tokens."""


class OverallScore(Spec):
    """A model's measured quality over all categories."""

    score_percent: Percent
    """The unweighted mean of the categories."""
    low_percent: Percent | None = None
    """Low end of the 95 % interval of scorePercent."""
    high_percent: Percent | None = None
    """High end of the 95 % interval of scorePercent."""
    samples: Annotated[int, Field(ge=0)]
    """Probes asked in all."""


class Quality(Spec):
    """Measured quality: pass rates on this suite's generated probes."""

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


class SaturationPoint(Spec):
    """Speed with so many requests at once."""

    concurrency: Annotated[int, Field(ge=1, le=1024)]
    """Requests at once on one endpoint."""
    output_tokens_per_second: Annotated[int, Field(ge=1, le=2**53)]
    """Speed of all streams together."""
    ttft_ms_p95: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """The 95th percentile of the time to first token, in milliseconds."""


class Performance(Spec):
    """Measured speed."""

    ttft_ms: Ttft | None = None
    """Time to first token, one request at a time, with prompts of about 512 tokens."""
    output_tokens_per_second: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """Speed of one stream."""
    prompt_tokens_per_second: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """How fast a fresh prompt is read."""
    cold_load_ms: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """How long the engine takes to load the model, where it loads on demand."""
    saturation: Annotated[tuple[SaturationPoint, ...], Field(max_length=16), *map_by("concurrency")] = ()
    """How speed bends as requests meet at one endpoint."""


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
    """The suite and its version, as Quick/1."""
    seed: Annotated[int, Field(ge=0)]
    """The seed of the probes."""
    model_digest: Digest | None = None
    """Digest of the model's weights, where the engine tells it."""
    engine_version: Annotated[str, Field(max_length=64)] | None = None
    """The engine's version, where it tells it."""
    endpoint: Annotated[str, Field(max_length=320)] | None = None
    """The address that was measured, as host:port."""
    time: Time | None = None
    """When it was measured."""


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
    """Accepted, ResolvedRefs, Succeeded (the last run), Fresh (the measurement still holds), Ready."""
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
    run: Run | None = None
    """The last run."""


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
