"""What every test may use: the real engines, and the closing words on what was skipped."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from steelyard_cli.engines import fleet, parts
from steelyard_cli.engines.errors import EngineError
from steelyard_cli.engines.fleet import Engine
from steelyard_cli.engines.parts import Parts


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
