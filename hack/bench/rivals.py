"""Other gateways from PyPI, each in an environment of its own in the user's cache: `make bench-rivals`."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import caches

PACKAGES: Mapping[str, str] = {"vllm-router": "vllm-router", "litellm": "litellm[proxy]"}
"""What pip installs for each; the program has the rival's name."""

HOW_TO_GET = "make bench-rivals"


def folder(name: str) -> Path:
    """The rival's environment."""
    return caches.folder("rivals") / name


def program(name: str) -> Path:
    """The rival's executable."""
    return folder(name) / "bin" / name


def version(name: str) -> str | None:
    """The version that is installed; None where it is not."""
    if not program(name).exists():
        return None
    packages = f"lib/python*/site-packages/{name.replace('-', '_')}-*.dist-info"
    found = sorted(folder(name).glob(packages))
    return found[-1].name.removesuffix(".dist-info").rpartition("-")[2] if found else "unknown"


def main() -> int:
    """Install the newest version of each, with nothing of ours beside it."""
    for name, package in PACKAGES.items():
        print(f"Installing {name} into {folder(name)} …")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder(name)], check=True)
        python = folder(name) / "bin" / "python"
        words = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", package)
        subprocess.run([python, *words], check=True)
        print(f"{name} {version(name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
