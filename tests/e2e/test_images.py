"""The images hold what their programs need and no more, and models answer in the cluster of the tests."""

import json

import pytest

from e2e import images, pods
from e2e.clusters import Cluster

pytestmark = pytest.mark.slow

IMPORT_ALL = """
import importlib, json, pkgutil, sys, os
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
present = [name for _, name, _ in pkgutil.iter_modules(["/opt/steelyard"])]
print(json.dumps({"present": present, "user": os.getuid()}))
"""

ASK = """
import httpx, sys, time
url, model = sys.argv[1:]
health = url.replace("/v1/chat/completions", "/health")
body = {"model": model, "messages": [{"role": "user", "content": "What is 7 + 5?"}], "max_tokens": 16}
# kube-proxy knows of a new Service later than everyone else: a connection of its own for each try.
def answers():
    try:
        return httpx.get(health).status_code == 200
    except httpx.TransportError:
        return False
end = time.monotonic() + 30
while not answers() and time.monotonic() < end:
    time.sleep(0.2)
answer = httpx.post(url, json=body, timeout=60).raise_for_status().json()
print(answer["choices"][0]["message"]["content"])
"""


@pytest.mark.parametrize(
    ("image", "programs", "strangers"),
    [
        (images.OPERATOR, {"steelyard_operator", "steelyard_profiler"}, {"steelyard_gateway", "fastapi"}),
        (images.GATEWAY, {"steelyard_gateway"}, {"steelyard_operator", "kopf", "kubernetes", "rich"}),
    ],
)
def test_an_image_holds_what_its_programs_import_and_no_stranger(
    cluster: Cluster, namespace: str, image: str, programs: set[str], strangers: set[str]
) -> None:
    seen = json.loads(pods.run_python(cluster, namespace, IMPORT_ALL, "steelyard", *programs, image=image))

    assert set(seen["present"]) >= programs | {"steelyard"}
    assert set(seen["present"]) & strangers == set()
    assert seen["user"] == 65532


def test_a_model_behind_a_service_answers_from_another_pod(cluster: Cluster, namespace: str) -> None:
    cluster.apply(*pods.model("smol", replicas=2), namespace=namespace)
    pods.wait_until_available(cluster, namespace, "smol")
    url = f"http://smol.{namespace}.svc.cluster.local:{pods.MODEL_PORT}/v1/chat/completions"

    answer = pods.run_python(cluster, namespace, ASK, url, pods.MODEL)

    assert answer.strip()
