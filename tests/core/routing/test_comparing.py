"""Candidates compared probe by probe: what is good enough, and what nobody can tell."""

from math import sqrt
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.resources import answered, backend, category, measured, policy, resource_set
from steelyard.api import packing
from steelyard.api.resources import AnyResource
from steelyard.routing import bitmaps, comparing, scorers
from steelyard.routing.comparing import Verdict
from steelyard.routing.compiling import compile_table
from steelyard.routing.decision import Difference, Distribution
from steelyard.routing.table import Candidate, Policy

EVENLY: Distribution = ((0, 1 / 3), (1, 1 / 3), (2, 1 / 3))
MATH_EASY: Distribution = ((0, 1.0),)

ANSWERS = st.lists(st.booleans(), min_size=30, max_size=160)
SHARES = st.lists(st.floats(0.01, 1), min_size=3, max_size=3)


def compiled(*profiles: AnyResource) -> tuple[Policy, list[Candidate]]:
    """A policy over these profiles' models, b0, b1, …"""
    backends = [backend(f"b{index}", "m") for index in range(len(profiles))]
    table, problems = compile_table(resource_set(*backends, *profiles, policy("auto", "auto")), "default")
    assert not problems
    return table.policies["auto"][0], list(table.candidates)


def two(ours: list[bool], theirs: list[bool], seed: int = 1) -> tuple[Policy, list[Candidate]]:
    return compiled(answered("b0", "m", Math=ours), answered("b1", "m", seed=seed, Math=theirs))


def good(of: tuple[Policy, list[Candidate]], distribution: Distribution, percent: int) -> set[str]:
    chosen, pairs = of
    qualities = scorers.qualities(pairs, distribution)
    best = comparing.best_of(qualities, range(len(pairs)))
    among = range(len(pairs))
    found = comparing.good_enough(chosen, distribution, percent, pairs, qualities, among=among, best=best)
    return {pairs[index].backend for index in found}


def behind(of: tuple[Policy, list[Candidate]], distribution: Distribution = EVENLY) -> Difference:
    chosen, pairs = of
    return comparing.difference(chosen, pairs[0], pairs[1], distribution)


def shared_out(shares: list[float]) -> Distribution:
    return tuple((cell, share / sum(shares)) for cell, share in enumerate(shares))


def test_a_difference_has_the_moments_of_its_dirichlet_posterior() -> None:
    ours = [index // 3 < 9 for index in range(60)]
    theirs = [index // 3 not in (0, 1, 2, 10) for index in range(60)]
    found = behind(two(ours, theirs), MATH_EASY)
    only_ours, only_theirs, total = 3 + 0.5, 10 + 0.5, 20 + 1.5
    mean = (only_ours - only_theirs) / total
    # Var(p - q) of Dirichlet shares: Var p + Var q - 2 Cov(p, q).
    shares = only_ours / total, only_theirs / total
    variance = sum(share * (1 - share) for share in shares) + 2 * shares[0] * shares[1]
    assert found.is_paired
    assert found.mean == pytest.approx(mean)
    assert found.deviation == pytest.approx(sqrt(variance / (total + 1)))


@settings(deadline=None, max_examples=60)
@given(ours=ANSWERS, theirs=ANSWERS, shares=SHARES)
def test_the_other_way_round_the_difference_is_the_opposite(
    ours: list[bool], theirs: list[bool], shares: list[float]
) -> None:
    distribution = shared_out(shares)
    one, other = behind(two(ours, theirs), distribution), behind(two(theirs, ours), distribution)
    assert one.is_paired
    assert one.mean == pytest.approx(-other.mean)
    assert one.deviation == pytest.approx(other.deviation)


@settings(deadline=None, max_examples=60)
@given(answers=ANSWERS, shares=SHARES, percent=st.integers(0, 100))
def test_who_answered_every_probe_as_the_best_did_is_good_enough(
    answers: list[bool], shares: list[float], percent: int
) -> None:
    assert good(two(answers, answers), shared_out(shares), percent) == {"b0", "b1"}


@settings(deadline=None, max_examples=60)
@given(ours=ANSWERS, theirs=ANSWERS, shares=SHARES, percent=st.integers(0, 60))
def test_good_enough_is_a_mean_within_the_tolerance_and_hardly_a_chance_of_twice_that(
    ours: list[bool], theirs: list[bool], shares: list[float], percent: int
) -> None:
    of, distribution = two(ours, theirs), shared_out(shares)
    one, two_ = scorers.qualities(of[1], distribution)
    if one < two_:
        of[1].reverse()
    found = behind(of, distribution)
    tolerance = percent / 100
    chance = 1 - NormalDist(found.mean, found.deviation).cdf(2 * tolerance)
    wanted = found.mean <= tolerance and chance <= 0.2
    if abs(found.mean - tolerance) > 1e-6 and abs(chance - 0.2) > 1e-6 and abs(one - two_) > 1e-6:
        assert (of[1][1].backend in good(of, distribution, percent)) == wanted


@settings(deadline=None, max_examples=60)
@given(
    ours=st.lists(st.booleans(), min_size=30, max_size=90),
    theirs=st.lists(st.booleans(), min_size=30, max_size=90),
    percent=st.integers(0, 40),
    times=st.integers(2, 4),
)
def test_more_probes_that_tell_the_same_never_make_one_good_that_is_worse(
    ours: list[bool], theirs: list[bool], percent: int, times: int
) -> None:
    length = min(len(ours), len(theirs)) // 3 * 3
    ours, theirs = ours[:length], theirs[:length]
    few, many = behind(two(ours, theirs)), behind(two(ours * times, theirs * times))
    assert many.deviation < few.deviation
    if few.mean > percent / 100:
        assert many.mean > percent / 100
        assert "b1" not in good(two(ours * times, theirs * times), EVENLY, percent)


def test_of_unequal_lengths_the_probes_that_both_were_asked_count() -> None:
    short, long = [True] * 40, [True] * 40 + [False] * 40
    found = behind(two(long, short))
    assert found.is_paired
    assert found.mean == 0


NOT_PAIRED = {
    "another seed": (two([True] * 60, [True] * 60, seed=2), EVENLY),
    "a cell with nine common probes": (two([True] * 60, [True] * 27), EVENLY),
    "a cell that neither was asked": (two([True] * 60, [True] * 60), ((0, 0.9), (29, 0.1))),
    "a profile without bitmaps": (
        compiled(answered("b0", "m", Math=[True] * 60), measured("b1", "m", 90)),
        EVENLY,
    ),
}


@pytest.mark.parametrize("case", NOT_PAIRED)
def test_expected_qualities_are_compared_where_probes_cannot_be(case: str) -> None:
    of, distribution = NOT_PAIRED[case]
    first, second = scorers.qualities(of[1], distribution)
    found = behind(of, distribution)
    assert not found.is_paired
    assert found.mean == pytest.approx(first - second)
    assert found.deviation > 0


def test_the_cell_with_too_few_probes_counts_only_for_requests_that_ask_for_it() -> None:
    ours, theirs = [True] * 60, [True] * 30
    assert behind(two(ours, theirs), MATH_EASY).is_paired
    of = compiled(
        answered("b0", "m", Math=ours, Coding=ours[:20]), answered("b1", "m", Math=theirs, Coding=theirs[:20])
    )
    assert behind(of, MATH_EASY).is_paired
    assert not behind(of, ((0, 0.99), (3, 0.01))).is_paired


@pytest.mark.parametrize(
    ("mean", "deviation", "verdict"),
    [
        (0.0, 0.02, Verdict.WITHIN),
        (0.04, 0.02, Verdict.UNKNOWN),
        (0.2, 0.02, Verdict.BEYOND),
        (0.05, 0.0, Verdict.WITHIN),
    ],
)
def test_a_difference_is_known_where_its_interval_is_on_one_side_of_the_tolerance(
    mean: float, deviation: float, verdict: Verdict
) -> None:
    best = compiled(measured("b0", "m", 90))[1][0]
    assert comparing.verdict(Difference(best, mean, deviation, is_paired=True), 5) is verdict


def test_the_pairings_of_seldom_bests_are_forgotten() -> None:
    profiles = [answered(f"b{index}", "m", Math=[True] * 30) for index in range(comparing.KEPT_BESTS + 2)]
    chosen, pairs = compiled(*profiles)
    for one in pairs:
        comparing.difference(chosen, one, pairs[0], EVENLY)
    assert len(chosen.pairings) <= comparing.KEPT_BESTS


@settings(deadline=None, max_examples=60)
@given(st.lists(st.booleans(), min_size=3, max_size=160))
def test_the_profilers_bitmaps_are_read_as_they_were_meant(answers: list[bool]) -> None:
    score = {**category("Math", answers), "bitmap": packing.packed(answers)}
    mark = {"suite": "Standard/1", "seed": 1}
    profile = measured("b0", "m", 90, fingerprint=mark, quality={"categories": [score]})
    known, wrong = bitmaps.read(profile.status)
    assert wrong == []
    assert known is not None
    assert [known.bits[0] >> (len(answers) - 1 - index) & 1 for index in range(len(answers))] == answers


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no base64": ({"bitmap": "AAA"}, "is no base64"),
    "too short": ({"bitmap": "////"}, "has 3 bytes, where 30 samples take 4"),
    "too long": ({"bitmap": "//////8="}, "has 5 bytes"),
    "other passes": ({"bitmap": "f////A=="}, "has 9 of 10 passed at level Easy, where levels says 10 of 10"),
    "other samples": (
        {"levels": [{"level": "Easy", "passed": 30, "samples": 30}]},
        "has 10 of 10 passed at level Easy, where levels says 30 of 30",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_bitmap_that_cannot_be_right_is_named_and_the_rest_of_the_profile_counts(case: str) -> None:
    change, words = WRONG[case]
    score = {**category("Math", [True] * 30), **change}
    profile = measured(
        "b0", "m", 90, fingerprint={"suite": "Standard/1", "seed": 1}, quality={"categories": [score]}
    )
    table, problems = compile_table(resource_set(backend("b0", "m"), profile), "default")
    assert table.candidates[0].measured
    (problem,) = problems
    assert (problem.condition, problem.reason, problem.excludes) == ("Ready", "BitmapInvalid", False)
    assert problem.message.startswith("status.quality.categories[Math].bitmap ")
    assert words in problem.message
    answers = table.candidates[0].answers
    assert answers is None or answers.counts[0] == 0
