"""What is told of a profile's runs: Events, the history, and runs that measure quality alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fakes import profiled
from fakes.profiled import BAD, BETTER, GOOD, NOW, OTHER_DIGEST, Story, measured, profile
from steelyard.api.measuring import Suite
from steelyard.api.profile import ModelProfileStatus
from steelyard_operator.drift import Drift, Verdict
from steelyard_profiler import report, workload

SUITE = workload.version(Suite.QUICK)
QUALITY_ALONE = report.encode(replace(profiled.result(), performance=None))


def reasons(story: Story) -> list[str]:
    """Of the Events so far."""
    return [reason for _, reason, _ in story.told]


def busy_for_too_long() -> Story:
    """A story whose engine is busy, waited for in vain, and measured all the same."""
    story = Story(is_idle=False, profile=profile(limits={"maxIdleWaitSeconds": 60}))
    story.settle()
    story.has_waited_out = True
    story.settle()
    return story


def test_describe_tells_the_story_of_a_change() -> None:
    story = measured()
    story.is_idle = False
    story.upgrade(version="2.0")
    story.settle()
    story.wait(minutes=1)
    story.is_idle = True
    story.wait(minutes=1)
    story.end(BAD, exit_code=1, reason="Error")
    story.wait(minutes=1)
    story.end(BETTER)

    began = "measures the model (EngineChanged)."
    assert [(kind, reason) for kind, reason, _ in story.told] == [
        ("Normal", "RunBegan"),
        ("Normal", "Measured"),
        ("Normal", "EngineChanged"),
        ("Normal", "WaitingForIdle"),
        ("Normal", "RunBegan"),
        ("Warning", "Timeout"),
        ("Normal", "RunBegan"),
        ("Normal", "Measured"),
    ]
    words = [message for _, _, message in story.told]
    assert words[2].endswith("Now it is 2.0; 1.0 was measured.")
    assert words[3] == "Waits until engine@10.0.0.1:8000 has no request under way."
    assert words[4] == f"Job {story.made[1]} {began}" and words[6] == f"Job {story.made[2]} {began}"
    assert words[5] == "The engine sent nothing. What was measured before stands."


def test_a_first_run_tells_what_it_waits_for() -> None:
    story = Story(is_idle=False)
    story.settle()
    story.wait(minutes=1)
    assert reasons(story) == ["WaitingForIdle"]
    story.is_idle = True
    story.settle()
    assert reasons(story) == ["WaitingForIdle", "RunBegan"]


def test_a_drift_is_a_warning_and_its_end_is_told() -> None:
    story = measured(profile=profile(refresh={"onChange": False}))
    assert story.status.fingerprint is not None
    at = story.status.fingerprint.time
    for verdict in (Verdict.DRIFTED, Verdict.STEADY):
        story.drift = Drift(at, verdict, "Slow.")
        story.wait(minutes=20)
    kinds = [(kind, reason) for kind, reason, _ in story.told[2:]]
    assert kinds == [("Warning", "Drifted"), ("Normal", "Current")]


def test_nothing_is_told_twice() -> None:
    story = measured()
    story.upgrade(OTHER_DIGEST)
    story.settle()
    before = list(story.told)
    for _ in range(3):
        story.wait(minutes=1)
    assert story.told == before


def test_an_engine_that_is_never_idle_is_measured_without_its_speed() -> None:
    story = busy_for_too_long()
    assert story.is_measuring
    assert story.jobs[story.job_name].mark.quality_only
    assert story.told[-1][2].endswith(
        "(NotMeasured). Only quality: the engine had other requests all the time."
    )

    story.end(QUALITY_ALONE)
    said = story.condition("Succeeded")
    assert (said.status.value, said.reason) == ("True", "Measured")
    assert said.message.startswith("Only quality was measured, one question at a time, and no speed: ")
    assert "limits.maxIdleWaitSeconds = 60" in said.message
    assert story.status.quality is not None and story.status.performance is None
    assert story.said("Fresh") == ("True", "Current")


def test_an_engine_that_is_idle_is_measured_whole() -> None:
    story = measured()
    assert not story.jobs[story.job_name].mark.quality_only
    assert story.condition("Succeeded").message == ""


@pytest.mark.parametrize(("version", "stays"), [("1.0", True), ("2.0", False)])
def test_the_speed_known_before_stays_where_the_engine_is_the_same(version: str, *, stays: bool) -> None:
    story = measured(backend=profiled.backend(cost={"usdPerHour": "1.80"}))
    before = story.status
    assert before.performance is not None and before.price is not None
    story.upgrade(version=version)
    story.annotate("now")
    story.is_idle, story.has_waited_out = False, True
    story.settle()
    story.end(QUALITY_ALONE)
    expected = (before.performance, before.price) if stays else (None, None)
    assert (story.status.performance, story.status.price) == expected


def test_the_history_has_the_last_three_runs_newest_first() -> None:
    story = Story()
    for number, line in enumerate((GOOD, BETTER, GOOD, GOOD)):
        story.annotate(str(number))
        story.wait(hours=1)
        story.end(line)
    times = [(NOW + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ") for hour in (4, 3, 2)]
    scores = ("75%", "75%", "100%")
    lines = tuple(f"{at} {SUITE} {score} 3 tok/s Measured" for at, score in zip(times, scores, strict=True))
    assert story.status.history == lines


def test_failures_in_a_row_push_nothing_out_of_the_history() -> None:
    story = measured()
    story.annotate("again")
    story.settle()
    for _ in range(4):
        story.end(BAD, exit_code=1, reason="Error")
        story.wait(hours=2)
    newest, earlier = story.status.history
    assert newest.endswith(f"Z {SUITE} Timeout") and earlier.endswith(" 75% 3 tok/s Measured")


def test_a_run_of_quality_alone_has_no_speed_in_the_history() -> None:
    story = busy_for_too_long()
    story.end(QUALITY_ALONE)
    assert story.status.history[0].endswith(f" {SUITE} 75% Measured")


def test_a_line_of_the_history_fits() -> None:
    longest = f"2026-11-21T10:00:00Z {'s' * 64} 100% {2**53} tok/s {'R' * 63}"
    assert ModelProfileStatus(history=(longest,) * 3).history == (longest,) * 3
