"""Tables look as kubectl's do; what is not known is empty."""

from datetime import UTC, datetime, timedelta

import pytest

from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Condition, ConditionStatus
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import (
    Category,
    ModelProfile,
    ModelProfileStatus,
    OverallScore,
    Performance,
    Prior,
    Quality,
    Run,
    Ttft,
)
from steelyard.api.resources import ResourceSet
from steelyard_cli import tables

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
READY = (Condition(type="Ready", status=ConditionStatus.TRUE, reason="Measured"),)


def profile(model: str, status: ModelProfileStatus | None = None) -> ModelProfile:
    spec = {"backendRef": {"name": "alpha"}, "model": model}
    made = ModelProfile.model_validate({"metadata": {"name": model}, "spec": spec})
    return made.model_copy(update={"status": status}) if status else made


def test_profiles_show_quality_speed_and_age() -> None:
    measured = ModelProfileStatus(
        conditions=READY,
        quality=Quality(overall=OverallScore(score_percent=63, low_percent=58, high_percent=68, samples=96)),
        performance=Performance(ttft_ms=Ttft(p50=41), output_tokens_per_second=71),
        run=Run(start_time=NOW, completion_time=NOW - timedelta(minutes=5), tokens_used=1),
    )
    found = [profile("llama", measured), profile("a-model")]
    resources = ResourceSet(profiles={(one.namespace, one.name): one for one in found})

    assert tables.profiles(resources, NOW, "default").text().splitlines() == [
        "MODEL     BACKEND   QUALITY       TOK/S   TTFT   READY     AGE",
        "a-model   alpha                                  Unknown",
        "llama     alpha     63% (58-68)   71      41ms   True      5m",
    ]


def test_what_others_say_is_shown_apart_where_anybody_does() -> None:
    priors = [
        Prior(category=category, score_percent=74, samples=20, source="arena, 2026-10")
        for category in (Category.WRITING, Category.MATH, Category.CODING)
    ]
    told, quiet = profile("llama"), profile("a-model")
    told = told.model_copy(update={"spec": told.spec.model_copy(update={"priors": tuple(priors)})})
    resources = ResourceSet(profiles={(one.namespace, one.name): one for one in (told, quiet)})

    assert tables.profiles(resources, NOW, "default").text().splitlines() == [
        "MODEL     BACKEND   QUALITY   PRIORS                    TOK/S   TTFT   READY     AGE",
        "a-model   alpha                                                        Unknown",
        "llama     alpha               Writing 74%,Math 74%,+1                  Unknown",
    ]


def test_backends_show_their_models() -> None:
    backend = LLMBackend.model_validate_json(
        '{"metadata": {"name": "alpha"}, "spec": {"engine": "VLLM", "url": "http://a", '
        '"models": [{"name": "m"}, {"name": "n"}]}}'
    )
    resources = ResourceSet(backends={("default", "alpha"): backend, ("other", "alpha"): backend})

    assert tables.backends(resources, NOW, "default").text().splitlines() == [
        "NAME    ENGINE   READY     MODELS   AGE",
        "alpha   VLLM     Unknown   2",
    ]


def test_policies_show_their_names_and_goal() -> None:
    policy = RoutingPolicy.model_validate_json(
        '{"metadata": {"name": "p"}, '
        '"spec": {"models": [{"name": "auto"}, {"name": "best"}], "goal": "Best"}}'
    )
    resources = ResourceSet(policies={("default", "p"): policy})

    assert tables.policies(resources, NOW, "default").text().splitlines()[1].split() == [
        "p",
        "auto,best",
        "Best",
        "Unknown",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172_799, "47h"), (172_800, "2d")],
)
def test_age_is_told_in_one_unit(seconds: int, shown: str) -> None:
    assert tables.age(NOW - timedelta(seconds=seconds), NOW) == shown
