"""A cluster with real pods for the session, with the images in it, and a namespace for each test."""

import os
import secrets
from collections.abc import Iterator

import pytest

from e2e import clusters, images
from e2e.clusters import Cluster, ClusterError, NoClusterError


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes minutes (leave out with -m 'not slow')")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster that has the images; skipped where there is none, but one that fails is an error in CI."""
    try:
        with clusters.running() as up:
            images.build(up)
            yield up
    except ClusterError as error:
        if "CI" in os.environ and not isinstance(error, NoClusterError):
            raise
        pytest.skip(f"needs a cluster with real pods. {error}")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace of this test alone, under PodSecurity *restricted*."""
    name = f"e2e-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
