"""From probes passed to scores with intervals. Pure.

Rule 1. A score is the mean of its levels' pass rates: a level counts the same however often it was asked.
Rule 2. An interval is about the pass rate on this suite's generator, not about ability as such. With a bitmap
        it counts templates; without one every probe passes for independent.
"""

from collections import Counter
from collections.abc import Sequence

from steelyard.api import packing
from steelyard.api.profile import Category, CategoryScore, Level, LevelScore, OverallScore, Quality
from steelyard_profiler import intervals, workload
from steelyard_profiler.intervals import Estimate, Stratum

Outcome = bool | None
"""Whether a probe was passed; None: it got no answer."""


def score_of(
    name: Category,
    outcomes: Sequence[Outcome],
    output_tokens_mean: float | None,
    chance_percent: int | None = None,
) -> CategoryScore:
    """The score of these outcomes by index; each level must have an answer."""
    levels = levels_of(outcomes)
    answered = [outcome for outcome in outcomes if outcome is not None]
    whole = len(answered) == len(outcomes)
    bitmap = packing.packed(answered) if whole else None
    return category_score(name, levels, output_tokens_mean, bitmap, chance_percent)


def category_score(
    name: Category,
    levels: Sequence[LevelScore],
    output_tokens_mean: float | None,
    bitmap: str | None = None,
    chance_percent: int | None = None,
) -> CategoryScore:
    """The category's rate with its interval; each level must hold a sample, and the bitmap must fit them."""
    bare = CategoryScore(
        name=name,
        levels=tuple(levels),
        output_tokens_mean=None if output_tokens_mean is None else max(1, round(output_tokens_mean)),
        chance_percent=chance_percent,
        bitmap=bitmap,
    )
    rate, low, high = estimate([bare]).percents()
    return bare.model_copy(update={"score_percent": rate, "low_percent": low, "high_percent": high})


def overall(categories: Sequence[CategoryScore]) -> Quality:
    """All categories with their unweighted mean."""
    if not categories:
        return Quality()
    rate, low, high = estimate(categories).percents()
    samples = sum(level.samples for category in categories for level in category.levels)
    return Quality(
        overall=OverallScore(score_percent=rate, low_percent=low, high_percent=high, samples=samples),
        categories=tuple(categories),
    )


def estimate(categories: Sequence[CategoryScore]) -> Estimate:
    """The unweighted mean of the categories' rates, each the mean of its levels'."""
    return intervals.mean([_strata(category) for category in categories])


def levels_of(outcomes: Sequence[Outcome]) -> list[LevelScore]:
    """How many probes of each level were answered and how many passed."""
    passed = Counter(workload.level(index) for index, outcome in enumerate(outcomes) if outcome)
    asked = Counter(workload.level(index) for index, outcome in enumerate(outcomes) if outcome is not None)
    return [LevelScore(level=level, passed=passed[level], samples=asked[level]) for level in Level]


def outcomes_of(bitmap: str, count: int) -> list[bool]:
    """Which of so many probes were passed; raises ValueError where that is no bitmap of so many."""
    try:
        held = packing.unpacked(bitmap, count)
    except ValueError as error:
        raise ValueError(f"the bitmap {error}") from error
    bits = "".join(f"{byte:08b}" for byte in held)
    if "1" in bits[count:]:
        raise ValueError(f"the bitmap does not hold {count} probes")
    return [bit == "1" for bit in bits[:count]]


def _strata(category: CategoryScore) -> list[Stratum]:
    """The levels that have samples, each with the same weight."""
    found = _counts(category)
    return [Stratum(counts, 1 / len(found)) for counts in found]


def _counts(category: CategoryScore) -> list[tuple[tuple[int, int], ...]]:
    """Passed and asked by template, for each level that has samples."""
    if category.bitmap is None:
        return [
            ((1, 1),) * level.passed + ((0, 1),) * (level.samples - level.passed)
            for level in category.levels
            if level.samples
        ]
    outcomes = outcomes_of(category.bitmap, sum(level.samples for level in category.levels))
    counts: dict[Level, dict[int, list[int]]] = {}
    for index, passed in enumerate(outcomes):
        level, template = workload.level(index), workload.template(category.name, index)
        count = counts.setdefault(level, {}).setdefault(template, [0, 0])
        count[0] += passed
        count[1] += 1
    return [tuple((right, asked) for right, asked in level.values()) for level in counts.values()]
