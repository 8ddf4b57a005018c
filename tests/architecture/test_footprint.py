"""What the gateway brings into its process: never the operator's, the trainer's or the demo's libraries."""

import json
import subprocess
import sys

STRANGERS = {"kopf", "kubernetes", "sklearn", "numpy", "ruamel", "rich", "xllamacpp", "openai"}
LIST_LOADED_MODULES = """
import importlib, json, pkgutil, sys
sys.modules["rich"] = None  # not in its image; httpx takes it for a command line of its own
import steelyard_gateway
for module in pkgutil.walk_packages(steelyard_gateway.__path__, "steelyard_gateway."):
    importlib.import_module(module.name)
print(json.dumps(sorted(name for name, module in sys.modules.items() if module)))
"""


def test_the_gateway_loads_no_stranger() -> None:
    command = [sys.executable, "-c", LIST_LOADED_MODULES]
    loaded = set(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))

    assert "steelyard_gateway" in loaded
    assert loaded & STRANGERS == set()
