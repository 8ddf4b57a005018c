"""A run against engines that call tools, refuse them, or write calls as text."""

import asyncio

import pytest

from fakes.profiled_engine import Fault, ProfiledEngine
from steelyard.api.profile import Category, Level, ModelProfileSpec
from steelyard_profiler import profiling, workload
from steelyard_profiler.profiling import Result


def profiled(engine: ProfiledEngine) -> Result:
    spec = ModelProfileSpec.model_validate({"backendRef": {"name": "b"}, "model": "m"})
    with engine.running():
        return asyncio.run(profiling.profile(engine.target(), spec, lambda progress: None))


def scores(result: Result) -> dict[Category, int | None]:
    assert result.quality is not None, result.failure
    return {score.name: score.score_percent for score in result.quality.categories}


def test_calls_in_the_stream_are_read_and_counted() -> None:
    result = profiled(ProfiledEngine())

    assert scores(result)[Category.TOOL_USE] == 100
    assert result.capabilities.tools is True
    assert result.capabilities.stream_usage is True


def test_tools_come_with_the_questions_of_tool_use_alone() -> None:
    engine = ProfiledEngine()
    profiled(engine)
    questions = {probe.question for probe in engine.known() if probe.category is Category.TOOL_USE}

    assert sum("tools" in body for body in engine.bodies) <= len(questions) + 1, "one request tries them out"
    assert all("tools" in body for body in engine.bodies if str(body["messages"][0]["content"]) in questions)


@pytest.mark.parametrize("fault", [Fault.REFUSES_TOOLS, Fault.BREAKS_ON_TOOLS])
def test_an_engine_that_refuses_tools_is_measured_without_tool_use(fault: Fault) -> None:
    engine = ProfiledEngine(fault=fault)
    result = profiled(engine)

    assert scores(result).keys() == {*workload.TEMPLATES} - {Category.TOOL_USE}
    assert result.capabilities.tools is False
    assert "refuses requests with tools" in result.note
    assert sum("tools" in body for body in engine.bodies) <= 12, "it is asked again and again"


def test_calls_as_text_are_no_calls_and_are_told_of() -> None:
    result = profiled(ProfiledEngine(fault=Fault.TOOLS_AS_TEXT))

    assert (scores(result)[Category.TOOL_USE] or 0) < 40, "only the questions that want no call"
    assert result.capabilities.tools is False
    assert "calls as text" in result.note or "calls came as text" in result.note


def test_a_model_that_never_calls_a_tool_has_no_such_capability() -> None:
    chances = {(Category.TOOL_USE, level): 0.0 for level in Level}
    result = profiled(ProfiledEngine(chances))

    assert scores(result)[Category.TOOL_USE] == 0
    assert result.capabilities.tools is False
    assert "as text" not in result.note
