"""The map of the gateway: what it consists of, how it starts, serves and stops.

    resources ─► publishing ─► current ◄─ router ◄─ protocol ◄─ clients (port)
    engines   ─► discovery  ─┘            live  ◄─ exchange ─► upstream ─► engines
    engines, exporters ─► polling ─────►──┘
    people    ─► people ─► admin (admin port)

Invariant: it answers as long as it runs; what goes wrong with resources or engines is said, not died of.
"""

import asyncio
import gc
import logging
import random
import signal
import socket
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

import uvicorn

from steelyard.api.resources import ResourceSet
from steelyard.files.problems import FilesError
from steelyard.routing.table import Problem
from steelyard_gateway import (
    client_connection,
    current,
    draining,
    elsewhere,
    listening,
    logs,
    protocol,
    shares,
)
from steelyard_gateway.admission import Admission
from steelyard_gateway.budget import RetryBudget
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.discovery import Discovery
from steelyard_gateway.keepers import Keepers
from steelyard_gateway.listening import Refused, Server
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.metrics import Metrics
from steelyard_gateway.parts import Gateway
from steelyard_gateway.people import Pages
from steelyard_gateway.polling import Poller
from steelyard_gateway.publishing import Publisher
from steelyard_gateway.recording import Recorder
from steelyard_gateway.router import TableRouter
from steelyard_gateway.settings import Settings
from steelyard_gateway.shares import Fleet
from steelyard_gateway.sources import files
from steelyard_gateway.state import State
from steelyard_gateway.upstream.client import Client
from steelyard_gateway.warmth import Warmth

if TYPE_CHECKING:  # loaded where there is a cluster: with httpx it costs 0.1 s and 5 MB at start
    from starlette.types import ASGIApp

    from steelyard.kube.configuration import Configuration
    from steelyard_gateway.sources.kubernetes import KubernetesSource

FLUSH_SECONDS = 0.5
"""How long a request line may wait to be written."""

logger = logging.getLogger(__name__)


class App:
    """One gateway. Make it and `serve` it in a running event loop."""

    def __init__(self, settings: Settings, log: BinaryIO, cluster: "Configuration | None" = None) -> None:
        """`cluster` is needed where the settings name no directory."""
        self._settings = settings
        self._files = None if settings.directory is None else files.FileSource(settings.directory)
        namespace = settings.namespace or (cluster.namespace if cluster else "")
        self._own_namespace = cluster.namespace if cluster else namespace
        self._kubernetes = None if cluster is None else _watched(cluster, namespace, settings)
        self._state = State(self._kubernetes)
        self._current = current.Current()
        self._deadlines = Deadlines()
        self._fleet = Fleet(own=settings.gateway_name, workers=settings.workers, worker=settings.worker_index)
        warmth = Warmth(time.monotonic)
        self._admission = Admission(self._deadlines, time.perf_counter, self._fleet, warmth)
        self._client = Client(self._deadlines, egress=settings.egress)
        self._live = LiveEndpoints(time.monotonic, self._admission.is_full, warmth, self._client.has_heard)
        self._recorder = Recorder(log)
        self._budget = RetryBudget()
        self._metrics = Metrics(
            self._current,
            self._live,
            self._recorder,
            self._admission,
            self._budget,
            kubernetes=self._kubernetes,
        )
        self._publisher = Publisher(
            self._current,
            self._live,
            self._admission,
            namespace,
            trusts_status=self._kubernetes is not None,
        )
        self._discovery = Discovery(self._publisher, self._client)
        self._poller = Poller(self._current, self._live, self._client, now=time.monotonic, rand=random.random)
        self._router = TableRouter(self._current, self._live)
        self._begun = asyncio.Event()
        self.ready = asyncio.Event()
        """Set when requests can be sent: the resources are in force, and silent engines were waited for."""

    async def serve(self, stop: asyncio.Event, over: asyncio.Event | None = None) -> None:
        """Serve until `stop`, then let requests under way end, at the latest when `over` is set.

        Raises Refused where it cannot start.
        """
        if self._files is not None:
            try:
                self._take(await asyncio.to_thread(self._files.read))
            except FilesError as error:
                raise Refused(str(error)) from None
        traffic_socket, admin_socket = self._listen()
        traffic, people = self._traffic_server(), self._admin_server()
        async with asyncio.TaskGroup() as tasks:
            helpers = [
                tasks.create_task(self._follow(), name="follow resources"),
                tasks.create_task(self._discover(), name="discover models"),
                tasks.create_task(self._poller.run(), name="poll engines and exporters"),
                tasks.create_task(self._keep_memory(), name="keep memory"),
                tasks.create_task(self._flush(), name="flush request log"),
            ]
            serving_people = tasks.create_task(people.serve([admin_socket]), name="serve admin")
            serving_traffic = tasks.create_task(traffic.serve([traffic_socket]), name="serve traffic")
            await stop.wait()
            self._state.draining = True
            await draining.drain(traffic, serving_traffic, self._settings, over or asyncio.Event())
            people.should_exit = True
            await serving_people
            for helper in helpers:
                helper.cancel()
        await self._client.aclose()
        self._recorder.flush()

    def _listen(self) -> tuple[socket.socket, socket.socket]:
        """The sockets of traffic and people."""
        chosen = self._settings
        is_worker = chosen.admin_fd is not None
        traffic = listening.listening(chosen.host, chosen.port, "--port", shared=is_worker)
        if chosen.admin_fd is None:
            admin = listening.listening(chosen.host, chosen.admin_port, "--admin-port")
        else:
            admin = socket.socket(fileno=chosen.admin_fd)
        places = {"url": listening.url(traffic), "admin": listening.url(admin)}
        if is_worker:
            logger.info("worker listening", extra=places | {"worker": chosen.worker_index})
        else:
            logger.info("listening", extra=places)
        return traffic, admin

    def _traffic_server(self) -> Server:
        gateway = Gateway(
            router=self._router,
            endpoints=self._live,
            recorder=self._recorder,
            client=self._client,
            admission=self._admission,
            deadlines=self._deadlines,
            budget=self._budget,
            cors=self._settings.cors,
        )
        limits = client_connection.Limits(body_bytes=self._settings.max_body_bytes)
        http = protocol.protocol_class(gateway, self._deadlines, limits)
        return Server(
            uvicorn.Config(
                elsewhere.app(self._recorder, self._settings.cors),
                http=http,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=int(limits.keep_alive_seconds),
            )
        )

    def _admin_server(self) -> Server:
        return listening.admin_server(Pages(self._state, self._metrics, self._load_admin))

    def _load_admin(self) -> "ASGIApp":
        from steelyard_gateway import admin

        return admin.make(self._state, self._current, self._live, self._router)

    async def _follow(self) -> None:
        if self._kubernetes is not None:
            await self._kubernetes.run(self._take)
        elif self._files is not None:
            await self._follow_files(self._files)

    async def _follow_files(self, source: files.FileSource) -> None:
        async for change in source.changes():
            if isinstance(change, FilesError):
                files.report(change)
                self._metrics.reload_failed()
                self._state.refused = [files.fields(problem) for problem in change.problems]
            else:
                self._state.refused = []
                self._take(change)

    def _take(self, resources: ResourceSet, invalid: tuple[Problem, ...] = ()) -> None:
        """Put a state of the resources into force."""
        self._admission.resize(self._counted(resources))
        self._publisher.replace(resources, invalid)
        self._begun.set()
        self._discovery.changed.set()

    def _counted(self, resources: ResourceSet) -> Fleet:
        """The gateways, as the pods of their Service are now."""
        service = self._settings.gateway_service
        slices = resources.slices_by_service.get((self._own_namespace, service), ()) if service else ()
        return replace(self._fleet, gateways=shares.gateways(slices))

    async def _discover(self) -> None:
        await self._begun.wait()
        await self._discovery.round()
        gc.collect()
        gc.freeze()
        self._state.asked_engines = True
        self.ready.set()
        await self._discovery.run()

    async def _keep_memory(self) -> None:
        """In a cluster it is the operator's work; with files one worker does it."""
        if self._files is not None and self._settings.worker_index == 0:
            await Keepers(self._current, self._client, self._admission.swapping).run()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._recorder.flush()


def _watched(cluster: "Configuration", namespace: str, settings: Settings) -> "KubernetesSource":
    from steelyard_gateway.sources.kubernetes import KubernetesSource

    return KubernetesSource(cluster, namespace, gateway_service=settings.gateway_service)


async def run(settings: Settings, cluster: "Configuration | None" = None) -> None:
    """Serve until SIGTERM or SIGINT; the second one ends it at once. Raises Refused where it cannot start."""
    stop, over = asyncio.Event(), asyncio.Event()

    def told() -> None:
        (over if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    if settings.admin_fd is None:
        await App(settings, sys.stderr.buffer, cluster).serve(stop, over)
        return

    def orphaned() -> None:
        loop.remove_reader(sys.stdin)
        told()

    loop.add_reader(sys.stdin, orphaned)
    await App(settings, logs.WholeLines(sys.stderr.fileno()), cluster).serve(stop, over)
