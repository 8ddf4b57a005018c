"""Where the gateway's resources are, as its command line says it."""

import subprocess
import sys
from pathlib import Path

import pytest

from steelyard_gateway import settings


def test_without_a_namespace_it_is_default_for_files_and_the_own_one_in_kubernetes() -> None:
    files = settings.parse(["--source", "file:conf"], {})
    cluster = settings.parse(["--source", "kubernetes"], {})

    assert (files.directory, files.namespace) == (Path("conf"), "default")
    assert (cluster.directory, cluster.namespace) == (None, "")


def test_a_namespace_counts_for_either_source() -> None:
    for source in ("file:conf", "kubernetes"):
        words = ["--source", source]
        assert settings.parse([*words, "--namespace", "team"], {}).namespace == "team"
        assert settings.parse(words, {"STEELYARD_NAMESPACE": "team"}).namespace == "team"


def test_the_source_may_come_from_the_environment() -> None:
    assert settings.parse([], {"STEELYARD_SOURCE": "kubernetes"}).directory is None


def test_another_source_is_refused_with_both_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings.parse(["--source", "etcd"], {})

    assert "'etcd' is not a source: write file:DIR or kubernetes" in capsys.readouterr().err


def test_without_a_cluster_it_says_what_to_do_and_ends_with_1(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "steelyard_gateway", "--source", "kubernetes"],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("There is no Kubernetes to talk to: set KUBECONFIG to a kubeconfig file")
    assert ended.stderr.count("\n") == 1


def test_origins_of_pages_are_read_from_a_list_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--source", "file:conf"]
    assert settings.parse(words, {}).cors is None
    read = settings.parse(words, {"STEELYARD_CORS_ORIGINS": "https://a.example, http://localhost:3000"}).cors
    assert read is not None
    assert (read.origins, read.is_open) == (
        frozenset({b"https://a.example", b"http://localhost:3000"}),
        False,
    )
    with pytest.raises(SystemExit):
        settings.parse([*words, "--cors-origins", "a.example"], {})
    assert "'a.example' is no origin: write https://example.com, or *" in capsys.readouterr().err
