"""What the benchmark makes of measured values: medians, intervals, tables and verdicts."""

import random

import pytest

from bench import contestants, estimates, musts, report, tables
from bench.estimates import Estimate
from bench.measures import Quantity, Series
from bench.musts import Comparison, Must
from bench.rounds import Case
from bench.tables import Table


def series(rates: list[float], **once: float) -> Series:
    """A contestant whose rounds had these rates, 10 µs of CPU time each, and no errors."""
    rounds = [{Quantity.RATE: rate, Quantity.CPU_US: 10.0, Quantity.ERRORS: 0.0} for rate in rates]
    return Series(list(rounds), {Quantity[name]: value for name, value in once.items()})


def case(*baselines: str, adds_to: str = "") -> Case:
    return Case("one", "A title", lambda folder, port: pytest.fail("not run"), (), baselines, adds_to)


def test_a_quantile_lies_between_the_values_next_to_it() -> None:
    assert estimates.quantile([1, 2, 3, 4], 0.5) == 2.5
    assert estimates.quantile([1, 2, 3, 4], 0) == 1
    assert estimates.quantile([1, 2, 3, 4], 1) == 4
    assert estimates.quantile([0, 100], 0.99) == pytest.approx(99)


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no quantile"):
        estimates.quantile([], 0.5)


def test_an_outlier_moves_neither_the_median_nor_the_interval() -> None:
    found = estimates.estimate([10, 10, 10, 10, 1000, 10, 10, 10, 10])

    assert found == Estimate(10, 10, 10)


def test_an_interval_holds_its_median_and_narrows_with_more_rounds() -> None:
    draw = random.Random(1)
    few = estimates.estimate([draw.gauss(100, 10) for _ in range(9)])
    many = estimates.estimate([draw.gauss(100, 10) for _ in range(900)])

    assert few.low < few.value < few.high
    assert (many.high - many.low) < (few.high - few.low) / 4
    assert many.low < 100 < many.high


def test_the_same_values_give_the_same_interval() -> None:
    values = [3.0, 1.0, 4.0, 1.0, 5.0]

    assert estimates.estimate(values) == estimates.estimate(values)


def test_one_round_is_its_own_interval() -> None:
    assert estimates.estimate([7]) == Estimate(7, 7, 7)


def test_a_ratio_is_taken_round_by_round_so_that_a_slow_round_does_not_count() -> None:
    assert estimates.ratio([20, 40, 2], [10, 20, 1]) == Estimate(2, 2, 2)


def test_a_difference_is_taken_round_by_round() -> None:
    assert estimates.difference([11, 21, 31], [10, 20, 30]) == Estimate(1, 1, 1)


def test_rounds_that_do_not_pair_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        estimates.ratio([1, 2], [1])


@pytest.mark.parametrize(
    ("value", "shown"),
    [(45_900.4, "45 900"), (1_234_567, "1 234 567"), (999.4, "999"), (23.456, "23.5"), (1.234, "1.23")],
)
def test_figures_show_the_digits_that_count(value: float, shown: str) -> None:
    assert tables.figure(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.0123, "0.012"), (0, "0.00"), (-0.05, "-0.050")])
def test_small_figures_do_not_vanish(value: float, shown: str) -> None:
    assert tables.figure(value) == shown


def test_text_aligns_names_to_the_left_and_figures_to_the_right() -> None:
    made = Table("Title", ("", "rate"), (("nginx", "57 090"), ("ours", "120")))

    assert tables.text(made).splitlines() == [
        "Title",
        "         rate",
        "─────  ──────",
        "nginx  57 090",
        "ours      120",
    ]


def test_markdown_is_a_table_of_a_page() -> None:
    made = Table("Title", ("", "rate"), (("ours", "120"),))

    assert tables.markdown(made) == "**Title**\n\n|  | rate |\n| --- | --: |\n| ours | 120 |\n"


def test_a_table_shows_medians_ratios_and_all_errors() -> None:
    slow, fast = series([10, 12, 11], RSS_MIB=50), series([20, 24, 22])
    fast.rounds[1] = {**fast.rounds[1], Quantity.ERRORS: 3}
    made = report.table(case("slow", "absent"), {"slow": slow, "fast": fast})

    assert made.heads == ("", "per second", "× slow", "CPU µs each", "errors", "RSS MiB")
    assert made.rows == (
        ("slow", "11.0", "1", "10.0", "0", "50.0"),
        ("fast", "22.0", "2.00 [2.00–2.00]", "10.0", "3", "–"),
    )


def test_a_table_of_delays_shows_what_is_added_to_those_of_the_load() -> None:
    direct, ours = Series([{Quantity.P50_MS: 0.5}] * 3), Series([{Quantity.P50_MS: 0.75}] * 3)
    made = report.table(case(adds_to="direct"), {"direct": direct, "ours": ours})

    assert made.heads == ("", "p50 ms", "added")
    assert made.rows == (("direct", "0.50", "–"), ("ours", "0.75", "0.25 [0.25–0.25]"))


def faster(must: float | None, aim: float) -> Must:
    return Must("x", "one", "ours", Quantity.RATE, Comparison.RATIO, "other", must, aim, at_least=True)


def lighter(must: float, aim: float) -> Must:
    return Must("x", "one", "ours", Quantity.RSS_MIB, Comparison.VALUE, "", must, aim, at_least=False)


@pytest.mark.parametrize(
    ("one", "low", "high", "verdict"),
    [
        (faster(1.3, 1.8), 1.24, 1.4, "met"),
        (faster(1.3, 1.8), 1.23, 1.4, "NOT met"),
        (faster(1.3, 1.8), 1.72, 1.9, "aim met"),
        (faster(None, 0.8), 0.7, 0.7, "aim not met"),
        (lighter(90, 60), 94, 94, "met"),
        (lighter(90, 60), 80, 95, "NOT met"),
        (lighter(90, 60), 50, 63, "aim met"),
    ],
)
def test_a_promise_is_kept_when_the_worse_end_of_the_interval_is_within_five_percent(
    one: Must, low: float, high: float, verdict: str
) -> None:
    assert musts.verdict(one, Estimate((low + high) / 2, low, high)) == verdict


def test_a_promise_is_measured_as_a_ratio_a_difference_or_a_value() -> None:
    results = {"one": {"ours": series([20, 40], RSS_MIB=50), "other": series([10, 20], RSS_MIB=40)}}
    added = Must("x", "one", "ours", Quantity.RSS_MIB, Comparison.ADDED, "other", 1, 1, at_least=False)

    assert musts.measured(faster(1, 1), results) == Estimate(2, 2, 2)
    assert musts.measured(lighter(1, 1), results) == Estimate(50, 50, 50)
    assert musts.measured(added, results) == Estimate(10, 10, 10)


def test_a_promise_whose_rival_is_not_there_is_not_measured() -> None:
    results = {"one": {"ours": series([20, 40])}}

    assert musts.measured(faster(1, 1), results) is None
    assert musts.verdict(faster(1, 1), None) == "not measured"


def test_only_promises_about_cases_that_ran_are_shown() -> None:
    results = {
        "requests": {contestants.OURS: series([40_000.0]), contestants.VLLM_ROUTER: series([20_000.0])}
    }
    made = musts.table(results)
    first = made.rows[0]

    assert {one.what for one in musts.MUSTS if one.case == "requests"} == {row[0] for row in made.rows}
    assert first[1:] == ("2.00 [2.00–2.00]", "1.00 [1.00–1.00]", "≥ 1.3", "≥ 1.8", "aim met")
