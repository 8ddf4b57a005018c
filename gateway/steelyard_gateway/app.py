"""The map of the gateway: what it consists of, how it starts, serves and stops.

    resources ─► publishing ─► current ◄─ router ◄─ protocol ◄─ clients (port)
    engines   ─► discovery  ─┘            live  ◄─ exchange ─► upstream ─► engines
    people    ─► admin (admin port)

Invariant: it answers as long as it runs; what goes wrong with resources or engines is said, not died of.
"""

import asyncio
import contextlib
import errno
import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

import uvicorn

from steelyard.api.resources import ResourceSet
from steelyard.files.problems import FilesError
from steelyard.kube.configuration import Configuration
from steelyard.routing.table import Problem
from steelyard_gateway import admin, current, elsewhere, protocol
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.discovery import Discovery
from steelyard_gateway.exchange import Gateway
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.metrics import Metrics
from steelyard_gateway.publishing import Publisher
from steelyard_gateway.recording import Recorder
from steelyard_gateway.router import TableRouter
from steelyard_gateway.settings import Settings
from steelyard_gateway.sources import files
from steelyard_gateway.sources.kubernetes import KubernetesSource
from steelyard_gateway.state import State
from steelyard_gateway.upstream.client import Client

FLUSH_SECONDS = 0.5
"""How long a request line may wait to be written."""

BACKLOG = 2048
"""Connections that may wait to be accepted."""

logger = logging.getLogger(__name__)


class Refused(Exception):
    """The gateway cannot start; the message says why and what to do."""


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the program: there are two servers in it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class App:
    """One gateway. Make it and `serve` it in a running event loop."""

    def __init__(self, settings: Settings, log: BinaryIO, cluster: Configuration | None = None) -> None:
        """`cluster` is needed where the settings name no directory."""
        self._settings = settings
        self._files = None if settings.directory is None else files.FileSource(settings.directory)
        namespace = settings.namespace or (cluster.namespace if cluster else "")
        self._kubernetes = None if cluster is None else KubernetesSource(cluster, namespace)
        self._state = State(self._kubernetes)
        self._current = current.Current()
        self._live = LiveEndpoints(time.monotonic)
        self._recorder = Recorder(log)
        self._metrics = Metrics(self._current, self._live, self._recorder, time.time, self._kubernetes)
        self._publisher = Publisher(
            self._current, self._live, namespace, trusts_status=self._kubernetes is not None
        )
        self._deadlines = Deadlines()
        self._client = Client(self._deadlines)
        self._discovery = Discovery(self._publisher, self._client)
        self._router = TableRouter(self._current, self._live)
        self._begun = asyncio.Event()
        self.ready = asyncio.Event()
        """Set when requests can be sent: the resources are in force, and silent engines were waited for."""

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then let requests under way end. Raises Refused where it cannot start."""
        if self._files is not None:
            try:
                self._take(await asyncio.to_thread(self._files.read))
            except FilesError as error:
                raise Refused(str(error)) from None
        traffic_socket = _bound(self._settings.host, self._settings.port, "--port")
        admin_socket = _bound(self._settings.host, self._settings.admin_port, "--admin-port")
        traffic, people = self._traffic_server(), self._admin_server()
        async with asyncio.TaskGroup() as tasks:
            helpers = [
                tasks.create_task(self._follow(), name="follow resources"),
                tasks.create_task(self._discover(), name="discover models"),
                tasks.create_task(self._flush(), name="flush request log"),
            ]
            serving_people = tasks.create_task(people.serve([admin_socket]), name="serve admin")
            serving_traffic = tasks.create_task(traffic.serve([traffic_socket]), name="serve traffic")
            logger.info("listening", extra={"url": _url(traffic_socket), "admin": _url(admin_socket)})
            await stop.wait()
            self._state.draining = True
            logger.info("draining", extra={"seconds": self._settings.drain_seconds})
            traffic.should_exit = True
            await serving_traffic
            people.should_exit = True
            await serving_people
            for helper in helpers:
                helper.cancel()
        await self._client.aclose()
        self._recorder.flush()

    def _traffic_server(self) -> _Server:
        gateway = Gateway(self._router, self._live, self._recorder, self._client)
        limits = protocol.Limits(body_bytes=self._settings.max_body_bytes)
        http = protocol.protocol_class(gateway, self._deadlines, limits)
        return _Server(
            uvicorn.Config(
                elsewhere.app,
                http=http,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=int(limits.keep_alive_seconds),
                timeout_graceful_shutdown=self._settings.drain_seconds,
            )
        )

    def _admin_server(self) -> _Server:
        app = admin.make(self._state, self._current, self._live, self._metrics, self._router)
        return _Server(
            uvicorn.Config(
                app, ws="none", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
            )
        )

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
        self._publisher.replace(resources, invalid)
        self._begun.set()
        self._discovery.changed.set()

    async def _discover(self) -> None:
        await self._begun.wait()
        await self._discovery.round()
        gc.collect()
        gc.freeze()
        self._state.asked_engines = True
        self.ready.set()
        await self._discovery.run()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._recorder.flush()


async def run(settings: Settings, cluster: Configuration | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises Refused where it cannot start."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await App(settings, sys.stderr.buffer, cluster).serve(stop)


def _bound(host: str, port: int, flag: str) -> socket.socket:
    """A listening socket. Raises Refused when the port is taken or the address is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        flag = flag if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
        raise Refused(
            f"Cannot listen on {host}:{port} ({error.strerror}): choose another with {flag}."
        ) from None
    listening.setblocking(False)
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
