"""When a profile is measured, what keeps it from that, and how it ends."""

from datetime import timedelta
from typing import Any

import pytest

from fakes.profiled import BAD, GOOD, NOW, OTHER_DIGEST, Story, backend, measured, profile, site
from steelyard.api.backend import Location
from steelyard.routing.table import Problem
from steelyard_operator import jobs, profiles, runs
from steelyard_operator.plans import DONE, Plan
from steelyard_operator.queue import Wait


def waits(plan: Plan) -> float:
    """How long, in seconds."""
    assert isinstance(plan.outcome, Wait)
    return plan.outcome.seconds


def problem(condition: str, reason: str) -> Problem:
    return Problem("ModelProfile", "llm", "one", condition, reason, "Mend it.", excludes=True)


def fail(story: Story) -> None:
    story.end(BAD, exit_code=1, reason="Error")


def test_a_new_profile_is_measured_at_once() -> None:
    story = Story()
    plan = story.look()

    assert plan.job is not None and plan.outcome == DONE
    assert story.is_measuring
    assert (story.run.start_time, story.run.attempts, story.run.job_name) == (NOW, 1, story.made[0])
    assert story.said("Ready") == ("False", "Measuring")
    assert story.said("Fresh") == ("False", "NotMeasured")
    assert story.said("Accepted") == ("True", "Accepted")
    assert story.said("ResolvedRefs") == ("True", "Resolved")


def test_a_plan_made_twice_makes_one_job() -> None:
    first, second = (profiles.plan(Story().seen, (), "profiler:1") for _ in range(2))
    assert first == second and first.job is not None


def test_every_run_has_a_job_of_its_own() -> None:
    story = Story()
    story.settle()
    for end in (GOOD, BAD, GOOD):
        story.end(end)
        story.annotate(f"after {story.job_name}")
        story.wait(hours=1)
    assert len(set(story.made)) == len(story.made) == 4


def test_profiles_of_one_name_do_not_share_their_jobs() -> None:
    one, other = Story(), Story(profile=profile({"uid": "uid-another"}))
    one.settle()
    other.settle()
    assert one.made != other.made


def test_a_job_that_is_there_without_the_status_that_says_so_is_taken_over() -> None:
    lost = Story()
    lost.settle()
    story = Story(jobs=lost.jobs, pods=lost.pods, now=NOW + timedelta(minutes=1))
    story.settle()

    assert story.made == []
    assert story.status.run == lost.status.run and story.is_measuring
    story.end(GOOD)
    assert story.said("Succeeded") == ("True", "Measured")


def test_a_job_that_ended_before_its_status_was_written_is_read() -> None:
    lost = Story()
    lost.settle()
    lost_name = lost.job_name
    lost.end(GOOD)
    story = Story(jobs=lost.jobs, pods=lost.pods)
    story.settle()
    assert story.made == [] and story.job_name == lost_name
    assert story.said("Ready") == ("True", "Measured")


@pytest.mark.parametrize(
    ("condition", "reason"), [("Accepted", "Duplicate"), ("ResolvedRefs", "BackendNotFound")]
)
def test_an_excluded_profile_is_not_measured(condition: str, reason: str) -> None:
    story = Story(problems=(problem(condition, reason),))
    story.settle()
    assert story.made == []
    assert story.said(condition) == story.said("Ready") == ("False", reason)
    assert story.condition("Ready").message == "Mend it."

    story.problems = ()
    story.wait(minutes=1)
    assert len(story.made) == 1


def test_a_profile_excluded_during_its_run_keeps_the_times_of_its_conditions() -> None:
    story = Story()
    story.settle()
    story.problems = (problem("Accepted", "Duplicate"),)
    story.wait(minutes=1)
    story.now += timedelta(minutes=1)
    story.end(GOOD)  # each look checks the times
    assert story.said("Accepted") == ("False", "Duplicate")
    assert story.condition("Accepted").last_transition_time == NOW + timedelta(minutes=1)


def test_a_suspended_profile_is_not_measured() -> None:
    story = Story(profile=profile(suspend=True))
    assert story.settle().outcome == DONE
    assert story.made == []
    assert story.said("Ready") == ("False", "Suspended")


def test_suspending_ends_the_run_under_way_and_resuming_begins_another() -> None:
    story = Story()
    story.settle()
    job = story.jobs[story.job_name]
    story.change(suspend=True)
    plan = story.settle()
    assert [(gone.name, gone.uid) for gone in plan.deletions] == [(job.name, job.uid)]
    assert story.said("Succeeded") == ("False", "Suspended")
    assert not story.is_measuring and story.jobs == {}

    story.change(suspend=False)
    story.settle()
    assert story.is_measuring and story.job_name != job.name


def test_a_run_that_was_asked_for_and_suspended_is_still_due() -> None:
    story = Story()
    story.settle()
    story.end(GOOD)
    story.annotate("again")
    story.settle()
    story.change(suspend=True)
    story.settle()
    assert not story.is_measuring

    story.change(suspend=False)
    story.settle()
    assert story.is_measuring


def test_suspending_a_run_that_ended_just_now_reads_its_result() -> None:
    story = Story()
    story.settle()
    story.change(suspend=True)
    story.end(GOOD)
    assert story.said("Ready") == ("True", "Measured")


def test_an_obstacle_is_waited_for_and_named() -> None:
    words = "Waits until an endpoint of LLMBackend engine answers and serves the model."
    story = Story(obstacle=words, site=None)
    plan = story.settle()
    assert story.made == []
    assert waits(plan) == runs.LOOK_SECONDS
    assert (story.said("Ready"), story.condition("Ready").message) == (("False", "Waiting"), words)

    story.obstacle, story.site = "", site()
    story.settle()
    assert story.is_measuring


def test_what_a_later_run_waits_for_is_told_and_forgotten_when_none_is_due() -> None:
    story = measured()
    story.upgrade(version="2.0")
    story.obstacle = "Waits until another run on LLMBackend engine has ended."
    story.settle()
    assert story.run.message == story.obstacle

    story.upgrade(version="1.0")
    story.settle()
    assert story.run.message == ""
    assert story.said("Fresh") == ("True", "Current")


def test_a_busy_engine_is_waited_for() -> None:
    story = Story(is_idle=False)
    plan = story.settle()
    assert story.made == []
    assert waits(plan) == runs.IDLE_LOOK_SECONDS
    words = "Waits until engine@10.0.0.1:8000 has no request under way."
    assert story.condition("Ready").message == words


def test_attempts_follow_after_pauses_that_double_and_then_once_an_hour() -> None:
    story, pauses = Story(), []
    story.settle()
    for attempt in range(1, runs.MOST_ATTEMPTS + 3):
        assert story.run.attempts == attempt
        fail(story)
        pause = waits(story.settle())
        assert story.run.message == f"Attempt {attempt + 1} follows after a pause."
        assert story.wait(seconds=pause - 1).job is None
        story.wait(seconds=1)
        pauses.append(pause)
    assert pauses == [30, 60, 120, 240, 3600, 3600, 3600]


def test_an_external_model_that_was_asked_for_is_tried_a_few_times_and_no_more() -> None:
    story = Story(location=Location.EXTERNAL)
    story.settle()
    assert story.said("Ready") == ("False", "NotAsked")

    story.annotate("please")
    story.settle()
    for _ in range(runs.MOST_ATTEMPTS):
        assert story.is_measuring
        fail(story)
        story.wait(hours=1)
    assert not story.is_measuring and story.wait(hours=1000).job is None
    assert story.said("Ready") == ("False", "NotMeasured")
    assert "5 attempts failed" in story.run.message


def test_a_run_that_was_asked_for_and_fails_is_tried_again_although_the_old_result_holds() -> None:
    story = measured()
    story.annotate("again")
    story.settle()
    fail(story)
    story.wait(seconds=30)
    assert story.is_measuring and story.run.attempts == 2

    story.end(GOOD)
    assert not story.is_measuring and story.said("Succeeded") == ("True", "Measured")


def failed_often() -> Story:
    """A story whose next attempt follows in an hour."""
    story = Story()
    story.settle()
    for attempt in range(1, runs.MOST_ATTEMPTS + 1):
        fail(story)
        if attempt < runs.MOST_ATTEMPTS:
            story.wait(minutes=10)
    assert not story.is_measuring
    return story


CAUSES: dict[str, Any] = {
    "a changed spec": lambda story: story.change(seed=2),
    "profile-now": lambda story: story.annotate("please"),
    "another version of the engine": lambda story: story.upgrade(version="2.0"),
    "another digest of the model": lambda story: story.upgrade(digest=OTHER_DIGEST),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_after_many_attempts_a_new_cause_is_worth_another_at_once(cause: str) -> None:
    story = failed_often()
    CAUSES[cause](story)
    story.settle()
    assert story.is_measuring and story.run.attempts == 1


def test_attempts_at_endpoints_that_differ_are_counted_together() -> None:
    story = Story(backend=backend(version=None))
    for version in ("1.0", "2.0") * runs.MOST_ATTEMPTS:
        story.site = site(version=version)
        story.wait(hours=1)
        if story.is_measuring:
            fail(story)
    assert story.run.attempts == len(story.made) == 2 * runs.MOST_ATTEMPTS


def test_a_restart_that_has_not_asked_the_engine_yet_forgives_no_attempts() -> None:
    story = failed_often()
    story.site, story.obstacle = None, "Waits until an endpoint answers."
    assert story.settle().status is None
    assert story.run.message == "Attempt 6 follows after a pause."


def test_profile_now_asks_for_one_run_for_each_value() -> None:
    story = measured()
    for value in ("2026-11-21", "again"):
        story.annotate(value)
        story.settle()
        assert story.is_measuring and story.run.asked == value
        story.end(GOOD)
        story.wait(minutes=10)
        assert not story.is_measuring
    assert len(story.made) == 3


def test_profile_now_during_a_run_is_another_run() -> None:
    story = Story()
    story.settle()
    story.annotate("now")
    story.settle()
    assert len(story.made) == 1
    story.end(GOOD)
    assert len(story.made) == 2 and story.is_measuring


def test_an_external_model_is_measured_only_when_asked_for() -> None:
    story = Story(location=Location.EXTERNAL)
    story.settle()
    assert story.made == []
    assert story.said("Ready") == ("False", "NotAsked")

    story.annotate("now")
    story.settle()
    story.end(GOOD)
    story.upgrade(version="2.0")
    story.wait(hours=1000)
    assert len(story.made) == 1
    assert story.said("Fresh") == ("False", "EngineChanged")


def test_the_generation_that_was_looked_at_is_told_with_everything() -> None:
    story = measured()
    story.change(suspend=True)
    story.settle()
    assert story.status.observed_generation == 2
    assert story.condition("Ready").observed_generation == 2
    assert story.condition("Succeeded").observed_generation == 1, "the run was for the spec before"


def test_the_pods_progress_is_told_and_written_once() -> None:
    story = Story()
    story.settle()
    assert story.run.message.startswith("The Job has no pod yet")
    for phase, words in (("Pending", "The Job's pod is being started."), ("Running", "Measuring.")):
        story.pods[story.job_name] = jobs.Pod("llm", story.job_name, phase, "", None, "", "")
        assert story.look().status is not None
        assert story.look().status is None
        assert story.run.message == words
