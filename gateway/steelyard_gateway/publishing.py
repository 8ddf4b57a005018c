"""Puts new resources into force: what was read, with the models that engines told, compiled and swapped.

Invariant: what is in force is replaced as a whole; a problem is logged when it appears, not at every change.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from steelyard.api.backend import LLMBackend, LLMBackendStatus, Location, ObservedModel
from steelyard.api.resources import Key, ResourceSet
from steelyard.routing import endpoints
from steelyard.routing.table import Problem
from steelyard_gateway import current
from steelyard_gateway.admission import Admission
from steelyard_gateway.live import LiveEndpoints

logger = logging.getLogger(__name__)


class Publisher:
    """The one writer of `Current`."""

    def __init__(
        self,
        holder: current.Current,
        live: LiveEndpoints,
        admission: Admission,
        namespace: str,
        *,
        trusts_status: bool = False,
    ) -> None:
        """`trusts_status`: somebody keeps the models in a backend's status current."""
        self._current = holder
        self._live = live
        self._admission = admission
        self._namespace = namespace
        self._trusts_status = trusts_status
        self._resources = ResourceSet()
        self._invalid: tuple[Problem, ...] = ()
        self._observed: Mapping[Key, tuple[ObservedModel, ...]] = {}
        self._told: frozenset[Problem] = frozenset()

    @property
    def resources(self) -> ResourceSet:
        """What was read last."""
        return self._resources

    def undiscovered(self) -> list[LLMBackend]:
        """The namespace's backends whose models nobody tells; not External ones, which must list theirs."""
        return [
            backend
            for key, backend in self._resources.backends.items()
            if key[0] == self._namespace
            and not self._are_models_told(backend)
            and endpoints.location(backend) is Location.LOCAL
        ]

    def replace(self, resources: ResourceSet, invalid: tuple[Problem, ...] = ()) -> None:
        """Put these resources into force; where engines must first be asked for models, after that.

        `invalid` is what is wrong with those that cannot be read.
        """
        self._resources, self._invalid = resources, invalid
        if self._current.snapshot is not None or not self.undiscovered():
            self._publish()

    def observe(self, observed: Mapping[Key, tuple[ObservedModel, ...]]) -> None:
        """Put what engines told of their models into force."""
        known = {**self._observed, **observed}
        if known != self._observed or self._current.snapshot is None:
            self._observed = known
            self._publish()

    def _publish(self) -> None:
        backends = {key: self._with_models(key, one) for key, one in self._resources.backends.items()}
        resources = replace(self._resources, backends=backends)
        snapshot = current.snapshot(resources, self._namespace, int(time.time()), self._invalid)
        self._current.snapshot = snapshot
        self._live.forget_all_but(snapshot.table)
        self._admission.follow(snapshot.table)
        self._log(snapshot)

    def _with_models(self, key: Key, backend: LLMBackend) -> LLMBackend:
        models = self._observed.get(key)
        if models is None or self._are_models_told(backend):
            return backend
        known = {model.name: model for model in backend.status.models}
        models = tuple(_better_told(model, known.get(model.name)) for model in models)
        status = LLMBackendStatus.model_validate(dict(backend.status) | {"models": models})
        return backend.model_copy(update={"status": status})

    def _are_models_told(self, backend: LLMBackend) -> bool:
        return bool(backend.spec.models or (self._trusts_status and backend.status.models))

    def _log(self, snapshot: current.Snapshot) -> None:
        for problem in snapshot.problems:
            if problem not in self._told:
                logger.warning(
                    "resource excluded" if problem.excludes else "resource noted",
                    extra={
                        "kind": problem.kind,
                        "object": f"{problem.namespace}/{problem.name}",
                        "condition": problem.condition,
                        "reason": problem.reason,
                        "detail": problem.message,
                    },
                )
        self._told = frozenset(snapshot.problems)
        logger.info(
            "resources in force",
            extra={
                "namespace": snapshot.namespace,
                "models": len(snapshot.table.models),
                "policies": len(snapshot.resources.policies),
                "excluded": sum(problem.excludes for problem in snapshot.problems),
            },
        )


def _better_told(told: ObservedModel, known: ObservedModel | None) -> ObservedModel:
    """What the status knows where it knows more: the operator asks engines for more than their lists."""
    return known if known is not None and told.context_tokens is None else told
