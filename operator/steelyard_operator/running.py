"""The operator from start to stop: wait for the lease, watch, work, renew; release the lease at the end.

Invariant: nothing is read or written for resources before the lease is held, and nothing after it is lost.
"""

import asyncio
import logging
import random
import signal
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from steelyard.api.resources import Key as NamespacedName
from steelyard.kube import configuration, errors, kinds
from steelyard.kube.client import Client
from steelyard_operator.executing import Executor
from steelyard_operator.exporters import Exporters
from steelyard_operator.gateways import Gateways
from steelyard_operator.handlers import REFERRED, SELECTORS, Handlers
from steelyard_operator.keepers import Keepers
from steelyard_operator.lease import LeadershipLost, Lease
from steelyard_operator.looking import Looks
from steelyard_operator.metrics import Metrics
from steelyard_operator.probing import Prober
from steelyard_operator.queue import Queue
from steelyard_operator.reconciling import Key, Limits, Reconciler, Tools
from steelyard_operator.serving import Serving
from steelyard_operator.settings import Settings
from steelyard_operator.world import World

WORKERS = 64
"""Objects that are looked at at the same time; nearly all of them wait for an engine."""

RESYNC_SECONDS = 600.0
"""How often everything is listed anew and looked at, whatever the watches told; with a fifth of jitter."""

ORPHAN_AGE = timedelta(days=1)
"""After so long the result of a Job that is over counts as read."""

INSTALL_SECONDS = 5.0
"""How often it is looked whether the CustomResourceDefinitions are installed yet."""

logger = logging.getLogger(__name__)


async def run(settings: Settings, environment: Mapping[str, str]) -> None:
    """Serve until SIGTERM. Raises NotConfigured, or LeadershipLost where another one took over."""
    found = configuration.load(environment)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics = Metrics()
    async with Serving(metrics, settings.host, settings.port) as serving, Client(found) as plain:
        logger.info("listening", extra={"port": serving.port})
        namespace = settings.lease_namespace or found.namespace
        lease = Lease(plain, namespace, settings.lease_name, settings.identity)
        services = [(where or found.namespace, name) for where, name in settings.gpu_exporters]
        settings = replace(settings, gpu_exporters=tuple(services), own_namespace=found.namespace)
        if await _first(lease.acquire(), stop.wait()):
            async with Client(found, guard=lease.check) as client, Prober(settings.egress) as prober:
                await _Active(settings, environment, lease, client, prober, metrics).serve(stop)
        await lease.release()


class _Active:
    """The operator while it holds the lease."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        lease: Lease,
        client: Client,
        prober: Prober,
        metrics: Metrics,
        *,
        resync_seconds: float = RESYNC_SECONDS,
    ) -> None:
        self._settings = settings
        self._resync_seconds = resync_seconds
        self._environment = environment
        self._lease = lease
        self._client = client
        self._world = World()
        self._queue: Queue[Key] = Queue(fatal=(LeadershipLost,))
        self._executor = Executor(client, self._world, metrics, settings.identity)
        self._exporters = Exporters(prober, client, settings.gpu_exporters)
        self._keepers = Keepers(prober)
        self._gateways = Gateways(
            prober,
            client,
            lambda: self._world.resources.profiles.values(),
            settings.own_namespace,
            settings.namespaces,
        )
        tools = Tools(
            client=client,
            executor=self._executor,
            prober=prober,
            looks=Looks(prober, metrics),
            exporters=self._exporters,
            keepers=self._keepers,
            gateways=self._gateways,
            metrics=metrics,
        )
        limits = Limits(settings.concurrent_profiles, settings.profiler_image, settings.egress)
        self._reconciler = Reconciler(self._world, tools, limits)
        self._handlers = Handlers(self._world, self._queue, lambda: list(self._reconciler.waiting))
        metrics.observe(
            depth=lambda: self._queue.depth,
            running=lambda: len(self._world.running()),
            active=lambda: lease.is_held,
        )

    async def serve(self, stop: asyncio.Event) -> None:
        """Watch and work until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._lease.keep(), name="keep the lease")
            if await _first(self._installed(), stop.wait()):
                helpers = (
                    tasks.create_task(self._queue.run(self._reconciler.work, WORKERS), name="work"),
                    tasks.create_task(self._resync(), name="resync"),
                    tasks.create_task(self._exporters.run(self._read_again), name="read GPUs"),
                    tasks.create_task(self._keepers.run(self._look_again), name="keep memory"),
                    tasks.create_task(self._gateways.run(self._judge_again), name="read gateways"),
                )
                tasks.create_task(_cancel_at(stop, helpers), name="stop")
                await self._watch(stop)
            keeping.cancel()

    async def _watch(self, stop: asyncio.Event) -> None:
        """Have kopf watch until SIGTERM, which it takes over and which then sets `stop`, or until `stop`.

        kopf waits for every task that began after it, so nothing else may be left to work on by then.
        """

        async def stopping(**_: object) -> None:
            stop.set()

        options = kopf.OperatorSettings()
        options.posting.enabled = False
        options.posting.loggers = False
        options.scanning.disabled = True
        for kind, selector in SELECTORS.items():
            options.watching.label_selectors[kind.group, kind.version, kind.plural] = selector
        registry = self._handlers.registry()
        kopf.on.login(registry=registry)(self._login)
        kopf.on.cleanup(registry=registry)(stopping)
        await kopf.operator(
            registry=registry,
            settings=options,
            clusterwide=not self._settings.namespaces,
            namespaces=self._settings.namespaces,
            standalone=True,
            stop_flag=stop,
        )

    def _login(self, **fields: object) -> kopf.ConnectionInfo | None:
        """kopf's own credentials, from where ours come from."""
        if self._environment.get("KUBECONFIG") or not configuration.SERVICE_ACCOUNT.is_dir():
            return kopf.login_via_client(**fields)  # type: ignore[arg-type]
        return kopf.login_with_service_account(**fields)  # type: ignore[arg-type]

    async def _installed(self) -> None:
        """Wait until our kinds can be listed: kopf looks for them once. Told when it begins or changes."""
        told = ""
        while True:
            try:
                for kind in kinds.OURS:
                    await self._client.list(kind, self._a_namespace(), field_selector="metadata.name=none")
                return
            except errors.KubeError as error:
                if str(error) != told:
                    told = str(error)
                    logger.warning("our kinds cannot be listed yet", extra={"detail": told})
            await asyncio.sleep(INSTALL_SECONDS)

    def _a_namespace(self) -> str | None:
        return next(iter(self._settings.namespaces), None)

    async def _resync(self) -> None:
        """List everything now and then: what a watch missed is mended, and every object gets a look."""
        while True:
            await asyncio.sleep(self._resync_seconds * random.uniform(0.8, 1.2))
            try:
                for namespace in self._settings.namespaces or (None,):
                    await self._list(namespace)
                await self._sweep()
            except errors.KubeError as error:
                logger.warning("resync failed", extra={"detail": str(error)})
            self._handlers.enqueue_all()

    def _look_again(self, backend: NamespacedName) -> None:
        """There is something new to say of this backend's memory."""
        self._queue.add(Key(kinds.LLM_BACKEND.kind, *backend))

    def _judge_again(self, profile: NamespacedName) -> None:
        """Something else is known of this profile's speed."""
        self._queue.add(Key(kinds.MODEL_PROFILE.kind, *profile))

    def _read_again(self, backend: NamespacedName) -> None:
        """Something was read of this backend's GPUs; some runs may have waited for that."""
        for key in (Key(kinds.LLM_BACKEND.kind, *backend), *self._reconciler.waiting):
            self._queue.add(key)

    async def _list(self, namespace: str | None) -> None:
        for kind in (*kinds.OURS, *REFERRED, kinds.JOB):
            known = self._world.known(kind, namespace)
            listing = await self._client.list(kind, namespace, SELECTORS.get(kind, ""))
            wanted = [one for one in listing.items if self._handlers.is_wanted(kind, one)]
            self._world.renew(kind, known, wanted)

    async def _sweep(self) -> None:
        """Let go of Jobs that ended long ago and that no profile read."""
        now = datetime.now(UTC)
        for job in list(self._world.jobs.values()):
            is_old = job.created is not None and now - job.created > ORPHAN_AGE
            if job.finished and not job.has_ttl and is_old:
                await self._executor.keep_a_while(job)


async def _cancel_at(stop: asyncio.Event, helpers: Iterable[asyncio.Task[None]]) -> None:
    """Cancel these when told to stop."""
    await stop.wait()
    for helper in helpers:
        helper.cancel()


async def _first(wanted: Coroutine[Any, Any, object], other: Coroutine[Any, Any, object]) -> bool:
    """Whether `wanted` was the first of two coroutines to end; the other is cancelled."""
    async with asyncio.TaskGroup() as tasks:
        one = tasks.create_task(wanted, name="wanted")
        two = tasks.create_task(other, name="other")
        await asyncio.wait((one, two), return_when=asyncio.FIRST_COMPLETED)
        won = one.done()
        one.cancel()
        two.cancel()
    return won
