"""From answers passed to scores with intervals. Pure.

Invariant: an interval is about the pass rate on this suite's generator, not about ability as such.
"""

from collections.abc import Sequence
from math import sqrt

from steelyard.api.profile import Category, CategoryScore, LevelScore, OverallScore, Quality

Z = 1.959964
"""The normal quantile of a 95 % interval."""


def category_score(
    name: Category, levels: Sequence[LevelScore], output_tokens_mean: float | None
) -> CategoryScore:
    """The category's pass rate with its interval; `levels` must hold a sample."""
    passed, samples = sum(level.passed for level in levels), sum(level.samples for level in levels)
    low, high = wilson(passed, samples)
    return CategoryScore(
        name=name,
        score_percent=round(100 * passed / samples),
        low_percent=round(100 * low),
        high_percent=round(100 * high),
        levels=tuple(levels),
        output_tokens_mean=None if output_tokens_mean is None else max(1, round(output_tokens_mean)),
    )


def overall(categories: Sequence[CategoryScore]) -> Quality:
    """All categories with their unweighted mean.

    The mean's interval adds the categories' variances, each with two successes and two failures added
    (Agresti and Coull 1998, The American Statistician 52:119), which keeps it honest at 0 and 100 %.
    """
    if not categories:
        return Quality()
    passed = [sum(level.passed for level in category.levels) for category in categories]
    samples = [sum(level.samples for level in category.levels) for category in categories]
    mean = sum(p / n for p, n in zip(passed, samples, strict=True)) / len(categories)
    rates = [((p + 2) / (n + 4), n + 4) for p, n in zip(passed, samples, strict=True)]
    middle = sum(rate for rate, _ in rates) / len(rates)
    spread = Z * sqrt(sum(rate * (1 - rate) / n for rate, n in rates)) / len(rates)
    return Quality(
        overall=OverallScore(
            score_percent=round(100 * mean),
            low_percent=round(100 * max(0.0, min(mean, middle - spread))),
            high_percent=round(100 * min(1.0, max(mean, middle + spread))),
            samples=sum(samples),
        ),
        categories=tuple(categories),
    )


def wilson(passed: int, samples: int) -> tuple[float, float]:
    """The 95 % score interval of a pass rate: Wilson 1927, JASA 22:209, equation of section 4."""
    rate, share = passed / samples, Z * Z / samples
    middle = (rate + share / 2) / (1 + share)
    spread = Z * sqrt(rate * (1 - rate) / samples + share / (4 * samples)) / (1 + share)
    return max(0.0, middle - spread), min(1.0, middle + spread)
