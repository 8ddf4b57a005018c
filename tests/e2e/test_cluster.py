"""Steelyard in a real cluster: installed, used and hurt."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from e2e import client, evidence, images, installation, pods, watching
from e2e.clusters import Cluster
from e2e.installation import BRITTLE, GATEWAY, LASTING, NAMESPACE, OPERATOR, RUN_SECONDS, Installation
from fakes.program import gateway
from kube import waiting

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "What is 7 + 5?"}], "max_tokens": 8}

QUICKLY_SECONDS = 20.0
"""Less than the 30 seconds after which Kubernetes kills what did not end when asked to."""

PROFILE_NOW = "steelyard.dev/profile-now"
SECURITY_REFUSAL = 'violates PodSecurity "restricted'


@pytest.mark.parametrize(
    ("program", "may", "may_not"),
    [
        (OPERATOR, ("create", "jobs"), ("get", "secrets")),
        (GATEWAY, ("watch", "llmbackends"), ("patch", "llmbackends")),
    ],
)
def test_a_program_runs_twice_with_the_rights_that_are_shipped_and_no_more(
    steelyard: Cluster, program: str, may: tuple[str, str], may_not: tuple[str, str]
) -> None:
    account = f"--as=system:serviceaccount:{NAMESPACE}:{program}"

    def can(words: tuple[str, str]) -> str:
        return steelyard.kubectl("-n", NAMESPACE, "auth", "can-i", *words, account, check=False).strip()

    assert installation.get(steelyard, "deployment", program)["status"]["availableReplicas"] == 2
    assert (can(may), can(may_not)) == ("yes", "no")


def test_a_pod_that_is_not_restricted_is_refused_where_these_run(steelyard: Cluster) -> None:
    spec = {"containers": [{"name": "any", "image": images.OPERATOR}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}, "spec": spec}

    with pytest.raises(AssertionError, match=SECURITY_REFUSAL):
        steelyard.apply(pod, namespace=NAMESPACE)


def test_an_upgrade_to_the_same_changes_nothing(steelyard: Cluster) -> None:
    kinds = "serviceaccounts,roles,rolebindings,services,deployments,poddisruptionbudgets"
    everything = ("get", kinds, "-n", NAMESPACE, "-l", installation.OF_RELEASE, "-o", "json")

    def versions() -> dict[str, Any]:
        found = [one["metadata"] for one in json.loads(steelyard.kubectl(*everything))["items"]]
        # Where there is a generation, the version counts what happens to the status, too.
        return {one["uid"]: one.get("generation") or one["resourceVersion"] for one in found}

    before = versions()
    installation.install(steelyard)

    assert versions() == before


def test_a_client_is_answered_by_auto_and_by_name_at_once_and_in_a_stream(steelyard: Cluster) -> None:
    auto, named, one, streamed, listed = installation.ask(
        steelyard,
        {"path": CHAT, "body": BODY | {"model": "auto"}},
        {"path": CHAT, "body": BODY | {"model": pods.MODEL}},
        {"path": CHAT, "body": BODY | {"model": f"{pods.MODEL}@{BRITTLE}"}},
        {"path": CHAT, "body": BODY | {"model": "auto", "stream": True}},
        {"path": "/v1/models"},
    )

    for answer in (auto, named, one, streamed):
        assert answer["status"] == 200, answer
        assert answer["headers"]["x-steelyard-model"] == pods.MODEL
        assert answer["headers"]["x-steelyard-backend"] in (LASTING, BRITTLE)
    assert one["headers"]["x-steelyard-backend"] == BRITTLE
    assert auto["headers"]["x-steelyard-policy"] == "auto"
    assert "x-steelyard-policy" not in named["headers"]
    assert json.loads(named["text"])["choices"][0]["message"]["content"]
    events = [line for line in streamed["text"].splitlines() if line]
    assert streamed["headers"]["content-type"] == "text/event-stream"
    assert len(events) > 2
    assert all(event.startswith("data: ") for event in events)
    assert events[-1] == "data: [DONE]"
    assert {model["id"] for model in json.loads(listed["text"])["data"]} == {"auto", "auto-best", pods.MODEL}


def test_a_backend_whose_service_is_not_there_says_so_and_disturbs_nothing(steelyard: Cluster) -> None:
    absent = installation.brittle_backend()
    absent["metadata"]["name"] = absent["spec"]["serviceRef"]["name"] = "absent"
    steelyard.apply(absent, namespace=NAMESPACE)
    steelyard.wait(NAMESPACE, "llmb/absent", "condition=ResolvedRefs=false")

    status = installation.get(steelyard, "llmb", "absent")["status"]
    (answer,) = installation.ask(steelyard, {"path": CHAT, "body": BODY | {"model": "auto"}})
    steelyard.kubectl("-n", NAMESPACE, "delete", "llmb", "absent")

    (resolved,) = [one for one in status["conditions"] if one["type"] == "ResolvedRefs"]
    assert resolved["reason"] == "ServiceNotFound"
    assert resolved["message"] == (
        f"spec.serviceRef names Service {NAMESPACE}/absent, which does not exist: "
        "create it or correct the name."
    )
    assert answer["status"] == 200


def test_profiles_fill_by_real_jobs_that_hold_no_token(measured: Cluster) -> None:
    printed = measured.kubectl("-n", NAMESPACE, "get", "mprof")
    header, *lines = printed.splitlines()
    columns = [(found[0].strip(), *found.span()) for found in re.finditer(r"\S+\s*", header)]
    profiles = [{name: line[start:end].strip() for name, start, end in columns} for line in lines]

    assert {profile["BACKEND"] for profile in profiles} == {LASTING, BRITTLE}
    for profile in profiles:
        assert profile["QUALITY"].isdigit(), printed
        assert float(profile["TOK/S"]) > 0, printed
        job = installation.run_of(measured, profile["BACKEND"])["jobName"]
        (pod,) = installation.get(measured, "pods", "-l", f"batch.kubernetes.io/job-name={job}")["items"]
        assert "volumes" not in pod["spec"]  # a token would be one
        report = json.loads(pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"])
        assert report["end"] is True


def test_someone_who_watches_the_profiles_sees_each_come_and_fill(
    measured: Cluster, installed: Installation
) -> None:
    names = {installation.profile_name(backend) for backend in (BRITTLE, LASTING)}

    def filled() -> dict[str, list[str]] | None:
        seen = watching.qualities(installed.rows.read_text())
        return seen if all(seen.get(name, [""])[-1].isdigit() for name in names) else None

    seen = waiting.until(filled, "a quality in the last row of each profile")

    assert set(seen) == names
    assert {rows[0] for rows in seen.values()} == {watching.NOTHING}


def test_an_export_decides_every_request_as_the_cluster_does(measured: Cluster, tmp_path: Path) -> None:
    texts = ("What is 7 + 5?", "Write a Python function that sorts a list.", "Prove that 2 + 2 = 4. " * 40)
    names = ("auto", "auto-best", pods.MODEL, f"{pods.MODEL}@{BRITTLE}", f"{pods.MODEL}@{LASTING}")
    bodies = [
        {"model": name, "messages": [{"role": "user", "content": text}]} for name in names for text in texts
    ]
    path = "/admin/explain?load={}"
    url = installation.admin_url(measured)
    (tmp_path / "exported.yaml").write_text(installation.export(measured))

    answers = installation.ask(measured, *({"path": path, "body": body} for body in bodies), url=url)
    with gateway(tmp_path, f"--namespace={NAMESPACE}") as here:
        for body, answer in zip(bodies, answers, strict=True):
            assert answer["status"] == 200, answer
            in_cluster = json.loads(answer["text"])
            assert in_cluster["chosen"]["model"] == pods.MODEL
            assert here.admin.post(path, json=body).json() == in_cluster


def test_a_model_and_a_gateway_that_answer_on_while_they_go_take_no_request_with_them(
    measured: Cluster,
) -> None:
    load = installation.begin_load(measured, LASTING, tokens=12)
    going = (
        installation.pod_of(measured, f"app={LASTING}"),
        installation.pod_of(measured, installation.GATEWAY_PODS),
    )
    measured.kubectl("-n", NAMESPACE, "delete", *going)
    tally = installation.end_load(measured, load)

    assert set(tally) == {client.WHOLE}, tally
    assert tally[client.WHOLE] > client.STREAMS + client.OTHERS


@pytest.mark.parametrize("words", [("--grace-period=0", "--force"), ()], ids=["killed", "told to end"])
def test_a_model_pod_that_goes_at_once_takes_only_streams_with_it_and_each_is_told(
    measured: Cluster, words: tuple[str, ...]
) -> None:
    load = installation.begin_load(measured, BRITTLE, tokens=96)
    going = installation.pod_of(measured, f"app={BRITTLE}")
    measured.kubectl("-n", NAMESPACE, "delete", going, *words)
    installation.wait_until_ready(measured, f"app={BRITTLE}", 2)
    tally = installation.end_load(measured, load)

    assert set(tally) == {client.WHOLE, client.TOLD}, tally
    assert 0 < tally[client.TOLD] <= client.STREAMS


def test_none_of_this_is_an_error_in_a_log_or_a_restart(measured: Cluster) -> None:
    for selector in (installation.OPERATOR_PODS, installation.GATEWAY_PODS):
        assert evidence.errors(measured, NAMESPACE, selector) == []
        assert evidence.restarts(measured, NAMESPACE, selector) == [0, 0]


def test_both_programs_killed_come_back_and_take_over_the_run_under_way(measured: Cluster) -> None:
    name, quality = installation.profile_name(BRITTLE), "jsonpath={.status.quality.overall}"
    before = measured.kubectl("-n", NAMESPACE, "get", "mprof", name, "-o", quality)
    run = _asked_for(measured, "first")

    measured.kubectl(
        "-n", NAMESPACE, "delete", "pods", "-l", installation.OF_RELEASE, "--grace-period=0", "--force"
    )
    installation.wait_until_ready(measured, installation.OF_RELEASE, 4)
    (answer,) = installation.ask(measured, {"path": CHAT, "body": BODY | {"model": "auto"}})
    during = measured.kubectl("-n", NAMESPACE, "get", "mprof", name, "-o", quality)
    measured.wait(NAMESPACE, f"mprof/{name}", "jsonpath={.status.run.completionTime}", RUN_SECONDS)

    assert answer["status"] == 200
    assert during == before
    after = installation.run_of(measured, BRITTLE)
    assert (after["jobName"], after["attempts"]) == (run["jobName"], 1)
    measured.wait(NAMESPACE, f"mprof/{name}", "condition=Succeeded")


def test_a_run_that_is_asked_for_begins_and_one_that_is_suspended_ends_quickly(measured: Cluster) -> None:
    run = _asked_for(measured, "second")
    suspended = json.dumps({"spec": {"suspend": True}})
    name = installation.profile_name(BRITTLE)

    measured.kubectl("-n", NAMESPACE, "patch", "mprof", name, "--type=merge", "-p", suspended)

    label = f"batch.kubernetes.io/job-name={run['jobName']}"
    measured.wait(NAMESPACE, "pod", "delete", QUICKLY_SECONDS, "-l", label)
    measured.wait(NAMESPACE, f"mprof/{name}", "condition=Succeeded=false")


def _asked_for(cluster: Cluster, value: str) -> dict[str, Any]:
    """A run of the brittle model that was just asked for, as its pod runs."""
    name, before = installation.profile_name(BRITTLE), installation.run_of(cluster, BRITTLE)
    cluster.kubectl("-n", NAMESPACE, "annotate", "--overwrite", "mprof", name, f"{PROFILE_NOW}={value}")

    def begun() -> dict[str, Any] | None:
        run = installation.run_of(cluster, BRITTLE)
        return run if run["jobName"] != before["jobName"] else None

    run = waiting.until(begun, "the run that was asked for")
    cluster.wait(NAMESPACE, f"job/{run['jobName']}", "jsonpath={.status.ready}=1")
    return run
