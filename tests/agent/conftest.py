"""A driver that each test scripts, and who asks it: an agent of its own process, or NVML in this one."""

import ctypes
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agent import programs
from agent.asked import Asked
from agent.programs import Run
from fakes.nvml import driver as fake_driver
from fakes.nvml.driver import FakeDriver, NoCompilerError


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fake libnvidia-ml.so.1; without a compiler the test is skipped, or fails where CI is set."""
    try:
        return fake_driver.build(tmp_path_factory.mktemp("nvml"))
    except NoCompilerError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"needs a fake NVIDIA driver. {error}")


@pytest.fixture
def driver(library: Path, tmp_path: Path) -> FakeDriver:
    """A driver that is installed and says nothing yet."""
    made = FakeDriver(library, tmp_path)
    made.install()
    return made


@pytest.fixture
def run(driver: FakeDriver, tmp_path: Path) -> Run:
    """Who starts an agent with this driver."""
    return partial(programs.running, driver, tmp_path)


@pytest.fixture
def asked(library: Path, driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """NVML with the fake library, which is found by its name as soon as it is loaded."""
    ctypes.CDLL(str(library))
    monkeypatch.setenv("FAKE_NVML_SCRIPT", driver.environment["FAKE_NVML_SCRIPT"])
    made = Asked()
    yield made
    made.nvml.close()
