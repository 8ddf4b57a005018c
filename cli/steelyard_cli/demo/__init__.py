"""`steelyard demo`: the main job on this machine, on real engines, without a cluster.

Two llama.cpp engines are started, their `resources` written into a folder, their models measured, the gateway
is started (`serving`) and sent a few `requests`. Invariant: whatever happens, nothing is left running.
"""

import argparse
import signal
import socket
import sys
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from steelyard import settings
from steelyard.files import reading
from steelyard.files.problems import FilesError
from steelyard_cli import profile, progress, tables
from steelyard_cli.demo import resources, serving
from steelyard_cli.demo.errors import InTheWay
from steelyard_cli.engines import fleet, ollama, parts
from steelyard_cli.engines.errors import EngineError
from steelyard_gateway.listening import Refused

MOST_OLLAMA_MODELS = 2
"""So many models of a running Ollama take part, since each is measured."""


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
    folder = Path(arguments.folder)
    try:
        _run(folder, (arguments.port, arguments.admin_port), once=arguments.once)
    except (EngineError, FilesError, InTheWay, Refused) as error:
        sys.stderr.write(f"steelyard demo: {error}\n")
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stderr.write(f"steelyard demo: {error.filename or folder}: {error.strerror or error}\n")
        return 1
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def _run(folder: Path, ports: tuple[int, int], *, once: bool) -> None:
    for number, flag in zip(ports, ("--port", "--admin-port"), strict=True):
        _refuse_taken(number, flag)
    resources.clear(folder)
    _say("Steelyard demo: real engines on this machine, measured and routed to.")
    found = parts.ensure_parts(_say)
    log_folder = folder / resources.LOGS
    with fleet.running(fleet.demo_models(found), site=found.site, log_folder=log_folder) as engines:
        for engine in engines:
            _say(f"  {engine.alias} answers at {engine.url}")
        guests = (ollama.find_ollama() or [])[:MOST_OLLAMA_MODELS]
        if guests:
            _say(f"  An Ollama runs here, too: {', '.join(guests)} may take part.")
        resources.write(folder, engines, ollama.USUAL_URL, guests)
        _say(f"Their resources are YAML files in {folder}/\n")
        _measure(folder)
        serving.serve(folder, ports, _say, once=once)


def _measure(folder: Path) -> None:
    """Measure all models and print the table. Raises InTheWay where one of the demo's own failed."""
    _say("Measuring: generated questions, exact checks, no judge.")
    with progress.bars() as on_progress:
        outcomes = profile.run_to_end(folder, profile.Options(), on_progress)
    table = tables.profiles(reading.load(folder).resources, datetime.now(UTC), "default").text()
    _say(f"\n{table}\n")
    failed = [outcome for outcome in outcomes if outcome.failure]
    for outcome in failed:
        if outcome.backend != resources.GUEST:
            raise InTheWay(f"{outcome.model} on {outcome.backend}: {outcome.failure}")
        _say(f"{outcome.model} of the Ollama could not be measured: {outcome.failure}")


def _refuse_taken(port: int, flag: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((serving.HOST, port))
        except OSError as error:
            raise InTheWay(
                f"port {port} cannot be used ({error.strerror}): choose another with {flag}"
            ) from None


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _exit(number: int, frame: types.FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
