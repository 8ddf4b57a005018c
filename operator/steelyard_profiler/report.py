"""From a run's result to a profile's status, and to the line that a Job leaves as termination message.

Rule 1. A failed run changes conditions and `run` alone: older measurements stand.
Rule 2. The line has at most 3 000 bytes, `v` first and `end` last, so that a cut line is no result.
        Measurements always fit; the sentence for people is cut to what they leave.
Rule 3. Scores and intervals are not in the line: they follow from the bitmaps, here as in the profiler. A
        category where a probe got no answer has its counts by level instead.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from steelyard.api import conditions
from steelyard.api.backend import Capabilities, Cost
from steelyard.api.conditions import Fact
from steelyard.api.profile import (
    Category,
    CategoryScore,
    Fingerprint,
    Level,
    LevelScore,
    ModelProfile,
    ModelProfileStatus,
    Performance,
    Quality,
    ResourceUse,
    Run,
    SaturationPoint,
)
from steelyard_profiler import measure, quality, workload
from steelyard_profiler.profiling import Result
from steelyard_profiler.target import Failure

VERSION = 2
"""Of the line; one of another version is refused."""

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
            "price": measure.amortised_price(cost.usd_per_hour, result.performance, profile.spec.load)
            if cost
            else None,
            "capabilities": result.capabilities,
            "context_tokens_verified": result.context_tokens_verified,
            "embedding_dimension": result.embedding_dimension,
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
    said = _line_of(result.failure.message if result.failure else result.note)
    while len((line := _encoded(result, said)).encode()) > MOST_BYTES and said:
        said = said[: len(said) * 3 // 4]
    return line


def decode(line: str) -> Result:
    """The result of a compact line; raises ReportError where it is cut, too long or says what cannot be."""
    if len(line.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise ReportError(f"the report is longer than {MOST_BYTES} bytes")
    version = re.match(r'\{"v":(\d{1,9}),', line)
    if version and int(version[1]) != VERSION:
        told = f"the report is of version {version[1]}, not {VERSION}"
        raise ReportError(f"{told}: the profiler's image is of another release")
    if not version or not line.rstrip().endswith(',"end":true}'):
        raise ReportError("the report is cut")
    try:
        return _Line.model_validate_json(line).result()
    except ValidationError as error:
        first = error.errors()[0]
        raise ReportError(f"the report's {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise ReportError(f"the report's quality: {error}") from error


def _encoded(result: Result, said: str) -> str:
    """The compact line with this sentence."""
    speed, used = result.performance, result.resources
    value = {
        "v": VERSION,
        "reason": result.failure.reason if result.failure else None,
        "message": said,
        "suite": result.fingerprint.suite,
        "seed": result.fingerprint.seed,
        "start": int(result.run.start_time.timestamp()),
        "finish": int((result.run.completion_time or result.run.start_time).timestamp()),
        "tokens": result.run.tokens_used,
        "quality": {one.name.value: _cells(one) for one in (result.quality or Quality()).categories},
        "speed": speed.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"saturation"})
        if speed
        else None,
        "saturation": [
            [point.concurrency, point.output_tokens_per_second, point.ttft_ms_p95]
            for point in (speed or Performance()).saturation
        ],
        "resources": used.model_dump(mode="json", by_alias=True, exclude_none=True) if used else None,
        "capabilities": result.capabilities.model_dump(mode="json", by_alias=True, exclude_none=True),
        **({"context": result.context_tokens_verified} if result.context_tokens_verified else {}),
        **({"embedding": result.embedding_dimension} if result.embedding_dimension else {}),
        "end": True,
    }
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _cells(category: CategoryScore) -> list[object]:
    """What a category's score follows from."""
    more = [category.output_tokens_mean, category.chance_percent]
    if category.bitmap is None:
        return [*([level.passed, level.samples] for level in category.levels), *more]
    return [sum(level.samples for level in category.levels), category.bitmap, *more]


def _score(name: Category, cells: "_WithBitmap | _WithCounts") -> CategoryScore:
    """The score that follows. Raises ValueError where a bitmap is none of so many."""
    if len(cells) == 4:
        asked, bitmap, mean, chance = cells
        return quality.score_of(name, quality.outcomes_of(bitmap, asked), mean, chance)
    levels = [
        LevelScore(level=level, passed=passed, samples=samples)
        for level, (passed, samples) in zip(Level, cells[:3], strict=True)
    ]
    return quality.category_score(name, levels, cells[3], chance_percent=cells[4])


_NOT_MEASURED = Fact("Ready", False, "NotMeasured", "No run has succeeded yet: see Succeeded.")

_Count = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1, le=workload.MOST_PROBES)]]
"""Probes passed and answered, of one level."""

_Mean = Annotated[int, Field(ge=1, lt=1 << 20)] | None
"""Mean length of an answer, in tokens."""

_Bits = Annotated[str, Field(max_length=64)]
"""Base64 of one bit for each probe."""

_Asked = Annotated[int, Field(ge=len(Level), le=workload.MOST_PROBES)]
"""Probes of a category."""

_Percent = Annotated[int, Field(ge=1, le=100)] | None
"""What blind guessing would score."""

_WithBitmap = tuple[_Asked, _Bits, _Mean, _Percent]
_WithCounts = tuple[_Count, _Count, _Count, _Mean, _Percent]


def _kind(cells: object) -> str:
    """Which of the two they mean to be."""
    return "bitmap" if isinstance(cells, (list, tuple)) and isinstance((*cells, 0)[0], int) else "counts"


_Cells = Annotated[
    Annotated[_WithBitmap, Tag("bitmap")] | Annotated[_WithCounts, Tag("counts")], Discriminator(_kind)
]
"""A category: with its bitmap, or, where a probe got no answer, with its counts by level."""

_Row = tuple[int, int, int | None]
"""A point of saturation: concurrency, tokens per second, TTFT."""


class _Line(BaseModel):
    """The compact line, checked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    v: Literal[2]
    reason: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]{0,62}$")] | None
    message: Annotated[str, Field(max_length=MOST_MESSAGE_CHARACTERS)]
    suite: str
    seed: Annotated[int, Field(ge=0, lt=1 << 31)]
    start: Annotated[int, Field(ge=0, lt=1 << 36)]
    finish: Annotated[int, Field(ge=0, lt=1 << 36)]
    tokens: Annotated[int, Field(ge=0, le=2**53)]
    quality: Annotated[dict[Category, _Cells], Field(max_length=10)]
    speed: Performance | None
    saturation: Annotated[list[_Row], Field(max_length=16)] = []
    resources: ResourceUse | None = None
    capabilities: Capabilities
    context: Annotated[int, Field(ge=1, le=2**31)] | None = None
    embedding: Annotated[int, Field(ge=1, le=2**20)] | None = None
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
            performance=self._performance(),
            resources=self.resources,
            capabilities=self.capabilities,
            context_tokens_verified=self.context,
            embedding_dimension=self.embedding,
            failure=failure,
            note="" if failure else self.message,
        )

    def _performance(self) -> Performance | None:
        points = tuple(
            SaturationPoint(concurrency=concurrency, output_tokens_per_second=speed, ttft_ms_p95=ttft)
            for concurrency, speed, ttft in self.saturation
        )
        return self.speed and self.speed.model_copy(update={"saturation": points})

    def _quality(self) -> Quality:
        return quality.overall([_score(name, cells) for name, cells in self.quality.items()])


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
