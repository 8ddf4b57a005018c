"""`steelyard demo`: the main job on this machine, on real engines, without a cluster.

Two llama.cpp engines are started, their `resources` written into a folder, both models measured, the gateway
started, a few `requests` sent to it. Invariant: whatever happens, nothing is left running.
"""

import argparse
import asyncio
import contextlib
import io
import logging
import shutil
import signal
import socket
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NoReturn

import httpx

from steelyard import settings
from steelyard.files import reading
from steelyard.files.problems import FilesError
from steelyard_cli import profile, tables
from steelyard_cli.demo import requests, resources
from steelyard_cli.engines import fleet, ollama, parts
from steelyard_cli.engines.errors import EngineError
from steelyard_gateway import app, logs
from steelyard_gateway import settings as gateway_settings
from steelyard_gateway.settings import Settings

HOST = "127.0.0.1"
LOGS = "logs"
"""Folder within the demo's folder for what engines and gateway have to say."""

MOST_OLLAMA_MODELS = 2
"""So many models of a running Ollama take part: measuring takes a minute each, or more."""


class InTheWay(Exception):
    """Something that the demo cannot go on with; the message says what, and what to do."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the demo's flags."""
    port = settings.whole_number(1, 65535)
    parser.add_argument("--once", action="store_true", help="end after the requests instead of serving on")
    settings.add(parser, "--folder", environment, "folder for the resources", default="steelyard-demo")
    settings.add(parser, "--port", environment, "port of the gateway", kind=port, default="8080")
    settings.add(parser, "--admin-port", environment, "port of its admin", kind=port, default="8081")


def main(arguments: argparse.Namespace) -> int:
    """Run the demo; 1 with one clear line when something is in the way."""
    previous = signal.signal(signal.SIGTERM, _exit)
    try:
        _run(Path(arguments.folder), arguments.port, arguments.admin_port, once=arguments.once)
    except (EngineError, FilesError, InTheWay, app.Refused) as error:
        sys.stderr.write(f"steelyard demo: {error}\n")
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"steelyard demo: {place}{error.strerror or error}\n")
        return 1
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def _run(folder: Path, port: int, admin_port: int, *, once: bool) -> None:
    for number, flag in ((port, "--port"), (admin_port, "--admin-port")):
        _refuse_taken(number, flag)
    _say("Steelyard demo: real engines on this machine, measured and routed to.")
    found = parts.ensure_parts(_say)
    log_folder = _emptied(folder) / LOGS
    log_folder.mkdir(parents=True, exist_ok=True)
    with fleet.running(fleet.demo_models(found), site=found.site, log_folder=log_folder) as engines:
        for engine in engines:
            _say(f"  {engine.alias} answers at {engine.url}")
        others = (ollama.find_ollama() or [])[:MOST_OLLAMA_MODELS]
        if others:
            _say(f"  An Ollama runs here, too: {', '.join(others)} take part.")
        resources.write(folder, engines, ollama.USUAL_URL, others)
        _say(f"Their resources are YAML files in {folder}/\n")
        _measure(folder)
        with (log_folder / "gateway.log").open("wb") as log, _logging_to(log):
            asyncio.run(_serve(_gateway_settings(folder, port, admin_port), log, once=once))


def _measure(folder: Path) -> None:
    _say("Measuring: generated questions, exact checks, no judge.")
    failures = profile.measure(folder)
    table = tables.profiles_table(reading.load(folder).resources, datetime.now(UTC))
    _say(f"\n{table}\n")
    if failures:
        raise InTheWay("; ".join(failures))


def _gateway_settings(folder: Path, port: int, admin_port: int) -> Settings:
    usual = gateway_settings.parse(["--source", f"file:{folder}"], {})
    return replace(usual, host=HOST, port=port, admin_port=admin_port, drain_seconds=5)


async def _serve(chosen: Settings, log: BinaryIO, *, once: bool) -> None:
    """Serve and send the requests; then end, or go on until told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gateway = app.App(chosen, log)
    url, admin_url = (f"http://{HOST}:{port}" for port in (chosen.port, chosen.admin_port))
    serving = asyncio.create_task(gateway.serve(stop), name="serve")
    try:
        await _ready(gateway, serving)
        _say(f"The gateway answers at {url}; a few requests:\n")
        sending = asyncio.create_task(asyncio.to_thread(requests.show, url, admin_url, _say), name="send")
        stopped = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({sending, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not stop.is_set():
            await sending
        _say(_how_to_try(url, chosen.directory, admin_url))
        if not once:
            _say("Serving until Ctrl-C.")
            await stop.wait()
    except httpx.HTTPError as error:
        raise InTheWay(f"a request failed ({error}); see {chosen.directory / LOGS}/gateway.log") from None
    finally:
        stop.set()
        await serving


async def _ready(gateway: app.App, serving: asyncio.Task[None]) -> None:
    """Wait until the gateway is ready. Raises what kept it from starting."""
    ready = asyncio.create_task(gateway.ready.wait(), name="ready")
    await asyncio.wait({ready, serving}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if serving.done():
        await serving


def _how_to_try(url: str, folder: Path, admin_url: str) -> str:
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


def _refuse_taken(port: int, flag: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InTheWay(
                f"port {port} cannot be used ({error.strerror}): choose another with {flag}"
            ) from None


def _emptied(folder: Path) -> Path:
    """The folder without what an earlier demo left in it; other files than the demo's are in the way."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.iterdir()):
        if path.name == LOGS:
            shutil.rmtree(path)
        elif path.name in resources.FILES or path.name.startswith("modelprofile-"):
            path.unlink()
        else:
            raise InTheWay(f"{path} is not the demo's own file: choose another folder with --folder")
    return folder


@contextlib.contextmanager
def _logging_to(log: BinaryIO) -> Iterator[None]:
    """Send the gateway's log lines to this file instead of the terminal."""
    text = io.TextIOWrapper(log, write_through=True)
    handler = logging.StreamHandler(text)
    handler.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.set_up()
    root.handlers = [handler]
    try:
        yield
    finally:
        root.handlers, root.level = before, level
        text.detach()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _exit(number: int, frame: types.FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
