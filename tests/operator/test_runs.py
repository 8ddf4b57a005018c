"""How runs of a profile end: by a report, without one, by a lie."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fakes import profiled
from fakes.profiled import BAD, BETTER, DIGEST, GOOD, NOW, Story, measured, profile
from steelyard_operator import jobs
from steelyard_profiler import report
from steelyard_profiler.target import Failure

REPORT = json.loads(GOOD)


def changed(**fields: Any) -> str:
    """A report that says something else."""
    return json.dumps(REPORT | fields, separators=(",", ":"))


def test_a_report_becomes_the_status() -> None:
    story = Story(backend=profiled.backend(cost={"usdPerHour": "1.80"}))
    story.settle()
    story.now += timedelta(minutes=5)
    story.end(GOOD)

    assert story.said("Succeeded") == ("True", "Measured")
    assert story.said("Fresh") == ("True", "Current")
    assert story.said("Ready") == ("True", "Measured")
    assert story.status.quality and story.status.quality.overall
    assert story.status.quality.overall.score_percent == 75
    assert story.status.price is not None
    assert story.status.capabilities.chat
    assert (story.run.tokens_used, story.run.attempts, story.run.message) == (81, 1, "")


def test_the_fingerprint_says_what_was_measured_where_and_when() -> None:
    mark = measured().status.fingerprint

    assert mark and (mark.suite, mark.seed) == ("Quick/2", 1)
    assert (mark.model_digest, mark.engine_version) == (DIGEST, "1.0")
    assert (mark.endpoint, mark.time) == ("10.0.0.1:8000", NOW)


def test_the_fingerprint_is_of_the_engine_that_the_run_began_on() -> None:
    story = Story()
    story.settle()
    story.upgrade(version="2.0")
    story.end(GOOD)

    mark = story.status.fingerprint
    assert mark and mark.engine_version == "1.0"
    assert story.said("Fresh") == ("False", "EngineChanged")
    assert story.is_measuring


def test_a_job_that_was_read_is_removed_by_kubernetes_after_a_while() -> None:
    story = Story()
    story.settle()
    name = story.job_name
    assert story.end(GOOD).kept_jobs == (name,)
    assert story.look().kept_jobs == ()


def test_people_are_told_of_the_begin_and_of_the_score() -> None:
    story = Story()
    began = story.settle()
    ended = story.end(GOOD)

    assert [(note.type, note.reason) for note in began.notes] == [("Normal", "RunBegan")]
    assert [note.reason for note in ended.notes] == ["Measured"]
    assert ended.notes[0].message.startswith("The model scores 75 % (")


def test_a_failed_run_is_a_warning_and_keeps_what_was_measured() -> None:
    story = measured()
    before = story.status
    story.annotate("again")
    story.settle()
    plan = story.end(BAD, exit_code=1, reason="Error")

    assert [(note.type, note.reason) for note in plan.notes] == [("Warning", "Timeout")]
    assert story.said("Succeeded") == ("False", "Timeout")
    assert story.condition("Succeeded").message == "The engine sent nothing."
    assert story.said("Ready") == ("True", "Measured")
    assert (story.status.quality, story.status.fingerprint) == (before.quality, before.fingerprint)


NO_REPORTS = {
    "too long": (GOOD[:-1] + " " * report.MOST_BYTES + "}", "longer than 3000 bytes"),
    "cut": (GOOD[:-20], "the report is cut"),
    "cut at its begin": (GOOD[20:], "the report is cut"),
    "no JSON": ("Traceback (most recent call last):", "the report is cut"),
    "of another version": (changed(v=1), "of version 1, not 2: the profiler's image is of another release"),
    "with a field more": (changed(end=True, extra=1), "the report is cut"),
    "broken within": (GOOD.replace('"seed":1', '"seed":'), "Invalid JSON"),
    "another suite": (changed(suite="Full/9"), "measured Full/9 with seed 1, not Quick/2 with seed 1"),
    "a suite without end": (changed(suite="x" * 1000), "suite"),
    "another seed": (changed(seed=2), "measured Quick/2 with seed 2, not Quick/2 with seed 1"),
    "a success without score": (changed(quality={}), "reports success and no score"),
    "more passed than asked": (changed(quality={"Math": [[9, 8], [8, 8], [8, 8], 20, None]}), "passed"),
    "a bitmap of another length": (changed(quality={"Math": [30, "AAAA", 20, None]}), "30 samples take 4"),
    "tokens below none": (changed(tokens=-1), "tokens"),
    "more tokens than can be": (changed(tokens=10**30), "tokens"),
    "a seed beyond any": (changed(seed=2**40), "seed"),
    "a reason that is none": (changed(reason="no reason"), "reason"),
}


@pytest.mark.parametrize("case", NO_REPORTS)
def test_what_is_no_report_fails_the_run_and_the_old_result_stays(case: str) -> None:
    message, words = NO_REPORTS[case]
    story = measured()
    before = story.status
    story.annotate("again")
    story.settle()
    story.end(message)

    assert story.said("Succeeded") == ("False", "ReportInvalid")
    assert words in story.condition("Succeeded").message
    assert (story.status.quality, story.status.fingerprint) == (before.quality, before.fingerprint)
    assert story.said("Ready") == ("True", "Measured")


ENDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "out of memory": (
        {"exit_code": 137, "reason": "OOMKilled"},
        "OutOfMemory",
        "raise spec.job.resources.limits.memory",
    ),
    "a crash": ({"exit_code": 3, "reason": "Error"}, "ProfilerFailed", "ended with exit status 3: see"),
    "a success that left nothing": ({}, "ProfilerFailed", "ended with exit status 0: see"),
    "an image without the program": (
        {"exit_code": 128, "reason": "StartError", "detail": "exec: python: not found"},
        "ProfilerFailed",
        "exit status 128 (StartError: exec: python: not found)",
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_run_without_report_says_how_it_ended(case: str) -> None:
    how, reason, words = ENDS[case]
    story = Story()
    story.settle()
    story.end(**how)

    assert story.said("Succeeded") == ("False", reason)
    assert words in story.condition("Succeeded").message
    assert story.said("Ready") == ("False", "NotMeasured")


def test_a_run_over_its_deadline_says_what_its_pod_waited_for() -> None:
    story = Story()
    story.settle()
    waiting = jobs.Pod("llm", story.job_name, "Pending", "", None, "ImagePullBackOff", "Back-off pulling x")
    story.pods[story.job_name] = waiting
    story.settle()
    assert story.run.message == "The Job's pod waits: ImagePullBackOff: Back-off pulling x"

    story.end_job("Failed", "DeadlineExceeded")
    assert story.said("Succeeded") == ("False", "DeadlineExceeded")
    said = story.condition("Succeeded").message
    assert said == "The run did not end in 1200 s. It was last ImagePullBackOff: Back-off pulling x"


def test_a_report_counts_although_the_job_failed_by_its_deadline() -> None:
    story = Story()
    story.settle()
    story.pods[story.job_name] = jobs.Pod("llm", story.job_name, "Failed", GOOD, 143, "Error", "")
    story.end_job("Failed", "DeadlineExceeded")
    assert story.said("Succeeded") == ("True", "Measured")


def test_a_job_that_somebody_deleted_fails_its_run_and_another_is_made_later() -> None:
    story = Story()
    story.settle()
    deleted = story.job_name
    del story.jobs[deleted]
    story.settle()
    assert story.said("Succeeded") == ("False", "JobDeleted")
    assert not story.is_measuring

    story.wait(seconds=30)
    assert story.is_measuring
    assert story.job_name != deleted


def test_a_spec_changed_during_the_run_is_measured_by_another_run_at_once() -> None:
    story = Story()
    story.settle()
    first = story.job_name
    story.change(seed=7)
    story.settle()
    assert story.job_name == first, "a run under way is not ended"

    plan = story.end(GOOD)
    assert [note.reason for note in plan.notes] == ["SpecChanged"]
    assert story.status.quality is None
    assert story.is_measuring and story.job_name != first
    story.end(report.encode(profiled.result(seed=7)))
    assert story.said("Ready") == ("True", "Measured")
    assert not story.is_measuring


def test_a_report_counts_when_only_the_limits_changed_during_the_run() -> None:
    story = Story()
    story.settle()
    story.change(limits=story.profile.spec.limits.model_copy(update={"max_tokens": 5000}))
    story.end(GOOD)
    assert story.said("Succeeded") == ("True", "Measured")
    assert not story.is_measuring


@pytest.mark.parametrize("finish", [0, (1 << 36) - 1])
def test_a_wrong_clock_on_the_profilers_node_moves_no_wait(finish: int) -> None:
    story = Story()
    story.settle()
    story.now += timedelta(minutes=5)
    story.end(changed(finish=finish))

    mark = story.status.fingerprint
    assert mark and mark.time and story.run.completion_time == mark.time
    assert NOW <= mark.time <= story.now
    assert not story.is_measuring
    story.wait(hours=169)
    assert story.is_measuring


def test_a_failure_dated_in_the_far_future_is_tried_again_all_the_same() -> None:
    story = Story()
    story.settle()
    story.end(changed(reason="Timeout", quality={}, finish=(1 << 36) - 1), exit_code=1, reason="Error")
    story.wait(seconds=30)
    assert story.is_measuring


def test_a_run_whose_backend_went_away_is_read_without_price() -> None:
    story = Story(backend=profiled.backend(cost={"usdPerHour": "1"}))
    story.settle()
    story.backend = None
    story.end(GOOD)
    assert story.status.quality is not None
    assert story.status.price is None


def test_every_run_tells_its_score_and_interval() -> None:
    story = measured()
    for line, score in ((GOOD, 75), (BETTER, 100)):
        story.annotate(str(score))
        story.settle()
        plan = story.end(line)
        overall = story.status.quality and story.status.quality.overall
        assert overall and overall.score_percent == score
        words = f"The model scores {score} % ({overall.low_percent} to {overall.high_percent} %)."
        assert [(note.type, note.reason, note.message) for note in plan.notes] == [
            ("Normal", "Measured", words)
        ]


def test_a_job_whose_annotation_was_changed_costs_a_run_and_nothing_more() -> None:
    story = Story(profile=profile(seed=7))
    story.settle()
    story.jobs[story.job_name] = replace(story.jobs[story.job_name], mark=jobs.Mark())
    story.end(GOOD)
    assert story.said("Succeeded") == ("False", "SpecChanged")


def test_a_failing_report_says_its_own_words_cut_to_a_sentence_or_two() -> None:
    story = Story()
    story.settle()
    story.end(report.encode(profiled.result(Failure("Timeout", "x" * 5000))), exit_code=1, reason="Error")
    assert story.condition("Succeeded").message == "x" * report.MOST_MESSAGE_CHARACTERS
