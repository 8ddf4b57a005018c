"""Clients that are no part of the tests, from PyPI, against a gateway: `make check-clients`.

Each has an environment of its own in the user's cache, made the first time. What a client must be able to do
is in the module of its name, which runs there and knows of the gateway only its address.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import caches
from fakes.engines import engine
from fakes.folders import backend, model, write
from fakes.openai_engine import openai_engine
from fakes.program import gateway

PACKAGES: Mapping[str, tuple[str, ...]] = {"langchain": ("langchain-openai",), "litellm": ("litellm", "mcp")}
"""What pip installs for each; litellm needs mcp for tools and does not say so."""

_NAMES = ("able", "cut", "busy", "status-400", "status-500")


def main() -> int:
    """Check each; 1 when one fails."""
    failed = [name for name in PACKAGES if not _is_served(name, _environment(name))]
    print(f"failed: {', '.join(failed)}" if failed else "all clients are served")
    return 1 if failed else 0


def _environment(name: str) -> Path:
    """The client's Python."""
    folder = caches.folder("clients") / name
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"Installing {name} into {folder} …")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        words = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        subprocess.run([python, *words, *PACKAGES[name]], check=True)
    return python


def _is_served(name: str, python: Path) -> bool:
    """Run the client before a gateway and a fake engine of their own."""
    with tempfile.TemporaryDirectory() as folder, engine(openai_engine()) as up:
        write(Path(folder), *(backend(each, up.port, model(each)) for each in _NAMES))
        with gateway(Path(folder)) as running:
            program = Path(__file__).with_name(f"{name}_client.py")
            environment = {**os.environ, "OPENAI_API_KEY": "none", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
            return subprocess.run([python, program, f"{running.url}/v1"], env=environment).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
