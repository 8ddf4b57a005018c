"""The programs: whether they run, serve somebody, and are of one version. Pure."""

from collections.abc import Iterator

from steelyard.kube.kinds import Object
from steelyard_cli.doctor.findings import Finding, ok, problem, warning
from steelyard_cli.doctor.installation import GATEWAY, OPERATOR, Installation, Program

_INSTALL = "helm install steelyard charts/steelyard --namespace steelyard --create-namespace"


def findings(found: Installation, cli_version: str) -> Iterator[Finding]:
    """What is to be said of each program, and of all together."""
    if found.programs is None:
        return
    for program in found.programs:
        yield _running(program)
    yield from _missing(found)
    yield from _versions(found.programs, cli_version)


def _running(program: Program) -> Finding:
    spec, status = program.deployment["spec"], program.deployment.get("status") or {}
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    subject = f"{program.component} {program.namespace}/{program.name}"
    if wanted == 0:
        return problem(
            subject, "is scaled to 0", f"{program.kubectl} scale deployment {program.name} --replicas=2"
        )
    if ready >= wanted:
        return ok(subject, f"{ready}/{wanted} pods ready")
    why = next(filter(None, map(_trouble, program.pods or ())), "")
    told = f"{ready}/{wanted} pods ready" + (f": {why}" if why else "")
    remedy = f"{program.kubectl} describe deployment,pods; {program.kubectl} logs deployment/{program.name}"
    return (warning if ready else problem)(subject, told, remedy)


def _trouble(pod: Object) -> str:
    """Why a pod is not ready, as far as it says."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses", ()):
        state = container.get("state", {})
        if waiting := state.get("waiting") or state.get("terminated"):
            return f"{waiting.get('reason', '')} {waiting.get('message', '')}".strip()
    for condition in status.get("conditions", ()):
        if condition["status"] == "False" and condition.get("message"):
            return f"{condition.get('reason', '')} {condition['message']}".strip()
    return ""


def _missing(found: Installation) -> Iterator[Finding]:
    """Programs that nobody has installed, or that serve other namespaces."""
    programs = found.programs or ()
    where = f"in namespace {found.namespace}" if found.namespace else "in the cluster"
    for component in (OPERATOR, GATEWAY):
        if any(one.component == component for one in programs):
            continue
        if found.namespace:
            remedy = "run this without --namespace, where you may, to look everywhere"
            yield warning(component, f"there is none {where}", remedy)
        else:
            yield problem(component, f"there is none {where}", _INSTALL)
    if found.namespace and not programs:
        return
    used = {one["metadata"]["namespace"] for items in found.resources.values() for one in items}
    for component in (OPERATOR, GATEWAY):
        reach = [one.serves for one in programs if one.component == component]
        if not reach or () in reach:
            continue
        for namespace in sorted(used - {name for names in reach for name in names}):
            remedy = "see 'Another namespace' and 'One gateway for all' in docs/kubernetes.md"
            yield warning(component, f"none serves namespace {namespace}, which has resources", remedy)


def _versions(programs: tuple[Program, ...], cli_version: str) -> Iterator[Finding]:
    told = {f"{one.component} {one.namespace}/{one.name}": one.version for one in programs if one.version}
    if not told:
        return
    if set(told.values()) == {cli_version}:
        yield ok("versions", f"all programs are {cli_version}, as is this one")
    else:
        said = ", ".join(f"{name} {version}" for name, version in told.items())
        remedy = "helm upgrade to one version, and install this program in the same"
        yield warning("versions", f"{said}, this program {cli_version}", remedy)
    for one in programs:
        tags = {container["name"]: _tag(container["image"]) for container in one.pod_spec["containers"]}
        for name, tag in tags.items():
            if name == one.component and tag and one.version and tag != one.version:
                subject = f"{one.component} {one.namespace}/{one.name}"
                remedy = "unset image.tag, or upgrade the chart"
                yield warning(
                    "versions", f"{subject} runs image tag {tag}, the chart is {one.version}", remedy
                )


def _tag(image: str) -> str:
    """The image's tag; empty where it has none, or is named by its digest."""
    name = image.partition("@")[0].rpartition("/")[2]
    return "" if "@" in image else name.partition(":")[2]
