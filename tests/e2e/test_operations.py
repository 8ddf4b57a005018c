"""What people do to clusters, and what happens to clusters, under load: what is promised holds."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e import client, evidence, installation, inventory, pods
from e2e.clusters import REPOSITORY, Cluster
from e2e.installation import BRITTLE, HELLO, LASTING, NAMESPACE, OPERATOR, Record
from kube import waiting

pytestmark = [pytest.mark.slow, pytest.mark.full]

CHAT = "/v1/chat/completions"
QUICK = "quick"
PER_SECOND = 100
AWAY_SECONDS = 120.0
BACK_SECONDS = 60.0
"""For everyone to have taken notice that the API server is back."""
CONNECTED = "steelyard_gateway_source_connected"
RENEWALS = 3
"""Of a lease, in a row by one holder: one may have been on its way for long, and one from before."""
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


def git(*words: str) -> str:
    """What git prints of the repository."""
    command = [shutil.which("git") or "git", *words]
    return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()


def runs(cluster: Cluster) -> list[dict[str, Any]]:
    """The last run of each measured profile, without what it says of what comes next."""
    found = [installation.run_of(cluster, backend) for backend in (LASTING, BRITTLE)]
    return [{key: value for key, value in run.items() if key != "message"} for run in found]


def change(cluster: Cluster, backend: str) -> int:
    """Change something of the backend's spec; the generation that this makes."""
    patch = json.dumps({"spec": {"maxConcurrency": 64}})
    cluster.kubectl("-n", NAMESPACE, "patch", "llmb", backend, "--type=merge", "-p", patch)
    return int(installation.get(cluster, "llmb", backend)["metadata"]["generation"])


def observed(cluster: Cluster, backend: str) -> int:
    """The generation of the backend that its status is about."""
    return int(installation.get(cluster, "llmb", backend)["status"]["observedGeneration"])


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
    installation.install(quick, "--reset-then-reuse-values", "--set", f"{program}.{ANNOTATION}={program}")
    waiting.until(_all_new(quick, program, program), "the old pods to be gone", 120)
    tally, rate = installation.end_rate(quick, load)

    assert set(tally) == {client.WHOLE}, tally
    record(f"failed requests in a rolling upgrade of the {program}", told(tally), "0")
    record(f"requests a second in it (asked for: {PER_SECOND})", f"{rate:.0f}", "100")
    assert rate > 0.9 * PER_SECOND


def test_back_to_the_chart_before_and_forth_again_fails_no_request(
    quick: Cluster, record: Record, tmp_path: Path
) -> None:
    # Another one than this, which the commit before usually has, too.
    commit = git("rev-parse", "--short", git("log", "-1", "--format=%H", "--", "charts", "crds") + "~1")
    git("archive", f"--output={tmp_path / 'before.tar'}", commit, "charts")
    shutil.unpack_archive(tmp_path / "before.tar", tmp_path, filter="data")
    chart = str(tmp_path / "charts" / "steelyard")
    lease = ("-n", NAMESPACE, "get", "lease", OPERATOR, "--ignore-not-found")
    keep, again = "--reset-then-reuse-values", []
    for program in ("gateway", "operator"):
        again += ["--set", f"{program}.{ANNOTATION}=again"]

    load = installation.begin_rate(quick, QUICK, PER_SECOND)
    installation.helm(quick, "upgrade", installation.RELEASE, chart, keep, "--wait", "--timeout=100s")
    before = inventory.of_people(quick, NAMESPACE)
    # A Lease that an operator made, as that chart had none, is not the release's and would outlast it.
    waiting.until(lambda: quick.kubectl(*lease, "-o", "name"), "a lease with that chart", BACK_SECONDS)
    quick.kubectl("-n", NAMESPACE, "delete", "leases", "-l", "app.kubernetes.io/managed-by!=Helm")
    installation.install(quick, keep, *again)
    waiting.until(_all_new(quick, "operator", "again"), "the old operators to be gone", 120)
    tally = installation.end_load(quick, load)
    after = inventory.of_people(quick, NAMESPACE)

    assert set(tally) == {client.WHOLE}, tally
    assert {one.partition("/")[0] for one in before} == inventory.OF_PEOPLE
    assert [one for one in before if not inventory.is_kept(before[one], after.get(one))] == [], (
        before,
        after,
    )
    record(f"failed requests from the chart of {commit} to this one", told(tally), "0")


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


def test_none_of_this_is_an_error_in_a_log_or_a_restart_of_either_program(quick: Cluster) -> None:
    for selector in (installation.OPERATOR_PODS, installation.GATEWAY_PODS):
        assert evidence.errors(quick, NAMESPACE, selector) == []
        assert set(evidence.restarts(quick, NAMESPACE, selector)) == {0}


def test_without_the_api_server_everything_is_served_on_and_then_taken_up_again(
    quick: Cluster, record: Record
) -> None:
    if quick.api_server_pid is None:
        pytest.skip("needs a cluster whose API server can be held up")
    runs_before = runs(quick)
    load = installation.begin_rate(quick, QUICK, PER_SECOND)
    os.kill(quick.api_server_pid, signal.SIGSTOP)
    try:
        time.sleep(AWAY_SECONDS)  # this long is what is promised
    finally:
        os.kill(quick.api_server_pid, signal.SIGCONT)
    waiting.until(lambda: _is_up(quick), "the API server", 60)
    begun = time.monotonic()
    tally = installation.end_load(quick, load)
    waiting.until(_renewed_by_one(quick), "a lease that one operator renews", BACK_SECONDS)
    seconds = time.monotonic() - begun
    waiting.until(lambda: _all_connected(quick), "gateways that are told all changes", BACK_SECONDS)
    changed = change(quick, QUICK)
    waiting.until(
        lambda: observed(quick, QUICK) == changed, "what changed since to be observed", BACK_SECONDS
    )

    assert set(tally) == {client.WHOLE}, tally
    assert sum(tally.values()) > 0.9 * AWAY_SECONDS * PER_SECOND
    assert runs(quick) == runs_before
    record(f"failed requests while the API server is away for {AWAY_SECONDS:.0f} s", told(tally), "0")
    record("until one operator is active again after that", f"{seconds:.0f} s", "≤ 60 s")


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


def test_nothing_that_befell_the_gateways_is_an_error_in_a_log_or_a_restart(quick: Cluster) -> None:
    assert evidence.errors(quick, NAMESPACE, installation.GATEWAY_PODS) == []
    assert set(evidence.restarts(quick, NAMESPACE, installation.GATEWAY_PODS)) == {0}


def _all_new(cluster: Cluster, program: str, value: str) -> Callable[[], bool]:
    """Whether all pods of the program have this value of the annotation."""
    selector, key = (
        f"{installation.OF_RELEASE},app.kubernetes.io/component={program}",
        ANNOTATION.split(".")[1],
    )

    def look() -> bool:
        found = installation.get(cluster, "pods", "-l", selector)["items"]
        return all(one["metadata"].get("annotations", {}).get(key) == value for one in found)

    return look


def _renewed_by_one(cluster: Cluster) -> Callable[[], bool]:
    """Whether one operator was seen to renew the lease several times in a row."""
    seen: list[tuple[str, str]] = []

    def look() -> bool:
        spec = installation.get(cluster, "lease", OPERATOR).get("spec", {})
        record = (spec.get("holderIdentity", ""), spec.get("renewTime", ""))
        if seen[-1:] != [record]:
            seen.append(record)
        last = [holder for holder, _ in seen[-RENEWALS:]]
        return len(last) == RENEWALS and last[0] != "" and len(set(last)) == 1

    return look


def _all_connected(cluster: Cluster) -> bool:
    """Whether each gateway says that the API server tells it all changes."""
    found = installation.get(cluster, "pods", "-l", installation.GATEWAY_PODS)["items"]
    urls = [f"http://{one['status']['podIP']}:8081" for one in found]
    told = [installation.ask(cluster, {"path": "/metrics"}, url=url)[0]["text"] for url in urls]
    return all(f"{CONNECTED} 1.0" in text.splitlines() for text in told)


def _is_up(cluster: Cluster) -> bool:
    return cluster.kubectl("get", "--raw", "/readyz", check=False) == "ok"


def _not(status: int, got: dict[str, Any]) -> dict[str, Any] | None:
    return got if got["status"] != status else None
