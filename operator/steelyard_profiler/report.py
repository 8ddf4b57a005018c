"""From a run's result to a profile's status, and to the line that a Job leaves as termination message.

Rule 1. A failed run changes conditions and `run` alone: older measurements stand.
Rule 2. The line has at most 3 000 bytes, `v` first and `end` last, so that a cut line is no result.
Rule 3. Scores and intervals are not in the line: they follow from the counts, here as in the profiler.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steelyard.api import conditions
from steelyard.api.backend import Capabilities, Cost
from steelyard.api.conditions import Fact
from steelyard.api.profile import (
    Category,
    Fingerprint,
    Level,
    LevelScore,
    ModelProfile,
    ModelProfileStatus,
    Performance,
    Quality,
    ResourceUse,
    Run,
)
from steelyard_profiler import measure, quality
from steelyard_profiler.profiling import Result
from steelyard_profiler.target import Failure

MOST_BYTES = 3000
"""The kubelet keeps 12 288 bytes over all containers of a pod: one of at most four."""

MOST_MESSAGE_CHARACTERS = 400
"""A sentence or two; what is longer is cut."""


class ReportError(Exception):
    """A line that is no complete report; the text says why."""


def status(profile: ModelProfile, result: Result, cost: Cost | None, now: datetime) -> ModelProfileStatus:
    """The profile's new status after a run."""
    failure = result.failure
    update: dict[str, Any] = {"run": result.run}
    if failure is None:
        update |= {
            "fingerprint": result.fingerprint,
            "quality": result.quality,
            "performance": _performance(profile.status, result),
            "resources": result.resources,
            "price": measure.amortised_price(cost.usd_per_hour, result.performance) if cost else None,
            "capabilities": result.capabilities,
        }
    new = profile.status.model_copy(update=update)
    ready = Fact("Ready", True, "Measured") if new.quality else _NOT_MEASURED
    return _with_facts(
        profile,
        new,
        (
            Fact("Accepted", True, "Accepted"),
            Fact("ResolvedRefs", True, "Resolved"),
            Fact("Succeeded", False, failure.reason, failure.message)
            if failure
            else Fact("Succeeded", True, "Measured", result.note),
            ready,
        ),
        now,
    )


def _performance(before: ModelProfileStatus, result: Result) -> Performance | None:
    """The speed that was measured, with the earlier time to load where the model was in memory this time."""
    now, earlier, mark = result.performance, before.performance, before.fingerprint
    if now is None or earlier is None or now.cold_load_ms is not None:
        return now
    digests = {mark.model_digest if mark else None, result.fingerprint.model_digest} - {None}
    return now if len(digests) > 1 else now.model_copy(update={"cold_load_ms": earlier.cold_load_ms})


def unresolved(profile: ModelProfile, fact: Fact, now: datetime) -> ModelProfileStatus:
    """The profile's new status when no run could begin, for this reason."""
    return _with_facts(profile, profile.status, (fact, Fact("Ready", False, fact.reason, fact.message)), now)


def encode(result: Result) -> str:
    """The compact line."""
    said = result.failure.message if result.failure else result.note
    cells = {
        category.name.value: [
            *([level.passed, level.samples] for level in category.levels),
            category.output_tokens_mean,
        ]
        for category in (result.quality.categories if result.quality else ())
    }
    speed, used = result.performance, result.resources
    value = {
        "v": 1,
        "reason": result.failure.reason if result.failure else None,
        "message": _line_of(said),
        "suite": result.fingerprint.suite,
        "seed": result.fingerprint.seed,
        "start": int(result.run.start_time.timestamp()),
        "finish": int((result.run.completion_time or result.run.start_time).timestamp()),
        "tokens": result.run.tokens_used,
        "quality": cells,
        "speed": speed.model_dump(mode="json", by_alias=True, exclude_none=True) if speed else None,
        "resources": used.model_dump(mode="json", by_alias=True, exclude_none=True) if used else None,
        "capabilities": result.capabilities.model_dump(mode="json", by_alias=True, exclude_none=True),
        "end": True,
    }
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def decode(line: str) -> Result:
    """The result of a compact line; raises ReportError where it is cut, too long or says what cannot be."""
    if len(line.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise ReportError(f"the report is longer than {MOST_BYTES} bytes")
    if not line.startswith('{"v":1,') or not line.rstrip().endswith(',"end":true}'):
        raise ReportError("the report is cut or of another version")
    try:
        return _Line.model_validate_json(line).result()
    except ValidationError as error:
        first = error.errors()[0]
        raise ReportError(f"the report's {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


_NOT_MEASURED = Fact("Ready", False, "NotMeasured", "No run has succeeded yet: see Succeeded.")

_Count = tuple[Annotated[int, Field(ge=0, lt=1 << 20)], Annotated[int, Field(ge=1, lt=1 << 20)]]
"""Probes passed and asked."""

_Mean = Annotated[int, Field(ge=1, lt=1 << 20)] | None
"""Mean length of an answer, in tokens."""


class _Line(BaseModel):
    """The compact line, checked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    v: Literal[1]
    reason: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]{0,62}$")] | None
    message: Annotated[str, Field(max_length=MOST_MESSAGE_CHARACTERS)]
    suite: str
    seed: Annotated[int, Field(ge=0, lt=1 << 31)]
    start: Annotated[int, Field(ge=0, lt=1 << 36)]
    finish: Annotated[int, Field(ge=0, lt=1 << 36)]
    tokens: Annotated[int, Field(ge=0, le=2**53)]
    quality: Annotated[dict[Category, tuple[_Count, _Count, _Count, _Mean]], Field(max_length=10)]
    speed: Performance | None
    resources: ResourceUse | None = None
    capabilities: Capabilities
    end: Literal[True]

    def result(self) -> Result:
        """The result that was encoded."""
        failure = Failure(self.reason, self.message) if self.reason else None
        return Result(
            fingerprint=Fingerprint(suite=self.suite, seed=self.seed),
            run=Run(
                start_time=datetime.fromtimestamp(self.start, UTC),
                completion_time=datetime.fromtimestamp(self.finish, UTC),
                tokens_used=self.tokens,
            ),
            quality=self._quality() if self.quality else None,
            performance=self.speed,
            resources=self.resources,
            capabilities=self.capabilities,
            failure=failure,
            note="" if failure else self.message,
        )

    def _quality(self) -> Quality:
        scores = [
            quality.category_score(
                name,
                [
                    LevelScore(level=level, passed=passed, samples=samples)
                    for level, (passed, samples) in zip(Level, cells[:3], strict=True)
                ],
                cells[3],
            )
            for name, cells in self.quality.items()
        ]
        return quality.overall(scores)


def _with_facts(
    profile: ModelProfile, new: ModelProfileStatus, facts: Sequence[Fact], now: datetime
) -> ModelProfileStatus:
    found = conditions.with_facts(new.conditions, facts, profile.metadata.generation, now)
    return new.model_copy(update={"conditions": found})


def _line_of(message: str) -> str:
    """One printable line, so that escapes do not swell the report."""
    return "".join(letter for letter in " ".join(message.split()) if letter.isprintable())[
        :MOST_MESSAGE_CHARACTERS
    ]
