"""What a backend's status says of its endpoints, and the profiles that are made for it."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fakes.gateways import endpoint
from fakes.gpu_exporter import Card, exposition
from fakes.profiled import DIGEST, NOW, OTHER_DIGEST, backend
from steelyard.api import conditions
from steelyard.api.backend import LLMBackend, LLMBackendStatus, Location, ObservedModel
from steelyard.api.profile import ModelProfile, automatic_name
from steelyard.routing.table import Problem
from steelyard.telemetry import gpus as telemetry
from steelyard_operator import backends
from steelyard_operator.backends import EndpointView, Seen
from steelyard_operator.gpus import Exporter, Place, Reading, Sight
from steelyard_operator.plans import Plan
from steelyard_operator.probing import Description, Failure
from steelyard_operator.queue import Wait

DOWN = Failure("Unreachable", "http://10.0.0.9:8000 cannot be reached: is the engine running there?")


def told(*names: str, version: str | None = "1.0", **fields: Any) -> Description:
    return Description(tuple(ObservedModel(name=name, **fields) for name in names), version)


def view(number: int = 1, description: Description | None = None, **fields: Any) -> EndpointView:
    """An endpoint that answers, unless told otherwise."""
    place = endpoint(8000, "engine", host=f"10.0.0.{number}")
    return EndpointView(place, **{"answers": True, "description": description} | fields)


def fresh(**spec: Any) -> LLMBackend:
    """A backend that was never looked at."""
    return backend(**spec).model_copy(update={"status": LLMBackendStatus()})


def looked(*views: EndpointView, of: LLMBackend | None = None, **fields: Any) -> tuple[Plan, LLMBackend]:
    """The plan and the backend after it; planning again over that must write nothing."""
    of = of or fresh()
    seen = Seen(of, fields.pop("location", Location.LOCAL), NOW, views, **fields)
    plan = backends.plan(seen)
    if isinstance(plan.status, LLMBackendStatus):
        plain = plan.status.model_dump_json(by_alias=True, exclude_none=True)
        of = of.model_copy(update={"status": LLMBackendStatus.model_validate_json(plain)})
        assert of.status.observed_generation == 1
    later = replace(seen, backend=of, now=NOW + timedelta(hours=1))
    assert backends.plan(later).status is None, "an unchanged status is written"
    return plan, of


def said(of: LLMBackend, condition: str) -> tuple[str, str]:
    found = conditions.find(of.status.conditions, condition)
    assert found is not None, condition
    return found.status.value, found.reason


def message(of: LLMBackend, condition: str) -> str:
    found = conditions.find(of.status.conditions, condition)
    assert found is not None, condition
    return found.message


def problem(condition: str, reason: str, *, excludes: bool = True) -> Problem:
    return Problem("LLMBackend", "llm", "engine", condition, reason, "Mend it.", excludes=excludes)


def made(plan: Plan) -> list[str]:
    """The models that profiles are applied for."""
    return [one["spec"]["model"] for one in plan.applies]


def as_profile(manifest: dict[str, Any], **spec: Any) -> ModelProfile:
    """The profile that was applied, perhaps with another spec since."""
    value = manifest | {"spec": manifest["spec"] | spec}
    return ModelProfile.model_validate_json(json.dumps(value))


def by_hand(model: str) -> ModelProfile:
    metadata = {"name": "by-hand", "namespace": "llm"}
    spec = {"backendRef": {"name": "engine"}, "model": model}
    return ModelProfile.model_validate_json(json.dumps({"metadata": metadata, "spec": spec}))


def test_an_engine_that_answers_makes_its_backend_ready() -> None:
    plan, of = looked(view(1, told("a", "b", context_tokens=2048, digest=DIGEST)))

    assert {
        name: said(of, name) for name in ("Accepted", "ResolvedRefs", "Reachable", "Uniform", "Ready")
    } == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "Resolved"),
        "Reachable": ("True", "Answering"),
        "Uniform": ("True", "Alike"),
        "Ready": ("True", "Ready"),
    }
    assert of.status.summary and (of.status.summary.models, of.status.summary.endpoints) == (2, "1/1")
    assert (of.status.engine_version, of.status.location) == ("1.0", Location.LOCAL)
    first = of.status.models[0]
    assert (first.name, first.digest, first.context_tokens, first.endpoints) == ("a", DIGEST, 2048, 1)
    assert plan.outcome == Wait(10.0, "the next probe")
    assert [(note.type, note.reason) for note in plan.notes] == [("Normal", "Ready")]


def test_endpoints_are_merged_cautiously() -> None:
    _, of = looked(
        view(1, told("a", context_tokens=4096, digest=DIGEST)),
        view(2, told("a", "b", context_tokens=2048, digest=DIGEST)),
    )
    by_name = {one.name: one for one in of.status.models}
    assert by_name["a"] == ObservedModel(name="a", digest=DIGEST, context_tokens=2048, endpoints=2)
    assert by_name["b"].endpoints == 1
    assert of.status.engine_version == "1.0"


def test_a_digest_or_version_that_differs_is_told_as_none() -> None:
    _, of = looked(view(1, told("a", digest=DIGEST)), view(2, told("a", digest=OTHER_DIGEST, version="2.0")))
    assert (of.status.models[0].digest, of.status.engine_version) == (None, None)
    assert said(of, "Uniform") == ("False", "Different")
    assert message(of, "Uniform").endswith("differ on engine@10.0.0.2:8000.")
    assert said(of, "Ready") == ("True", "Ready"), "it serves all the same"


def test_a_restart_blanks_nothing() -> None:
    _, before = looked(view(1, told("a", digest=DIGEST)))
    plan, after = looked(view(1, None, answers=None), of=before)

    assert (after.status.models, after.status.engine_version) == (
        before.status.models,
        before.status.engine_version,
    )
    assert said(after, "Uniform") == ("True", "Alike")
    assert said(after, "Reachable") == ("Unknown", "NotProbed")
    assert made(plan) == ["a"]


def test_while_an_endpoint_was_not_asked_yet_the_models_that_it_may_serve_stay() -> None:
    earlier = backend().model_copy(
        update={"status": LLMBackendStatus(models=(ObservedModel(name="a"), ObservedModel(name="b")))}
    )
    _, after = looked(view(1, told("a")), view(2, answers=None), of=earlier)
    assert [model.name for model in after.status.models] == ["a", "b"]

    _, after = looked(view(1, told("a")), view(2, told("a")), of=after)
    assert [model.name for model in after.status.models] == ["a"]


def test_what_an_endpoint_said_outlasts_its_silence() -> None:
    views = (view(1, told("a"), answers=False, failure=DOWN), view(2, told("a")))
    _, of = looked(*views)
    assert said(of, "Reachable") == ("True", "SomeAnswer")
    assert message(of, "Reachable") == f"1 of 2 endpoints do not answer: {DOWN.message}"
    assert of.status.summary and of.status.summary.endpoints == "1/2"
    assert of.status.models[0].endpoints == 2


UNREACHABLE: dict[str, tuple[tuple[EndpointView, ...], str]] = {
    "silent": ((view(1, None, answers=False, failure=DOWN),), "Unreachable"),
    "all silent": (
        (view(1, answers=False, failure=DOWN), view(2, answers=False, failure=DOWN)),
        "Unreachable",
    ),
    "no pod is ready": ((), "NoEndpoints"),
}


@pytest.mark.parametrize("case", UNREACHABLE)
def test_a_backend_that_nobody_answers_for_is_not_ready(case: str) -> None:
    views, reason = UNREACHABLE[case]
    plan, of = looked(*views)
    assert said(of, "Reachable") == said(of, "Ready") == ("False", reason)
    assert [(note.type, note.reason) for note in plan.notes] == [("Warning", reason)]


def test_readiness_that_does_not_change_is_told_once() -> None:
    _, down = looked(view(1, answers=False, failure=DOWN))
    plan, _ = looked(view(1, answers=False, failure=Failure("NotReady", "Loading.")), of=down)
    assert plan.status is not None and plan.notes == ()


@pytest.mark.parametrize(
    ("condition", "reason"), [("Accepted", "ModelsRequired"), ("ResolvedRefs", "ServiceNotFound")]
)
def test_a_backend_that_leads_nowhere_says_why(condition: str, reason: str) -> None:
    _, of = looked(problems=(problem(condition, reason),))
    assert said(of, condition) == said(of, "Ready") == ("False", reason)
    assert message(of, "Ready") == "Mend it."
    assert said(of, "Reachable") == ("Unknown", "NotProbed")


def test_a_problem_that_excludes_nothing_leaves_its_condition_true() -> None:
    _, of = looked(view(1, told("a")), problems=(problem("Accepted", "Odd", excludes=False),))
    assert said(of, "Accepted") == ("True", "Odd")
    assert said(of, "Ready") == ("True", "Ready")


def test_an_engine_without_models_is_not_ready_until_its_owner_lists_some() -> None:
    _, of = looked(view(1, told()))
    assert said(of, "Ready") == ("False", "NoModels")
    _, listed = looked(view(1, told()), of=fresh(models=[{"name": "a"}]))
    assert said(listed, "Ready") == ("True", "Ready")
    assert listed.status.summary and listed.status.summary.models == 1


def test_models_that_are_gone_are_no_longer_listed() -> None:
    _, before = looked(view(1, told("a", "b")))
    _, after = looked(view(1, told("b")), of=before)
    assert [one.name for one in after.status.models] == ["b"]


def test_every_model_gets_a_profile_that_goes_with_the_backend() -> None:
    plan, of = looked(view(1, told("a", "Meta/Llama-3.1:8B")))

    assert made(plan) == ["Meta/Llama-3.1:8B", "a"]
    profile = as_profile(plan.applies[0])
    assert profile.name == automatic_name("engine", "Meta/Llama-3.1:8B")
    assert (profile.namespace, profile.spec.backend_ref.name) == ("llm", "engine")
    (owner,) = plan.applies[0]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("LLMBackend", "engine", of.metadata.uid)
    assert owner["blockOwnerDeletion"] is False
    assert "finalizers" not in plan.applies[0]["metadata"]


def test_the_template_is_copied() -> None:
    template = {
        "seed": 7,
        "limits": {"maxTokens": 5000},
        "job": {"nodeSelector": {"gpu": "l4"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
    }
    of = fresh(profiling={"template": template})
    plan, _ = looked(view(1, told("a")), of=of)
    assert {name: plan.applies[0]["spec"][name] for name in template} == template


def test_a_profile_that_is_there_is_applied_again_only_after_the_template_changed() -> None:
    plan, of = looked(view(1, told("a")))
    there = as_profile(plan.applies[0])
    assert made(looked(view(1, told("a")), of=of, profiles=(there,))[0]) == []

    changed = backend(profiling={"template": {"seed": 7}}).model_copy(update={"status": of.status})
    assert made(looked(view(1, told("a")), of=changed, profiles=(there,))[0]) == ["a"]


def test_an_automatic_profile_that_somebody_edited_is_not_fought_over() -> None:
    plan, of = looked(view(1, told("a")))
    edited = as_profile(plan.applies[0], seed=9, job={"nodeSelector": {"gpu": "l4"}})
    assert made(looked(view(1, told("a")), of=of, profiles=(edited,))[0]) == []


def test_the_models_beyond_the_limit_are_named() -> None:
    names = [f"model-{number:02}" for number in range(14)]
    plan, of = looked(view(1, told(*names)), of=fresh(profiling={"maxProfiles": 2}))
    assert made(plan) == names[:2]
    assert said(of, "Accepted") == ("True", "ProfilesLimited")
    left = ", ".join(names[2:12])
    words = f"spec.profiling.maxProfiles is 2: no profile is made for {left} and 2 more."
    assert message(of, "Accepted") == words

    there = tuple(as_profile(one) for one in plan.applies)
    again, after = looked(view(1, told(*names)), of=of, profiles=there)
    assert made(again) == [] and message(after, "Accepted") == words


def test_the_limit_counts_profiles_whose_model_is_gone() -> None:
    of = fresh(profiling={"maxProfiles": 1})
    gone = as_profile(looked(view(1, told("gone")), of=of)[0].applies[0])
    assert made(looked(view(1, told("a")), of=of, profiles=(gone,))[0]) == []


def test_a_pair_with_a_profile_made_by_hand_gets_no_other() -> None:
    plan, _ = looked(view(1, told("a", "b")), profiles=(by_hand("a"),))
    assert made(plan) == ["b"]


NONE_MADE: dict[str, tuple[dict[str, Any], Location]] = {
    "Manual": ({"profiling": {"mode": "Manual"}}, Location.LOCAL),
    "External": ({"models": [{"name": "a"}]}, Location.EXTERNAL),
    "no chat": ({"models": [{"name": "a", "capabilities": {"chat": False}}]}, Location.LOCAL),
    "no room": ({"profiling": {"maxProfiles": 0}}, Location.LOCAL),
}


@pytest.mark.parametrize("case", NONE_MADE)
def test_no_profile_is_made_where_none_is_wanted(case: str) -> None:
    spec, location = NONE_MADE[case]
    plan, _ = looked(view(1, told("a")), of=fresh(**spec), location=location)
    assert made(plan) == []


def test_an_external_backend_whose_owner_wants_them_gets_profiles() -> None:
    of = fresh(models=[{"name": "a"}], profiling={"mode": "Automatic"})
    assert made(looked(view(1, told("a")), of=of, location=Location.EXTERNAL)[0]) == ["a"]


def test_a_profile_is_of_a_listed_model_even_before_the_engine_answers() -> None:
    plan, _ = looked(view(1, answers=False, failure=DOWN), of=fresh(models=[{"name": "a"}]))
    assert made(plan) == ["a"]


def test_a_backend_of_a_hundred_endpoints_has_a_readable_status() -> None:
    odd = [view(number, told("a", version=f"{number}.0")) for number in range(1, 60)]
    alike = [view(number, told("a")) for number in range(60, 120)]
    _, of = looked(*odd, *alike)
    assert message(of, "Uniform").count("engine@") == 10
    assert message(of, "Uniform").endswith("and 48 more.")


def with_gpus(number: int, *cards: Card) -> Sight:
    """An endpoint whose own exporter tells of these; without any, one that was not read."""
    exporter = Exporter(f"http://10.1.0.{number}:9400/metrics", Place.NAMED)
    told = telemetry.read(exposition(*cards)) if cards else None
    return Sight(view(number).endpoint, (Reading(exporter, told),))


def test_gpus_are_told_with_the_memory_that_kubectl_prints() -> None:
    _, of = looked(view(1, told("a")), sights=(with_gpus(1, Card()),))
    assert [gpu.uuid for gpu in of.status.gpus] == ["GPU-1"]
    assert of.status.summary and of.status.summary.gpu_memory == "17/22Gi"
    _, restarted = looked(view(1, told("a")), of=of, sights=None)
    assert restarted.status == of.status

    _, without = looked(view(1, told("a")), of=of, sights=())
    assert (without.status.gpus, without.status.gpu_exporters) == ((), ())
    assert without.status.summary and without.status.summary.gpu_memory is None
    assert said(without, "Ready") == ("True", "Ready")


H200 = Card("GPU-9", "NVIDIA H200")
ALIKE: dict[str, tuple[tuple[Sight, ...], tuple[str, str]]] = {
    "the same GPU": ((with_gpus(1, Card()), with_gpus(2, Card("GPU-2"))), ("True", "Alike")),
    "another GPU": ((with_gpus(1, Card()), with_gpus(2, H200)), ("False", "DifferentGpus")),
    "an unknown GPU": ((with_gpus(1, Card()), with_gpus(2)), ("True", "Alike")),
}


@pytest.mark.parametrize("case", ALIKE)
def test_endpoints_are_alike_on(case: str) -> None:
    sights, wanted = ALIKE[case]
    _, of = looked(view(1, told("a")), view(2, told("a")), sights=sights)
    assert said(of, "Uniform") == wanted
    if wanted[0] == "False":
        assert message(of, "Uniform") == "GPUs differ on engine@10.0.0.2:8000."


def test_an_exporter_at_a_metadata_address_is_told_and_excludes_nothing() -> None:
    of = fresh(metrics={"gpu": {"url": "http://169.254.169.254/metrics"}})
    _, after = looked(view(1, told("a")), of=of, sights=())
    assert said(after, "Accepted") == ("True", "UrlForbidden")
    assert "spec.metrics.gpu.url is not read." in message(after, "Accepted")
    assert said(after, "Ready") == ("True", "Ready")
