"""Several processes that serve one port, and the one above them, which starts, restarts and stops them.

    supervisor ── admin port: one answer for all (see `merging`)
    ├── worker 0 ┐ each a whole gateway: it listens on the traffic port itself, the kernel spreads connections
    └── worker 1 ┘ and has an admin port of its own on loopback, which only the supervisor knows

A worker is the program started again with the same words and three more. When its standard input ends it
stops as on SIGTERM, so none outlives the supervisor. Invariant: the supervisor touches no traffic, and a
worker that dies takes no other with it.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import time

import httpx

from steelyard_gateway import draining, listening, merging
from steelyard_gateway.settings import Settings

FIRST_PAUSE_SECONDS = 0.5
"""Before a worker that died is started again; it doubles with each further death in a row."""

LONGEST_PAUSE_SECONDS = 30.0
"""The longest such pause."""

STEADY_SECONDS = 60.0
"""A worker that lived so long has not died in a row."""

LOOPBACK = "127.0.0.1"

logger = logging.getLogger(__name__)


class Worker:
    """A process that serves, and what takes its place when it dies."""

    def __init__(self, index: int, port: int, stop: asyncio.Event, over: asyncio.Event) -> None:
        """It serves the port; at `stop` it ends what is under way, at `over` it ends at once."""
        self.index = index
        self.admin_url = ""
        """Where it answers people, while it runs."""
        self.up = asyncio.Event()
        """Set when it listened for the first time."""
        self.generation = 0
        """How many processes there were before this one."""
        self._port = port
        self._stop, self._over = stop, over

    async def live(self, client: httpx.AsyncClient) -> int:
        """Start it and wait for its end; the exit status."""
        with listening.listening(LOOPBACK, 0, "--admin-port") as admin:
            own = (f"--port={self._port}", f"--worker-index={self.index}", f"--admin-fd={admin.fileno()}")
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *sys.orig_argv[1:], *own),
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(admin.fileno(),),
                start_new_session=True,
            )
            self.admin_url = listening.url(admin)
        logger.info("worker started", extra={"worker": self.index, "pid": process.pid})
        async with asyncio.TaskGroup() as tasks:
            greeting = tasks.create_task(self._greet(client), name="wait for worker")
            ending = tasks.create_task(self._end(process), name="end worker")
            status = await process.wait()
            greeting.cancel()
            ending.cancel()
        self.admin_url = ""
        self.generation += 1
        return status

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        await self._stop.wait()
        assert process.stdin is not None
        process.stdin.close()
        await self._over.wait()
        process.send_signal(signal.SIGINT)

    async def _greet(self, client: httpx.AsyncClient) -> None:
        """Wait until it answers, which it does when it listens for traffic."""
        with contextlib.suppress(httpx.TransportError):
            await client.get(f"{self.admin_url}/healthz", timeout=None)
            self.up.set()


class Supervisor:
    """Keeps the workers running and answers for them."""

    def __init__(self, chosen: Settings) -> None:
        self._settings = chosen
        self._stop = asyncio.Event()
        self._over = asyncio.Event()

    async def serve(self) -> int:
        """Serve until a signal comes; the exit status. Raises Refused where a port cannot be had."""
        chosen = self._settings
        draining.end_on_signals(asyncio.get_running_loop(), self._stop, self._over)
        with contextlib.ExitStack() as sockets:
            if chosen.port:
                listening.bound(chosen.host, chosen.port, "--port").close()  # nobody else may be there
            reserved = listening.bound(chosen.host, chosen.port, "--port", shared=True)
            sockets.enter_context(reserved)
            admin = listening.listening(chosen.host, chosen.admin_port, "--admin-port")
            sockets.enter_context(admin)
            port: int = reserved.getsockname()[1]
            workers = [Worker(index, port, self._stop, self._over) for index in range(chosen.workers)]
            async with httpx.AsyncClient(trust_env=False) as client:
                return await self._run(workers, client, reserved, admin)

    async def _run(
        self, workers: list[Worker], client: httpx.AsyncClient, reserved: socket.socket, admin: socket.socket
    ) -> int:
        first, *others = workers
        people = listening.admin_server(merging.make(workers, client, self._stop))
        async with asyncio.TaskGroup() as tasks:
            keeping = [tasks.create_task(self._keep(first, client), name="keep worker 0")]
            up = tasks.create_task(first.up.wait(), name="wait for worker 0")
            await asyncio.wait([*keeping, up], return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            if not keeping[0].done():
                for worker in others:
                    keeping.append(tasks.create_task(self._keep(worker, client), name="keep worker"))
                serving = tasks.create_task(people.serve([admin]), name="serve admin")
                places = {"url": listening.url(reserved), "admin": listening.url(admin)}
                logger.info("listening", extra=places | {"workers": len(workers)})
                await asyncio.wait(keeping)
                people.should_exit = True
                await serving
        return max(task.result() for task in keeping)

    async def _keep(self, worker: Worker, client: httpx.AsyncClient) -> int:
        """Keep a worker running until the stop; its exit status, 1 also where a signal killed it.

        The first one ends when it cannot start: neither could the others.
        """
        deaths = 0
        while True:
            begun = time.monotonic()
            status = await worker.live(client)
            if self._stop.is_set() or (worker.index == 0 and not worker.up.is_set()):
                return int(status != 0)
            deaths = 0 if time.monotonic() - begun > STEADY_SECONDS else deaths + 1
            pause_seconds = min(FIRST_PAUSE_SECONDS * 2 ** min(deaths, 10), LONGEST_PAUSE_SECONDS)
            told = {"worker": worker.index, "status": status, "pause_seconds": pause_seconds}
            logger.error("worker died", extra=told)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_seconds):
                    await self._stop.wait()
                    return 0


async def run(chosen: Settings) -> int:
    """Serve with several workers until SIGTERM or SIGINT; the exit status."""
    return await Supervisor(chosen).serve()
