"""The programs of Prometheus."""

import os

import pytest

import prometheus_programs
from prometheus_programs import NoPrometheusError, Programs


@pytest.fixture(scope="session")
def programs() -> Programs:
    """Prometheus; without it the test is skipped, or fails where CI is set and apt is there."""
    try:
        return prometheus_programs.find(print)
    except NoPrometheusError as error:
        if "CI" in os.environ and prometheus_programs.can_be_had():
            raise
        pytest.skip(f"needs Prometheus. {error}")
