"""Steelyard in the cluster of the tests: the chart with the tests' images, and two models.

Invariant: all of it is in the one namespace that the gateway reads, its own, and all of it goes.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import helm_binary
from e2e import client, images, inventory, pods, watching
from e2e.clusters import COMMAND_SECONDS, MADE_BY, READY_SECONDS, REPOSITORY, Cluster
from kube import waiting
from steelyard.api.profile import automatic_name

NAMESPACE = RELEASE = "steelyard"
OPERATOR, GATEWAY = "steelyard-operator", "steelyard-gateway"
OF_RELEASE = f"app.kubernetes.io/instance={RELEASE}"
"""The label of all that the chart installs."""
OPERATOR_PODS = f"{OF_RELEASE},app.kubernetes.io/component=operator"
GATEWAY_PODS = f"{OF_RELEASE},app.kubernetes.io/component=gateway"
DEFINITIONS = [f"{plural}.steelyard.dev" for plural in ("llmbackends", "modelprofiles", "routingpolicies")]
URL = f"http://{GATEWAY}:8080"
"""The gateway, for pods of its namespace."""

OF_THE_TESTS = ",".join(f"{key}={value}" for key, value in MADE_BY.items())
"""The label of what may be deleted with all that is in it, also when the run that made it was killed."""

LASTING, BRITTLE = "llamacpp", "brittle"
"""Two backends of one model; a deleted pod of the first still answers for PRE_STOP_SECONDS."""

PRE_STOP_SECONDS = 15
"""Several times what a short answer takes under the load of client.py."""

PROFILING = {
    "load": {"concurrency": [1], "promptTokens": 128, "outputTokens": 32},
    "limits": {"maxTokens": 8000},
}
"""For a run: some of the suite's rounds, and not all of them, as they would take minutes."""

RUN_SECONDS = 300.0
"""For a run of the profiler; one takes about a minute on two cores that do nothing else."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is known of an installation besides its cluster."""

    before: frozenset[str]
    """The objects that were there before it, as `inventory.objects` has them."""
    rows: Path
    """What someone sees who watches its profiles from the start, as `watching.qualities` reads it."""


Record = Callable[[str, str, str], None]
"""Takes for the report what was measured, the figure, and what it must be."""

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}

SAMPLES = REPOSITORY / "manifests" / "samples" / "kubernetes"


def helm(cluster: Cluster, *words: str) -> str:
    """What Helm prints, in our namespace; AssertionError with its complaint when it fails."""
    ran = subprocess.run(
        [str(helm_binary.find(print)), "--kubeconfig", str(cluster.kubeconfig), "-n", NAMESPACE, *words],
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def install(cluster: Cluster, *words: str) -> str:
    """Install the chart, or upgrade to it, with these words more, and wait until it is ready."""
    chosen = ("--set", f"image.tag={images.TAG}", "--wait", f"--timeout={READY_SECONDS:g}s")
    return helm(cluster, "upgrade", "--install", RELEASE, str(helm_binary.CHART), *chosen, *words)


@contextmanager
def installed(cluster: Cluster, record: Record, folder: Path) -> Iterator[Installation]:
    """Have Steelyard in the cluster, two models with two pods each, their backends, and the sample policy.

    AssertionError where an installation, or a part of one, is there that is not of these tests.
    """
    left = cluster.kubectl("get", "namespaces", "-l", OF_THE_TESTS, "-o", "name").split()
    if f"namespace/{NAMESPACE}" in left:
        _remove(cluster)  # of a run that was killed: nothing else was there when that one began
    cluster.kubectl("delete", "namespaces", "-l", OF_THE_TESTS)
    found = _of_an_installation(cluster)
    assert not found, (
        f"these tests make and delete what is there already: {', '.join(found)}. "
        "Take a cluster without Steelyard, or remove it there if nobody needs it"
    )
    try:
        cluster.kubectl("create", "namespace", NAMESPACE)
        cluster.kubectl("label", "namespace", NAMESPACE, OF_THE_TESTS)
        cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
        installation = Installation(inventory.objects(cluster, NAMESPACE), folder / "profiles")
        begun = time.monotonic()
        install(cluster)
        record("`helm install --wait` to Ready", f"{time.monotonic() - begun:.0f} s", "≤ 60 s")
        with watching.profiles(cluster, NAMESPACE, installation.rows):
            _apply_models(cluster)
            (answer,) = ask(cluster, {"path": "/v1/chat/completions", "body": {"model": "auto", **HELLO}})
            assert answer["status"] == 200, answer
            seconds = cluster.start_seconds + time.monotonic() - begun
            record(_to_an_answer(cluster), f"{seconds:.0f} s", "≤ 300 s")
            yield installation
    finally:
        _remove(cluster)


def sample(name: str) -> dict[str, Any]:
    """The one resource of a sample file."""
    loaded: dict[str, Any] = yaml.safe_load((SAMPLES / name).read_text())
    return loaded


def brittle_backend() -> dict[str, Any]:
    """A backend that names its Service's port by name."""
    return {
        "apiVersion": "steelyard.dev/v1alpha1",
        "kind": "LLMBackend",
        "metadata": {"name": BRITTLE},
        "spec": {
            "engine": "LlamaCpp",
            "serviceRef": {"name": BRITTLE, "port": "http"},
            "profiling": _budget(),
        },
    }


def profile_name(backend: str) -> str:
    """The name of the profile that the operator makes for the backend's model."""
    return automatic_name(backend, pods.MODEL)


def get(cluster: Cluster, *words: str) -> dict[str, Any]:
    """An object, or a list, of the namespace."""
    loaded: dict[str, Any] = json.loads(cluster.kubectl("-n", NAMESPACE, "get", *words, "-o", "json"))
    return loaded


def run_of(cluster: Cluster, backend: str) -> dict[str, Any]:
    """The last run of the backend's profile."""
    run: dict[str, Any] = get(cluster, "mprof", profile_name(backend))["status"]["run"]
    return run


def pod_of(cluster: Cluster, selector: str) -> str:
    """One of the pods that this selects, as pod/NAME."""
    words = ("get", "pods", "-l", selector, "--field-selector=status.phase=Running", "-o", "name")
    return cluster.kubectl("-n", NAMESPACE, *words).split()[0]


def admin_url(cluster: Cluster) -> str:
    """The administrative port of one of the gateways, for pods."""
    pod = pod_of(cluster, GATEWAY_PODS).removeprefix("pod/")
    return f"http://{get(cluster, 'pod', pod)['status']['podIP']}:8081"


def export(cluster: Cluster) -> str:
    """What `steelyard export` writes of the namespace."""
    ran = subprocess.run(
        [sys.executable, "-m", "steelyard_cli", "export", "--namespace", NAMESPACE],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def wait_until_ready(cluster: Cluster, selector: str, count: int) -> None:
    """Wait until so many of these pods are ready."""
    waiting.until(lambda: _ready(cluster, selector) == count, f"{count} ready pods of {selector}", 100)


def ask(cluster: Cluster, *requests: dict[str, Any], url: str = URL) -> list[Any]:
    """The gateway's answers to a client pod, as client.py prints them."""
    script = Path(client.__file__).read_text()
    printed = pods.run_python(cluster, NAMESPACE, script, "ask", url, json.dumps(requests))
    answers: list[Any] = json.loads(printed)
    return answers


def begin_load(cluster: Cluster, backend: str, tokens: int, url: str = URL) -> str:
    """Have a client pod ask a backend for such answers without a pause; the pod's name, once some began."""
    return _begin(cluster, "load", url, f"{pods.MODEL}@{backend}", str(tokens))


def begin_streams(cluster: Cluster, backend: str, tokens: int) -> str:
    """As `begin_load`, one stream at a time."""
    return _begin(cluster, "alone", URL, f"{pods.MODEL}@{backend}", str(tokens))


def begin_rate(cluster: Cluster, model: str, per_second: int) -> str:
    """Have a client pod ask so many times a second; the pod's name, once something was answered."""
    return _begin(cluster, "rate", URL, model, str(per_second))


def end_rate(cluster: Cluster, pod: str) -> tuple[dict[str, int], float]:
    """As `end_load`, and how many requests a second the pod began, by its own clock."""
    tally, seconds = _ended(cluster, pod)
    return tally, sum(tally.values()) / seconds


def _begin(cluster: Cluster, *words: str) -> str:
    script = Path(client.__file__).read_text()
    pod = pods.start_python(cluster, NAMESPACE, script, *words)
    cluster.kubectl("-n", NAMESPACE, "wait", f"pod/{pod}", "--for=condition=Ready", "--timeout=60s")
    waiting.until(lambda: client.BEGUN in cluster.kubectl("-n", NAMESPACE, "logs", pod), f"the load of {pod}")
    return pod


def end_load(cluster: Cluster, pod: str) -> dict[str, int]:
    """How many answers came how; every one that began has ended."""
    return _ended(cluster, pod)[0]


def _ended(cluster: Cluster, pod: str) -> tuple[dict[str, int], float]:
    """The tally, and the seconds for which it asked."""
    cluster.kubectl("-n", NAMESPACE, "exec", pod, "--", "sh", "-c", "kill 1")
    printed = pods.python_output(cluster, NAMESPACE, pod)
    told = json.loads(printed.splitlines()[-1])
    return told["tally"], told["seconds"]


def _to_an_answer(cluster: Cluster) -> str:
    """What the time until `auto` answers is counted from."""
    how = f"which took {cluster.start_seconds:.0f} s" if cluster.start_seconds >= 1 else "which was up"
    return f"from the start of the cluster, {how}, to an answer of `auto`; images were built"


def _of_an_installation(cluster: Cluster) -> list[str]:
    """What makes an installation, of whatever release, and what would be taken for a part of ours."""
    looks = (
        ("namespace", NAMESPACE, "--ignore-not-found"),
        ("crd", *DEFINITIONS, "--ignore-not-found"),
        ("clusterroles,clusterrolebindings", "-l", OF_RELEASE),
    )
    return [name for look in looks for name in cluster.kubectl("get", *look, "-o", "name").split()]


def _remove(cluster: Cluster) -> None:
    """Have nothing of Steelyard in a cluster where all of it was made by these tests."""
    # Pods first: a namespace is looked at again after half the longest grace period of a pod in it.
    cluster.kubectl("delete", "deployments,jobs,pods", "--all", "-n", NAMESPACE, check=False)
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    cluster.kubectl("delete", "crd", *DEFINITIONS, "--ignore-not-found")
    cluster.kubectl("delete", "clusterroles,clusterrolebindings", "-l", OF_RELEASE)
    cluster.kubectl("delete", "ingressclasses,clusterroles,clusterrolebindings", "-l", OF_THE_TESTS)


def _apply_models(cluster: Cluster) -> None:
    models = (
        *pods.model(LASTING, replicas=2, pre_stop_seconds=PRE_STOP_SECONDS),
        *pods.model(BRITTLE, replicas=2),
    )
    cluster.apply(*models, namespace=NAMESPACE)
    lasting, policy = sample("backend-llamacpp.yaml"), sample("policy-auto.yaml")
    lasting["spec"]["profiling"] = _budget()
    cluster.apply(lasting, policy, brittle_backend(), namespace=NAMESPACE)
    pods.wait_until_available(cluster, NAMESPACE, LASTING, BRITTLE)


def _ready(cluster: Cluster, selector: str) -> int:
    """How many of these pods are ready."""
    ready = [
        condition["status"]
        for pod in get(cluster, "pods", "-l", selector)["items"]
        for condition in pod["status"].get("conditions", ())
        if condition["type"] == "Ready"
    ]
    return ready.count("True")


def _budget() -> dict[str, Any]:
    return {"template": PROFILING}
