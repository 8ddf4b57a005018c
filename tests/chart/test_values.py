"""Each value of the chart is described, checked and has an effect."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import chart_docs
import helm_binary
from fakes.charts import Render, environment, only
from steelyard_gateway import settings as gateway_settings

SCHEMA: dict[str, Any] = json.loads((helm_binary.CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load(chart_docs.VALUES.read_text())

EVERYTHING = {
    "agent": {"enabled": True},
    "caBundle": {"configMap": "trust"},
    "networkPolicy": {"enabled": True},
    "monitoring": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True, "genAiNames": True},
        "dashboards": {"enabled": True},
    },
    "gateway": {
        "autoscaling": {"enabled": True},
        "ingress": {"enabled": True},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
    },
}
"""All options on."""

WITHOUT: dict[tuple[str, ...], dict[str, Any]] = {
    ("gateway", "replicas"): {"gateway": {"autoscaling": {"enabled": False}}},
}
"""What has an effect only without an option."""

Path_ = tuple[str, ...]


def leaves(schema: dict[str, Any], path: Path_ = ()) -> Iterator[tuple[Path_, dict[str, Any]]]:
    """The values that have none within, with their schemas."""
    for name, one in schema["properties"].items():
        if "properties" in one:
            yield from leaves(one, (*path, name))
        elif name != "global":  # a chart that has this one as a part may have some
            yield (*path, name), one


LEAVES = dict(leaves(SCHEMA))


def nested(path: Path_, value: Any) -> dict[str, Any]:
    """The value at its place."""
    for name in reversed(path):
        value = {name: value}
    return value  # type: ignore[no-any-return]


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both, the other before the one."""
    both = dict(one)
    for name, value in other.items():
        both[name] = merged(both.get(name, {}), value) if isinstance(value, dict) else value
    return both


def write(folder: Path, *values: dict[str, Any]) -> str:
    """A file of these values, the later before the earlier, as a word for Helm."""
    both: dict[str, Any] = {}
    for one in values:
        both = merged(both, one)
    (file := folder / "values.json").write_text(json.dumps(both))
    return f"--values={file}"


def test_the_three_lists_of_values_are_one() -> None:
    described = {one.path: one for one in chart_docs.values()}

    assert described.keys() == LEAVES.keys()
    assert {path for path, one in described.items() if not one.comment} == set()
    assert chart_docs.README.read_text() == chart_docs.rendered(), "run `make manifests`"


@pytest.fixture(scope="module")
def everything(render: Render, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What all options together render to."""
    return render(write(tmp_path_factory.mktemp("everything"), EVERYTHING))


@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_a_value_has_an_effect(
    render: Render, everything: list[dict[str, Any]], tmp_path: Path, path: Path_
) -> None:
    others = WITHOUT.get(path)
    (example,) = LEAVES[path]["examples"]

    before = everything if others is None else render(write(tmp_path, EVERYTHING, others))
    after = render(write(tmp_path, EVERYTHING, others or {}, nested(path, example)))

    assert after != before


@pytest.mark.parametrize(
    ("value", "place", "complaint"),
    [
        ("gateway.replcas=3", "/gateway", "'replcas' not allowed"),
        ("agnet.enabled=true", "", "'agnet' not allowed"),
        ("gateway.replicas=many", "/gateway/replicas", "want integer"),
        ("gateway.service.type=Ingress", "/gateway/service/type", "must be one of"),
        ("gateway.service.port=70000", "/gateway/service/port", "maximum"),
        ("namespaces={Team}", "/namespaces/0", "does not match pattern"),
        ("proxy.httpsProxy=socks5://proxy:1080", "/proxy/httpsProxy", "does not match pattern"),
        ("image.registry=example.com/", "/image/registry", "does not match pattern"),
        ("nameOverride=Scales", "/nameOverride", "does not match pattern"),
        ("fullnameOverride=the_scales", "/fullnameOverride", "does not match pattern"),
        ("gateway.corsOrigins={chat.example.com}", "/gateway/corsOrigins/0", "does not match pattern"),
        ("commonLabels.team=an ml team", "/commonLabels/team", "does not match pattern"),
        (
            "commonLabels.app\\.kubernetes\\.io/part-of=ml",
            "/commonLabels/app.kubernetes.io~1part-of",
            "false schema",
        ),
        (
            "gateway.podLabels.app\\.kubernetes\\.io/component=x",
            "/gateway/podLabels/app.kubernetes.io~1component",
            "false schema",
        ),
        (
            "networkPolicy.clients[0].namespaceSelektor.a=b",
            "/networkPolicy/clients/0",
            "'namespaceSelektor' not",
        ),
        ("networkPolicy.monitoring[0].podSelector.a=b", "/networkPolicy/monitoring/0/podSelector", "'a' not"),
        ("gateway.ingress.tls[0].secret=x", "/gateway/ingress/tls/0", "'secret' not allowed"),
        ("agent.tolerations[0].kye=x", "/agent/tolerations/0", "'kye' not allowed"),
        ("operator.affinity.nodeAffinty.a=b", "/operator/affinity", "'nodeAffinty' not allowed"),
        ("operator.env[0].nmae=x", "/operator/env/0", "'nmae' not allowed"),
        (
            "gateway.podDisruptionBudget.maxUnavailable=half",
            "/gateway/podDisruptionBudget/maxUnavailable",
            "pattern",
        ),
    ],
)
def test_a_wrong_value_is_refused_and_named(render: Render, value: str, place: str, complaint: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render("--set", value)

    assert f"at '{place}': " in refused.value.stderr
    assert complaint in refused.value.stderr


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("gateway.httpRoute.enabled=true", "gateway.httpRoute.parentRefs names no Gateway"),
        ("gateway.graceSeconds=61", "gateway.graceSeconds is longer than gateway.drainSeconds"),
    ],
)
def test_values_that_do_not_go_together_are_refused(render: Render, value: str, complaint: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render("--set", value)

    assert complaint in refused.value.stderr


USUAL: dict[str, Any] = {
    "nameOverride": "scales-2",
    "commonLabels": {"example.com/cost-centre": "4711", "team": "ml"},
    "operator": {
        "tolerations": [
            {"operator": "Exists"},
            {"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute", "tolerationSeconds": 60},
        ],
        "env": [
            {"name": "EMPTY"},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}},
        ],
    },
    "gateway": {
        "podLabels": {"app.kubernetes.io/part-of": "chat"},
        "corsOrigins": ["*", "https://chat.example.com:8443/", "http://[::1]:3000", "chrome-extension://abc"],
        "podDisruptionBudget": {"maxUnavailable": "25%"},
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "podAffinityTerm": {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "gateway"}},
                        },
                    }
                ]
            }
        },
        "ingress": {"enabled": True, "tls": [{"hosts": ["llm.example.com"], "secretName": "llm-tls"}]},
        "httpRoute": {
            "enabled": True,
            "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https", "port": 443}],
        },
    },
    "networkPolicy": {
        "enabled": True,
        "clients": [
            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
            {
                "namespaceSelector": {},
                "podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["chat"]}]},
            },
        ],
    },
    "monitoring": {"serviceMonitor": {"enabled": True, "labels": {"team": "watch"}}},
}
"""Values as Kubernetes takes them."""


def test_what_kubernetes_takes_is_not_refused(render: Render, tmp_path: Path) -> None:
    objects = render(write(tmp_path, USUAL))

    gateway = only(objects, "Deployment", "steelyard-scales-2-gateway")["spec"]["template"]
    assert gateway["metadata"]["labels"]["app.kubernetes.io/part-of"] == "chat"
    assert gateway["spec"]["affinity"] == USUAL["gateway"]["affinity"]
    chosen = gateway_settings.parse(gateway["spec"]["containers"][0]["args"], environment(gateway["spec"]))
    assert chosen.cors is not None
    labels = only(objects, "ServiceMonitor", "steelyard-scales-2-gateway")["metadata"]["labels"]
    assert labels["team"] == "watch", "its own before the common ones"
