"""A real API server for the session, a namespace for each test."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import kube_binaries
from fakes.profiled_engine import ProfiledEngine
from go_programs import GoProgramError
from kube import control_plane as control_planes
from kube import fake_kubelet, programs
from kube.control_plane import ControlPlane
from kube.fake_kubelet import FakeKubelet
from kube.programs import Operator, Programs
from kube.spaces import Space
from kube_binaries import KubeBinaries

DEFINITIONS = Path(__file__).parents[2] / "crds"
"""The three kinds, as they are shipped."""


@pytest.fixture(scope="session")
def binaries() -> KubeBinaries:
    """The programs of a control plane; without them the test is skipped, or fails where CI is set."""
    try:
        return kube_binaries.find(print)
    except GoProgramError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"needs a real API server. {error}")


@pytest.fixture(scope="session")
def control_plane(binaries: KubeBinaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that knows the three kinds. Shared: leave it running."""
    with control_planes.running(binaries, tmp_path_factory.mktemp("control-plane"), DEFINITIONS) as up:
        yield up


@pytest.fixture(scope="session")
def own_address() -> str:
    """An address of this machine that an EndpointSlice may hold."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            pytest.skip("needs an address that is not loopback: this machine has none")
        address: str = probe.getsockname()[0]
        return address


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A fresh namespace of this test alone, on an API server that is up."""
    control_plane.start_api_server()
    name = control_plane.create_namespace()
    yield name
    control_plane.start_api_server()
    control_plane.delete_namespace(name)


@pytest.fixture
def space(control_plane: ControlPlane, namespace: str) -> Space:
    """The namespace of this test, as a person with every right sees it."""
    return Space(control_plane, namespace)


@pytest.fixture
def run(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Programs:
    """Who starts programs with the shipped rights over this namespace."""
    programs.grant(control_plane, namespace)
    return Programs(control_plane, namespace, tmp_path)


@pytest.fixture
def kubelet(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[FakeKubelet]:
    """Who runs the pods of this namespace's Jobs."""
    with fake_kubelet.running(control_plane, namespace, tmp_path) as up:
        yield up


@pytest.fixture
def engine() -> Iterator[ProfiledEngine]:
    """An engine with one model, m, that answers every probe rightly."""
    with ProfiledEngine().running() as up:
        yield up


@pytest.fixture
def operator(run: Programs) -> Iterator[Operator]:
    """The active operator of this namespace."""
    with run.operator() as up:
        yield up.wait_until_active()
