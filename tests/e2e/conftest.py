"""A cluster with real pods for the session, with the images in it, and a namespace for each test."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import clusters, images, installation, report
from e2e.clusters import Cluster, ClusterError, NoClusterError
from e2e.installation import NAMESPACE, OF_THE_TESTS, RUN_SECONDS, Installation, Record

_OUTCOMES = ("passed", "failed", "error", "skipped")
_FIGURES: list[tuple[str, str, str]] = []
_COMMIT = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run also what takes long (make e2e-full)")
    parser.addoption("--report", type=Path, help="write the figures of the run into this file")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes minutes (leave out with -m 'not slow')")
    config.addinivalue_line("markers", "full: runs with --full only")
    if config.getoption("--report", default=None) is not None:
        config.stash[_COMMIT] = report.commit()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long is left out unless it is asked for."""
    if not config.getoption("--full", default=False):
        left_out = [item for item in items if item.get_closest_marker("full")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report where one is asked for."""
    path: Path | None = session.config.getoption("--report", default=None)
    if path is not None:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        told = reporter.stats
        outcomes = {outcome: len(told[outcome]) for outcome in _OUTCOMES if outcome in told}
        path.write_text(report.text(session.config.stash[_COMMIT], _FIGURES, outcomes))


@pytest.fixture(scope="session")
def record() -> Record:
    """Who takes a figure for the report."""
    return lambda what, figure, must: _FIGURES.append((what, figure, must))


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


@pytest.fixture(scope="session")
def installed(
    cluster: Cluster, record: Record, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Steelyard and two models in the cluster; the last tests, in test_removal, remove it."""
    with installation.installed(cluster, record, tmp_path_factory.mktemp("installation")) as made:
        yield made


@pytest.fixture(scope="session")
def steelyard(cluster: Cluster, installed: Installation) -> Cluster:
    """The cluster with these in it."""
    return cluster


@pytest.fixture(scope="session")
def measured(steelyard: Cluster) -> Cluster:
    """The same, with both models measured, one after the other."""
    for backend in (installation.BRITTLE, installation.LASTING):
        name = installation.profile_name(backend)
        steelyard.wait(NAMESPACE, f"mprof/{name}", "create")
        steelyard.wait(NAMESPACE, f"mprof/{name}", "condition=Succeeded", 2 * RUN_SECONDS)
    return steelyard


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace of this test alone, under PodSecurity *restricted*."""
    name = f"e2e-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, OF_THE_TESTS, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
