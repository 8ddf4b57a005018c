"""What the owner of a backend wants of its servers' memory, and whether that can be kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from steelyard.api.backend import LLMBackend, ServiceRouting
from steelyard.api.signals import Memory
from steelyard.memory.planning import Problem
from steelyard.telemetry import samples


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of each server of a backend."""

    memory: Memory
    """Which models are in memory."""
    contexts: Mapping[str, int]
    """`contextTokens`, by canonical model name."""
    load_seconds: float
    """How long a load may take."""
    answer_seconds: float
    """How long any other answer may take."""


def wanted(backend: LLMBackend) -> Wanted | None:
    """What the backend wants; None: nothing."""
    spec = backend.spec
    if spec.memory is None:
        return None
    contexts = {samples.canonical(one.name): one.context_tokens for one in spec.models if one.context_tokens}
    return Wanted(spec.memory, contexts, spec.timeouts.total_seconds, spec.probe.timeout_seconds)


def obstacle(backend: LLMBackend) -> Problem | None:
    """Why the memory of this backend's servers cannot be kept; None: it can."""
    reference = backend.spec.service_ref
    if reference is None or reference.routing is ServiceRouting.ENDPOINTS:
        return None
    message = (
        "spec.memory needs spec.serviceRef.routing: Endpoints, as behind a ClusterIP nobody knows which pod "
        "answers: set it or remove spec.memory."
    )
    return Problem("NotByPod", message)
