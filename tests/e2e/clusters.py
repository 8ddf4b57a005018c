"""Cluster: a Kubernetes with real pods, and the three ways to have one for a test.

1. $KUBECONFIG, with $STEELYARD_E2E_LOAD_IMAGE: a command that takes the name of an image that Docker has
   built and makes it known there (`minikube image load`); without it this is an error, and no way is left;
2. kind, where Docker runs;
3. the plain processes of ../shared/cluster, where that folder is.

Invariant: a cluster that was started here is ended here; one that was up before stays up.
"""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared" / "cluster"
"""Not part of the project; used where it is."""

LOAD_IMAGE = "STEELYARD_E2E_LOAD_IMAGE"
KIND_CLUSTER = "steelyard-e2e"

MADE_BY = {"e2e.steelyard.dev/made-by": "tests"}
"""The label of all that these tests make themselves, so that what others leave can be told from it."""

COMMAND_SECONDS = 120.0
"""For one kubectl."""
READY_SECONDS = 60.0
"""For what needs no more than a pod's start."""
BUILD_SECONDS = 1800.0
"""For an image, or a cluster whose programs have to be built first."""


class ClusterError(Exception):
    """There is no cluster; the message is a sentence for the user."""


class NoClusterError(ClusterError):
    """Nothing here could make one."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is up."""

    kubeconfig: Path
    """For someone who may do everything."""
    kubectl_program: str
    """A kubectl."""
    build: Callable[[str, list[str]], None]
    """Builds an image of this name with these words of `docker build`, and makes it known to the nodes."""
    api_server_pid: int | None = None
    """The process of the API server, where it is one that can be held up."""
    start_seconds: float = 0.0
    """What it took to have it up, images not counted; next to nothing where it was up before."""

    def kubectl(
        self, *words: str, stdin: str = "", check: bool = True, seconds: float = COMMAND_SECONDS
    ) -> str:
        """What kubectl prints; AssertionError with its complaint when it fails, unless `check` is false."""
        ran = subprocess.run(
            [self.kubectl_program, "--kubeconfig", str(self.kubeconfig), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert ran.returncode == 0 or not check, ran.stderr
        return ran.stdout

    @contextmanager
    def forwarded(self, namespace: str, target: str, port: int) -> Iterator[str]:
        """The address on loopback of a port in the cluster, as `kubectl port-forward` opens it."""
        words = [self.kubectl_program, "--kubeconfig", str(self.kubeconfig), "-n", namespace, "port-forward"]
        with subprocess.Popen([*words, target, f":{port}"], stdout=subprocess.PIPE, text=True) as forwarding:
            try:
                assert forwarding.stdout is not None
                told = forwarding.stdout.readline()
                assert told.startswith("Forwarding from "), told
                yield f"http://{told.split()[2]}"
            finally:
                forwarding.terminate()

    @contextmanager
    def followed(self, path: Path, *words: str) -> Iterator[None]:
        """Have a kubectl that does not end by itself write what it prints into this file, complaints too."""
        command = [self.kubectl_program, "--kubeconfig", str(self.kubeconfig), *words]
        with (
            path.open("wb") as output,
            subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as following,
        ):
            try:
                yield
            finally:
                following.terminate()

    def wait(
        self, namespace: str, target: str, until: str, seconds: float = READY_SECONDS, *words: str
    ) -> None:
        """Wait as `kubectl wait` does; AssertionError that describes the target when that takes longer."""
        words = ("-n", namespace, "wait", target, *words, f"--for={until}", f"--timeout={seconds:g}s")
        try:
            self.kubectl(*words, seconds=seconds + COMMAND_SECONDS)
        except AssertionError as error:
            described = self.kubectl("-n", namespace, "describe", target, check=False)
            raise AssertionError(f"{error}\n{described}") from None

    def apply(self, *resources: dict[str, Any], namespace: str) -> None:
        """Have these resources, made or changed, with the label of the tests."""
        listed = {"apiVersion": "v1", "kind": "List", "items": [_labelled(one) for one in resources]}
        self.kubectl("apply", "--server-side", "-n", namespace, "-f", "-", stdin=json.dumps(listed))


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster by the first way that there is. Raises ClusterError."""
    begun = time.monotonic()
    with _first() as cluster:
        yield replace(cluster, start_seconds=time.monotonic() - begun)


@contextmanager
def _first() -> Iterator[Cluster]:
    if given := os.environ.get("KUBECONFIG", ""):
        yield _given(given, os.environ.get(LOAD_IMAGE, ""))
    elif shutil.which("kind") and shutil.which("docker"):
        with _kind() as cluster:
            yield cluster
    elif SHARED.is_dir():
        with _shared() as cluster:
            yield cluster
    else:
        raise NoClusterError(
            f"There is no cluster: set KUBECONFIG and {LOAD_IMAGE} (a command that takes an image's name), "
            "or install Docker and kind."
        )


def _given(kubeconfig: str, load: str) -> Cluster:
    """The cluster of the environment: the file that KUBECONFIG names, and the command of LOAD_IMAGE."""
    if os.pathsep in kubeconfig:
        raise ClusterError(
            f"KUBECONFIG names several files ({kubeconfig}): name the one of the tests' cluster."
        )
    if not load.strip():
        raise ClusterError(
            f"KUBECONFIG is set and {LOAD_IMAGE} is not: set it to a command that takes the name of an image "
            "that Docker has built and makes it known to the nodes, as `minikube image load`, or to `true` "
            "where the nodes have Docker's images; or unset KUBECONFIG for a cluster of the tests' own."
        )
    return Cluster(Path(kubeconfig), _kubectl_on_path(), _docker_build(shlex.split(load)))


@contextmanager
def _shared() -> Iterator[Cluster]:
    kubectl = f"{_run(str(SHARED / 'build-kube')).stdout.strip()}/kubectl"
    up = _run(str(SHARED / "up"))
    was_up = not up.stderr
    kubeconfig = up.stdout.strip().removeprefix("export KUBECONFIG=")

    def build(name: str, words: list[str]) -> None:
        _run(str(SHARED / "build-image"), "--tag", name, *words)

    try:
        pid, _ = (Path(kubeconfig).parent / "pids" / "kube-apiserver").read_text().split()
        cluster = Cluster(Path(kubeconfig), kubectl, build, int(pid))
        _keep_services_inside(cluster)
        yield cluster
    finally:
        if not was_up:
            _run(str(SHARED / "down"))


def _keep_services_inside(cluster: Cluster) -> None:
    """Have the address of a Service refused until kube-proxy knows it, as one without endpoints is.

    Without this rule such a request leaves the machine by its default route, where a proxy may answer it, and
    a client that keeps its connection asks that proxy ever after.
    """
    addresses = cluster.kubectl("get", "servicecidr", "kubernetes", "-o", "jsonpath={.spec.cidrs[0]}")
    why = "not yet in KUBE-SERVICES"  # the folder's `down` removes the rules that name a KUBE- chain
    if why not in _run("iptables", "-S", "FORWARD").stdout:
        rule = ["-d", addresses, "-m", "comment", "--comment", why, "-j", "REJECT"]
        _run("iptables", "-I", "FORWARD", *rule)


@contextmanager
def _kind() -> Iterator[Cluster]:
    was_up = KIND_CLUSTER in _run("kind", "get", "clusters").stdout.split()
    load = ["kind", "load", "docker-image", "--name", KIND_CLUSTER]
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        verb = ["export", "kubeconfig"] if was_up else ["create", "cluster"]
        _run("kind", *verb, "--name", KIND_CLUSTER, "--kubeconfig", str(kubeconfig))
        try:
            yield Cluster(kubeconfig, _kubectl_on_path(), _docker_build(load))
        finally:
            if not was_up:
                _run("kind", "delete", "cluster", "--name", KIND_CLUSTER, "--kubeconfig", str(kubeconfig))


def _docker_build(load: list[str]) -> Callable[[str, list[str]], None]:
    def build(name: str, words: list[str]) -> None:
        _run("docker", "build", "--tag", name, *words)
        _run(*load, name)

    return build


def _labelled(resource: dict[str, Any]) -> dict[str, Any]:
    metadata = resource["metadata"]
    return {**resource, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), **MADE_BY}}}


def _kubectl_on_path() -> str:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise ClusterError("There is no kubectl on the PATH: install it.")
    return kubectl


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        ran = subprocess.run(words, capture_output=True, text=True, timeout=BUILD_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        raise ClusterError(f"{' '.join(words)} failed: {said[-1] if said else error.returncode}") from error
    except FileNotFoundError as error:
        raise ClusterError(f"There is no {words[0]} on the PATH: install it.") from error
    return ran
