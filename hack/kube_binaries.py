"""The programs of a Kubernetes control plane, wherever this machine has them; nothing here starts one.

Each is looked for in $KUBEBUILDER_ASSETS, in the cache of the user, in what `setup-envtest` downloads (it has
no kube-controller-manager), and is built at last from the Go module hack/kube into the cache. Those of the
oldest Kubernetes that is supported, which STEELYARD_KUBE=oldest asks for, only come from hack/kube-oldest.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import go_programs
from go_programs import GoProgramError, Module

MODULE = Module(
    Path(__file__).parent / "kube",
    "Kubernetes",
    "k8s.io/kubernetes",
    "set KUBEBUILDER_ASSETS to a folder that has it",
)
OLDEST = Module(
    Path(__file__).parent / "kube-oldest",
    "Kubernetes",
    "k8s.io/kubernetes",
    "see that ~/.cache/steelyard/kube-oldest/bin has it",
    "kube-oldest",
)
VERSION = "STEELYARD_KUBE"
"""The variable that chooses: oldest, or nothing for the newest."""

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
"""Where each program comes from: the `tool` lines of hack/kube/go.mod."""


@dataclass(frozen=True, slots=True)
class KubeBinaries:
    """A control plane's programs."""

    etcd: Path
    """Where the API server keeps its objects."""
    kube_apiserver: Path
    """The API server."""
    kube_controller_manager: Path
    """The Job controller, the garbage collector and their kin."""
    kubectl: Path
    """The client."""


def find(progress: Callable[[str], None]) -> KubeBinaries:
    """The programs; `progress` gets one line per step that takes time. Raises GoProgramError."""
    module = OLDEST if os.environ.get(VERSION) == "oldest" else MODULE
    found: dict[str, Path] = {}
    for folder in _folders(progress) if module is MODULE else ():
        for name in PACKAGES.keys() - found.keys():
            if os.access(folder / name, os.X_OK):
                found[name] = folder / name
        if len(found) == len(PACKAGES):
            break
    else:
        for name in sorted(PACKAGES.keys() - found.keys()):
            found[name] = module.built(name, PACKAGES[name], _stamps(module.version()), progress)
    return KubeBinaries(**{field.name: found[field.name.replace("_", "-")] for field in fields(KubeBinaries)})


def _folders(progress: Callable[[str], None]) -> Iterator[Path]:
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        yield Path(assets)
    yield MODULE.cache
    if setup_envtest := shutil.which("setup-envtest"):
        progress("Asking setup-envtest for a control plane")
        asked = subprocess.run(
            [setup_envtest, "use", "--print", "path", MODULE.version()], capture_output=True, text=True
        )
        if asked.returncode == 0:
            yield Path(asked.stdout.strip())
        else:
            progress(f"setup-envtest has none: {go_programs.last_line(asked.stderr)}")


def _stamps(version: str) -> dict[str, str]:
    """What the programs say of themselves."""
    major, minor, _ = version.split(".")
    return {
        "k8s.io/component-base/version.gitVersion": f"v{version}",
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": f"v{version}",
    }


if __name__ == "__main__":
    try:
        for field in fields(binaries := find(lambda line: print(line, file=sys.stderr))):
            print(getattr(binaries, field.name))
    except GoProgramError as error:
        sys.exit(str(error))
