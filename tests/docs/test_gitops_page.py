"""docs/gitops.md names conditions, reasons and groups that there are."""

import re

import yaml

from docs import test_reasons as reasons
from steelyard.api import crd

PAGE = (reasons.ROOT / "docs" / "gitops.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_the_health_of_argo_cd_goes_by_conditions_and_reasons_that_there_are() -> None:
    [config] = [one for one in BLOCKS if one["kind"] == "ConfigMap"]
    [(kinds, parts)] = yaml.safe_load(config["data"]["resource.customizations"]).items()
    script = parts["health.lua"]
    given = reasons.of_backends() | reasons.of_profiles() | reasons.of_policies()

    assert kinds == f"{crd.GROUP}/*"
    types = set(re.findall(r'\.type == "(\w+)"', script))
    assert types == {"Accepted", "ResolvedRefs", "Ready"} and types <= {type_ for type_, _ in given}
    assert {("Ready", reason) for reason in re.findall(r'\.reason == "(\w+)"', script)} <= given
    assert set(re.findall(r'status = "(\w+)"', script)) == {"Progressing", "Degraded", "Healthy", "Suspended"}


def test_the_kustomization_waits() -> None:
    [one] = [one for one in BLOCKS if one["kind"] == "Kustomization"]

    assert one["spec"]["wait"] is True
