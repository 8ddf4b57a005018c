"""GPU exporters: those that an operator is to ask, and those that say nothing."""

from collections.abc import Iterator, Sequence

from steelyard.kube import errors, kinds
from steelyard.kube.client import Client
from steelyard.kube.kinds import Object
from steelyard_cli.doctor.findings import Finding, ok, problem, warning
from steelyard_cli.doctor.installation import OPERATOR, Installation

_SUBJECT = "GPU exporters"
_PAGE = "see 'When something is wrong' in docs/gpu.md"


async def findings(client: Client, found: Installation) -> list[Finding]:
    """What is to be said of exporters that are named; nothing where there are none."""
    operators = [program for program in found.programs or () if program.component == OPERATOR]
    named = [service for program in operators for service in program.gpu_exporters]
    told = [await _of_service(client, *service) for service in dict.fromkeys(named)]
    backends = found.resources.get("LLMBackend", ())
    told += list(_silent(backends))
    if named and backends and not any(_status(one).get("gpus") for one in backends):
        message = "they are named, and of no backend a GPU is told"
        told.append(
            warning(_SUBJECT, message, f"the operator's log says 'GPUs not read' with a reason; {_PAGE}")
        )
    return told


async def _of_service(client: Client, namespace: str, name: str) -> Finding:
    """Whether pods stand behind the Service."""
    subject = f"GPU exporter {namespace}/{name}"
    selector = f"kubernetes.io/service-name={name}"
    try:
        slices = (await client.list(kinds.ENDPOINT_SLICE, namespace, selector)).items
    except errors.Forbidden as error:
        return warning(subject, error.message, "whether it has pods is unknown")
    ready = sum(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for one in slices
        for endpoint in one.get("endpoints") or ()
    )
    if ready:
        return ok(subject, f"{ready} pods ready")
    if not slices:
        return problem(
            subject, "there is no such Service, or nothing behind it", "correct operator.gpuExporters"
        )
    return problem(subject, "none of its pods is ready", f"kubectl --namespace {namespace} get pods")


def _silent(backends: Sequence[Object]) -> Iterator[Finding]:
    """Backends that name an exporter, or for which one was found, and of whose GPUs nothing is known."""
    for one in backends:
        gpu = ((one["spec"].get("metrics") or {}).get("gpu")) or {}
        status = _status(one)
        url = gpu.get("url") or next((at["url"] for at in status.get("gpuExporters", ())), "")
        if url and not status.get("gpus"):
            subject = f"LLMBackend {one['metadata']['namespace']}/{one['metadata']['name']}"
            yield warning(subject, f"its GPU exporter {url} tells no GPU of it", _PAGE)


def _status(one: Object) -> Object:
    status: Object = one.get("status") or {}
    return status
