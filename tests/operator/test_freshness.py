"""Whether a measurement holds: what changed, what aged, what drifted, and what of it asks for a run."""

from datetime import timedelta
from typing import Any

import pytest

from fakes.profiled import (
    BAD,
    GOOD,
    OTHER_DIGEST,
    Story,
    backend,
    measured,
    profile,
    read_back,
    site,
    with_gpus,
)
from steelyard.api.backend import Location
from steelyard.api.measuring import Refresh
from steelyard.api.meta import PROFILE_NOW
from steelyard_operator import freshness
from steelyard_operator.drift import Drift, Verdict
from steelyard_operator.plans import Plan
from steelyard_operator.queue import Wait

SLOW = "The first byte comes 3.0 times as late as measured."


def waits(plan: Plan) -> float:
    """How long, in seconds."""
    assert isinstance(plan.outcome, Wait)
    return plan.outcome.seconds


def equip(story: Story, *gpus: str | None) -> None:
    """Other GPUs are behind the engine."""
    assert story.backend is not None
    story.backend = with_gpus(story.backend, *gpus)


def measured_with(story: Story, suite: str) -> None:
    """The measurement is one of this suite."""
    assert story.status.fingerprint is not None
    mark = story.status.fingerprint.model_copy(update={"suite": suite})
    story.profile = read_back(story.profile, story.status.model_copy(update={"fingerprint": mark}))


def judge(story: Story, verdict: Verdict, words: str = "") -> None:
    """Gateways were heard."""
    assert story.status.fingerprint is not None
    story.drift = Drift(story.status.fingerprint.time, verdict, words)


def slow_down(story: Story) -> None:
    """Gateways see the model answer late, a while after it was measured."""
    story.now += timedelta(minutes=20)
    judge(story, Verdict.DRIFTED, SLOW)


STALE: dict[str, tuple[Any, str]] = {
    "another digest": (lambda story: story.upgrade(digest=OTHER_DIGEST), "ModelChanged"),
    "another version": (lambda story: story.upgrade(version="2.0"), "EngineChanged"),
    "another seed": (lambda story: story.change(seed=2), "SpecChanged"),
    "another GPU": (lambda story: equip(story, "NVIDIA H100"), "GpuChanged"),
    "one GPU more": (lambda story: equip(story, "NVIDIA L4", "NVIDIA L4"), "GpuChanged"),
    "a newer suite": (lambda story: measured_with(story, "Quick/0"), "SuiteChanged"),
    "another suite": (lambda story: measured_with(story, "Other/1"), "SpecChanged"),
    "drift": (lambda story: slow_down(story), "Drifted"),
}

CHANGES = {case for case, (_, reason) in STALE.items() if reason != "SpecChanged"}


@pytest.mark.parametrize("case", STALE)
def test_what_changed_is_measured_again(case: str) -> None:
    change, reason = STALE[case]
    story = measured(backend=with_gpus(backend(), "NVIDIA L4"))
    change(story)
    plan = story.settle()
    assert plan.job is not None and story.run.reason == reason
    assert story.said("Fresh") == ("False", reason)
    assert story.said("Ready") == ("True", "Measured"), "the old measurement counts until then"


@pytest.mark.parametrize("case", sorted(CHANGES))
def test_a_change_is_told_and_no_cause_where_on_change_is_false(case: str) -> None:
    change, reason = STALE[case]
    story = measured(profile=profile(refresh={"onChange": False}), backend=with_gpus(backend(), "NVIDIA L4"))
    change(story)
    assert story.settle().job is None
    assert story.said("Fresh") == ("False", reason)
    assert "steelyard.dev/profile-now" in story.condition("Fresh").message

    story.annotate("now")
    story.settle()
    assert story.is_measuring and story.run.reason == "Asked"


def test_what_an_engine_does_not_tell_is_no_change() -> None:
    story = measured()
    story.upgrade(None, None)
    assert story.settle().job is None
    story.site = None
    assert story.settle().status is None


def test_what_an_engine_tells_for_the_first_time_is_no_change() -> None:
    story = measured(backend=backend(None, None), site=site(None, None))
    story.upgrade()
    assert story.settle().job is None


def test_a_measurement_that_grew_old_is_made_again_when_that_happens() -> None:
    story = measured(profile=profile(refresh={"maxAgeHours": 2}))
    pause = waits(story.settle())
    assert 2 * 3600 < pause < 2 * 3600 + 5
    assert story.wait(hours=2).job is None
    story.wait(seconds=pause - 2 * 3600)
    assert story.is_measuring
    assert story.said("Fresh") == ("False", "TooOld")


def test_a_longer_age_forgives() -> None:
    story = measured(location=Location.EXTERNAL, profile=profile({"annotations": {PROFILE_NOW: "1"}}))
    story.wait(hours=169)
    assert story.said("Fresh") == ("False", "TooOld")
    story.change(refresh=Refresh(max_age_hours=1000))
    story.settle()
    assert story.said("Fresh") == ("True", "Current")


def undate(story: Story) -> None:
    """The fingerprint has no time, as people write it."""
    assert story.status.fingerprint is not None
    mark = story.status.fingerprint.model_copy(update={"time": None})
    story.profile = read_back(story.profile, story.status.model_copy(update={"fingerprint": mark}))


def test_without_a_time_a_measurement_is_as_old_as_the_run_that_made_it() -> None:
    story = measured()
    undate(story)
    pause = waits(story.settle())
    assert 168 * 3600 < pause < 168 * 3600 + 5
    assert story.wait(hours=168).job is None and story.said("Fresh") == ("True", "Current")

    story.wait(seconds=5)
    for _ in range(2):
        assert story.is_measuring and story.said("Fresh") == ("False", "TooOld")
        story.end(BAD, exit_code=1, reason="Error")
        assert story.said("Fresh") == ("False", "TooOld"), "a run that failed makes nothing younger"
        story.wait(hours=1)
    story.end(GOOD)
    assert story.said("Fresh") == ("True", "Current")
    assert story.status.fingerprint is not None and story.status.fingerprint.time is not None


def test_without_a_time_the_age_is_not_that_of_a_run_that_failed_for_another_cause() -> None:
    story = measured()
    undate(story)
    story.annotate("now")
    story.settle()
    story.end(BAD, exit_code=1, reason="Error")
    assert freshness.measured_at(story.status) is None
    assert story.said("Fresh") == ("True", "Current")


UNCHANGED: dict[str, Any] = {
    "GPUs that nobody tells of": lambda story: equip(story),
    "a GPU without a name": lambda story: equip(story, None),
    "GPUs in another order": lambda story: equip(story, "NVIDIA L4", "NVIDIA A10"),
    "a suite that is newer than the operator's": lambda story: measured_with(story, "Quick/999"),
    "no drift": lambda story: judge(story, Verdict.STEADY),
    "a drift of an earlier measurement": lambda story: setattr(
        story, "drift", Drift(story.now - timedelta(hours=1), Verdict.DRIFTED, SLOW)
    ),
}


@pytest.mark.parametrize("case", UNCHANGED)
def test_what_is_no_change_asks_for_nothing(case: str) -> None:
    story = measured(backend=with_gpus(backend(), "NVIDIA A10", "NVIDIA L4"))
    UNCHANGED[case](story)
    story.settle()
    assert not story.is_measuring and story.said("Fresh") == ("True", "Current")


def test_endpoints_with_different_gpus_tell_of_no_change() -> None:
    story = measured(backend=with_gpus(backend(), "NVIDIA L4", exporters=2))
    assert story.backend is not None
    others = with_gpus(story.backend, "NVIDIA H100", exporters=2).status
    first, second = others.gpu_exporters
    mixed = others.model_copy(
        update={
            "gpus": (*story.backend.status.gpus, others.gpus[0].model_copy(update={"uuid": "GPU-9"})),
            "gpu_exporters": (first, second.model_copy(update={"uuids": ("GPU-9",)})),
        }
    )
    story.backend = story.backend.model_copy(update={"status": mixed})
    story.settle()
    assert story.said("Fresh") == ("True", "Current")


def test_the_fingerprint_names_the_gpus_of_the_endpoint_that_was_measured() -> None:
    story = measured(backend=with_gpus(backend(), "NVIDIA L4", "NVIDIA A10", "NVIDIA L4"))
    assert story.status.fingerprint and story.status.fingerprint.gpu == "NVIDIA A10 + 2x NVIDIA L4"


def test_gpus_that_are_told_of_only_during_the_run_are_in_the_fingerprint() -> None:
    story = Story()
    story.settle()
    equip(story, "NVIDIA L4")
    story.end(GOOD)
    assert story.status.fingerprint and story.status.fingerprint.gpu == "NVIDIA L4"


def test_what_changed_is_said_with_both_values() -> None:
    story = measured()
    story.upgrade(version="2.0")
    story.settle()
    said = story.condition("Fresh").message
    assert said == f"{freshness.STALE['EngineChanged']} Now it is 2.0; 1.0 was measured."


def test_a_drift_is_said_with_how_it_showed() -> None:
    story = measured()
    slow_down(story)
    story.settle()
    assert story.condition("Fresh").message == f"{freshness.STALE['Drifted']} {SLOW}"


def test_a_restart_knows_of_a_drift_what_the_status_says() -> None:
    story = measured(profile=profile(refresh={"onChange": False}))
    slow_down(story)
    story.settle()
    before = story.condition("Fresh")
    story.drift = Drift()
    assert story.settle().status is None
    assert story.condition("Fresh") == before


@pytest.mark.parametrize("verdict", [Verdict.STEADY, Verdict.UNREACHABLE])
def test_a_drift_that_is_over_or_that_nobody_tells_of_is_none(verdict: Verdict) -> None:
    story = measured(profile=profile(refresh={"onChange": False}))
    slow_down(story)
    story.settle()
    judge(story, verdict)
    story.settle()
    assert story.said("Fresh") == ("True", "Current")


def test_drift_is_not_looked_at_where_any_speed_is_allowed() -> None:
    story = measured(profile=profile(refresh={"driftPercent": 0}))
    slow_down(story)
    story.settle()
    assert story.said("Fresh") == ("True", "Current")


def test_the_old_profile_serves_until_a_run_for_drift_succeeds() -> None:
    story = measured()
    before = story.status
    slow_down(story)
    story.settle()
    for _ in range(2):
        assert story.is_measuring
        story.end(BAD, exit_code=1, reason="Error")
        assert story.status.quality == before.quality and story.status.performance == before.performance
        assert story.status.fingerprint == before.fingerprint
        assert story.said("Ready") == ("True", "Measured") and story.said("Fresh") == ("False", "Drifted")
        story.wait(hours=1)

    story.end(GOOD)
    assert story.said("Fresh") == ("True", "Current") and not story.is_measuring


def test_a_drift_of_the_new_measurement_waits_a_day_for_a_run() -> None:
    story = measured()
    slow_down(story)
    story.settle()
    story.end(GOOD)
    slow_down(story)
    story.settle()
    assert story.said("Fresh") == ("False", "Drifted") and not story.is_measuring

    story.now += freshness.DRIFT_PAUSE
    story.settle()
    assert story.is_measuring and story.run.reason == "Drifted"


def test_another_cause_does_not_wait_for_that_day() -> None:
    story = measured()
    slow_down(story)
    story.settle()
    story.end(GOOD)
    story.upgrade(version="2.0")
    story.settle()
    assert story.is_measuring and story.run.reason == "EngineChanged"


def test_an_external_model_that_drifts_is_not_measured_unasked() -> None:
    story = measured(location=Location.EXTERNAL, profile=profile({"annotations": {PROFILE_NOW: "1"}}))
    slow_down(story)
    story.settle()
    assert story.said("Fresh") == ("False", "Drifted") and not story.is_measuring
