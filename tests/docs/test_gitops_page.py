"""docs/gitops.md names conditions, reasons and groups that there are, and its health script runs."""

import re
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime

from docs import test_reasons as reasons
from steelyard.api import crd
from steelyard.api.conditions import ABNORMAL

PAGE = (reasons.ROOT / "docs" / "gitops.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def script() -> tuple[str, str]:
    """The kinds that the health script is for, and its Lua."""
    [config] = [one for one in BLOCKS if one["kind"] == "ConfigMap"]
    [(kinds, parts)] = yaml.safe_load(config["data"]["resource.customizations"]).items()
    return kinds, parts["health.lua"]


def health(conditions: list[dict[str, str]] | None, observed: int = 2) -> dict[str, str]:
    """What Argo CD makes of an object of generation 2, in its Lua 5.1; None: it has no status."""
    lua = LuaRuntime()
    status = {"observedGeneration": observed, "conditions": conditions or []}
    one: dict[str, Any] = {
        "metadata": {"generation": 2},
        **({} if conditions is None else {"status": status}),
    }
    lua.globals().obj = lua.table_from(one, recursive=True)
    return dict(lua.execute(script()[1]))


def condition(kind: str, status: str, reason: str = "Why") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": f"{kind} is {status}."}


WELL = condition("Ready", "True")
DOWN = condition("Ready", "False", "Unreachable")
HEALTH: dict[str, tuple[list[dict[str, str]] | None, str, str]] = {
    "nobody saw it": (None, "Progressing", "No operator has seen it yet."),
    "it is well": ([condition("ResolvedRefs", "True"), WELL], "Healthy", "Ready is True."),
    "its engine is down": ([condition("ResolvedRefs", "True"), DOWN], "Progressing", "Ready is False."),
    "its Secret is missing": (
        [condition("ResolvedRefs", "False"), DOWN],
        "Degraded",
        "ResolvedRefs is False.",
    ),
    "its spec is refused": ([DOWN, condition("Stalled", "True")], "Degraded", "Stalled is True."),
    "a run is under way": ([condition("Reconciling", "True"), WELL], "Progressing", "Reconciling is True."),
    "it is suspended": ([condition("Ready", "False", "Suspended")], "Suspended", "Ready is False."),
    "nobody asked for it": ([condition("Ready", "False", "NotAsked")], "Suspended", "Ready is False."),
}


@pytest.mark.parametrize("case", HEALTH)
def test_the_health_of_argo_cd_is_what_its_lua_says(case: str) -> None:
    conditions, status, message = HEALTH[case]
    assert health(conditions) == {"status": status, "message": message}


def test_argo_cd_waits_until_a_change_was_seen() -> None:
    assert health([WELL], observed=1)["status"] == "Progressing"


def test_the_health_of_argo_cd_goes_by_conditions_and_reasons_that_there_are() -> None:
    kinds, lua = script()
    given = reasons.of_backends() | reasons.of_profiles() | reasons.of_policies()

    assert kinds == f"{crd.GROUP}/*"
    types = set(re.findall(r'\.type == "(\w+)"', lua))
    assert types == {"ResolvedRefs", "Ready", *ABNORMAL}
    assert types - ABNORMAL <= {type_ for type_, _ in given}
    assert {("Ready", reason) for reason in re.findall(r'\.reason == "(\w+)"', lua)} <= given
    assert set(re.findall(r'status = "(\w+)"', lua)) == {"Progressing", "Degraded", "Healthy", "Suspended"}


def test_the_kustomization_waits() -> None:
    [one] = [one for one in BLOCKS if one["kind"] == "Kustomization"]

    assert one["spec"]["wait"] is True
