"""Everything that the operator was told by the API server, and the tables compiled from it.

Only `handlers`, the resync and answers to our own writes put things in. Invariant: a table is compiled once
for each state of the resources.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from steelyard.api.resources import Key, ResourceSet
from steelyard.kube.kinds import Kind, Object
from steelyard.kube.store import Store
from steelyard.routing import compiling
from steelyard.routing.table import Problem, Table
from steelyard_operator import jobs
from steelyard_operator.jobs import Job, Pod


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
        self._compiled: dict[str, Compiled] = {}
        self._compiled_from: ResourceSet | None = None

    @property
    def resources(self) -> ResourceSet:
        """Our kinds and what they refer to."""
        return self._store.resources

    def put(self, value: Object) -> bool:
        """An object is as it says; whether anything changed that matters."""
        return self._store.put(value)

    def remove(self, kind: Kind, key: Key) -> bool:
        """There is no such object any more."""
        return self._store.remove(kind, key)

    def replace(self, kind: Kind, namespace: str | None, values: Iterable[Object]) -> None:
        """These are all objects of a kind, in one namespace or in all."""
        self._store.replace(kind, namespace, values)

    def put_job(self, value: Object) -> Job:
        """A Job is as it says."""
        job = jobs.of(value)
        self.jobs[job.namespace, job.name] = job
        return job

    def remove_job(self, key: Key) -> None:
        """There is no such Job any more, nor its pod."""
        self.jobs.pop(key, None)
        self.pods.pop(key, None)

    def put_pod(self, value: Object) -> Pod:
        """A pod is as it says; what it said last stays until its Job goes."""
        pod = jobs.pod_of(value)
        self.pods[pod.namespace, pod.job] = pod
        return pod

    def running(self) -> list[Job]:
        """Jobs that are not over."""
        return [job for job in self.jobs.values() if not job.finished]

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
