"""The command line as users have it: a process with its own words, environment and working directory."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SECONDS = 60
"""Nothing that is run to its end here takes longer, unless it hangs."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes minutes (leave out with -m 'not slow')")


@pytest.fixture
def steelyard(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `steelyard` with these words to its end, from an empty folder, and gives what became of it."""

    def run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STEELYARD_")}
        return subprocess.run(
            [sys.executable, "-m", "steelyard_cli", *words],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=tmp_path_factory.mktemp("empty"),
            env=inherited | {"COLUMNS": "80"} | variables,
        )

    return run
