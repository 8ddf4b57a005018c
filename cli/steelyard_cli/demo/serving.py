"""The demo's gateway: started on the demo's folder, sent a few requests, then left to the user.

Invariant: it has stopped, and its ports are free, when `serve` ends, however that is.
"""

import asyncio
import contextlib
import io
import logging
import signal
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from steelyard import loops
from steelyard.logs import JsonFormatter
from steelyard_cli.demo import requests, resources
from steelyard_gateway import app, logs
from steelyard_gateway import settings as gateway_settings
from steelyard_gateway.settings import Settings

HOST = "127.0.0.1"

DRAIN_SECONDS = 5
"""How long an answer under way may still take when the demo ends."""

Say = Callable[[str], None]


def serve(folder: Path, ports: tuple[int, int], say: Say, *, once: bool) -> None:
    """Serve the folder at the port and the admin port, show a few requests; then end, or go on until Ctrl-C.

    Raises InTheWay or app.Refused, and SystemExit when a signal comes before the requests are done.
    """
    usual = gateway_settings.parse(["--source", f"file:{folder}"], {})
    port, admin_port = ports
    chosen = replace(usual, host=HOST, port=port, admin_port=admin_port)
    chosen = replace(chosen, grace_seconds=0, drain_seconds=DRAIN_SECONDS)
    with (folder / resources.LOGS / "gateway.log").open("wb") as log, _logging_to(log):
        interrupted = loops.run(lambda: _Demonstration(chosen, log, say).run(once=once))
    if interrupted:
        raise SystemExit(128 + interrupted)


class _Demonstration:
    """One gateway and what is shown of it."""

    def __init__(self, chosen: Settings, log: BinaryIO, say: Say) -> None:
        self._chosen = chosen
        self._log = log
        self._say = say
        self._stop = asyncio.Event()
        self._signal = 0

    async def run(self, *, once: bool) -> int:
        """The signal that came before the requests were done; 0: none did."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._end, number)
        gateway = app.App(self._chosen, self._log)
        serving = asyncio.create_task(gateway.serve(self._stop), name="serve")
        try:
            await _first(serving, gateway.ready.wait())
            if not self._stop.is_set():
                await _first(self._stop.wait(), self._requests())
            interrupted = self._signal
            if not once and not interrupted:
                self._say("Serving until Ctrl-C.")
                await _first(serving, self._stop.wait())
        finally:
            self._stop.set()
            await serving
        return interrupted

    def _end(self, number: int) -> None:
        self._signal = number
        self._stop.set()

    async def _requests(self) -> None:
        url, admin_url = (f"http://{HOST}:{port}" for port in (self._chosen.port, self._chosen.admin_port))
        self._say(f"The gateway answers at {url}; a few requests:\n")
        await asyncio.to_thread(requests.show, url, admin_url, self._say)
        self._say(_how_to_try(url, self._chosen.directory, admin_url))


async def _first(*awaited: asyncio.Task[None] | Coroutine[Any, Any, object]) -> None:
    """Wait until one of them is done, and raise what it raised; the coroutines among the others are ended."""
    tasks = {one if isinstance(one, asyncio.Task) else asyncio.create_task(one) for one in awaited}
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others.difference(awaited):
        task.cancel()
    for task in done:
        await task


def _how_to_try(url: str, folder: Path | None, admin_url: str) -> str:
    return f"""\
Try it:

  curl -i {url}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{"model": "auto", "messages": [{{"role": "user", "content": "What is 6 times 7?"}}]}}'

  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="none")
  answer = client.chat.completions.create(
      model="auto", messages=[{{"role": "user", "content": "What is 6 times 7?"}}]
  )
  print(answer.model, answer.choices[0].message.content)

Why a model was chosen: the same request with -H 'x-steelyard-explain: 1'.
The policy: edit {folder}/policy.yaml and ask again.
All models and their load: {admin_url}/admin/table
"""


@contextlib.contextmanager
def _logging_to(log: BinaryIO) -> Iterator[None]:
    """Send the gateway's log lines to this file instead of the terminal."""
    text = io.TextIOWrapper(log, write_through=True)
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.set_up()
    root.handlers = [handler]
    try:
        yield
    finally:
        root.handlers, root.level = before, level
        text.detach()
