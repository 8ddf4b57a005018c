"""Whether profiles tell a policy's candidates apart, and the suite that could."""

from typing import Any

import pytest

from fakes.resources import answered, backend, measured, policy, resource_set
from steelyard.api.measuring import Suite
from steelyard.api.resources import AnyResource
from steelyard.routing import precision
from steelyard.routing.compiling import compile_table
from steelyard.routing.precision import Precision
from steelyard_profiler import workload


def judged(*profiles: AnyResource, **spec: Any) -> Precision | None:
    """How precise the policy of this spec is over these profiles' models, b0, b1, …"""
    resource = policy("auto", "auto", **spec)
    backends = [backend(f"b{index}", f"m{index}") for index in range(len(profiles))]
    table, _ = compile_table(resource_set(*backends, *profiles, resource), "default")
    return precision.precision(resource, table)


def answers(count: int, *, failed: int) -> list[bool]:
    """Answers of which the first so many of each level are wrong."""
    return [index // 3 >= failed for index in range(count)]


def two(count: int, failed: int, **spec: Any) -> Precision | None:
    """Of two models, one fails so many probes more of each level."""
    return judged(
        answered("b0", "m0", Math=answers(count, failed=0)),
        answered("b1", "m1", Math=answers(count, failed=failed)),
        **spec,
    )


TOLD_APART = {
    "both answer alike on many probes": (160, 0),
    "one is far behind": (80, 20),
}


@pytest.mark.parametrize("case", TOLD_APART)
def test_profiles_are_precise_where_each_difference_is_on_one_side_of_the_tolerance(case: str) -> None:
    found = two(*TOLD_APART[case])
    assert found == Precision(1, ())


SUITES: dict[str, tuple[int, int, Suite | None]] = {
    "a few probes of a model that is behind by 15 points": (20, 1, Suite.STANDARD),
    "eighty probes of one that is behind by 7 points": (80, 2, None),
    "twenty probes of one that answers alike": (20, 0, Suite.STANDARD),
}


@pytest.mark.parametrize("case", SUITES)
def test_the_smallest_suite_that_would_tell_is_named(case: str) -> None:
    count, failed, suite = SUITES[case]
    found = two(count, failed)
    assert found is not None
    (doubt,) = found.doubts
    assert doubt.suite == suite
    assert doubt.other.model == "m1"
    assert doubt.difference.best.model == "m0"
    told = precision.sentence(found.doubts, 5)
    assert "Math: m1 on b1 is" in told
    assert "points behind m0 on b0" in told
    assert (f"spec.suite: {suite} would tell 1 of 1" in told) == bool(suite)
    assert ("another tolerancePercent" in told) != bool(suite)


UNUSED: dict[str, dict[str, Any]] = {
    "the goal is Best": {"goal": "Best"},
    "the goal is Balanced": {"goal": "Balanced"},
    "one model is selected": {"candidates": [{"models": ["m0"]}]},
    "another model fails what is required": {"require": {"minQualityPercent": 90}},
    "each is an entry of its own": {
        "order": "AsListed",
        "candidates": [{"models": ["m0"]}, {"models": ["m1"]}],
    },
}


@pytest.mark.parametrize("case", UNUSED)
def test_nothing_is_said_where_the_tolerance_makes_no_difference(case: str) -> None:
    assert two(20, 4, **UNUSED[case]) is None


def test_one_name_that_goes_by_the_tolerance_is_enough() -> None:
    names = [{"name": "auto"}, {"name": "auto-cheap", "goal": "Cheapest"}]
    assert two(20, 1, goal="Best", models=names) is not None


def test_only_categories_that_both_were_measured_in_are_compared() -> None:
    found = judged(
        answered("b0", "m0", Math=answers(20, failed=0), Coding=answers(20, failed=0)),
        answered("b1", "m1", Coding=answers(20, failed=1)),
    )
    assert found is not None
    assert [doubt.category for doubt in found.doubts] == ["Coding"]
    assert found.compared == 1


def test_another_tolerance_is_another_question() -> None:
    (narrow, wide) = (two(80, 2, tolerancePercent=percent) for percent in (5, 30))
    assert narrow is not None
    assert wide is not None
    assert (len(narrow.doubts), len(wide.doubts)) == (1, 0)


def test_replicas_of_one_model_are_no_pair() -> None:
    resource = policy("auto", "auto")
    backends = [backend(f"b{index}", "m") for index in range(2)]
    profiles = [answered(f"b{index}", "m", Math=answers(20, failed=0)) for index in range(2)]
    table, _ = compile_table(resource_set(*backends, *profiles, resource), "default")
    assert precision.precision(resource, table) is None


def test_the_nearest_fifty_are_compared() -> None:
    profiles = [measured(f"b{index}", f"m{index}", 90) for index in range(precision.MOST_COMPARED + 10)]
    found = judged(*profiles)
    assert found is not None
    categories = 7  # as many as `measured` has
    assert found.compared == categories * precision.MOST_COMPARED


def test_suites_are_taken_to_ask_what_the_profiler_asks() -> None:
    assert dict(precision.SUITES) == {suite: plan.batch_ends[-1] for suite, plan in workload.PLANS.items()}
