"""ModelProfile: what one model does on one backend, measured.

Invariant: what was not measured is absent, never 0.
"""

import hashlib
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from steelyard.api.backend import Capabilities, TokenPrice
from steelyard.api.meta import Condition, LocalObjectRef, ModelName, Percent, Resource, Spec

LOAD_PROMPT_TOKENS = 512
"""Length of the prompts that speed is measured with, in tokens."""

LOAD_OUTPUT_TOKENS = 128
"""The longest answer that speed is measured with, in tokens."""


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


class Suite(StrEnum):
    """How much is measured."""

    QUICK = "Quick"


class ProfileLimits(Spec):
    """Bounds of one run; a run that meets one reports what it has, or fails and says which."""

    max_duration_seconds: Annotated[int, Field(ge=10, le=86400)] = 900
    """The longest that a run may take."""
    max_tokens: Annotated[int, Field(ge=1000, le=100_000_000)] = 200_000
    """The most tokens, prompt and output together, that a run may spend."""


class ModelProfileSpec(Spec):
    """What to measure."""

    backend_ref: LocalObjectRef
    """The LLMBackend that serves the model."""
    model: ModelName
    """The model, as its engine names it."""
    suite: Suite = Suite.QUICK
    """Which set of probes."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    """The same seed gives the same probes, so that models are compared on the same questions."""
    limits: ProfileLimits = ProfileLimits()
    """Bounds of one run."""


class LevelScore(Spec):
    """How many probes of one level were answered rightly."""

    level: Level
    """How difficult."""
    passed: Annotated[int, Field(ge=0)]
    """Probes answered rightly."""
    samples: Annotated[int, Field(ge=0)]
    """Probes asked."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.passed > self.samples:
            raise ValueError(f"passed is {self.passed} of {self.samples} samples: it cannot be more")
        return self


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
    levels: Annotated[tuple[LevelScore, ...], Field(min_length=1, max_length=3)]
    """The same by difficulty; decisions are made from these."""
    output_tokens_mean: Annotated[int, Field(ge=1)] | None = None
    """Mean length of an answer, in tokens."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _refuse_twice("levels", [score.level for score in self.levels])
        return self


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
    categories: Annotated[tuple[CategoryScore, ...], Field(max_length=10)] = ()
    """By category."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _refuse_twice("categories", [score.name for score in self.categories])
        return self


class Ttft(Spec):
    """Time to first token, one request at a time."""

    p50: Annotated[int, Field(ge=0)]
    """The median, in milliseconds."""
    p95: Annotated[int, Field(ge=0)] | None = None
    """The 95th percentile, in milliseconds."""


class Performance(Spec):
    """Measured speed."""

    ttft_ms: Ttft | None = None
    """Time to first token, one request at a time, with prompts of about 512 tokens."""
    output_tokens_per_second: Annotated[int, Field(ge=1)] | None = None
    """Speed of one stream."""
    prompt_tokens_per_second: Annotated[int, Field(ge=1)] | None = None
    """How fast a fresh prompt is read."""


class Fingerprint(Spec):
    """What the measurement holds for."""

    suite: Annotated[str, Field(max_length=64)]
    """The suite and its version, as Quick/1."""
    seed: Annotated[int, Field(ge=0)]
    """The seed of the probes."""


class Run(Spec):
    """The last run."""

    start_time: AwareDatetime
    """When it began."""
    completion_time: AwareDatetime
    """When it ended."""
    tokens_used: Annotated[int, Field(ge=0)]
    """Tokens spent, prompt and output together."""


class ModelProfileStatus(Spec):
    """What was measured, and whether the last run succeeded."""

    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Accepted, ResolvedRefs, Succeeded (the last run), Ready."""
    fingerprint: Fingerprint | None = None
    """What the measurement holds for."""
    quality: Quality | None = None
    """What it can do."""
    performance: Performance | None = None
    """How fast it is."""
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


def _refuse_twice(field: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{field} lists {name} twice: keep one entry")


def automatic_name(backend: str, model: str) -> str:
    """The name of the profile that Steelyard makes by itself for this pair: stable and unique."""
    digest = hashlib.sha256(f"{backend}\n{model}".encode()).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9]+", "-", model.lower())[:60].strip("-")
    return "-".join(part for part in (backend[:40].strip("-."), slug, digest) if part)
