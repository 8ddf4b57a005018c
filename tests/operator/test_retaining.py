"""What becomes of a profile whose model the backend serves no longer."""

from datetime import timedelta
from typing import Any

from fakes.profiled import NOW, Story, backend, measured, profile
from steelyard_operator import profiles
from steelyard_operator.plans import Plan
from steelyard_operator.queue import Wait

AUTOMATIC = {"ownerReferences": [{"kind": "LLMBackend", "name": "engine", "uid": "uid-engine"}]}
OTHERS: dict[str, Any] = {"models": [{"name": "another"}]}


def waits(plan: Plan) -> float:
    """How long, in seconds."""
    assert isinstance(plan.outcome, Wait)
    return plan.outcome.seconds


def test_a_profile_whose_model_is_gone_says_so_until_it_is_back() -> None:
    story = measured(profile=profile(AUTOMATIC))
    story.backend = backend(**OTHERS)
    story.now += timedelta(minutes=1)
    plan = story.settle()
    assert story.said("Ready") == ("False", "ModelGone")
    assert story.status.gone_since == NOW + timedelta(minutes=1)
    assert waits(plan) > 168 * 3600

    story.backend = backend()
    story.settle()
    assert story.status.gone_since is None
    assert story.said("Ready") == ("True", "Measured")


def test_an_automatic_profile_is_deleted_when_its_model_was_gone_for_long() -> None:
    story = measured(profile=profile(AUTOMATIC))
    story.backend = backend(profiling={"retainHours": 5}, **OTHERS)
    pause = waits(story.settle())
    assert story.wait(seconds=5 * 3600 - 1).deletions == ()
    story.now += timedelta(seconds=pause - 5 * 3600 + 1)
    plan = profiles.plan(story.seen, (), "profiler:1")
    assert [(gone.kind.kind, gone.name, gone.uid) for gone in plan.deletions] == [
        ("ModelProfile", "one", "uid-one")
    ]
    assert plan.status is None


def test_a_profile_made_by_hand_stays_although_its_model_is_gone() -> None:
    story = measured()
    story.backend = backend(profiling={"retainHours": 0}, **OTHERS)
    story.settle()
    assert story.wait(hours=10_000).deletions == ()


def test_a_model_that_is_gone_is_not_measured() -> None:
    story = Story(backend=backend(**OTHERS))
    story.settle()
    story.wait(hours=1)
    assert story.made == []


def test_nobody_is_gone_while_the_engine_has_not_told_its_models() -> None:
    story = Story(backend=backend(digest=None, version=None))
    assert story.backend is not None
    empty = story.backend.status.model_copy(update={"models": ()})
    story.backend = story.backend.model_copy(update={"status": empty})
    story.settle()
    assert story.status.gone_since is None
