"""Scores follow from what was counted."""

from hypothesis import given
from hypothesis import strategies as st

from steelyard.api import packing
from steelyard.api.profile import Category, Level, LevelScore
from steelyard_profiler import quality, workload


def levels(*passed: int, samples: int = 10) -> list[LevelScore]:
    return [
        LevelScore(level=level, passed=n, samples=samples) for level, n in zip(Level, passed, strict=True)
    ]


def test_a_category_is_the_mean_of_its_levels_however_many_samples_they_have() -> None:
    uneven = [
        LevelScore(level=level, passed=passed, samples=samples)
        for level, passed, samples in zip(Level, (7, 3, 0), (7, 6, 6), strict=True)
    ]
    score = quality.category_score(Category.MATH, uneven, 14.4)

    assert (score.score_percent, score.output_tokens_mean) == (50, 14)


def test_levels_that_differ_make_a_rate_surer() -> None:
    widths = []
    for passed in ((5, 5, 5), (9, 5, 1), (10, 5, 0)):
        score = quality.category_score(Category.MATH, levels(*passed), 1)
        assert score.score_percent == 50 and score.low_percent and score.high_percent
        widths.append(score.high_percent - score.low_percent)

    assert widths == sorted(widths, reverse=True) and widths[0] > widths[2]


def test_templates_that_differ_make_a_rate_less_sure() -> None:
    alike = quality.score_of(Category.MATH, [index // 9 % 2 == 0 for index in range(80)], 1)
    by_template = quality.score_of(
        Category.MATH, [workload.template(Category.MATH, index) % 2 == 0 for index in range(80)], 1
    )
    for score, other in ((alike, by_template),):
        assert score.low_percent is not None and score.high_percent is not None
        assert other.low_percent is not None and other.high_percent is not None
        assert score.high_percent - score.low_percent + 5 < other.high_percent - other.low_percent


def test_bits_stand_in_order_the_most_significant_first() -> None:
    passed = [True, False, False, True, False, False, False, False, True]

    assert packing.packed(passed) == "kIA="
    assert quality.outcomes_of("kIA=", 9) == passed


@given(st.lists(st.booleans(), min_size=3, max_size=workload.MOST_PROBES))
def test_levels_and_bitmap_say_the_same(outcomes: list[bool]) -> None:
    score = quality.score_of(Category.MATH, outcomes, 1)
    assert score.bitmap is not None
    read = quality.outcomes_of(score.bitmap, sum(level.samples for level in score.levels))

    assert read == outcomes
    assert [level.passed for level in score.levels] == [sum(outcomes[at::3]) for at in range(3)]
    assert (
        score.low_percent is not None and score.score_percent is not None and score.high_percent is not None
    )
    assert 0 <= score.low_percent <= score.score_percent <= score.high_percent <= 100


def test_overall_is_the_unweighted_mean_of_the_categories() -> None:
    small = quality.category_score(Category.MATH, levels(1, 1, 1, samples=1), 1)
    large = quality.category_score(Category.CODING, levels(0, 0, 0, samples=100), 1)
    overall = quality.overall([small, large]).overall

    assert overall and (overall.score_percent, overall.samples) == (50, 303)
    assert overall.low_percent is not None and overall.high_percent is not None
    assert overall.low_percent <= 50 <= overall.high_percent


def test_overall_of_a_perfect_model_is_not_certain() -> None:
    overall = quality.overall([quality.category_score(Category.MATH, levels(8, 8, 8, samples=8), 1)]).overall

    assert overall and overall.score_percent == overall.high_percent == 100
    assert overall.low_percent is not None and overall.low_percent < 95


def test_without_a_category_nothing_is_said() -> None:
    assert quality.overall([]).overall is None
