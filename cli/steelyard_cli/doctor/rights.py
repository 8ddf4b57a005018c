"""Rights: what the programs need, as the chart grants it, and what the user may do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from steelyard.kube import errors, kinds
from steelyard.kube.client import Client
from steelyard_cli.doctor import installation
from steelyard_cli.doctor.findings import Finding, ok, problem, warning
from steelyard_cli.doctor.installation import GATEWAY, OPERATOR, Installation, Program

_OURS = ("llmbackends", "modelprofiles", "routingpolicies")


@dataclass(frozen=True, slots=True)
class Need:
    """Verbs on resources of a group."""

    group: str
    """The API group; empty for Kubernetes' oldest kinds."""
    resources: tuple[str, ...]
    """Their plural names, with subresource."""
    verbs: tuple[str, ...]
    """What is to be done with them."""


NEEDS: dict[str, tuple[Need, ...]] = {
    OPERATOR: (
        Need("steelyard.dev", _OURS, ("get", "list", "watch")),
        Need("steelyard.dev", ("modelprofiles",), ("create", "patch", "delete")),
        Need("steelyard.dev", tuple(f"{one}/status" for one in _OURS), ("patch",)),
        Need("", ("configmaps",), ("get",)),
        Need("", ("secrets", "services", "pods"), ("list", "watch")),
        Need("discovery.k8s.io", ("endpointslices",), ("list", "watch")),
        Need("batch", ("jobs",), ("get", "list", "watch", "create", "patch", "delete")),
        Need("events.k8s.io", ("events",), ("create",)),
    ),
    GATEWAY: (
        Need("steelyard.dev", _OURS, ("list", "watch")),
        Need("", ("secrets", "configmaps", "services"), ("list", "watch")),
        Need("discovery.k8s.io", ("endpointslices",), ("list", "watch")),
    ),
}
"""What each program does in the namespaces that it serves."""

LEASE = (("create", ""), ("get", "named"), ("update", "named"))
"""What the operator does with its Lease, in its own namespace; named: with the one that its setting names."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that somebody is to be allowed."""

    group: str
    """The API group."""
    resource: str
    """The plural name, with subresource."""
    verb: str
    """What is to be done."""
    namespace: str
    """Where; empty: in all namespaces."""
    name: str = ""
    """Of which object; empty: of any."""

    @property
    def attributes(self) -> dict[str, str]:
        """As an access review has it."""
        resource, _, subresource = self.resource.partition("/")
        said = {
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "verb": self.verb,
            "namespace": self.namespace,
            "name": self.name,
        }
        return {word: value for word, value in said.items() if value}

    def text(self) -> str:
        """As people say it."""
        where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
        return f"{self.verb} {self.resource} {where}"


async def findings(client: Client, found: Installation) -> list[Finding]:
    """What the user and each program may do."""
    told = [await _of_user(client, found.namespace or "")]
    for program in found.programs or ():
        told.append(await _of_program(client, program))
    return told


def needed(program: Program) -> Iterator[Asked]:
    """Everything that this program has to be allowed."""
    for namespace in program.serves or ("",):
        for need in NEEDS[program.component]:
            for resource in need.resources:
                for verb in need.verbs:
                    yield Asked(need.group, resource, verb, namespace)
    if program.component == GATEWAY:
        for verb in ("list", "watch"):
            yield Asked("discovery.k8s.io", "endpointslices", verb, program.namespace)
        return
    for namespace in dict.fromkeys(namespace for namespace, _ in program.gpu_exporters):
        if program.serves and namespace not in program.serves:
            yield Asked("discovery.k8s.io", "endpointslices", "list", namespace)
    yield Asked("", "pods", "list", program.namespace)  # gateways
    where = program.setting("lease-namespace") or program.namespace
    name = program.setting("lease-name") or "steelyard-operator"
    for verb, which in LEASE:
        yield Asked("coordination.k8s.io", "leases", verb, where, name if which else "")


async def _of_program(client: Client, program: Program) -> Finding:
    account = f"system:serviceaccount:{program.namespace}:{program.account}"
    subject = f"rights of {program.namespace}/{program.account}"
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{program.namespace}", "system:authenticated"]
    lacking = []
    for asked in dict.fromkeys(needed(program)):
        spec = {"user": account, "groups": groups, "resourceAttributes": asked.attributes}
        try:
            answer = await client.create(kinds.ACCESS_REVIEW, {"metadata": {}, "spec": spec})
        except errors.Forbidden:
            remedy = "ask an administrator to run this, or for: create subjectaccessreviews"
            return warning(subject, "you may not ask what others may do", remedy)
        if not answer["status"]["allowed"]:
            lacking.append(asked)
    if not lacking:
        return ok(subject, f"the {program.component} may do all that it has to")
    return problem(subject, f"it may not {_listed(lacking)}", "upgrade the chart, or apply its roles again")


async def _of_user(client: Client, namespace: str) -> Finding:
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    lacking = {
        verb: [one.plural for one in kinds.OURS if not await installation.may(client, one, verb, namespace)]
        for verb in ("get", "list", "watch", "create", "update", "patch", "delete")
    }
    if not any(lacking.values()):
        return ok("your rights", f"you may read and change backends, profiles and policies {where}")
    said = "; ".join(f"{verb} {', '.join(names)}" for verb, names in lacking.items() if names)
    remedy = "have yourself bound to the ClusterRole edit (or view, to read), which the chart extends"
    return warning("your rights", f"you may not {where}: {said}", remedy)


def _listed(lacking: Sequence[Asked]) -> str:
    most = 4
    more = f", and {len(lacking) - most} things more" if len(lacking) > most else ""
    return "; ".join(one.text() for one in lacking[:most]) + more
