"""The programs of a Kubernetes control plane, wherever this machine has them; nothing here starts one.

Each is looked for in $KUBEBUILDER_ASSETS, in the cache of the user, in what `setup-envtest` downloads (it has
no kube-controller-manager), and is built at last from the Go module hack/kube into the cache.

Invariant: a file in the cache is whole, as it appears there by one rename.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

MODULE = Path(__file__).parent / "kube"
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
"""Where each program comes from: the `tool` lines of hack/kube/go.mod."""


class KubeBinariesError(Exception):
    """A program is neither here nor can it be had; the message is a sentence for the user."""


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
    """The programs; `progress` gets one line per step that takes time. Raises KubeBinariesError."""
    found: dict[str, Path] = {}
    for folder in _folders(progress):
        for name in PACKAGES.keys() - found.keys():
            if os.access(folder / name, os.X_OK):
                found[name] = folder / name
        if len(found) == len(PACKAGES):
            break
    else:
        with _only_one():
            for name in sorted(PACKAGES.keys() - found.keys()):
                found[name] = _built(name, progress)
    return KubeBinaries(**{field.name: found[field.name.replace("_", "-")] for field in fields(KubeBinaries)})


def _folders(progress: Callable[[str], None]) -> Iterator[Path]:
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        yield Path(assets)
    yield _cache()
    if setup_envtest := shutil.which("setup-envtest"):
        progress("Asking setup-envtest for a control plane")
        asked = subprocess.run(
            [setup_envtest, "use", "--print", "path", _version()], capture_output=True, text=True
        )
        if asked.returncode == 0:
            yield Path(asked.stdout.strip())
        else:
            progress(f"setup-envtest has none: {_last_line(asked.stderr)}")


def _cache() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "steelyard" / "kube" / "bin"


def _version() -> str:
    """The version of Kubernetes that hack/kube names, as 1.36.3."""
    stated = re.search(r"^\s+k8s\.io/kubernetes v([\d.]+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert stated
    return stated[1]


def _built(name: str, progress: Callable[[str], None]) -> Path:
    """The program in the cache, built unless another run did that meanwhile."""
    program = _cache() / name
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise KubeBinariesError(
            f"There is no {name}: set KUBEBUILDER_ASSETS to a folder that has it, or install Go 1.26."
        )
    progress(f"Building {name} for Kubernetes {_version()} (minutes, once)")
    partial = program.with_name(f"{name}.partial")
    command = [go, "build", "-trimpath", "-ldflags", _linker_flags(), "-o", str(partial), PACKAGES[name]]
    environment = os.environ | {"CGO_ENABLED": "0"}
    built = subprocess.run(command, cwd=MODULE, env=environment, capture_output=True, text=True)
    if built.returncode:
        raise KubeBinariesError(
            f"{name} cannot be built ({_last_line(built.stderr)}): "
            "set KUBEBUILDER_ASSETS to a folder that has it, or see that Go reaches its module proxy."
        )
    return partial.rename(program)


def _linker_flags() -> str:
    version = _version()
    major, minor, _ = version.split(".")
    stamps = {
        "k8s.io/component-base/version.gitVersion": f"v{version}",
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": f"v{version}",
    }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "it gave no reason"


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold the cache: whoever comes second waits, and then finds the work done."""
    _cache().mkdir(parents=True, exist_ok=True)
    with (_cache().parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        for field in fields(binaries := find(lambda line: print(line, file=sys.stderr))):
            print(getattr(binaries, field.name))
    except KubeBinariesError as error:
        sys.exit(str(error))
