import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from steelyard.api.profile import Category, CategoryScore, Level, LevelScore, Prior, Quality
from steelyard.routing.rates import falling, pass_rates, sample_sizes
from steelyard.routing.table import CELLS

COUNTS = st.integers(0, 50).flatmap(lambda samples: st.tuples(st.integers(0, samples), st.just(samples)))


def quality(cells: dict[tuple[Category, Level], tuple[int, int]]) -> Quality:
    scores = []
    for category in {category for category, _ in cells}:
        levels = [
            LevelScore(level=level, passed=cells[category, level][0], samples=cells[category, level][1])
            for level in Level
            if (category, level) in cells
        ]
        scores.append(CategoryScore(name=category, levels=tuple(levels)))
    return Quality(categories=tuple(scores))


def test_what_was_never_asked_is_half_known() -> None:
    assert pass_rates(Quality()) == (0.5,) * CELLS


@given(st.dictionaries(st.tuples(st.sampled_from(Category), st.sampled_from(Level)), COUNTS, max_size=30))
def test_rates_stay_within_bounds_and_never_rise_with_the_level(
    cells: dict[tuple[Category, Level], tuple[int, int]],
) -> None:
    rates = pass_rates(quality(cells))
    assert len(rates) == CELLS
    assert all(0 <= rate <= 1 for rate in rates)
    for first in range(0, CELLS, 3):
        easy, medium, hard = rates[first : first + 3]
        assert easy >= medium - 1e-12 >= hard - 2e-12


def test_an_unmeasured_category_takes_the_overall_rate() -> None:
    rates = pass_rates(quality({(Category.MATH, level): (900, 1000) for level in Level}))
    overall = (2700 + 5) / 3010
    assert rates[3:6] == (overall,) * 3


def test_a_prior_counts_as_so_many_samples_of_its_category() -> None:
    asked = {(Category.MATH, level): (30, 40) for level in Level}
    prior = Prior(category=Category.WRITING, score_percent=60, samples=50, source="a leaderboard")
    rates, sizes = pass_rates(quality(asked), [prior]), sample_sizes(quality(asked), [prior])
    overall = (90 + 30 + 5) / (120 + 50 + 10)
    writing = (30 + 10 * overall) / (50 + 10)
    maths = (90 + 10 * overall) / (120 + 10)
    assert rates[27:] == pytest.approx((writing,) * 3)
    assert rates[:3] == pytest.approx(((30 + 10 * maths) / 50,) * 3)
    assert sizes[:3] == (40, 40, 40)
    assert sizes[27:] == pytest.approx((50 / 3,) * 3)


def test_with_priors_alone_a_model_has_rates_in_every_category() -> None:
    prior = Prior(category=Category.MATH, score_percent=100, samples=90, source="a leaderboard")
    overall = 95 / 100
    assert pass_rates(None, [prior])[27:] == pytest.approx((overall,) * 3)
    assert pass_rates(None, [prior])[0] == pytest.approx((90 + 10 * overall) / 100)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 100)), max_size=8))
def test_pooling_keeps_the_weighted_mean(cells: list[tuple[float, int]]) -> None:
    values, weights = [value for value, _ in cells], [weight for _, weight in cells]
    pooled = falling(values, weights)
    before = sum(value * weight for value, weight in cells)
    after = sum(value * weight for value, weight in zip(pooled, weights, strict=True))
    assert abs(before - after) < 1e-6
    assert all(left >= right for left, right in itertools.pairwise(pooled))


def test_a_sequence_that_falls_already_is_left_alone() -> None:
    assert falling([0.9, 0.5, 0.1], [1, 1, 1]) == [0.9, 0.5, 0.1]


def test_a_level_or_category_stands_once_in_a_profile() -> None:
    easy = {"level": "Easy", "passed": 1, "samples": 2}
    maths = {"name": "Math", "levels": [easy]}
    for twice in ({"categories": [maths, maths]}, {"categories": [{**maths, "levels": [easy, easy]}]}):
        with pytest.raises(ValidationError, match=r"lists (Math|Easy) twice: keep one entry"):
            Quality.model_validate_json(json.dumps(twice))
