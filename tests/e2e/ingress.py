"""Traefik as the cluster's Ingress controller, in the namespace of the tests."""

from typing import Any

from e2e import images, installation, pods
from e2e.clusters import Cluster
from e2e.installation import NAMESPACE

NAME = "traefik"
PORT = 8000
URL = f"http://{NAME}:{PORT}"
"""The controller, for pods of the namespace."""

_READ = ["get", "list", "watch"]
_ACCOUNT = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
_METADATA = {"name": NAME}


def start(cluster: Cluster) -> None:
    """Have the controller, and the gateway's Ingress."""
    images.build_traefik(cluster)
    cluster.apply(*_resources(), namespace=NAMESPACE)
    pods.wait_until_available(cluster, NAMESPACE, NAME)
    values = f"gateway.ingress.enabled=true,gateway.ingress.className={NAME}"
    installation.install(cluster, "--reset-then-reuse-values", "--set", values)


def stop(cluster: Cluster) -> None:
    """Have neither."""
    installation.install(cluster, "--reset-then-reuse-values", "--set", "gateway.ingress.enabled=false")
    cluster.kubectl("-n", NAMESPACE, "delete", "deployment,service,serviceaccount", NAME)
    cluster.kubectl("delete", "ingressclass,clusterrole,clusterrolebinding", NAME)


def _resources() -> tuple[dict[str, Any], ...]:
    rbac = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["services", "secrets", "nodes"], "verbs": _READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingressclasses"], "verbs": _READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["update"]},
    ]
    reference = {"apiGroup": rbac, "kind": "ClusterRole", "name": NAME}
    flags = [
        f"--entrypoints.web.address=:{PORT}",
        "--ping=true",
        "--ping.entrypoint=web",
        "--providers.kubernetesingress=true",
        f"--providers.kubernetesingress.ingressclass={NAME}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        # As docs/ingress.md has them.
        "--entrypoints.web.transport.respondingtimeouts.readtimeout=600s",
        "--serverstransport.forwardingtimeouts.idleconntimeout=60s",
        "--experimental.fastproxy=true",
        # Where a stream is cut, this tells by whom.
        "--accesslog=true",
        "--log.level=DEBUG",
    ]
    container = {
        "image": images.TRAEFIK,
        "args": flags,
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": "http"}, "periodSeconds": 1},
    }
    deployment, service = pods.served(NAME, container, port=PORT)
    deployment["spec"]["template"]["spec"] |= {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
    }
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _METADATA},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": _METADATA, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": _METADATA,
            "roleRef": reference,
            "subjects": [_ACCOUNT],
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": _METADATA,
            "spec": {"controller": "traefik.io/ingress-controller"},
        },
        deployment,
        service,
    )
