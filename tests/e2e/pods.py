"""Pods for the tests, as a namespace under PodSecurity *restricted* admits them.

`model` is a real model behind a Service; `run_python` is a client inside the cluster.
"""

import itertools
from pathlib import Path
from typing import Any

from e2e import images
from e2e import quick_engine as quick_engine_script
from e2e.clusters import Cluster

MODEL = "smollm2-135m-instruct"
"""What the model of the tests is called in its API."""

MODEL_PORT = 8080

RUN_SECONDS = 120.0
"""For a client pod, from its making to its end."""

_serial = itertools.count(1)
_USER_ID = 65532
_POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": _USER_ID,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def model(name: str, *, replicas: int = 1, pre_stop_seconds: int = 0) -> tuple[dict[str, Any], ...]:
    """A Deployment of a real model and its Service; for `pre_stop_seconds` a deleted pod still answers."""
    container: dict[str, Any] = {
        "image": images.MODEL,
        "resources": {"requests": {"cpu": "100m", "memory": "300Mi"}, "limits": {"memory": "1Gi"}},
    }
    return served(name, container, replicas=replicas, pre_stop_seconds=pre_stop_seconds)


def quick_engine(name: str, model: str) -> tuple[dict[str, Any], ...]:
    """A Deployment of an engine that answers at once, and its Service."""
    script = Path(quick_engine_script.__file__).read_text()
    words = ["python", "-c", script, model, str(MODEL_PORT)]
    return served(name, {"image": images.OPERATOR, "command": words})


def served(
    name: str,
    container: dict[str, Any],
    *,
    port: int = MODEL_PORT,
    replicas: int = 1,
    pre_stop_seconds: int = 0,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A Deployment of what the container runs, and its Service at this port."""
    container = {
        "name": "model",
        "ports": [{"name": "http", "containerPort": port}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1},
        "securityContext": _CONTAINER_SECURITY,
        **container,
    }
    if pre_stop_seconds:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": pre_stop_seconds}}}
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": pre_stop_seconds + 10,
        "securityContext": _POD_SECURITY,
        "containers": [container],
    }
    labels = {"app": name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"name": "http", "port": port, "targetPort": "http"}]},
    }
    return deployment, service


def wait_until_available(cluster: Cluster, namespace: str, *names: str) -> None:
    """Wait until every replica of these Deployments is ready."""
    for name in names:
        rollout = ("rollout", "status", f"deployment/{name}", "--timeout=100s")
        if "successfully" not in cluster.kubectl("-n", namespace, *rollout, check=False):
            raise AssertionError(cluster.kubectl("-n", namespace, "describe", "pods", "-l", f"app={name}"))


def run_python(
    cluster: Cluster, namespace: str, script: str, *words: str, image: str = images.OPERATOR
) -> str:
    """What a script prints that runs in a pod, with httpx at hand; AssertionError when it fails."""
    return python_output(cluster, namespace, start_python(cluster, namespace, script, *words, image=image))


def start_python(
    cluster: Cluster, namespace: str, script: str, *words: str, image: str = images.OPERATOR
) -> str:
    """Start a script in a pod; the pod's name, for `python_output`."""
    container = {
        "name": "client",
        "image": image,
        "command": ["python", "-c", script, *words],
        "securityContext": _CONTAINER_SECURITY,
    }
    name = f"client-{next(_serial)}"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": _POD_SECURITY,
            "containers": [container],
        },
    }
    cluster.apply(pod, namespace=namespace)
    return name


def python_output(cluster: Cluster, namespace: str, name: str) -> str:
    """What the script printed, once it has ended; AssertionError when it failed."""
    terminated = "{.status.containerStatuses[0].state.terminated}"
    cluster.wait(namespace, f"pod/{name}", f"jsonpath={terminated}", RUN_SECONDS)
    code = cluster.kubectl(
        "-n", namespace, "get", "pod", name, "-o", f"jsonpath={terminated.replace('}', '.exitCode}')}"
    )
    log = cluster.kubectl("-n", namespace, "logs", name)
    assert code == "0", log
    return log
