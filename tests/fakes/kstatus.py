"""kstatus, by which Flux and kpt tell how an object is, as far as it concerns a kind that it does not know.

https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus: generic.go, then the condition Ready.
"""

from typing import Any

from steelyard.api.meta import Resource


def of(one: dict[str, Any]) -> str:
    """InProgress, Failed, Current or Terminating: what it makes of an object as the API server has it."""
    metadata, status = one["metadata"], one.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    held = status.get("conditions") or ()
    for condition in held:
        if condition["status"] == "True" and condition["type"] in ("Reconciling", "Stalled"):
            return "InProgress" if condition["type"] == "Reconciling" else "Failed"
    ready = [condition["status"] for condition in held if condition["type"] == "Ready"]
    return "Current" if ready in ([], ["True"]) else "InProgress"


def of_resource(one: Resource) -> str:
    """The same of a resource of ours; what is abnormal must be true, or not there."""
    told: dict[str, Any] = one.model_dump(mode="json", by_alias=True, exclude_none=True)
    for condition in (told.get("status") or {}).get("conditions", ()):
        assert condition["type"] not in ("Reconciling", "Stalled") or condition["status"] == "True"
        assert condition["observedGeneration"] <= told["metadata"]["generation"]
    return of(told)
