"""The map of the gateway: what it consists of, how it starts, serves and stops.

    resources ─► spaces, and in each namespace:
                 publishing ─► current ◄─ router ◄─ protocol ◄─ clients (port)
    engines   ─► discovery  ─┘            live  ◄─ exchange ─► upstream ─► engines
    engines, exporters ─► polling ─────►──┘
    people    ─► people ─► admin (admin port)

Invariant: it answers as long as it runs; what goes wrong with resources or engines is said, not died of.
"""

import asyncio
import gc
import logging
import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

import uvicorn

from steelyard.api.resources import ResourceSet
from steelyard.files.problems import FilesError
from steelyard.routing.table import Problem
from steelyard_gateway import (
    client_connection,
    dividing,
    draining,
    elsewhere,
    listening,
    logs,
    protocol,
    shares,
)
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.listening import Refused, Server
from steelyard_gateway.metrics import Metrics
from steelyard_gateway.people import Pages
from steelyard_gateway.settings import Settings
from steelyard_gateway.shares import Fleet
from steelyard_gateway.sources import files
from steelyard_gateway.spaces import Reach, Shared, Spaces
from steelyard_gateway.state import State
from steelyard_gateway.steady import steadily
from steelyard_gateway.upstream.client import Client

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
        reach = Reach(namespace, settings.watched_namespaces)
        self._home = cluster.namespace if cluster else namespace
        self._kubernetes = None if cluster is None else _watched(cluster, reach, settings)
        self._state = State(self._kubernetes)
        self._deadlines = Deadlines()
        self._fleet = Fleet(own=settings.gateway_name, workers=settings.workers, worker=settings.worker_index)
        self._client = Client(self._deadlines, egress=settings.egress)
        shared = Shared(
            client=self._client,
            deadlines=self._deadlines,
            log=log,
            cors=settings.cors,
            trusts_status=self._kubernetes is not None,
            # In a cluster it is the operator's work; with files one worker does it.
            keeps_memory=self._files is not None and settings.worker_index == 0,
        )
        self._spaces = Spaces(reach, shared, self._fleet)
        self._metrics = Metrics(self._spaces.every, kubernetes=self._kubernetes)
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
            work = {
                "follow resources": self._follow,
                "serve namespaces": self._spaces.run,
                "become ready": self._become_ready,
                "flush request log": self._flush,
            }
            helpers = [tasks.create_task(steadily(one, name), name=name) for name, one in work.items()]
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
        self._write_log()

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
        limits = client_connection.Limits(
            body_bytes=self._settings.max_body_bytes, keep_alive_seconds=self._settings.keep_alive_seconds
        )
        http = protocol.protocol_class(self._spaces.own.gateway, self._deadlines, limits)
        return Server(
            uvicorn.Config(
                elsewhere.app(self._spaces.own.space.recorder, self._settings.cors),
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

        return admin.make(self._state, self._spaces.own.space, self._spaces.served)

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
        self._spaces.take(dividing.State(resources, invalid), self._counted(resources))
        self._begun.set()

    def _counted(self, resources: ResourceSet) -> Fleet:
        """The gateways, as the pods of their Service are now."""
        service = self._settings.gateway_service
        slices = resources.slices_by_service.get((self._home, service), ()) if service else ()
        return replace(self._fleet, gateways=shares.gateways(slices))

    async def _become_ready(self) -> None:
        await self._begun.wait()
        await self._spaces.asked()
        gc.collect()
        gc.freeze()
        self._state.asked_engines = True
        self.ready.set()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._write_log()

    def _write_log(self) -> None:
        for space in self._spaces.every():
            space.recorder.flush()


def _watched(cluster: "Configuration", reach: Reach, settings: Settings) -> "KubernetesSource":
    from steelyard_gateway.sources.kubernetes import KubernetesSource

    return KubernetesSource(cluster, reach.named, gateway_service=settings.gateway_service)


async def run(settings: Settings, cluster: "Configuration | None" = None) -> None:
    """Serve until a signal; a SIGINT after it ends it at once. Raises Refused where it cannot start."""
    stop, over = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    draining.end_on_signals(loop, stop, over)
    if settings.admin_fd is None:
        await App(settings, sys.stderr.buffer, cluster).serve(stop, over)
        return

    def orphaned() -> None:
        loop.remove_reader(sys.stdin)
        stop.set()

    loop.add_reader(sys.stdin, orphaned)
    await App(settings, logs.WholeLines(sys.stderr.fileno()), cluster).serve(stop, over)
