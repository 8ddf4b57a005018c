"""What is in the cluster that the checks go by: the programs and the resources, read once."""

import itertools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from steelyard import settings
from steelyard.api.resources import Key
from steelyard.kube import errors, kinds
from steelyard.kube.client import Client
from steelyard.kube.kinds import Kind, Object
from steelyard_cli.doctor.findings import Finding, warning

PART_OF = "app.kubernetes.io/part-of=steelyard"
"""Label selector of all that the chart makes."""

COMPONENT_LABEL = "app.kubernetes.io/component"
"""Label with the program's name."""

VERSION_LABEL = "app.kubernetes.io/version"
"""Label with the version that the chart was made for."""

OPERATOR, GATEWAY = "operator", "gateway"


@dataclass(frozen=True, slots=True)
class Program:
    """A Deployment of one of the programs."""

    component: str
    """operator or gateway."""
    deployment: Object
    """As the API server has it."""
    pods: Sequence[Object] | None = None
    """Its pods; None: they may not be looked at."""

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.deployment["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.deployment["metadata"]["namespace"])

    @property
    def pod_spec(self) -> Mapping[str, Any]:
        """The specification of its pods."""
        spec: Mapping[str, Any] = self.deployment["spec"]["template"]["spec"]
        return spec

    @property
    def account(self) -> str:
        """Its service account."""
        return str(self.pod_spec.get("serviceAccountName", "default"))

    @property
    def version(self) -> str:
        """The version that its labels tell; empty where they tell none."""
        return str((self.deployment["metadata"].get("labels") or {}).get(VERSION_LABEL, ""))

    def setting(self, flag: str) -> str:
        """A setting as its container is given it, by flag or variable; empty where it is not."""
        [container, *_] = self.pod_spec["containers"]
        words = [*container.get("command", ()), *container.get("args", ())]
        for word, following in itertools.pairwise([*words, ""]):
            if word == f"--{flag}":
                return str(following)
            if word.startswith(f"--{flag}="):
                return str(word.partition("=")[2])
        named = {one["name"]: str(one.get("value", "")) for one in container.get("env") or ()}
        return named.get(settings.variable(flag), "")

    @property
    def serves(self) -> tuple[str, ...]:
        """The namespaces that it serves; empty: all."""
        if self.component == OPERATOR:
            return self._names("namespace")
        beside = self._names("watch-namespaces")
        if beside == ("*",):
            return ()
        return tuple(dict.fromkeys((*(self._names("namespace") or (self.namespace,)), *beside)))

    @property
    def gpu_exporters(self) -> tuple[Key, ...]:
        """The Services of GPU exporters that an operator asks, by namespace and name, each once."""
        named = (name.rpartition("/") for name in self._names("gpu-exporter"))
        return tuple(dict.fromkeys((namespace or self.namespace, name) for namespace, _, name in named))

    def _names(self, flag: str) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.setting(flag).split(",") if name.strip())

    @property
    def kubectl(self) -> str:
        """The words of kubectl that lead to its namespace."""
        return f"kubectl --namespace {shlex.quote(self.namespace)}"


@dataclass(frozen=True, slots=True)
class Installation:
    """All that was found."""

    namespace: str | None
    """The only namespace that was looked at; None: all."""
    programs: tuple[Program, ...] | None
    """Operators and gateways; None: they may not be looked at."""
    resources: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    """Those of our kinds that may be looked at, by kind."""
    limits: tuple[Finding, ...] = ()
    """What may not be looked at."""


async def look(client: Client, namespace: str, own: str) -> Installation:
    """Everything; raises KubeError where the API server is away. `own`: the context's namespace."""
    asked: str | None = namespace or None
    limits: list[Finding] = []
    if asked is None and not await _may_list_everywhere(client):
        asked = own
        remedy = "name another one with --namespace"
        limits.append(warning("access", f"you may not look at all namespaces: {own} is looked at", remedy))
    resources: dict[str, Sequence[Object]] = {}
    for kind in kinds.OURS:
        try:
            resources[kind.kind] = (await client.list(kind, asked)).items
        except errors.NotFound:
            continue  # told with the definitions
        except errors.Forbidden as error:
            remedy = "have yourself bound to the ClusterRole view or edit, which the chart extends"
            limits.append(warning("access", error.message, remedy))
    return Installation(asked, await _programs(client, asked, limits), resources, tuple(limits))


async def _may_list_everywhere(client: Client) -> bool:
    for kind in (kinds.LLM_BACKEND, kinds.DEPLOYMENT):
        if not await may(client, kind, "list", ""):
            return False
    return True


async def may(client: Client, kind: Kind, verb: str, namespace: str) -> bool:
    """Whether we may do this in a namespace, or in all (empty)."""
    attributes = {"group": kind.group, "resource": kind.plural, "verb": verb, "namespace": namespace}
    review = {"metadata": {}, "spec": {"resourceAttributes": attributes}}
    answer = await client.create(kinds.SELF_ACCESS_REVIEW, review)
    return bool(answer["status"]["allowed"])


async def _programs(
    client: Client, namespace: str | None, limits: list[Finding]
) -> tuple[Program, ...] | None:
    try:
        listing = await client.list(kinds.DEPLOYMENT, namespace, PART_OF)
    except errors.Forbidden as error:
        limits.append(warning("access", error.message, "the programs are not checked"))
        return None
    found = []
    for deployment in listing.items:
        component = deployment["metadata"]["labels"].get(COMPONENT_LABEL, "")
        if component in (OPERATOR, GATEWAY):
            found.append(Program(component, deployment, await _pods(client, deployment)))
    return tuple(found)


async def _pods(client: Client, deployment: Object) -> Sequence[Object] | None:
    labels = deployment["spec"]["selector"].get("matchLabels", {})
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    try:
        return (await client.list(kinds.POD, deployment["metadata"]["namespace"], selector)).items
    except errors.Forbidden:
        return None
