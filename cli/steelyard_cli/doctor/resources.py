"""Backends, profiles and policies: what their conditions say. Pure."""

from collections.abc import Iterator

from steelyard.kube.kinds import Object
from steelyard_cli.doctor.findings import Finding, Level, ok, warning
from steelyard_cli.doctor.installation import Installation

PAGE = "docs/troubleshooting.md"
"""Where each reason has a heading."""

PASSING = frozenset(
    {"Measuring", "Waiting", "NotMeasured", "NotAsked", "Suspended", "ModelGone", "Deleting", "NotProbed"}
)
"""Reasons of what is as somebody wants it, or becomes well by itself."""

SERIOUS = frozenset({"Accepted", "ResolvedRefs", "Reachable", "Ready", "Succeeded"})
"""Conditions that keep something from working when they are False."""


def findings(found: Installation) -> Iterator[Finding]:
    """What is to be said of each resource that is not well, and how many are."""
    for kind, items in found.resources.items():
        told = [finding for one in items for finding in of_resource(kind, one)]
        yield from told
        if items and not told:
            yield ok(kind, f"all {len(items)} are well")


def of_resource(kind: str, one: Object) -> Iterator[Finding]:
    """What is to be said of one resource."""
    subject = f"{kind} {one['metadata']['namespace']}/{one['metadata']['name']}"
    status = one.get("status") or {}
    conditions = status.get("conditions") or ()
    if not conditions:
        remedy = "see what is said of the operator above, and its log"
        yield warning(subject, "no operator has written a status of it", remedy)
        return
    if status.get("observedGeneration", 0) < one["metadata"].get("generation", 0):
        yield warning(subject, "the operator has not seen its last change yet", "see the operator's log")
    told: set[str] = set()
    for condition in conditions:
        if condition["status"] == "True" or condition["reason"] in told:
            continue
        told.add(condition["reason"])
        yield _of_condition(subject, condition, is_measured=bool(status.get("quality")))


def _of_condition(subject: str, condition: Object, *, is_measured: bool) -> Finding:
    """A condition that does not hold. What was measured before counts on when a later run fails."""
    kind, reason = condition["type"], condition["reason"]
    is_problem = condition["status"] == "False" and kind in SERIOUS and reason not in PASSING
    if kind == "Succeeded" and is_measured:
        is_problem = False
    message = f"{kind}={condition['status']}, {reason}: {condition.get('message') or 'no more is told'}"
    level = Level.PROBLEM if is_problem else Level.WARNING
    return Finding(level, subject, message, f"{PAGE}#{reason.lower()}")
