"""Which endpoints are asked for the usage of streams."""

import pytest

from fakes.resources import backend, resource_set
from steelyard.routing.compiling import compile_table


@pytest.mark.parametrize(
    ("engine", "usage", "asks"),
    [
        ("VLLM", None, True),
        ("SGLang", "Auto", True),
        ("LlamaCpp", "Auto", True),
        ("Ollama", "Auto", False),
        ("OpenAI", "Auto", False),
        ("VLLM", "AsAsked", False),
    ],
)
def test_engines_that_understand_it_are_asked_for_usage_unless_as_asked(
    engine: str, usage: str | None, asks: bool
) -> None:
    spec = {"engine": engine} | ({"usage": usage} if usage else {})
    table, _ = compile_table(resource_set(backend("b", "m", **spec)), "default")

    assert [one.asks_usage for one in table.models["m"][0].endpoints] == [asks]
