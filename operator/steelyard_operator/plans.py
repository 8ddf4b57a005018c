"""What reconciling decides to do, as values: planning makes them, executing carries them out.

Invariant: a plan that is carried out twice leaves the same as once.
"""

from dataclasses import dataclass
from enum import StrEnum

from steelyard.api.backend import LLMBackendStatus
from steelyard.api.policy import RoutingPolicyStatus
from steelyard.api.profile import ModelProfileStatus
from steelyard.kube.kinds import Kind, Object
from steelyard_operator.queue import Done, Outcome

DONE = Done()
"""Nothing is left to do."""

AnyStatus = LLMBackendStatus | ModelProfileStatus | RoutingPolicyStatus


class NoteType(StrEnum):
    """How an Event is meant."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person would want to read: it becomes an Event."""

    type: NoteType
    """How it is meant."""
    reason: str
    """One CamelCase word."""
    message: str
    """A sentence."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """An object that is to go."""

    kind: Kind
    """Its kind."""
    name: str
    """Its name, in the namespace of the object that the plan is for."""
    uid: str
    """Its identifier: another one of the same name stays."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for one object, in this order."""

    job: Object | None = None
    """The Job to make; the status below holds only where it is there."""
    deletions: tuple[Deletion, ...] = ()
    """Objects to delete."""
    kept_jobs: tuple[str, ...] = ()
    """Jobs that are over and read: Kubernetes removes them after a while."""
    status: AnyStatus | None = None
    """The status to write; None: it stays as it is."""
    applies: tuple[Object, ...] = ()
    """ModelProfiles to make or to change; last, as a quota may refuse them."""
    notes: tuple[Note, ...] = ()
    """What to tell people."""
    outcome: Outcome = DONE
    """When to look again."""
