"""manifests/install.yaml: the definitions of our kinds and everything in manifests/deploy, in one file."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
INSTALL = ROOT / "manifests" / "install.yaml"

_HEAD = """\
# Steelyard in a cluster: kubectl apply --server-side -f install.yaml
# Written by 'make manifests' from crds/ and manifests/deploy/.
"""


def rendered() -> str:
    """The file as it should be."""
    parts = sorted((ROOT / "crds").glob("*.yaml")) + sorted((ROOT / "manifests" / "deploy").glob("*.yaml"))
    return _HEAD + "".join(f"---\n{part.read_text()}" for part in parts)


if __name__ == "__main__":
    INSTALL.write_text(rendered())
