"""What every test may use: the real engines, and the closing words on what was skipped."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

import helm_binary
from fakes import charts, real_ollama
from fakes.charts import Render
from go_programs import GoProgramError
from steelyard_cli.engines import fleet, parts
from steelyard_cli.engines.errors import EngineError
from steelyard_cli.engines.fleet import Engine
from steelyard_cli.engines.parts import Parts

# Where a shell started the tests in its background, SIGINT is ignored, by every program that they start too.
signal.signal(signal.SIGINT, signal.default_int_handler)

CLUSTER = "tests/e2e/"
"""The tests that need a whole cluster, and real engines in it."""

BESIDE = ("tests/agent/", "tests/chart/", "tests/docs/", "tests/kube/", "tests/monitoring/", CLUSTER)
"""The tests in these folders wait most of their time, or for other programs: they run beside all others."""


LAST = "tests/profiler/"
"""Thousands of short tests, for whichever worker is the first to have nothing left to do."""


class TwoLines(LoadScopeScheduling):  # type: ignore[misc]
    """Two lines of tests for two workers, each in its own order, and what is left for the faster one."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(LAST):
            return "last"
        return "beside" if nodeid.startswith(BESIDE) else "rest"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoLines:
    """How `pytest -n 2` shares the tests out."""
    return TwoLines(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The cluster comes last: its engines and those of the demo would take each other's time."""
    items.sort(key=lambda item: item.nodeid.startswith(CLUSTER))


@pytest.fixture(scope="session")
def render() -> Render:
    """The chart; without Helm the test is skipped, or fails where CI is set."""
    try:
        helm_binary.find(print)
    except GoProgramError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"needs Helm. {error}")
    return charts.rendered


@pytest.fixture(scope="session")
def engine_parts() -> Parts:
    """The wheels of the engines; without them the test is skipped, or fails where CI is set."""
    try:
        return parts.ensure_parts(print)
    except EngineError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"needs real engines. {error}")


@pytest.fixture(scope="session")
def smollm2_engine(engine_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A real llama.cpp with SmolLM2-135M-Instruct: it answers. Shared: leave it running."""
    smollm2, _ = fleet.demo_models(engine_parts)
    with fleet.running(
        [smollm2], site=engine_parts.site, log_folder=tmp_path_factory.mktemp("smollm2")
    ) as up:
        yield up[0]


@pytest.fixture(scope="session")
def gemma3_engine(engine_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A real llama.cpp with Gemma 3 270M, a base model: it babbles. Shared: leave it running."""
    _, gemma3 = fleet.demo_models(engine_parts)
    with fleet.running([gemma3], site=engine_parts.site, log_folder=tmp_path_factory.mktemp("gemma3")) as up:
        yield up[0]


@pytest.fixture(scope="session")
def ollama_home() -> Path:
    """The program and the models of a real Ollama, for `real_ollama.ollama`; skipped where there is none."""
    try:
        return real_ollama.build()
    except real_ollama.NoOllamaError as error:
        pytest.skip(f"needs a real Ollama. {error}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was skipped and why, just above the last line of pytest."""
    reasons = Counter(
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        for report in terminalreporter.stats.get("skipped", [])
    )
    terminalreporter.section("skipped")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count} × {reason.removeprefix('Skipped: ')}")
    if not reasons:
        terminalreporter.line("nothing")
