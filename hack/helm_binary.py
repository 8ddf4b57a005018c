"""Helm: the one on the PATH, or the one that is built from the Go module hack/helm into the user's cache."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from go_programs import GoProgramError, Module

PACKAGE = "helm.sh/helm/v4/cmd/helm"
MODULE = Module(Path(__file__).parent / "helm", "Helm", "helm.sh/helm/v4", "put Helm 4 on the PATH")

CHART = Path(__file__).parents[1] / "charts" / "steelyard"
"""The chart that users install."""


def find(progress: Callable[[str], None]) -> Path:
    """The program; `progress` gets a line when it has to be built. Raises GoProgramError."""
    if on_path := shutil.which("helm"):
        return Path(on_path)
    stamps = {"helm.sh/helm/v4/internal/version.version": f"v{MODULE.version()}"}
    return MODULE.built("helm", PACKAGE, stamps, progress)


def template(*words: str, release: str = "steelyard", namespace: str = "steelyard") -> str:
    """What the chart renders to with these words of `helm template`.

    Raises GoProgramError without a helm, CalledProcessError with its complaint when it refuses.
    """
    helm = find(lambda line: print(line, file=sys.stderr))
    command = [str(helm), "template", release, str(CHART), "--namespace", namespace, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    try:
        print(find(lambda line: print(line, file=sys.stderr)))
    except GoProgramError as error:
        sys.exit(str(error))
