"""What people do to clusters, and what happens to clusters, under load: what is promised holds."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e import client, installation, pods
from e2e.clusters import REPOSITORY, Cluster
from e2e.installation import BRITTLE, HELLO, LASTING, NAMESPACE, Record
from kube import waiting

pytestmark = [pytest.mark.slow, pytest.mark.full]

CHAT = "/v1/chat/completions"
QUICK = "quick"
PER_SECOND = 100
AWAY_SECONDS = 120.0
ANNOTATION = "podAnnotations.upgraded"


@pytest.fixture(scope="module")
def quick(measured: Cluster) -> Iterator[Cluster]:
    """With an engine beside the others that answers at once, and is not measured."""
    spec = {
        "engine": "OpenAI",
        "serviceRef": {"name": QUICK, "port": pods.MODEL_PORT},
        "profiling": {"mode": "Manual"},
    }
    backend = {"apiVersion": "steelyard.dev/v1alpha1", "kind": "LLMBackend", "metadata": {"name": QUICK}}
    measured.apply(*pods.quick_engine(QUICK, QUICK), {**backend, "spec": spec}, namespace=NAMESPACE)
    pods.wait_until_available(measured, NAMESPACE, QUICK)
    waiting.until(lambda: answer(measured, QUICK)["status"] == 200, "an answer of the quick engine")
    yield measured
    measured.kubectl("-n", NAMESPACE, "delete", f"llmb/{QUICK}", f"service/{QUICK}", f"deployment/{QUICK}")


def answer(cluster: Cluster, model: str) -> dict[str, Any]:
    """What the gateway answers for this model."""
    (got,) = installation.ask(cluster, {"path": CHAT, "body": HELLO | {"model": model}})
    return got  # type: ignore[no-any-return]


def gateway_pods(cluster: Cluster) -> list[str]:
    """Those that stay."""
    found = installation.get(cluster, "pods", "-l", installation.GATEWAY_PODS)["items"]
    return [one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"]]


def evict(cluster: Cluster, pod: str) -> str:
    """Empty where the eviction was granted, else why not."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    words = [
        cluster.kubectl_program,
        "--kubeconfig",
        str(cluster.kubeconfig),
        "create",
        "--raw",
        path,
        "-f",
        "-",
    ]
    ran = subprocess.run(words, input=json.dumps(body), capture_output=True, text=True, timeout=60)
    return "" if ran.returncode == 0 else ran.stderr


def told(tally: dict[str, int]) -> str:
    """A tally for the report."""
    return f"{sum(tally.values()) - tally.get(client.WHOLE, 0)} of {sum(tally.values())}"


@pytest.mark.parametrize("program", ["gateway", "operator"])
def test_a_rolling_upgrade_at_a_steady_rate_fails_no_request(
    quick: Cluster, record: Record, program: str
) -> None:
    load = installation.begin_rate(quick, QUICK, PER_SECOND)
    begun = time.monotonic()
    installation.install(quick, "--reset-then-reuse-values", "--set", f"{program}.{ANNOTATION}={program}")
    selector = f"{installation.OF_RELEASE},app.kubernetes.io/component={program}"
    waiting.until(lambda: _all_new(quick, selector), "the old pods to be gone", 120)
    seconds = time.monotonic() - begun
    tally = installation.end_load(quick, load)

    assert set(tally) == {client.WHOLE}, tally
    rate = sum(tally.values()) / seconds
    record(f"failed requests in a rolling upgrade of the {program}", told(tally), "0")
    record(f"requests a second in it (asked for: {PER_SECOND})", f"{rate:.0f}", "100")
    assert rate > 0.9 * PER_SECOND


def test_back_to_the_chart_before_and_forth_again_fails_no_request(
    quick: Cluster, record: Record, tmp_path: Path
) -> None:
    git, archive = shutil.which("git") or "git", tmp_path / "before.tar"
    words = [git, "archive", f"--output={archive}", "HEAD~1", "charts"]
    subprocess.run(words, cwd=REPOSITORY, check=True)
    shutil.unpack_archive(archive, tmp_path)
    chart = str(tmp_path / "charts" / "steelyard")
    quality = ("-n", NAMESPACE, "get", "mprof", "-o", "jsonpath={.items[*].status.quality.overall}")
    measured_before = quick.kubectl(*quality)

    load = installation.begin_rate(quick, QUICK, PER_SECOND)
    upgrade = (
        "upgrade",
        installation.RELEASE,
        chart,
        "--reset-then-reuse-values",
        "--wait",
        "--timeout=120s",
    )
    installation.helm(quick, *upgrade)
    installation.install(quick, "--reset-then-reuse-values", "--set", f"gateway.{ANNOTATION}=again")
    tally = installation.end_load(quick, load)

    assert set(tally) == {client.WHOLE}, tally
    assert quick.kubectl(*quality) == measured_before
    record("failed requests from the chart of the commit before to this one", told(tally), "0")


def test_gateways_are_evicted_one_after_the_other_and_no_request_fails(
    quick: Cluster, record: Record
) -> None:
    first, second = gateway_pods(quick)
    load = installation.begin_rate(quick, QUICK, PER_SECOND)
    granted, refused = evict(quick, first), evict(quick, second)
    waiting.until(lambda: not evict(quick, second), "the second eviction to be granted", 60)
    installation.wait_until_ready(quick, installation.GATEWAY_PODS, 2)
    tally = installation.end_load(quick, load)

    assert granted == ""
    assert "violate the pod's disruption budget" in refused
    assert set(tally) == {client.WHOLE}, tally
    record("failed requests while each gateway is evicted in turn", told(tally), "0")


def test_a_gateway_that_is_killed_takes_only_what_it_was_answering(quick: Cluster, record: Record) -> None:
    load = installation.begin_rate(quick, QUICK, PER_SECOND)
    killed = gateway_pods(quick)
    for pod in killed:
        quick.kubectl("-n", NAMESPACE, "delete", "pod", pod, "--grace-period=0", "--force")
        installation.wait_until_ready(quick, installation.GATEWAY_PODS, 2)
    tally = installation.end_load(quick, load)

    # Each of the workers had one request under way, or sent one to an address that was just gone.
    failed = sum(tally.values()) - tally[client.WHOLE]
    assert failed <= len(killed) * client.RATE_WORKERS, tally
    assert all("CUT" not in how for how in tally), tally
    record("failed requests while both gateways are killed in turn, without a retry", told(tally), "≤ 16")


def test_without_the_api_server_everything_is_served_on(quick: Cluster, record: Record) -> None:
    if quick.api_server_pid is None:
        pytest.skip("needs a cluster whose API server can be held up")
    load = installation.begin_rate(quick, QUICK, PER_SECOND)
    os.kill(quick.api_server_pid, signal.SIGSTOP)
    try:
        time.sleep(AWAY_SECONDS)  # this long is what is promised
    finally:
        os.kill(quick.api_server_pid, signal.SIGCONT)
    waiting.until(lambda: _is_up(quick), "the API server", 60)
    tally = installation.end_load(quick, load)

    assert set(tally) == {client.WHOLE}, tally
    assert sum(tally.values()) > 0.9 * AWAY_SECONDS * PER_SECOND
    record(f"failed requests while the API server is away for {AWAY_SECONDS:.0f} s", told(tally), "0")


def test_a_backend_that_goes_and_comes_back_is_asked_only_while_it_is_there(quick: Cluster) -> None:
    words = ("-n", NAMESPACE, "scale", "deployment", BRITTLE)
    named = f"{pods.MODEL}@{BRITTLE}"

    quick.kubectl(*words, "--replicas=0")
    gone = waiting.until(lambda: _not(200, answer(quick, named)), "the backend to be gone", 60)
    auto = answer(quick, "auto-best")
    quick.kubectl(*words, "--replicas=3")
    installation.wait_until_ready(quick, f"app={BRITTLE}", 3)
    waiting.until(lambda: answer(quick, named)["status"] == 200, "the backend to be back", 60)
    quick.wait(NAMESPACE, f"llmb/{BRITTLE}", "condition=Ready", 60)

    assert gone["status"] == 503
    assert auto["status"] == 200
    assert auto["headers"]["x-steelyard-backend"] == LASTING
    quick.kubectl(*words, "--replicas=2")


def _all_new(cluster: Cluster, selector: str) -> bool:
    found = installation.get(cluster, "pods", "-l", selector)["items"]
    return all("upgraded" in one["metadata"].get("annotations", {}) for one in found)


def _is_up(cluster: Cluster) -> bool:
    return cluster.kubectl("get", "--raw", "/readyz", check=False) == "ok"


def _not(status: int, got: dict[str, Any]) -> dict[str, Any] | None:
    return got if got["status"] != status else None
