"""Models that think before they answer have tokens for it, and are not taken for unable."""

import asyncio
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import pytest

from fakes.odd_engine import STORY, Body, OddEngine, question
from fakes.profiled_engine import ProfiledEngine
from steelyard.api.measuring import Suite
from steelyard.api.profile import Category, ModelProfileSpec
from steelyard_profiler import profiling, workload
from steelyard_profiler.profiling import Result
from steelyard_profiler.session import THOUGHT_TOKENS

KNOWN = ProfiledEngine()
"""Knows the probes; it is not run."""

LENGTHS = {probe.question: probe.max_tokens for probe in workload.probes(Suite.QUICK, 1)}


def profiled(engine: OddEngine) -> Result:
    value = {"backendRef": {"name": "b"}, "model": "m", "load": {"concurrency": ()}}
    spec = ModelProfileSpec.model_validate(value)
    with engine.running():
        return asyncio.run(profiling.profile(engine.target(), spec, lambda progress: None))


def answer(body: Body) -> str:
    """The right one, but for calls of tools."""
    return KNOWN.answer(question(body)) or "There is no need for that."


def thoughts(count: int) -> list[str]:
    """So many tokens of them, in pieces."""
    return list(islice(cycle(STORY), count))


def within(thought: int) -> Callable[[Body], Any]:
    """An engine without a parser of thoughts, whose model thinks for so many tokens first."""

    def say(body: Body) -> Any:
        told = answer(body)
        said = [told[at : at + 5] for at in range(0, len(told), 5)]
        return ["<think>", *thoughts(min(thought, 2000)), "</think>", *said][: body["max_tokens"]]

    return say


def apart(thought: int) -> Callable[[Body], Any]:
    """An engine that sends thoughts apart."""

    def say(body: Body) -> Any:
        delta = {"reasoning_content": "".join(thoughts(min(thought, body["max_tokens"])))}
        return {**delta, "content": answer(body)} if body["max_tokens"] > thought else delta

    return say


@pytest.mark.parametrize("say", [within, apart])
def test_what_a_model_thinks_takes_nothing_from_its_answers(say: Callable[[int], Any]) -> None:
    engine = OddEngine(say=say(120), usage=lambda prompt, output: None)
    result = profiled(engine)
    asked = {question(body): body["max_tokens"] for body in engine.bodies}

    assert result.quality and result.quality.categories
    failed = {one.name for one in result.quality.categories if one.score_percent != 100}
    assert failed == {Category.TOOL_USE}
    assert {asked[one] - LENGTHS[one] for one in LENGTHS} == {THOUGHT_TOKENS}
    assert max(count for one, count in asked.items() if "these words appear" in one) == 128
    assert "thoughts" not in result.note


@pytest.mark.parametrize("say", [within, apart])
def test_what_a_model_can_do_that_never_ends_its_thoughts_is_unknown_and_said(
    say: Callable[[int], Any],
) -> None:
    engine = OddEngine(say=say(100_000), usage=lambda prompt, output: None)
    result = profiled(engine)

    assert result.quality and {one.score_percent for one in result.quality.categories} == {0}
    assert "answers ended within the model's thoughts" in result.note
    found = result.capabilities
    assert (found.tools, found.json_schema, found.json_mode, found.system_prompt) == (None, None, None, None)
