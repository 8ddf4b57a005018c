"""Folders of resources for gateways that are processes of their own."""

import json
from pathlib import Path
from typing import Any

API = "steelyard.dev/v1alpha1"


def resource(kind: str, name: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A resource of one of our kinds."""
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec, **more}


def backend(name: str, port: int, *models: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A backend of these models on this port of loopback."""
    body = {"engine": "OpenAI", "url": f"http://127.0.0.1:{port}", "models": list(models), **spec}
    return resource("LLMBackend", name, body)


def model(name: str, **capabilities: bool) -> dict[str, Any]:
    """A model that has or lacks these capabilities."""
    return {"name": name, "capabilities": capabilities}


def write(directory: Path, *documents: dict[str, Any]) -> None:
    """Let these documents be all that is in the folder."""
    fresh = directory / ".fresh"
    fresh.write_text("---\n".join(json.dumps(document) + "\n" for document in documents))
    fresh.replace(directory / "all.yaml")
