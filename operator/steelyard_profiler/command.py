"""The command line of the profiler: one run against one endpoint, its report as one line on stdout.

This is what the profiling Job's container runs. Exit status 0: measured; 1: not, and the line says why.
"""

import argparse
import os
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from steelyard import loops, settings
from steelyard.api.backend import Engine, Location
from steelyard.api.measuring import LOAD_OUTPUT_TOKENS, LOAD_PROMPT_TOKENS, Load, ProfileLimits, Suite
from steelyard.api.meta import LocalObjectRef
from steelyard.api.profile import ModelProfileSpec
from steelyard.egress import flags
from steelyard_profiler import profiling, report
from steelyard_profiler.progress import Progress
from steelyard_profiler.target import UNBOUNDED, GpuSite, Target


def main(words: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run one profile; the exit status."""
    arguments = _parser(environment).parse_args(words)
    try:
        target = _target(arguments)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"steelyard_profiler: {error}\n")
        return 1
    result = loops.run(
        lambda: profiling.profile(
            target,
            _spec(arguments),
            _shown if sys.stderr.isatty() else _silent,
            quality_only=arguments.quality_only,
        )
    )
    line = report.encode(result)
    sys.stdout.write(f"{line}\n")
    if arguments.termination_log:
        Path(arguments.termination_log).write_text(line, encoding="utf-8")
    return 1 if result.failure else 0


_TIMEOUTS = (
    ("--connect-seconds", "how long a connection may take to stand", "2"),
    ("--first-byte-seconds", "how long an answer may take to begin", "300"),
    ("--idle-seconds", "how long it may be silent between two pieces", "120"),
)


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="steelyard_profiler", description="Measure one model of an OpenAI-compatible engine."
    )
    limits = ProfileLimits()
    number = settings.whole_number
    add = settings.add
    add(parser, "--url", environment, "base address of the engine, as http://host:port/v1")
    add(parser, "--model", environment, "the model, as the engine names it")
    add(parser, "--engine", environment, f"one of {', '.join(Engine)}", kind=Engine, default="OpenAI")
    add(parser, "--suite", environment, f"one of {', '.join(Suite)}", kind=Suite, default="Quick")
    add(parser, "--seed", environment, "seed of the probes", kind=number(0, 2**31 - 1), default="1")
    add(
        parser,
        "--load-concurrency",
        environment,
        "requests at once, with commas",
        kind=_numbers,
        default="1,4,16",
    )
    add(
        parser,
        "--load-prompt-tokens",
        environment,
        "length of prompts for speed",
        kind=number(16, 131_072),
        default=str(LOAD_PROMPT_TOKENS),
    )
    add(
        parser,
        "--load-output-tokens",
        environment,
        "longest answer for speed",
        kind=number(16, 8192),
        default=str(LOAD_OUTPUT_TOKENS),
    )
    add(
        parser,
        "--max-tokens",
        environment,
        "token budget",
        kind=number(1000, 100_000_000),
        default=str(limits.max_tokens),
    )
    add(
        parser,
        "--max-duration-seconds",
        environment,
        "time budget",
        kind=number(10, 86400),
        default=str(limits.max_duration_seconds),
    )
    add(
        parser,
        "--only-when-idle",
        environment,
        "true: a model in memory is not unloaded to time its load; or false",
        kind=_truth,
        default="true",
    )
    add(
        parser,
        "--max-concurrency",
        environment,
        "the most requests at once",
        kind=number(1, UNBOUNDED),
        default=str(UNBOUNDED),
    )
    add(
        parser,
        "--context-tokens",
        environment,
        "the longest prompt with answer; 0: what the engine tells",
        kind=number(0, 2**31 - 1),
        default="0",
    )
    add(
        parser,
        "--quality-only",
        environment,
        "true: measure no speed and go on beside others, for an engine that is never idle; or false",
        kind=_truth,
        default="false",
    )
    described = "where the engine tells of its load, from the host's root; none: where its kind does"
    add(parser, "--metrics-path", environment, described, default="")
    add(parser, "--gpu-url", environment, "GPU exporter; without a path: its /metrics", default="")
    add(parser, "--gpu-uuids", environment, "GPUs, with commas between them; none: all of it", default="")
    for flag, described, default in _TIMEOUTS:
        add(parser, flag, environment, described, kind=number(1, 86400), default=default)
    add(parser, "--api-key-file", environment, "file with the engine's API key", default="")
    add(parser, "--ca-file", environment, "file with the certificate authority in PEM", default="")
    add(parser, "--server-name", environment, "name that the engine's certificate must carry", default="")
    described = "Local, or External: only then a proxy is asked"
    add(parser, "--location", environment, described, kind=Location, default="Local")
    flags.add_arguments(parser, environment)
    add(parser, "--termination-log", environment, "file that the report is written to as well", default="")
    return parser


def _target(arguments: argparse.Namespace) -> Target:
    key = Path(arguments.api_key_file).read_text(encoding="utf-8").strip() if arguments.api_key_file else ""
    ca_pem = Path(arguments.ca_file).read_text(encoding="utf-8") if arguments.ca_file else None
    if ca_pem is not None:
        _check_ca(arguments.ca_file, ca_pem)
    egress, address = flags.read(arguments), urlsplit(arguments.url)
    port = address.port or (443 if address.scheme == "https" else 80)
    uuids = [uuid.strip() for uuid in arguments.gpu_uuids.split(",") if uuid.strip()]
    return Target(
        url=arguments.url.rstrip("/"),
        model=arguments.model,
        authorization=f"Bearer {key}" if key else None,
        ca_pem=ca_pem,
        extra_pem=egress.ca_pem,
        proxy=egress.proxy_for(address.scheme, address.hostname or "", port, arguments.location),
        server_name=arguments.server_name or None,
        connect_seconds=arguments.connect_seconds,
        first_byte_seconds=arguments.first_byte_seconds,
        idle_seconds=arguments.idle_seconds,
        max_concurrency=arguments.max_concurrency,
        context_tokens=arguments.context_tokens or None,
        engine=arguments.engine,
        metrics_path=arguments.metrics_path or None,
        gpus=GpuSite(arguments.gpu_url, tuple(uuids)) if arguments.gpu_url else None,
    )


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text == "true"


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return Load(concurrency=tuple(int(part) for part in text.split(",") if part)).concurrency
    except ValueError:
        said = f"{text!r} is not a rising list of numbers, as 1,4,16"
        raise argparse.ArgumentTypeError(said) from None


def _check_ca(name: str, pem: str) -> None:
    try:
        ssl.create_default_context(cadata=pem)
    except ssl.SSLError as error:
        raise ValueError(f"{name} holds no PEM certificate") from error


def _spec(arguments: argparse.Namespace) -> ModelProfileSpec:
    return ModelProfileSpec(
        backend_ref=LocalObjectRef(name="target"),
        model=arguments.model,
        suite=arguments.suite,
        seed=arguments.seed,
        load=Load(
            concurrency=arguments.load_concurrency,
            prompt_tokens=arguments.load_prompt_tokens,
            output_tokens=arguments.load_output_tokens,
        ),
        limits=ProfileLimits(
            max_duration_seconds=arguments.max_duration_seconds,
            max_tokens=arguments.max_tokens,
            only_when_idle=arguments.only_when_idle,
        ),
    )


def _shown(progress: Progress) -> None:
    name = progress.category or "Speed"
    passed = f", {progress.passed} passed" if progress.category else ""
    sys.stderr.write(f"\r\033[K{name} {progress.done}/{progress.total}{passed}\r")


def _silent(progress: Progress) -> None:
    """Without a terminal there is nobody to show it to."""
