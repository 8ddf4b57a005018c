"""The profiling Job: hardened, told what to measure, and read back from what Kubernetes says."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fakes.gateways import endpoint
from fakes.profiled import NOW, backend, profile
from steelyard.api.signals import GpuExporter
from steelyard.kube.kinds import Object
from steelyard_operator import jobs
from steelyard_operator.jobs import Job, Mark, Pod
from steelyard_profiler import command as profiler
from steelyard_profiler.target import UNBOUNDED, GpuSite

MARK = Mark("cause", 3, "now", 2, "10.0.0.1:8000", "sha256:" + "a" * 64, "1.0")


def manifest(of: dict[str, Any] | None = None, on: dict[str, Any] | None = None, **place: Any) -> Object:
    """The Job of a profile with this spec on a backend with that, at this endpoint."""
    there = endpoint(8000, "engine", **{"host": "10.0.0.1"} | place)
    return jobs.manifest(profile(**(of or {})), backend(**(on or {})), there, MARK, image="profiler:1")


def pod(of: Object) -> dict[str, Any]:
    spec: dict[str, Any] = of["spec"]["template"]["spec"]
    return spec


def container(of: Object) -> dict[str, Any]:
    (only,) = pod(of)["containers"]
    assert isinstance(only, dict)
    return only


KEY = {"credentialsRef": {"name": "key", "key": "api-key"}}
TLS = {"url": "https://engine.llm.svc:8000", "tls": {"caRef": {"name": "ca", "key": "root.crt"}}}


@pytest.mark.parametrize("on", [{}, KEY | TLS])
def test_the_pod_fits_pod_security_restricted(on: dict[str, Any]) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    made = manifest(on=on)
    security = container(made)["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["privileged"] is False and security["readOnlyRootFilesystem"] is True
    assert pod(made)["securityContext"]["runAsNonRoot"] is True
    assert pod(made)["securityContext"]["runAsUser"] > 0
    assert pod(made)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    kinds = {kind for volume in pod(made)["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"secret", "configMap"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod(made).keys()
    assert "ports" not in container(made)


def test_the_pod_holds_no_token_and_knows_nothing_of_its_neighbours() -> None:
    made = manifest()
    assert pod(made)["automountServiceAccountToken"] is False
    assert pod(made)["enableServiceLinks"] is False
    assert "env" not in container(made) and "envFrom" not in container(made)
    template = made["spec"]["template"]["metadata"]
    assert template["annotations"]["sidecar.istio.io/inject"] == "false"
    assert template["annotations"]["linkerd.io/inject"] == "disabled"


def test_the_job_is_tried_once_for_so_long_and_goes_with_its_profile() -> None:
    made = manifest({"limits": {"maxDurationSeconds": 60}})
    assert made["spec"]["backoffLimit"] == 0 and pod(made)["restartPolicy"] == "Never"
    assert made["spec"]["activeDeadlineSeconds"] == 60 + jobs.START_SECONDS
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ModelProfile", "one", "uid-one")
    assert owner["blockOwnerDeletion"] is False
    assert made["metadata"]["labels"][jobs.MANAGED_BY_LABEL] == jobs.MANAGED_BY
    assert "ttlSecondsAfterFinished" not in made["spec"], "a result is read before its Job goes"


def test_the_key_and_the_authority_are_files_and_no_arguments() -> None:
    made = manifest(on=KEY | TLS, scheme="https", authorization="Bearer secret", ca_pem="PEM")
    key, authority = pod(made)["volumes"]
    assert authority["configMap"] == {"name": "ca", "items": [{"key": "root.crt", "path": "ca.crt"}]}
    assert key["secret"] == {"secretName": "key", "items": [{"key": "api-key", "path": "api-key"}]}
    mounts = {one["name"]: one["mountPath"] for one in container(made)["volumeMounts"]}
    arguments = profiler._parser({}).parse_args(container(made)["args"])
    assert arguments.api_key_file == f"{mounts['api-key']}/api-key"
    assert arguments.ca_file == f"{mounts['ca']}/ca.crt"
    assert all(one["readOnly"] for one in container(made)["volumeMounts"])
    assert "secret" not in json.dumps(made["spec"]["template"]["spec"]["containers"][0]["args"])
    assert "PEM" not in json.dumps(made)


def test_the_profiler_understands_its_arguments() -> None:
    spec = {"seed": 7, "limits": {"maxTokens": 5000, "maxDurationSeconds": 60}}
    on = {"timeouts": {"firstByteSeconds": 30, "connectSeconds": 7, "idleSeconds": 8}}
    made = manifest(spec, on, server_name="engine.test", scheme="https", base_path="/openai/v1")
    arguments = profiler._parser({}).parse_args(container(made)["args"])

    assert container(made)["command"] == ["python", "-m", "steelyard_profiler"]
    assert arguments.url == "https://10.0.0.1:8000/openai/v1"
    assert (arguments.model, arguments.suite, arguments.seed) == ("smollm2", "Quick", 7)
    assert (arguments.max_tokens, arguments.max_duration_seconds) == (5000, 60)
    assert (arguments.first_byte_seconds, arguments.server_name) == (30, "engine.test")
    assert (arguments.connect_seconds, arguments.idle_seconds) == (7, 8)
    assert arguments.termination_log == container(made)["terminationMessagePath"]


def test_the_profiler_is_told_how_many_requests_the_backend_allows_at_once() -> None:
    bound, unbound = (
        profiler._parser({}).parse_args(container(manifest(on=on))["args"])
        for on in ({"maxConcurrency": 2}, {})
    )

    assert profiler._target(bound).max_concurrency == 2
    assert profiler._target(unbound).max_concurrency == UNBOUNDED


def test_the_profiler_is_told_the_context_that_the_backend_gives_the_model() -> None:
    declared = [{"name": "smollm2", "contextTokens": 2048}, {"name": "other", "contextTokens": 1}]
    given, other = (
        profiler._parser({}).parse_args(container(manifest(on=on))["args"])
        for on in ({"models": declared}, {"models": declared[1:]})
    )

    assert profiler._target(given).context_tokens == 2048
    assert profiler._target(other).context_tokens is None


def test_the_profiler_is_told_what_engine_it_is_and_where_its_gpus_are() -> None:
    one, on = profile(limits={"onlyWhenIdle": False}), backend(engine="Ollama")
    exporter = GpuExporter(
        endpoint="10.0.0.1:8000", url="http://10.1.0.1:9400/metrics", uuids=("GPU-1", "GPU-2")
    )
    made = jobs.manifest(one, on, endpoint(8000, "engine"), MARK, image="profiler:1", exporter=exporter)
    arguments = profiler._parser({}).parse_args(container(made)["args"])
    target, spec = profiler._target(arguments), profiler._spec(arguments)

    assert (target.engine, spec.limits.only_when_idle) == ("Ollama", False)
    assert target.gpus == GpuSite("http://10.1.0.1:9400/metrics", ("GPU-1", "GPU-2"))
    without = profiler._parser({}).parse_args(container(manifest())["args"])
    assert profiler._target(without).gpus is None
    assert profiler._spec(without).limits.only_when_idle is True


def test_the_profiler_is_told_where_its_engine_tells_of_its_load_and_what_to_leave_out() -> None:
    on = backend(metrics={"engine": {"path": "/$HOME/metrics"}})
    mark = replace(MARK, quality_only=True)
    made = jobs.manifest(profile(), on, endpoint(8000, "engine"), mark, image="profiler:1")
    words = [one.replace("$$", "$") for one in container(made)["args"]]  # as Kubernetes reads it
    arguments = profiler._parser({}).parse_args(words)
    assert (profiler._target(arguments).metrics_path, arguments.quality_only) == ("/$HOME/metrics", True)

    usual = profiler._parser({}).parse_args(container(manifest())["args"])
    assert (profiler._target(usual).metrics_path, usual.quality_only) == (None, False)
    assert jobs.of(made).mark == mark


def test_an_authority_in_a_secret_is_mounted_from_there() -> None:
    on: dict[str, Any] = KEY | TLS
    one, made_on = profile(), backend(**on)
    made = jobs.manifest(one, made_on, endpoint(8000, "engine"), MARK, image="profiler:1", ca_in_secret=True)
    _, authority = pod(made)["volumes"]
    assert authority["secret"] == {"secretName": "ca", "items": [{"key": "root.crt", "path": "ca.crt"}]}


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ({}, {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}),
        (
            {"requests": {"memory": "512Mi"}},
            {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {}},
        ),
        ({"limits": {"memory": "64Mi"}}, {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}}),
        (
            {"limits": {"cpu": "1"}},
            {"requests": {"memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        ),
    ],
)
def test_half_of_our_amounts_never_meets_half_of_the_owners(stated: Any, wanted: Any) -> None:
    assert container(manifest({"job": {"resources": stated}}))["resources"] == wanted


def test_a_run_annotation_of_wrong_types_counts_as_none() -> None:
    made = manifest()
    for text in ('{"attempts": "many"}', "[]", "", '{"unknown": 1}'):
        made["metadata"]["annotations"]["steelyard.dev/run"] = text
        assert jobs.of(made).mark == jobs.Mark()


def expanded(arguments: list[str]) -> list[str]:
    """As Kubernetes hands them on where no variable is set: $$ is $, and $(NAME) stays."""
    return [one.replace("$$", "$") for one in arguments]


@pytest.mark.parametrize("model", ["--help", "a $(HOME) b", "a$$b", "mistral:7b", "a=b", "größe 'x' \"y\""])
def test_a_models_name_reaches_the_profiler_as_it_is(model: str) -> None:
    arguments = profiler._parser({}).parse_args(expanded(container(manifest({"model": model}))["args"]))
    assert arguments.model == model
    assert "$(" not in "".join(container(manifest({"model": model}))["args"]).replace("$$(", "")


def test_an_ipv6_address_is_written_in_brackets() -> None:
    made = manifest(host="fd00::7")
    assert "--url=http://[fd00::7]:8000/v1" in container(made)["args"]


def test_options_are_passed_on() -> None:
    options = {
        "resources": {"limits": {"memory": "1Gi"}},
        "nodeSelector": {"gpu": "l4"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "priorityClassName": "low",
        "runtimeClassName": "gvisor",
        "imagePullSecrets": [{"name": "pull"}],
    }
    made = manifest({"job": options})
    assert {name: pod(made)[name] for name in options if name != "resources"} == {
        name: value for name, value in options.items() if name != "resources"
    }
    assert container(made)["resources"] == {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}
    assert container(made)["image"] == "profiler:1"


def test_without_options_nothing_is_said_of_nodes() -> None:
    assert not {"nodeSelector", "tolerations", "priorityClassName"} & pod(manifest()).keys()
    assert container(manifest())["resources"]["limits"] == {"memory": "256Mi"}


def answered(**fields: Any) -> Object:
    """A Job as the API server gives it."""
    made = manifest()
    added = {"uid": "uid-job", "creationTimestamp": NOW.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return made | {"metadata": made["metadata"] | added} | fields


def ended(kind: str, reason: str = "") -> Object:
    conditions = [{"type": "SuccessCriteriaMet", "status": "True"}] if kind == "Complete" else []
    last = {"type": kind, "status": "True"} | ({"reason": reason} if reason else {})
    return {"conditions": [*conditions, last]}


def test_a_job_is_read_as_it_was_made() -> None:
    name = manifest()["metadata"]["name"]
    assert jobs.of(answered(status={"active": 1})) == Job(
        "llm", name, "uid-job", profile="one", backend="engine", created=NOW, mark=MARK
    )


@pytest.mark.parametrize(
    ("status", "finished", "reason"),
    [
        (None, "", ""),
        ({}, "", ""),
        ({"conditions": None}, "", ""),
        ({"conditions": [{"type": "FailureTarget", "status": "True"}]}, "", ""),
        ({"conditions": [{"type": "Failed", "status": "False"}]}, "", ""),
        (ended("Complete"), "Complete", ""),
        (ended("Failed", "DeadlineExceeded"), "Failed", "DeadlineExceeded"),
    ],
)
def test_a_job_is_over_when_kubernetes_says_so(status: Any, finished: str, reason: str) -> None:
    read = jobs.of(answered(status=status))
    assert (read.finished, read.reason) == (finished, reason)


def test_a_job_that_kubernetes_will_remove_is_known() -> None:
    assert jobs.of(answered(spec={"ttlSecondsAfterFinished": 3600})).has_ttl
    assert not jobs.of(answered()).has_ttl


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"unknown": 1}', "null"])
def test_a_job_whose_mark_was_changed_is_read_all_the_same(text: str) -> None:
    changed = answered()
    changed["metadata"]["annotations"] = {"steelyard.dev/run": text}
    assert jobs.of(changed).mark == Mark()


def test_a_bare_job_is_read() -> None:
    assert jobs.of({"metadata": {"namespace": "llm", "name": "bare"}}) == Job("llm", "bare", "", "", "", None)


def a_pod(**status: Any) -> Pod:
    labels = {"batch.kubernetes.io/job-name": "job"}
    return jobs.pod_of({"metadata": {"namespace": "llm", "name": "p", "labels": labels}, "status": status})


def in_state(state: dict[str, Any], phase: str = "Running") -> Pod:
    return a_pod(phase=phase, containerStatuses=[{"name": "profiler", "state": state}])


def test_a_pods_report_is_read() -> None:
    state = {"terminated": {"exitCode": 1, "reason": "Error", "message": "{}"}}
    assert in_state(state, "Failed") == Pod("llm", "job", "Failed", "{}", 1, "Error", "")


def test_a_message_of_the_kubelet_is_no_report() -> None:
    state = {"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file"}}
    assert in_state(state, "Failed") == Pod("llm", "job", "Failed", "", 128, "StartError", "no such file")


def test_what_a_pod_waits_for_is_read() -> None:
    waiting = in_state({"waiting": {"reason": "ErrImagePull", "message": "not found"}}, "Pending")
    assert (waiting.reason, waiting.detail, waiting.exit_code) == ("ErrImagePull", "not found", None)
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes",
    }
    pending = a_pod(phase="Pending", conditions=[unscheduled])
    assert (pending.reason, pending.detail) == ("Unschedulable", "0/3 nodes")


def test_an_evicted_pod_says_so() -> None:
    evicted = a_pod(phase="Failed", reason="Evicted", message="The node was low on memory.")
    assert (evicted.reason, evicted.detail) == ("Evicted", "The node was low on memory.")


@pytest.mark.parametrize("status", [{}, {"containerStatuses": None, "conditions": None}])
def test_a_pod_that_has_not_begun_is_read(status: dict[str, Any]) -> None:
    assert a_pod(**status) == Pod("llm", "job", "", "", None, "", "")
    assert jobs.pod_of({"metadata": {"namespace": "llm", "name": "bare"}}).job == ""
