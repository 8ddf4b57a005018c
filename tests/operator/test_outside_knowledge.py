"""What a profile's status says where decisions go by what others measured, or by less than was measured."""

from typing import Any

from fakes.profiled import Story, measured, profile
from steelyard.api.backend import Location
from steelyard.api.profile import Prior
from steelyard.routing.table import Problem

PRIOR: dict[str, Any] = {"category": "Writing", "scorePercent": 74, "samples": 20, "source": "arena, 2026-10"}


def test_an_external_model_with_priors_is_ready_without_a_run() -> None:
    story = Story(profile=profile(priors=[PRIOR]), location=Location.EXTERNAL)
    story.settle()
    assert story.made == []
    assert story.said("Ready") == ("True", "PriorsOnly")
    assert story.said("Fresh") == ("False", "NotMeasured")


def test_what_is_measured_comes_before_priors() -> None:
    story = measured(profile=profile(priors=[PRIOR]))
    assert story.said("Ready") == ("True", "Measured")


def test_a_change_of_priors_is_no_reason_to_measure_again() -> None:
    story = measured()
    story.change(
        priors=(
            Prior.model_validate_json('{"category": "Math", "scorePercent": 9, "samples": 9, "source": "a"}'),
        )
    )
    story.settle()
    assert len(story.made) == 1
    assert story.said("Fresh") == ("True", "Current")


def test_a_bitmap_that_is_not_used_is_told_in_ready() -> None:
    story = measured()
    wrong = Problem(
        "ModelProfile", "llm", "one", "Ready", "BitmapInvalid", "It is no base64.", excludes=False
    )
    story.problems = (wrong,)
    story.settle()
    assert story.said("Ready") == ("True", "BitmapInvalid")
