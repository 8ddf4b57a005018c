"""Everything that the operator was told by the API server, and the tables compiled from it.

Only `handlers`, the resync and answers to our own writes put things in. Invariant: a table is compiled once
for each state of the resources.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from steelyard.api.meta import Resource
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import Key, ResourceSet
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind, Object
from steelyard.kube.store import KINDS, Store
from steelyard.routing import compiling
from steelyard.routing.table import Problem, Table
from steelyard_operator import jobs
from steelyard_operator.jobs import Job, Pod

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Compiled:
    """One namespace's table."""

    table: Table
    """What requests are decided by."""
    problems: dict[tuple[str, str], tuple[Problem, ...]]
    """What is wrong, by kind and name."""

    def of(self, kind: str, name: str) -> tuple[Problem, ...]:
        """What is wrong with one object."""
        return self.problems.get((kind, name), ())


class World:
    """The operator's view of its namespaces."""

    def __init__(self) -> None:
        self._store = Store()
        self.jobs: dict[Key, Job] = {}
        """Profiling Jobs."""
        self.pods: dict[Key, Pod] = {}
        """Their pods, by the Job's namespace and name."""
        self._by_backend: dict[Key, list[ModelProfile]] = {}
        self._by_backend_of: Mapping[Key, ModelProfile] | None = None
        self._compiled: dict[str, Compiled] = {}
        self._compiled_from: ResourceSet | None = None
        self._engines: dict[str, set[Key]] = {}
        self._engines_from: ResourceSet | None = None

    @property
    def resources(self) -> ResourceSet:
        """Our kinds and what they refer to."""
        return self._store.resources

    def put(self, value: Object) -> bool:
        """An object is as it says; whether anything changed that matters."""
        changed = self._store.put(value)
        if changed:
            self._tell_misfit(value)
        return changed

    def _tell_misfit(self, value: Object) -> None:
        """Log an object that does not fit its type: it was written by another version's definitions."""
        key = (value["metadata"]["namespace"], value["metadata"]["name"])
        if misfit := self._store.misfit(value["kind"], key):
            fields = {"kind": misfit.kind, "object": "/".join(key), "detail": misfit.message}
            logger.warning("resource left out", extra=fields)

    def remove(self, kind: Kind, key: Key, uid: str = "") -> bool:
        """There is no such object any more; with a uid, another one of the same name stays."""
        held = self._held(kind, key)
        if held is not None and uid not in ("", held.metadata.uid):
            return False
        return self._store.remove(kind, key)

    def learn(self, kind: Kind, known: Resource, value: Object | None) -> None:
        """A known object became this, None: it is gone, by an answer. What a watch told since is newer."""
        key = (known.namespace, known.name)
        if self._held(kind, key) is not known:
            return
        if value is None:
            self._store.remove(kind, key)
        else:
            self.put(value)

    def learn_job(self, known: Job, value: Object | None) -> None:
        """The same for a Job."""
        key = (known.namespace, known.name)
        if self.jobs.get(key) is not known:
            return
        if value is None:
            self.remove_job(key)
        else:
            self.put_job(value)

    def known(self, kind: Kind, namespace: str | None) -> Mapping[Key, object]:
        """The objects of a kind that the API server told of, in one namespace or in all."""
        held: Mapping[Key, object]
        if kind is kinds.JOB:
            held = {key: job for key, job in self.jobs.items() if job.uid}
        else:
            held = getattr(self.resources, KINDS[kind.kind][1])
        return {key: one for key, one in held.items() if namespace in (None, key[0])}

    def renew(self, kind: Kind, known: Mapping[Key, object], values: Iterable[Object]) -> None:
        """These are there, and of those known before they were listed no others: what came since stays."""
        there = {(value["metadata"]["namespace"], value["metadata"]["name"]): value for value in values}
        now = self.known(kind, None)
        for key in known.keys() | there.keys():
            if now.get(key) is not known.get(key):
                continue  # a watch told more lately
            if kind is kinds.JOB:
                if key in there:
                    self.put_job(there[key])
                else:
                    self.remove_job(key)
            elif key in there:
                self.put(there[key])
            else:
                self._store.remove(kind, key)

    def put_job(self, value: Object) -> Job:
        """A Job is as it says; one that is over stays so, whatever an older answer says."""
        job = jobs.of(value)
        held = self.jobs.get((job.namespace, job.name))
        if held is not None and held.finished and held.uid == job.uid and not job.finished:
            return held
        self.jobs[job.namespace, job.name] = job
        return job

    def remove_job(self, key: Key) -> None:
        """There is no such Job any more, nor its pod."""
        self.jobs.pop(key, None)
        # A pod goes after its Job and is told of until then.
        self.pods = {of: pod for of, pod in self.pods.items() if of in self.jobs}

    def put_pod(self, value: Object) -> Pod:
        """A pod is as it says; what it said last stays until its Job goes."""
        pod = jobs.pod_of(value)
        self.pods[pod.namespace, pod.job] = pod
        return pod

    def running(self) -> list[Job]:
        """Jobs that are not over."""
        return [job for job in self.jobs.values() if not job.finished]

    def profiles_of(self, backend: Key) -> Sequence[ModelProfile]:
        """The ModelProfiles that name this backend."""
        profiles = self.resources.profiles
        if profiles is not self._by_backend_of:
            self._by_backend, self._by_backend_of = {}, profiles
            for profile in profiles.values():
                key = (profile.namespace, profile.spec.backend_ref.name)
                self._by_backend.setdefault(key, []).append(profile)
        return self._by_backend.get(backend, ())

    def compiled(self, namespace: str) -> Compiled:
        """The namespace's table as the resources are now."""
        resources = self.resources
        if resources is not self._compiled_from:
            self._compiled, self._compiled_from = {}, resources
        if namespace not in self._compiled:
            table, problems = compiling.compile_table(resources, namespace)
            found: dict[tuple[str, str], tuple[Problem, ...]] = {}
            for problem in problems:
                key = (problem.kind, problem.name)
                found[key] = (*found.get(key, ()), problem)
            self._compiled[namespace] = Compiled(table, found)
        return self._compiled[namespace]

    def engines_by_node(self) -> Mapping[str, Set[Key]]:
        """The pods behind all backends on each node, ready or not; one without a name by its address."""
        resources = self.resources
        if resources is not self._engines_from:
            self._engines, self._engines_from = {}, resources
            for (namespace, _), backend in resources.backends.items():
                name = backend.spec.service_ref.name if backend.spec.service_ref else ""
                for one in resources.slices_by_service.get((namespace, name), ()):
                    for pod in one.endpoints or ():
                        if pod.node_name and pod.addresses:
                            known_as = pod.target_ref.name if pod.target_ref else ""
                            here = self._engines.setdefault(pod.node_name, set())
                            here.add((namespace, known_as or pod.addresses[0]))
        return self._engines

    def _held(self, kind: Kind, key: Key) -> Resource | None:
        held: Mapping[Key, Resource] = getattr(self.resources, KINDS[kind.kind][1])
        return held.get(key)
