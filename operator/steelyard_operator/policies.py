"""The plan for a RoutingPolicy: its status from the compiled table. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from steelyard.api import conditions
from steelyard.api.conditions import Fact
from steelyard.api.policy import PolicyCandidate, PolicySummary, RoutingPolicy
from steelyard.routing import precision
from steelyard.routing.standing import MOST_SHOWN, standing
from steelyard.routing.table import Problem, Table
from steelyard_operator import facts
from steelyard_operator.plans import Plan

_MOST_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a policy's plan depends on."""

    policy: RoutingPolicy
    """The policy."""
    table: Table
    """Its namespace's table."""
    problems: tuple[Problem, ...]
    """What the table says of it."""
    now: datetime
    """The present."""


def plan(seen: Seen) -> Plan:
    """What is to be done for this policy."""
    policy = seen.policy
    candidates = standing(policy, seen.table)
    eligible = sum(one.eligible for one in candidates)
    names = ",".join(model.name for model in policy.spec.models)
    precise, before = precision.fact(policy, seen.table), policy.status.conditions
    judged = list(_judged(seen, candidates))
    if precise is not None:
        judged.append(precise)
    else:
        before = tuple(one for one in before if one.type != precision.CONDITION)
    found = conditions.with_facts(before, judged, policy.metadata.generation, seen.now)
    update: dict[str, Any] = {
        "observed_generation": policy.metadata.generation,
        "conditions": found,
        "summary": PolicySummary(models=names[:_MOST_CHARACTERS], candidates=f"{eligible}/{len(candidates)}"),
        "candidates": candidates[:MOST_SHOWN],
    }
    status = policy.status.model_copy(update=update)
    return Plan(status=status if status != policy.status else None)


def _judged(seen: Seen, candidates: Sequence[PolicyCandidate]) -> Iterator[Fact]:
    accepted, resolved, ready = facts.of_problems(seen.problems, ("Accepted", "ResolvedRefs", "Ready"))
    yield accepted
    yield resolved
    broken = next((fact for fact in (accepted, resolved) if not fact.holds), None)
    if broken is not None:
        yield Fact("Ready", False, broken.reason, broken.message)
    elif not any(one.eligible for one in candidates):
        first = candidates[0]
        message = f"No candidate can be chosen: {first.model} on {first.backend}: {first.reason}."
        yield Fact("Ready", False, "NoneEligible", message)
    else:
        yield ready
