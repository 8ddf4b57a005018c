"""Where the programs of a control plane are looked for, and what is said when they cannot be had."""

import re
from pathlib import Path

import pytest

import kube_binaries
from go_programs import GoProgramError, Module
from kube_binaries import MODULE, OLDEST, PACKAGES


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, of a user who has no cache yet."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.delenv("STEELYARD_KUBE", raising=False)
    return folder


def program(folder: Path, name: str, script: str = "") -> Path:
    """An executable file of this name."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / name
    made.write_text(f"#!/bin/sh\n{script}\n")
    made.chmod(0o755)
    return made


def test_assets_go_before_the_cache_and_the_cache_before_setup_envtest(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets, cache, downloaded = (
        tmp_path / "assets",
        tmp_path / "cache/steelyard/kube/bin",
        tmp_path / "envtest",
    )
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    for name in ("etcd", "kubectl"):
        program(assets, name)
    for name in ("kubectl", "kube-controller-manager"):
        program(cache, name)
    for name in PACKAGES:
        program(downloaded, name)
    program(path, "setup-envtest", f"echo {downloaded}")

    found = kube_binaries.find(print)

    assert (found.etcd, found.kubectl) == (assets / "etcd", assets / "kubectl")
    assert found.kube_controller_manager == cache / "kube-controller-manager"
    assert found.kube_apiserver == downloaded / "kube-apiserver"


def test_what_is_nowhere_is_built_into_the_cache(path: Path, tmp_path: Path) -> None:
    program(path, "setup-envtest", "echo no network >&2; exit 1")
    program(path, "go", 'while [ "$1" != -o ]; do shift; done; echo "built $3" > "$2"; /bin/chmod +x "$2"')
    steps: list[str] = []

    found = kube_binaries.find(steps.append)

    assert found.etcd == tmp_path / "cache/steelyard/kube/bin/etcd"
    assert found.etcd.read_text() == f"built {PACKAGES['etcd']}\n"
    assert steps[1] == "setup-envtest has none: no network"
    assert not list(found.etcd.parent.glob("*.partial"))


def test_the_oldest_comes_from_its_own_cache_only(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("STEELYARD_KUBE", "oldest")
    for name in PACKAGES:
        program(tmp_path / "assets", name)
        program(tmp_path / "cache/steelyard/kube-oldest/bin", name)

    found = kube_binaries.find(print)

    assert found.etcd == tmp_path / "cache/steelyard/kube-oldest/bin/etcd"


def test_without_go_the_message_says_what_to_do(path: Path) -> None:
    with pytest.raises(GoProgramError, match=r"^There is no etcd: set KUBEBUILDER_ASSETS .* or install Go"):
        kube_binaries.find(print)


def test_a_build_that_fails_says_why_and_leaves_nothing(path: Path, tmp_path: Path) -> None:
    program(path, "go", "echo 'dial tcp: no route to host' >&2; exit 1")

    with pytest.raises(GoProgramError, match=r"etcd cannot be built \(dial tcp: no route to host\)"):
        kube_binaries.find(print)

    assert list((tmp_path / "cache/steelyard/kube/bin").iterdir()) == []


@pytest.mark.parametrize("module", [MODULE, OLDEST], ids=lambda one: one.folder.name)
def test_the_packages_are_the_tools_of_the_module(module: Module) -> None:
    tools = re.search(r"^tool \((.*?)^\)", (module.folder / "go.mod").read_text(), re.MULTILINE | re.DOTALL)

    assert tools and set(tools[1].split()) == set(PACKAGES.values())
