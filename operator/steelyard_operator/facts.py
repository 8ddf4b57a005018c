"""What the compiled table says of a resource, as facts for its conditions. Pure."""

from collections.abc import Iterable, Sequence

from steelyard.api.backend import LLMBackend
from steelyard.api.conditions import Fact
from steelyard.routing.table import Problem

DELETING = "Deleting"
"""Why a resource that is being deleted is not accepted."""

_WELL = {"Accepted": "Accepted", "ResolvedRefs": "Resolved", "Ready": "Ready"}


def of_problems(problems: Iterable[Problem], types: Sequence[str]) -> list[Fact]:
    """A fact for each of these conditions: false by the problem that excludes, true otherwise.

    A problem that excludes nothing leaves its condition true and says why people should look.
    """
    found = sorted(problems, key=lambda problem: not problem.excludes)
    facts = []
    for wanted in types:
        problem = next((one for one in found if one.condition == wanted), None)
        if problem is None:
            facts.append(Fact(wanted, True, _WELL[wanted]))
        else:
            facts.append(Fact(wanted, not problem.excludes, problem.reason, problem.message))
    return facts


def of_progress(accepted: Fact, at_work: Fact | None = None) -> tuple[Fact, ...]:
    """Stalled or Reconciling, whichever is true; none where neither is.

    Stalled: the spec is refused, which no retry mends. `at_work`: what is still done for it, as a fact.
    """
    if accepted.holds is False and accepted.reason != DELETING:
        return (Fact("Stalled", True, accepted.reason, accepted.message),)
    return () if at_work is None else (at_work,)


def served_models(backend: LLMBackend) -> tuple[str, ...]:
    """The models that count for routing: those listed, else those that the engine reported."""
    listed = tuple(model.name for model in backend.spec.models)
    return listed or tuple(model.name for model in backend.status.models)
