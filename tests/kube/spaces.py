"""Space: one namespace as a person with every right sees and edits it, over the API server's own HTTP."""

import json
from typing import Any

from kube import waiting
from kube.control_plane import ControlPlane
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind

Json = Any
"""An object as the API server has it."""

OURS = (kinds.LLM_BACKEND, kinds.MODEL_PROFILE, kinds.ROUTING_POLICY)
"""The three kinds."""


class Space:
    """A namespace."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._control_plane = control_plane
        self._api = control_plane.admin
        self.namespace = namespace

    def apply(self, kind: Kind, name: str, spec: Json = None, **fields: Json) -> Json:
        """Make or change an object; `metadata` and other fields as they are."""
        metadata = {"name": name, "namespace": self.namespace, **fields.pop("metadata", {})}
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **fields}
        if spec is not None:
            body["spec"] = spec
        answer = self._api.patch(
            kind.path(self.namespace, name),
            params={"fieldManager": "test", "force": "true", "fieldValidation": "Strict"},
            headers={"content-type": "application/apply-patch+yaml"},
            content=json.dumps(body),
        )
        assert answer.is_success, answer.text
        return answer.json()

    def backend(self, name: str, url: str | None = None, **spec: Json) -> Json:
        """Make or change a backend with an OpenAI-compatible engine there, probed each second."""
        body = {"engine": "OpenAI", "probe": {"intervalSeconds": 1}, **({"url": url} if url else {}), **spec}
        return self.apply(kinds.LLM_BACKEND, name, body)

    def policy(self, name: str, **spec: Json) -> Json:
        """Make or change a policy that answers this name."""
        return self.apply(kinds.ROUTING_POLICY, name, {"models": [{"name": name}], **spec})

    def patch(self, kind: Kind, name: str, body: Json) -> Json:
        """Change some fields of an object."""
        headers = {"content-type": "application/merge-patch+json"}
        answer = self._api.patch(kind.path(self.namespace, name), headers=headers, content=json.dumps(body))
        return answer.raise_for_status().json()

    def annotate(self, kind: Kind, name: str, **values: str) -> Json:
        """Set annotations of ours; names are written without prefix, with underscores."""
        named = {f"steelyard.dev/{key.replace('_', '-')}": value for key, value in values.items()}
        return self.patch(kind, name, {"metadata": {"annotations": named}})

    def delete(self, kind: Kind, name: str) -> None:
        """Have an object deleted, and then what belongs to it."""
        body = {"propagationPolicy": "Background"}
        self._api.request("DELETE", kind.path(self.namespace, name), json=body).raise_for_status()

    def find(self, kind: Kind, name: str) -> Json:
        """The object; None where there is none."""
        answer = self._api.get(kind.path(self.namespace, name))
        return None if answer.status_code == 404 else answer.raise_for_status().json()

    def all(self, kind: Kind) -> list[Json]:
        """All objects of a kind."""
        listed: list[Json] = self._api.get(kind.path(self.namespace)).raise_for_status().json()["items"]
        return listed

    def one(self, kind: Kind) -> Json:
        """The only object of a kind, once there is one."""
        [found] = waiting.until(lambda: self.all(kind), f"a {kind.kind}")
        return found

    def made(self, kind: Kind, number: int) -> list[Json]:
        """All objects of a kind, once there are at least so many."""

        def look() -> list[Json]:
            found = self.all(kind)
            return found if len(found) >= number else []

        return waiting.until(look, f"{kind.kind} number {number}")

    def condition(self, kind: Kind, name: str, condition: str) -> Json:
        """A condition of an object; {} where it has none such."""
        found = ((self.find(kind, name) or {}).get("status") or {}).get("conditions", [])
        return next((one for one in found if one["type"] == condition), {})

    def wait_for(self, kind: Kind, name: str, condition: str, reason: str, seconds: float = 30.0) -> Json:
        """The condition, once it has this reason."""
        last: list[Json] = [{}]

        def look() -> Json:
            last[0] = self.condition(kind, name, condition)
            return last[0] if last[0].get("reason") == reason else None

        try:
            return waiting.until(look, f"{condition} {reason}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it was {last[0]}") from None

    def measured(self, name: str) -> Json:
        """The profile, once a run of it has succeeded."""
        self.wait_for(kinds.MODEL_PROFILE, name, "Succeeded", "Measured")
        return self.find(kinds.MODEL_PROFILE, name)

    def running(self) -> list[Json]:
        """The Jobs that are not over."""
        return [job for job in self.all(kinds.JOB) if not (job.get("status") or {}).get("conditions")]

    def events(self) -> list[tuple[str, str]]:
        """Kind and reason of every Event that the operator posted."""
        return [
            (event["regarding"]["kind"], event["reason"])
            for event in self.all(kinds.EVENT)
            if event.get("reportingController") == "steelyard.dev/operator"
        ]

    def versions(self) -> dict[tuple[str, str], str]:
        """The resourceVersion of every object of ours, and of the Jobs."""
        return {
            (kind.kind, one["metadata"]["name"]): one["metadata"]["resourceVersion"]
            for kind in (*OURS, kinds.JOB)
            for one in self.all(kind)
        }

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """What kubectl prints, as a person runs it."""
        done = self._control_plane.kubectl("--namespace", self.namespace, *words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout
