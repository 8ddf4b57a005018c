"""A real API server for the session, a namespace for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import kube_binaries
from kube import control_plane as control_planes
from kube.control_plane import ControlPlane
from kube_binaries import KubeBinaries, KubeBinariesError

DEFINITIONS = Path(__file__).parents[2] / "crds"
"""The three kinds, as they are shipped."""


@pytest.fixture(scope="session")
def binaries() -> KubeBinaries:
    """The programs of a control plane; without them the test is skipped, or fails where CI is set."""
    try:
        return kube_binaries.find(print)
    except KubeBinariesError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"needs a real API server. {error}")


@pytest.fixture(scope="session")
def control_plane(binaries: KubeBinaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that knows the three kinds. Shared: leave it running."""
    with control_planes.running(binaries, tmp_path_factory.mktemp("control-plane"), DEFINITIONS) as up:
        yield up


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A fresh namespace of this test alone, on an API server that is up."""
    control_plane.start_api_server()
    name = control_plane.create_namespace()
    yield name
    control_plane.start_api_server()
    control_plane.delete_namespace(name)
