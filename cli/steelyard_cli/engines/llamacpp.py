"""One llama.cpp server as a process: `python -m steelyard_cli.engines.llamacpp --site … --model … --alias …`.

It prints one line of JSON, {"ready": true, "url": …} or {"ready": false, "message": …}, and lives until its
standard input ends. That is how it dies with its parent: the kernel closes the pipe however the parent ends.
(PR_SET_PDEATHSIG would end it with the thread that started it, and never if the parent is gone too soon.)

Invariant: standard output carries that one line; whatever llama.cpp writes goes to the log.
"""

import argparse
import importlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

HOST = "127.0.0.1"


def main() -> None:
    """Serve one model until standard input ends."""
    arguments = _arguments().parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    answer = os.fdopen(os.dup(1), "w")
    _send_output_to(arguments.log)
    try:
        _refuse_mistakes(arguments)
        # The server lives as long as this object does.
        server = _serve(_load(arguments.site), arguments)
    except (OSError, ImportError, RuntimeError) as error:
        print(json.dumps({"ready": False, "message": str(error)}), file=answer, flush=True)
        sys.exit(1)
    print(json.dumps({"ready": True, "url": server.listening_address}), file=answer, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # at once: an answer in the making has nobody left to read it


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="steelyard_cli.engines.llamacpp", description="Serve one model with llama.cpp."
    )
    parser.add_argument("--site", required=True, type=Path, help="folder that holds the package xllamacpp")
    parser.add_argument("--model", required=True, type=Path, help="GGUF file")
    parser.add_argument("--alias", required=True, help="name of the model in the API")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--context", type=int, default=4096, help="tokens that each conversation may hold")
    parser.add_argument("--parallel", type=int, default=4, help="conversations answered at a time")
    parser.add_argument("--threads", type=int, help="default: one per physical core")
    parser.add_argument(
        "--chat-template", help="name of one of llama.cpp's templates, for a model without its own"
    )
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="file for llama.cpp's log")
    return parser


def _send_output_to(log: Path) -> None:
    """Point both output descriptors at the log, below Python, where llama.cpp writes."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _refuse_mistakes(arguments: argparse.Namespace) -> None:
    if not arguments.model.is_file():
        raise FileNotFoundError(f"There is no model file {arguments.model}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, arguments.port))
        except OSError as error:
            raise OSError(
                f"Port {arguments.port} on {HOST} cannot be used ({error.strerror}): "
                "stop what listens there, or name another."
            ) from error


def _load(site: Path) -> ModuleType:
    sys.path.append(str(site))
    try:
        return importlib.import_module("xllamacpp")
    except ImportError as error:
        raise ImportError(
            f"llama.cpp cannot be loaded ({error}): "
            "it needs glibc 2.35 or newer and libgomp1 (Debian: apt install libgomp1)."
        ) from error


def _serve(llamacpp: ModuleType, arguments: argparse.Namespace) -> Any:
    """A started server; anything of xllamacpp's is untyped."""
    settings = llamacpp.CommonParams()
    settings.hostnames = [HOST]
    settings.port = arguments.port
    settings.model.path = str(arguments.model)
    settings.model_alias = {arguments.alias}
    settings.n_ctx = arguments.context * arguments.parallel
    settings.n_parallel = arguments.parallel
    settings.n_gpu_layers = 0
    settings.endpoint_metrics = settings.endpoint_slots = True
    settings.ui = False
    settings.cache_ram_mib = 0  # its default keeps up to 8 GiB of old prompts
    settings.cpuparams.poll = 0  # idle threads sleep: spinning ones starve the other engines here
    if arguments.threads:
        settings.cpuparams.n_threads = arguments.threads
    if arguments.chat_template:
        settings.chat_template = arguments.chat_template
        settings.use_jinja = False  # with it, the name itself would be taken for the template's text
    return llamacpp.Server(settings)


if __name__ == "__main__":
    main()
