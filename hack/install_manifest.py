"""The chart's template of the definitions, from crds/, and manifests/install.yaml, from the chart."""

import re
from pathlib import Path

import helm_binary

ROOT = Path(__file__).parents[1]
INSTALL = ROOT / "manifests" / "install.yaml"
CRD_TEMPLATE = helm_binary.CHART / "templates" / "crds.yaml"

_HEAD = """\
# Steelyard in a cluster: kubectl apply --server-side -f install.yaml
# Written by 'make manifests' from charts/steelyard.
---
apiVersion: v1
kind: Namespace
metadata:
  name: steelyard
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""

_OF_HELM = re.compile(
    r"^ *(?:app\.kubernetes\.io/managed-by|helm\.sh/[\w-]+): .*\n|^ *annotations:\n(?= *helm\.sh)",
    re.MULTILINE,
)
"""Lines of a rendered chart that mean nothing to who installs without Helm."""


def crd_template() -> str:
    """The chart's definitions of our kinds; Helm upgrades them, and leaves them when the release goes."""
    definitions = [path.read_text() for path in sorted((ROOT / "crds").glob("*.yaml"))]
    assert not any("{{" in definition for definition in definitions), "Helm would take that for its own"
    plain, kept = "metadata:\n", "metadata:\n  annotations:\n    helm.sh/resource-policy: keep\n"
    parts = ["---\n" + definition.replace(plain, kept, 1) for definition in definitions]
    return "{{- if .Values.crds.install }}\n" + "".join(parts) + "{{- end }}\n"


def rendered() -> str:
    """manifests/install.yaml as it should be. Raises GoProgramError where there is no helm."""
    return _HEAD + _OF_HELM.sub("", helm_binary.template())


if __name__ == "__main__":
    CRD_TEMPLATE.write_text(crd_template())
    INSTALL.write_text(rendered())
