"""The samples: accepted whole, usable as they stand, and complete. Every field of every spec is in one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from steelyard.api.backend import LLMBackendSpec
from steelyard.api.policy import RoutingPolicySpec
from steelyard.api.profile import Category, ModelProfileSpec
from steelyard.files import reading
from steelyard.routing.classifying import classify
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import Decision, NoLoad, Request, Turn

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
SPECS: dict[str, type[BaseModel]] = {
    "LLMBackend": LLMBackendSpec,
    "ModelProfile": ModelProfileSpec,
    "RoutingPolicy": RoutingPolicySpec,
}


def decided(model: str, text: str) -> Decision:
    table, _ = compile_table(reading.load(SAMPLES).resources, "default")
    turn = Turn(text, 100, frozenset({"chat"}))
    return decide(Request(model, (turn,), conversation=text), table, NoLoad(), 0, classify)


def fields_of(kind: type[BaseModel], prefix: str) -> Iterator[str]:
    """Every field below a type, as spec.models[].name."""
    for name, field in kind.model_fields.items():
        path = f"{prefix}.{field.alias or name}"
        yield path
        for part in parts_of(field.annotation):
            yield from fields_of(part, path)


def parts_of(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from parts_of(argument)


def fields_in(value: Any, prefix: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from fields_in(item, prefix)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield f"{prefix}.{name}"
            yield from fields_in(item, f"{prefix}.{name}")


def test_the_samples_are_accepted_and_have_no_problem() -> None:
    loaded = reading.load(SAMPLES)
    table, problems = compile_table(loaded.resources, "default")

    assert loaded.warnings == ()
    assert [problem for problem in problems if problem.reason != "Shadowed"] == []
    assert len(table.candidates) >= 4


def test_the_samples_for_a_cluster_lack_only_what_a_cluster_has() -> None:
    loaded = reading.load(SAMPLES / "kubernetes")
    _, problems = compile_table(loaded.resources, "default")

    assert loaded.warnings == ()
    assert {problem.reason for problem in problems} == {"ServiceNotFound", "NoCandidates"}


@pytest.mark.parametrize("kind", SPECS)
def test_every_field_of_a_spec_is_in_a_sample(kind: str) -> None:
    documents = [one for path in SAMPLES.rglob("*.yaml") for one in yaml.safe_load_all(path.read_text())]
    shown = {path for one in documents if one["kind"] == kind for path in fields_in(one["spec"], "spec")}

    assert set(fields_of(SPECS[kind], "spec")) - shown == set()


def test_auto_takes_the_cheap_model_and_auto_best_the_better_one() -> None:
    question = "What is 17 * 23 + 5? Compute the sum."
    cheap, best = decided("auto", question), decided("auto-best", question)

    assert cheap.category is Category.MATH
    assert cheap.attempts[0].candidate.backend == "vllm-llama"
    assert best.attempts[0].candidate.backend == "llamacpp-qwen"


def test_the_fallback_ends_with_the_provider() -> None:
    attempts = decided("reliable", "Tell me about Lisbon.").attempts

    assert [one.candidate.backend for one in attempts] == ["vllm-llama", "openai"]
