"""What is said of a pool before a request comes holds for every request."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fakes.resources import backend, resource_set
from steelyard.api.backend import Location
from steelyard.api.policy import Capability, Require
from steelyard.routing import filters
from steelyard.routing.compiling import compile_table
from steelyard.routing.decision import Turn

NEEDS = ("chat", "tools", "vision")
KNOWN = st.fixed_dictionaries({}, optional={need: st.booleans() for need in NEEDS})
MODELS = st.fixed_dictionaries({"capabilities": KNOWN}, optional={"contextTokens": st.sampled_from((10, 20))})
REQUIRES = st.sampled_from(
    (Require(), Require(capabilities=(Capability.TOOLS,)), Require(location=Location.EXTERNAL))
)


@given(
    st.lists(MODELS, min_size=1, max_size=4),
    st.frozensets(st.sampled_from(NEEDS), max_size=3),
    st.sampled_from((0, 20, 21, 40, 41)),
    REQUIRES,
)
def test_a_pool_knows_which_requests_rule_none_of_its_open_candidates_out(
    models: list[dict[str, Any]], needs: frozenset[str], tokens: int, require: Require
) -> None:
    fleet = [
        backend(f"b{index}", models=[{"name": "m", **model}], url=f"http://h{index}:1")
        for index, model in enumerate(models)
    ]
    candidates = compile_table(resource_set(*fleet), "default")[0].candidates
    pool = filters.pool(candidates, require)
    passed, rejected = filters.split(candidates, Turn("", tokens, needs), require)
    assert len(passed) + len(rejected) == len(candidates)
    assert set(passed) <= set(pool.open)
    if pool.open:
        assert (needs <= pool.passes and tokens <= pool.most_tokens) == (passed == list(pool.open))
