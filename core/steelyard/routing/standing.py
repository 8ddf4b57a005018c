"""How the models that a policy selects stand, whatever the request: what its status tells. Pure."""

from steelyard.api.policy import PolicyCandidate, Require, RoutingPolicy
from steelyard.routing import filters, selecting
from steelyard.routing.table import Candidate, Table

MOST_SHOWN = 50
"""As many as a status holds."""


def standing(resource: RoutingPolicy, table: Table) -> tuple[PolicyCandidate, ...]:
    """Every model that the policy selects, sorted, with what keeps it out."""
    policy, _ = selecting.resolve(resource, table.candidates)
    distinct = {id(pair): pair for entry in policy.entries for pair in entry.candidates}
    found = [_stands(policy.spec.require, pair) for pair in distinct.values()]
    return tuple(sorted(found, key=lambda one: (one.model, one.backend)))


def _stands(require: Require, pair: Candidate) -> PolicyCandidate:
    reasons = list(filters.always_lacking(require, pair))
    return PolicyCandidate(
        model=pair.model, backend=pair.backend, eligible=not reasons, reason=", ".join(reasons)
    )
