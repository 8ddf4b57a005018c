"""One look at one object: observe (I/O), plan (pure), execute (I/O). The same whatever happened to it.

Invariant: between a plan and the first step of its execution nothing is awaited, so that two profiles never
take the same room.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from steelyard.api.backend import LLMBackend
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import SERVICE_NAME_LABEL, EndpointSlice
from steelyard.api.resources import Key as NamespacedName
from steelyard.egress.proxies import DIRECT, Egress
from steelyard.kube import errors, kinds
from steelyard.kube.client import Client
from steelyard.routing import endpoints
from steelyard_operator import backends, executing, gpus, jobs, policies, profiles, runs
from steelyard_operator.backends import EndpointView
from steelyard_operator.executing import Executor
from steelyard_operator.exporters import Exporters
from steelyard_operator.gateways import Gateways
from steelyard_operator.keepers import Keepers
from steelyard_operator.looking import Looks
from steelyard_operator.metrics import Metrics
from steelyard_operator.plans import DONE
from steelyard_operator.probing import Prober
from steelyard_operator.queue import Outcome, Wait
from steelyard_operator.world import World

FETCH_SECONDS = 60.0
"""How long what was fetched, or was not there, counts."""

MOST_LABEL_CHARACTERS = 63
"""A longer name is no Service's."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """An object to look at."""

    kind: str
    """Its kind."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""

    @property
    def pair(self) -> NamespacedName:
        """Namespace and name."""
        return self.namespace, self.name


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator was started with."""

    concurrent_profiles: int
    """Profiling Jobs at a time."""
    profiler_image: str
    """What they run."""
    egress: Egress = DIRECT
    """How they reach what is outside."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Whom a look asks."""

    client: Client
    """The API server."""
    executor: Executor
    """Who writes."""
    prober: Prober
    """Who asks engines how busy they are."""
    looks: Looks
    """What endpoints said."""
    exporters: Exporters
    """What was said of their GPUs."""
    keepers: Keepers
    """Who keeps their memory."""
    gateways: Gateways
    """What gateways see of their speed."""
    metrics: Metrics
    """What is counted."""


class Reconciler:
    """Looks at objects by key."""

    def __init__(self, world: World, tools: Tools, limits: Limits) -> None:
        self._world = world
        self._tools = tools
        self._limits = limits
        self._busy_since: dict[Key, datetime] = {}
        self._fetched: dict[tuple[str, str, str], float] = {}
        self._services: dict[NamespacedName, str] = {}
        self.waiting: set[Key] = set()
        """Profiles that wait for another run to end."""

    async def work(self, key: Key) -> Outcome:
        """Bring this object to where it should be; when to look again."""
        began = time.monotonic()
        try:
            match key.kind:
                case "LLMBackend":
                    return await self._backend(key)
                case "ModelProfile":
                    return await self._profile(key)
                case _:
                    return await self._policy(key)
        except errors.KubeError as error:
            self._tools.metrics.api_failed(key.kind)
            logger.warning("not read", extra={"key": str(key), "detail": str(error)})
            return executing.waiting_out(error)
        finally:
            self._tools.metrics.reconciled(key.kind, time.monotonic() - began)

    async def _backend(self, key: Key) -> Outcome:
        backend = self._world.resources.backends.get(key.pair)
        if backend is None or backend.metadata.deletion_timestamp:
            self._tools.looks.forget(key.pair)
            self._tools.exporters.forget(key.pair)
            self._tools.keepers.forget(key.pair)
            self._services.pop(key.pair, None)
            return DONE
        await self._fetch_authority(backend)
        await self._fetch_service(backend)
        try:
            resolved = endpoints.resolve(backend, self._world.resources)
        except endpoints.Unresolved:
            resolved = ()  # compile_table tells it
        self._tools.exporters.want(backend, resolved)
        self._tools.keepers.want(backend, resolved)
        next_look = await self._tools.looks.look(backend, resolved)
        backend = self._world.resources.backends.get(key.pair)
        if backend is None:
            return DONE
        plan = backends.plan(
            backends.Seen(
                backend=backend,
                location=endpoints.location(backend),
                now=_now(),
                endpoints=self._tools.looks.views(key.pair),
                sights=self._tools.exporters.sights(key.pair, self._world.engines_by_node()),
                problems=self._world.compiled(key.namespace).of(key.kind, key.name),
                profiles=tuple(self._world.profiles_of(key.pair)),
                loaded=self._tools.keepers.fact(key.pair),
                notes=self._tools.keepers.notes(key.pair),
            )
        )
        outcome = await self._tools.executor.execute(backend, plan)
        if outcome is plan.outcome and next_look < float("inf"):
            return Wait(next_look, "the next probe")
        return outcome

    async def _fetch_authority(self, backend: LLMBackend) -> None:
        """Fetch the ConfigMap that tls.caRef may name, at most once a minute."""
        reference = backend.spec.tls.ca_ref if backend.spec.tls else None
        if reference is None or not self._is_due((kinds.CONFIG_MAP.kind, backend.namespace, reference.name)):
            return
        pair = (backend.namespace, reference.name)
        try:
            self._world.put(await self._tools.client.get(kinds.CONFIG_MAP, *pair))
        except errors.NotFound:
            self._world.remove(kinds.CONFIG_MAP, pair)
        except errors.Forbidden as error:
            logger.warning("ConfigMap not read", extra={"object": "/".join(pair), "detail": str(error)})

    async def _fetch_service(self, backend: LLMBackend) -> None:
        """Fetch the Service that serviceRef names, and its pods: what no backend named is not kept."""
        reference, pair = backend.spec.service_ref, (backend.namespace, backend.name)
        name = reference.name if reference is not None else ""
        is_new = self._services.get(pair) != name
        is_there = (backend.namespace, name) in self._world.resources.services
        service = (kinds.SERVICE.kind, backend.namespace, name)
        if (
            not name
            or len(name) > MOST_LABEL_CHARACTERS
            or not (is_new or (not is_there and self._is_due(service)))
        ):
            return
        namespace, world, listed = backend.namespace, self._world, self._tools.client.list
        before = world.known(kinds.SERVICE, namespace)
        listing = await listed(kinds.SERVICE, namespace, field_selector=f"metadata.name={name}")
        world.renew(kinds.SERVICE, {key: one for key, one in before.items() if key[1] == name}, listing.items)
        slices = {(one.namespace, one.name): one for one in self._slices(namespace, name)}
        listing = await listed(kinds.ENDPOINT_SLICE, namespace, f"{SERVICE_NAME_LABEL}={name}")
        world.renew(kinds.ENDPOINT_SLICE, slices, listing.items)
        self._services[pair] = name

    def _slices(self, namespace: str, service: str) -> Sequence[EndpointSlice]:
        return self._world.resources.slices_by_service.get((namespace, service), ())

    def _is_due(self, what: tuple[str, str, str]) -> bool:
        """Whether this was not fetched within the last minute; it counts as fetched now."""
        now = time.monotonic()
        self._fetched = {one: at for one, at in self._fetched.items() if now - at < FETCH_SECONDS}
        if what in self._fetched:
            return False
        self._fetched[what] = now
        return True

    async def _policy(self, key: Key) -> Outcome:
        policy = self._world.resources.policies.get(key.pair)
        if policy is None or policy.metadata.deletion_timestamp:
            return DONE
        compiled = self._world.compiled(key.namespace)
        seen = policies.Seen(policy, compiled.table, compiled.of(key.kind, key.name), _now())
        return await self._tools.executor.execute(policy, policies.plan(seen))

    async def _profile(self, key: Key) -> Outcome:
        self.waiting.discard(key)
        profile = self._world.resources.profiles.get(key.pair)
        if profile is None or profile.metadata.deletion_timestamp:
            self._busy_since.pop(key, None)
            return DONE
        await self._confirm_run(profile)
        is_idle, has_waited_out = await self._idleness(key, self._seen(profile))
        profile = self._world.resources.profiles.get(key.pair)
        if profile is None:
            return DONE
        seen = replace(self._seen(profile), is_idle=is_idle, has_waited_out=has_waited_out)
        problems = self._world.compiled(key.namespace).of(key.kind, key.name)
        plan = profiles.plan(seen, problems, self._limits.profiler_image, self._limits.egress)
        if seen.obstacle and isinstance(plan.outcome, Wait):
            self.waiting.add(key)
        return await self._tools.executor.execute(profile, plan)

    def _seen(self, profile: ModelProfile) -> runs.Seen:
        backend = self._world.resources.backends.get((profile.namespace, profile.spec.backend_ref.name))
        job = self._world.jobs.get((profile.namespace, _job_name(profile)))
        pod = self._world.pods.get((profile.namespace, job.name)) if job else None
        seen = runs.Seen(profile, _now(), job=job, pod=pod, drift=self._tools.gateways.drift(profile))
        if backend is None:
            return seen
        site = self._site(profile, backend)
        return replace(
            seen,
            backend=backend,
            location=endpoints.location(backend),
            site=site,
            ca_in_secret=self._is_ca_in_secret(backend),
            obstacle=self._obstacle(backend, site),
        )

    def _is_ca_in_secret(self, backend: LLMBackend) -> bool:
        reference = backend.spec.tls.ca_ref if backend.spec.tls else None
        key = (backend.namespace, reference.name if reference else "")
        return reference is not None and key not in self._world.resources.config_maps

    def _site(self, profile: ModelProfile, backend: LLMBackend) -> runs.Site | None:
        """One endpoint that answers and serves the model; after a failed run another one."""
        views = self._tools.looks.views((backend.namespace, backend.name))
        listed = backend.spec.declared(profile.spec.model) is not None
        able = [view for view in views if view.answers and (listed or _serves(view, profile.spec.model))]
        if not able:
            return None
        able.sort(key=lambda view: view.endpoint.name)
        attempts = (profile.status.run.attempts or 0) if profile.status.run else 0
        view = able[attempts % len(able)]
        sights = self._tools.exporters.sights(
            (backend.namespace, backend.name), self._world.engines_by_node()
        )
        return runs.Site(view.endpoint, view.description, gpus.exporter(backend, sights, view.endpoint))

    def _obstacle(self, backend: LLMBackend, site: runs.Site | None) -> str:
        """Why no run may begin now, in a sentence; empty when one may."""
        if site is None:
            return f"Waits until an endpoint of LLMBackend {backend.name} answers and serves the model."
        if not self._tools.exporters.has_asked((backend.namespace, backend.name)):
            return f"Waits until the GPUs of LLMBackend {backend.name} were looked for."
        running = self._world.running()
        if any((job.namespace, job.backend) == (backend.namespace, backend.name) for job in running):
            return f"Waits until another run on LLMBackend {backend.name} has ended."
        most = self._limits.concurrent_profiles
        if len(running) >= most:
            return f"Waits until fewer than {most} runs are under way (--max-concurrent-profiles)."
        return ""

    async def _confirm_run(self, profile: ModelProfile) -> None:
        """Ask the API server for what the watches did not tell yet of a run under way: its Job, its end."""
        pair = (profile.namespace, _job_name(profile))
        if not runs.is_under_way(profile.status):
            return
        job, pod = self._world.jobs.get(pair), self._world.pods.get(pair)
        if job is None:
            try:
                job = self._world.put_job(await self._tools.client.get(kinds.JOB, *pair))
            except errors.NotFound:
                return
        if job.finished and (pod is None or pod.exit_code is None):
            listing = await self._tools.client.list(kinds.POD, job.namespace, jobs.pods_of(job))
            for value in listing.items:
                self._world.put_pod(value)

    async def _idleness(self, key: Key, seen: runs.Seen) -> tuple[bool, bool]:
        """Whether the endpoint to measure has nothing else to do, and else whether it was waited for long
        enough."""
        limits = seen.profile.spec.limits
        asks = limits.only_when_idle and not seen.obstacle and seen.job is None and runs.due(seen)
        if not asks or seen.site is None or seen.backend is None:
            self._busy_since.pop(key, None)
            return True, False
        spec = seen.backend.spec
        under_way = await self._tools.prober.activity(
            spec.engine, seen.site.endpoint, spec.probe.timeout_seconds, spec.metrics.engine.path
        )
        if not under_way:
            self._busy_since.pop(key, None)
            return True, False
        waited = seen.now - self._busy_since.setdefault(key, seen.now)
        return False, waited.total_seconds() >= limits.max_idle_wait_seconds


def _job_name(profile: ModelProfile) -> str:
    """The Job of the run under way, else of the next."""
    run = profile.status.run
    if run is not None and runs.is_under_way(profile.status):
        return run.job_name or ""
    return jobs.next_name(profile)


def _serves(view: EndpointView, model: str) -> bool:
    """Whether the endpoint told of the model."""
    return view.description is not None and any(one.name == model for one in view.description.models)


def _now() -> datetime:
    return datetime.now(UTC)
