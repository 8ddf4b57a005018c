"""manifests/ and the chart's definitions are what they are made from. That they work is tested elsewhere."""

from typing import Any

import yaml

import install_manifest
from fakes.charts import Render

MANIFESTS = install_manifest.INSTALL.parent


def test_the_chart_has_the_definitions_as_they_are() -> None:
    assert install_manifest.CRD_TEMPLATE.read_text() == install_manifest.crd_template(), (
        "run `make manifests`"
    )


def test_the_file_is_the_rendered_chart_without_a_trace_of_helm(render: Render) -> None:
    text = install_manifest.INSTALL.read_text()
    (namespace, *objects) = (one for one in yaml.safe_load_all(text) if one)

    assert text == install_manifest.rendered(), "run `make manifests`"
    assert "helm" not in text.lower()
    assert {one["metadata"].get("namespace", namespace["metadata"]["name"]) for one in objects} == {
        "steelyard"
    }
    assert [_name(one) for one in objects] == [_name(one) for one in render()]


def test_the_kustomization_has_the_whole_file() -> None:
    assert yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"] == ["install.yaml"]


def _name(one: dict[str, Any]) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]
