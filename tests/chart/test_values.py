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
from fakes.charts import Render

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
    ],
)
def test_a_wrong_value_is_refused_and_named(render: Render, value: str, place: str, complaint: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render("--set", value)

    assert f"at '{place}': " in refused.value.stderr
    assert complaint in refused.value.stderr


def test_a_route_without_a_gateway_is_refused(render: Render) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render("--set", "gateway.httpRoute.enabled=true")

    assert "gateway.httpRoute.parentRefs names no Gateway" in refused.value.stderr
