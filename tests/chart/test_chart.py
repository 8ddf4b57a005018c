"""What the chart installs, and with which rights. That it works is tested in tests/kube and tests/e2e."""

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

import dashboards
import helm_binary
from fakes import tls_engine
from fakes.charts import Render, environment, only, pod_of
from panels import json_model
from steelyard_gateway import draining
from steelyard_gateway import settings as gateway_settings
from steelyard_operator import settings as operator_settings

DOCS = helm_binary.CHART.parents[1] / "docs"
OPERATOR, GATEWAY, AGENT = "steelyard-operator", "steelyard-gateway", "steelyard-agent"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
ROLES = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
OF_USERS = {"steelyard-view", "steelyard-edit"}
WITH_AGENT = ("--set", "agent.enabled=true")


def rights(objects: list[dict[str, Any]], name: str) -> set[tuple[str, str]]:
    """Kind and namespace of what gives rights under this name."""
    return {
        (one["kind"], one["metadata"].get("namespace", ""))
        for one in objects
        if one["kind"] in ROLES and one["metadata"]["name"] == name
    }


def test_it_lints(render: Render) -> None:
    helm = helm_binary.find(print)
    ran = subprocess.run([helm, "lint", "--strict", helm_binary.CHART], capture_output=True, text=True)

    assert ran.returncode == 0, ran.stdout


def test_nothing_is_named_twice_and_all_is_labelled(render: Render) -> None:
    objects = render(*WITH_AGENT, "--set", "networkPolicy.enabled=true")
    labels = [one["metadata"]["labels"] for one in objects if one["kind"] != "CustomResourceDefinition"]
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects]

    assert len(set(names)) == len(names)
    assert {one["app.kubernetes.io/instance"] for one in labels} == {"steelyard"}


@pytest.mark.parametrize("name", [OPERATOR, GATEWAY])
def test_the_pods_fit_pod_security_restricted(render: Render, name: str) -> None:
    pod = pod_of(render(), "Deployment", name)

    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert [one["securityContext"] for one in pod["containers"]] == [RESTRICTED]
    assert "volumes" not in pod


def test_only_the_agent_is_root_and_it_holds_no_token(render: Render) -> None:
    pod = pod_of(render(*WITH_AGENT), "DaemonSet", AGENT)

    assert pod["containers"][0]["securityContext"] == RESTRICTED | {"runAsUser": 0}
    assert pod["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["automountServiceAccountToken"] is False
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert [one["hostPath"]["path"] for one in pod["volumes"]] == ["/var/lib/kubelet/pod-resources"]


def test_the_gateway_understands_its_words_and_has_time_to_drain(render: Render) -> None:
    values = (
        "gateway.namespace=llm,gateway.corsOrigins={https://a.example,https://b.example},"
        "gateway.keepAliveSeconds=400"
    )
    pod = pod_of(render("--set", values), "Deployment", GATEWAY)
    chosen = gateway_settings.parse(pod["containers"][0]["args"], environment(pod))

    assert (chosen.namespace, chosen.gateway_service) == ("llm", GATEWAY)
    assert (chosen.watched_namespaces, chosen.keep_alive_seconds) == ((), 400)
    assert chosen.max_body_bytes == 32 * 1024 * 1024
    assert chosen.cors is not None
    assert 5 < chosen.grace_seconds < chosen.drain_seconds
    assert chosen.drain_seconds + draining.LAST_WORDS_SECONDS + 5 <= pod["terminationGracePeriodSeconds"]


def test_the_operator_understands_its_words(render: Render) -> None:
    values = "namespaces={a,b},operator.maxConcurrentProfiles=3,operator.gpuExporters={gpu/dcgm,own}"
    pod = pod_of(render(*WITH_AGENT, "--set", values), "Deployment", OPERATOR)
    chosen = operator_settings.parse([], environment(pod))

    assert (chosen.namespaces, chosen.concurrent_profiles) == (("a", "b"), 3)
    assert chosen.gpu_exporters == (("gpu", "dcgm"), ("", "own"), ("steelyard", AGENT))
    assert chosen.profiler_image == pod["containers"][0]["image"]
    assert chosen.lease_name == OPERATOR


@pytest.mark.parametrize("name", [OPERATOR, GATEWAY])
def test_both_programs_understand_the_proxy_and_the_extra_certificates(render: Render, name: str) -> None:
    values = "proxy.httpsProxy=http://proxy.test:3128,proxy.noProxy=.corp.test,caBundle.key=root.pem"
    pod = pod_of(render("--set", f"{values},caBundle.configMap=trust"), "Deployment", name)
    (container,), (volume,) = pod["containers"], pod["volumes"]
    (mount,) = container["volumeMounts"]
    items = [{"key": "root.pem", "path": "ca.crt"}]

    assert volume == {"name": mount["name"], "configMap": {"name": "trust", "items": items}}
    assert mount["readOnly"] is True
    variables = environment(pod)
    assert variables["STEELYARD_CA_BUNDLE"] == f"{mount['mountPath']}/ca.crt"
    settings: Any = operator_settings if name == OPERATOR else gateway_settings
    given = variables | {"STEELYARD_CA_BUNDLE": str(tls_engine.AUTHORITY_FILE)}
    egress = settings.parse(container.get("args", []), given).egress
    assert (str(egress.proxy), egress.no_proxy) == ("proxy.test:3128", ".corp.test")
    assert egress.ca_pem == tls_engine.AUTHORITY


def test_for_all_namespaces_the_operator_has_a_cluster_role_and_for_some_a_role_in_each(
    render: Render,
) -> None:
    everywhere, some = render(), render("--set", "namespaces={a,b}")
    of_all = only(everywhere, "ClusterRole", OPERATOR)["rules"]

    assert rights(everywhere, OPERATOR) == {("ClusterRole", ""), ("ClusterRoleBinding", "")}
    assert rights(some, OPERATOR) == {(kind, name) for kind in ("Role", "RoleBinding") for name in ("a", "b")}
    for namespace in ("a", "b"):
        assert only(some, "Role", OPERATOR, namespace)["rules"] == of_all
        (subject,) = only(some, "RoleBinding", OPERATOR, namespace)["subjects"]
        assert subject == {"kind": "ServiceAccount", "name": OPERATOR, "namespace": "steelyard"}
    cluster_wide = {one["metadata"]["name"] for one in some if one["kind"] == "ClusterRole"}
    assert cluster_wide == OF_USERS


@pytest.mark.parametrize(
    ("values", "also"),
    [
        ("agent.enabled=true,operator.gpuExporters={gpu/dcgm,own}", set()),
        ("namespaces={a,b}", set()),
        ("namespaces={a,b},operator.gpuExporters={b/dcgm}", set()),
        ("namespaces={a,b},operator.gpuExporters={gpu/dcgm,gpu/other,b/x}", {"gpu"}),
        ("namespaces={a,b},operator.gpuExporters={own}", {"steelyard"}),
        ("namespaces={a,b},agent.enabled=true,operator.gpuExporters={gpu/dcgm}", {"gpu", "steelyard"}),
        ("namespaces={steelyard},agent.enabled=true", set()),
    ],
)
def test_an_operator_of_some_namespaces_finds_the_exporters_in_others_and_does_no_more_there(
    render: Render, values: str, also: set[str]
) -> None:
    objects, name = render("--set", values), f"{OPERATOR}-exporters"

    assert rights(objects, name) == {(kind, one) for kind in ("Role", "RoleBinding") for one in also}
    for namespace in also:
        (rule,) = only(objects, "Role", name, namespace)["rules"]
        assert rule == {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]}
        (subject,) = only(objects, "RoleBinding", name, namespace)["subjects"]
        assert subject == {"kind": "ServiceAccount", "name": OPERATOR, "namespace": "steelyard"}


def test_a_gateway_of_another_namespace_reads_that_one_and_counts_its_own(render: Render) -> None:
    objects = render("--set", "gateway.namespace=llm")

    assert rights(objects, GATEWAY) == {("Role", "llm"), ("RoleBinding", "llm")}
    peers = only(objects, "Role", f"{GATEWAY}-peers", "steelyard")
    assert [one["resources"] for one in peers["rules"]] == [["endpointslices"]]


@pytest.mark.parametrize(
    ("values", "watched", "of_gateway", "counts_apart"),
    [
        ("", None, {("ClusterRole", ""), ("ClusterRoleBinding", "")}, False),
        (",gateway.namespace=llm", None, {("ClusterRole", ""), ("ClusterRoleBinding", "")}, False),
        (
            ",namespaces={a,steelyard}",
            ("a", "steelyard"),
            {(kind, name) for kind in ("Role", "RoleBinding") for name in ("a", "steelyard")},
            False,
        ),
        (
            ",namespaces={a,b},gateway.namespace=b",
            ("a", "b"),
            {(kind, name) for kind in ("Role", "RoleBinding") for name in ("a", "b")},
            True,
        ),
    ],
    ids=["all", "all, with another own one", "named", "named, and not the release's"],
)
def test_a_gateway_of_all_namespaces_reads_them_and_no_more(
    render: Render,
    values: str,
    watched: tuple[str, ...] | None,
    of_gateway: set[tuple[str, str]],
    counts_apart: bool,
) -> None:
    objects = render("--set", f"gateway.allNamespaces=true{values}")
    pod = pod_of(objects, "Deployment", GATEWAY)
    chosen = gateway_settings.parse(pod["containers"][0]["args"], environment(pod))

    assert chosen.watched_namespaces == watched
    assert rights(objects, GATEWAY) == of_gateway
    assert bool(rights(objects, f"{GATEWAY}-peers")) == counts_apart
    rules = [
        one["rules"]
        for one in objects
        if one["kind"] in ("Role", "ClusterRole") and one["metadata"]["name"] == GATEWAY
    ]
    assert {verb for each in rules for rule in each for verb in rule["verbs"]} == {"list", "watch"}
    usual = only(render(), "Role", GATEWAY, "steelyard")["rules"]
    assert all(each == usual for each in rules), "the same in each"


def test_a_release_of_a_gateway_alone_has_just_that(render: Render) -> None:
    words = ("--set", "operator.enabled=false,crds.install=false,rbac.aggregate=false")
    objects = render(*words, release="models", namespace="models")

    kinds = {"ServiceAccount", "Role", "RoleBinding", "Deployment", "Service", "PodDisruptionBudget"}
    assert {one["kind"] for one in objects} == kinds
    assert {one["metadata"]["name"] for one in objects} == {"models-steelyard-gateway"}
    assert {one["metadata"]["namespace"] for one in objects} == {"models"}


def test_definitions_are_upgraded_and_stay_when_the_release_goes(render: Render) -> None:
    definitions = [one for one in render() if one["kind"] == "CustomResourceDefinition"]

    assert len(definitions) == 3
    for one in definitions:
        assert one["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_traffic_and_the_metrics_have_services_of_their_own(render: Render) -> None:
    words = ("--set", "monitoring.serviceMonitor.enabled=true,gateway.service.ollamaPort=true", *WITH_AGENT)
    objects = render(*words)
    services = [one for one in objects if one["kind"] == "Service"]

    ports = only(objects, "Service", GATEWAY)["spec"]["ports"]
    assert [one["port"] for one in ports] == [8080, 11434]
    monitors = [one for one in objects if one["kind"] == "ServiceMonitor"]
    for monitor in monitors:
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = [one for one in services if wanted <= one["metadata"]["labels"].items()]
        assert [one["name"] for one in service["spec"]["ports"]] == ["metrics"]
        assert monitor["spec"]["endpoints"][0]["honorLabels"] is True, "`endpoint` is a label of ours"
    assert {one["metadata"]["name"] for one in monitors} == {OPERATOR, GATEWAY, AGENT}


def test_the_rules_are_those_of_the_file_for_what_is_installed(render: Render) -> None:
    every = yaml.safe_load((helm_binary.CHART / "files" / "alerts.yaml").read_text())["groups"]
    words = "monitoring.prometheusRule.enabled=true,monitoring.prometheusRule.labels.team=ml"

    def groups(more: str) -> list[dict[str, Any]]:
        rules = only(render("--set", words + more), "PrometheusRule", "steelyard-rules")
        assert rules["metadata"]["labels"]["team"] == "ml"
        found: list[dict[str, Any]] = rules["spec"]["groups"]
        return found

    assert groups(",monitoring.prometheusRule.genAiNames=true") == every
    assert groups("") == every[:2]
    assert groups(",operator.enabled=false") == every[:1]
    assert groups(",gateway.enabled=false") == every[1:2]


def test_the_dashboards_are_whole_and_labelled_for_grafanas_sidecar(render: Render) -> None:
    objects = render("--set", "monitoring.dashboards.enabled=true")

    for dashboard in dashboards.ALL:
        found = only(objects, "ConfigMap", f"steelyard-dashboard-{dashboard.name}")
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        [(file, text)] = found["data"].items()
        assert file == f"steelyard-{dashboard.name}.json"
        assert json.loads(text) == json_model(dashboard)


def test_the_autoscaler_goes_by_the_metric_that_the_page_tells_an_adapter_of(render: Render) -> None:
    page, metrics = ((DOCS / name).read_text() for name in ("install.md", "metrics.md"))
    [text] = re.findall(r"```yaml\n(# values of prometheus-community/.*?)```", page, re.DOTALL)
    [rule] = yaml.safe_load(text)["rules"]["custom"]
    scaler = only(render("--set", "gateway.autoscaling.enabled=true"), "HorizontalPodAutoscaler", GATEWAY)
    [metric] = scaler["spec"]["metrics"]
    name = metric["pods"]["metric"]["name"]

    assert rule["name"]["as"] == name
    assert re.fullmatch(rule["name"]["matches"], name)
    assert rule["seriesQuery"].startswith(f"{name}{{")
    assert f"| `{name}` | gauge | backend, endpoint |" in metrics


def test_with_network_policies_only_who_is_named_reaches_metrics(render: Render) -> None:
    peer = "networkPolicy.monitoring[0].namespaceSelector.matchLabels.team=watch"
    closed = render("--set", "networkPolicy.enabled=true")
    opened = render("--set", f"networkPolicy.enabled=true,{peer}")

    assert only(closed, "NetworkPolicy", OPERATOR)["spec"]["ingress"] in (None, [])
    clients, measuring = only(closed, "NetworkPolicy", GATEWAY)["spec"]["ingress"]
    assert clients == {"ports": [{"port": "http"}]}
    assert measuring["ports"] == [{"port": "admin"}]
    [peer_of_gateway] = measuring["from"]
    [operator] = (
        one for one in closed if one["kind"] == "Deployment" and one["metadata"]["name"] == OPERATOR
    )
    labels = operator["spec"]["template"]["metadata"]["labels"]
    assert peer_of_gateway["podSelector"]["matchLabels"].items() <= labels.items()
    for name in (OPERATOR, GATEWAY):
        rule = only(opened, "NetworkPolicy", name)["spec"]["ingress"][-1]
        selector = {"namespaceSelector": {"matchLabels": {"team": "watch"}}}
        assert rule == {"ports": [{"port": "admin"}], "from": [selector]}
