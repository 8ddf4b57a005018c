"""Intervals are the textbooks' where those have a number."""

import pytest

from steelyard_profiler import intervals
from steelyard_profiler.intervals import Estimate, Stratum


@pytest.mark.parametrize(
    ("rate", "samples", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 10, 0.7225, 1.0), (0.5, 10, 0.2366, 0.7634), (1, 1, 0.2065, 1.0)],
)
def test_without_levels_and_templates_it_is_wilsons(
    rate: float, samples: int, low: float, high: float
) -> None:
    passed = round(rate * samples)
    alone = Stratum(((1, 1),) * passed + ((0, 1),) * (samples - passed), 1.0)

    assert intervals.wilson(rate, samples) == pytest.approx((low, high), abs=5e-5)
    if samples > 1:
        found = intervals.estimate([alone])
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


@pytest.mark.parametrize(("freedom", "quantile"), [(4, 2.776), (9, 2.262), (21, 2.080), (1000, 1.962)])
def test_quantiles_are_students(freedom: int, quantile: float) -> None:
    assert intervals.student(freedom) == pytest.approx(quantile, rel=0.01)


PERCENTS = {
    "ends round inwards": (Estimate(0.5, 0.401, 0.599), (50, 41, 59)),
    "a whole percent is within": (Estimate(0.5, 0.4, 0.6), (50, 40, 60)),
    "but never beyond the score": (Estimate(1.0, 0.999, 0.9999), (100, 100, 100)),
}


@pytest.mark.parametrize("case", PERCENTS)
def test_of_whole_percents(case: str) -> None:
    estimate, wanted = PERCENTS[case]
    assert estimate.percents() == wanted


def test_probes_of_one_template_that_all_agree_count_as_one() -> None:
    agreed = Stratum(((20, 20), (0, 20), (20, 20), (0, 20)), 1.0)
    mixed = Stratum(((10, 20),) * 4, 1.0)
    few = Stratum(((1, 1), (0, 1)) * 2, 1.0)
    wide, narrow, four = (intervals.estimate([one]).half_width_percent for one in (agreed, mixed, few))

    assert narrow < 15 < wide
    assert wide == pytest.approx(four, rel=0.35)
