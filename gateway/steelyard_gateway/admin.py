"""What people read of a running gateway: the table, the resources, explanations. Health is `people`'s.

Everything here only reads, and nothing here shows a credential.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Condition
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile
from steelyard.routing import compiling, explaining
from steelyard.routing.decision import NoLoad
from steelyard.routing.table import Candidate, Endpoint, Problem
from steelyard.telemetry.gpus import Gpu
from steelyard.telemetry.samples import NOTHING, LoadedModel
from steelyard_gateway import errors, parsing
from steelyard_gateway.current import Snapshot
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.signals import Known
from steelyard_gateway.space import Space
from steelyard_gateway.state import State

if TYPE_CHECKING:
    from steelyard_gateway.sources.kubernetes import KubernetesSource


_Namespace = Annotated[str, Query(description="whose; none: the gateway's own")]
_OneNamespace = Annotated[str, Query(description="only its; none: of all that are served")]


def make(state: State, own: Space, served: Callable[[], Mapping[str, Space]]) -> FastAPI:
    """The application of the admin port; `served`: the namespaces of now, by name."""
    app = FastAPI(title="Steelyard gateway", docs_url="/docs", redoc_url=None)

    def chosen(namespace: str) -> list[Space]:
        """This one, where it is served; empty: all of them."""
        return [one for name, one in served().items() if namespace in ("", name)]

    @app.post("/admin/explain")
    async def explain(
        request: Request,
        path: Annotated[str, Query(description="the request's path")] = "/v1/chat/completions",
        load: Annotated[str, Query(description='{"endpoint": requests under way} instead of now')] = "",
        namespace: _Namespace = "",
    ) -> Response:
        """The decision for the request in the body, with every score and reason; no token is spent.

        With `load` it depends on the resources only: no endpoint rests, and of equals the first counts.
        """
        if path not in parsing.NEEDS:
            known = ", ".join(parsing.NEEDS)
            return _error(errors.BadRequest(f"path is {path!r}: use one of {known}.", param="path"))
        asked = served().get(namespace) if namespace else own
        snapshot = (asked or own).current.snapshot
        if snapshot is None:
            return _error(errors.NoUpstream("The gateway has not read its resources yet: try again."))
        if asked is None:
            known = ", ".join(served())
            return _error(
                errors.BadRequest(f"namespace is {namespace!r}: use one of {known}.", param="namespace")
            )
        try:
            given = _load(load) if load else None
            parsed = parsing.parse(path, request.headers.raw, await request.body())
            return JSONResponse(explaining.explain(asked.router.decide(snapshot, parsed.request, given)))
        except errors.RequestError as error:
            return _error(error)

    @app.get("/admin/table")
    async def table(namespace: _OneNamespace = "") -> dict[str, Any]:
        """Every pair of model and backend with what decisions know of it, and its live load."""
        return {"candidates": [row for one in chosen(namespace) for row in _candidates(one)]}

    @app.get("/admin/resources")
    async def resources(namespace: _OneNamespace = "") -> dict[str, Any]:
        """Every resource, whether it plays a part, and what is wrong with it."""
        return {
            "source": _source(state.kubernetes),
            "refused": state.refused,
            "resources": [row for one in chosen(namespace) for row in _resources(one)],
        }

    return app


class _GivenLoad(NoLoad):
    """A fleet of which every endpoint is up, with these requests under way."""

    def __init__(self, in_flight: dict[str, int]) -> None:
        self._in_flight = in_flight

    def in_flight(self, endpoint: Endpoint) -> int:
        """Requests under way on this endpoint."""
        return self._in_flight.get(endpoint.name, 0)


def _load(text: str) -> _GivenLoad:
    try:
        return _GivenLoad(msgspec.json.decode(text, type=dict[str, Annotated[int, msgspec.Meta(ge=0)]]))
    except msgspec.DecodeError:
        wanted = 'an object of counts by endpoint, as {"BACKEND@HOST:PORT": 3}'
        raise errors.BadRequest(
            f"load must be {wanted}; /admin/table lists endpoints.", param="load"
        ) from None


def _error(error: errors.RequestError) -> Response:
    return Response(error.body(), error.status, media_type="application/json")


def _candidates(space: Space) -> list[dict[str, Any]]:
    snapshot = space.current.snapshot
    pairs = snapshot.table.candidates if snapshot else ()
    return [{"namespace": space.namespace} | _candidate(pair, space.live) for pair in pairs]


def _candidate(pair: Candidate, live: LiveEndpoints) -> dict[str, Any]:
    return {
        "model": pair.model,
        "backend": pair.backend,
        "aliases": list(pair.aliases),
        "location": pair.location,
        "measured": pair.measured,
        "priors": [prior.model_dump(mode="json", by_alias=True) for prior in pair.priors],
        "contextTokens": pair.context_tokens,
        "capabilities": dict(pair.capabilities),
        "inputUsdPerMillionTokens": _per_million(pair.price.input_usd),
        "outputUsdPerMillionTokens": _per_million(pair.price.output_usd),
        "ttftMs": pair.ttft_ms,
        "outputTokensPerSecond": pair.output_tokens_per_second,
        "endpoints": [_endpoint(endpoint, live) for endpoint in pair.endpoints],
    }


def _endpoint(endpoint: Endpoint, live: LiveEndpoints) -> dict[str, Any]:
    health, known = live.health(endpoint), live.known(endpoint)
    return {
        "name": endpoint.name,
        "inFlight": live.own(endpoint),
        "othersInFlight": known.others,
        "maxConcurrency": endpoint.max_concurrency,
        "isFull": live.is_full(endpoint),
        "failures": health.failures,
        "restSeconds": round(health.seconds, 1),
        "pauseSeconds": round(health.pause_seconds, 1),
        "circuit": health.circuit,
        "cause": health.cause,
        "ttftRatio": _rounded(health.ttft_ratio),
        "sample": _sample(known),
        "gpus": {
            "ageSeconds": _rounded(known.gpus_age_seconds),
            "failure": known.gpus_failure or None,
            "gpus": None if known.gpus is None else [_gpu(gpu) for gpu in known.gpus],
        },
    }


def _sample(known: Known) -> dict[str, Any]:
    """What the engine told; all but the age and why it failed is None where that is unknown."""
    sample = known.sample or NOTHING
    return {
        "ageSeconds": _rounded(known.sample_age_seconds),
        "failure": known.sample_failure or None,
        "running": sample.running,
        "waiting": sample.waiting,
        "capacity": sample.capacity,
        "cacheUsePercent": None if sample.cache_use is None else round(sample.cache_use * 100),
        "outputTokensPerSecond": _rounded(sample.output_tokens_per_second),
        "loaded": None if sample.loaded is None else [_loaded(model) for model in sample.loaded],
        "version": sample.version,
    }


def _loaded(model: LoadedModel) -> dict[str, Any]:
    expires_at = None if model.expires_at is None else datetime.fromtimestamp(model.expires_at, UTC)
    return {
        "name": model.name,
        "digest": model.digest,
        "memoryMiB": model.memory_mib,
        "gpuMemoryMiB": model.gpu_memory_mib,
        "contextTokens": model.context_tokens,
        "expiresAt": None if expires_at is None else expires_at.isoformat(timespec="seconds"),
    }


def _gpu(gpu: Gpu) -> dict[str, Any]:
    return {
        "uuid": gpu.uuid,
        "name": gpu.name,
        "utilizationPercent": gpu.utilization_percent,
        "memoryUsedMiB": gpu.memory_used_mib,
        "memoryTotalMiB": gpu.memory_total_mib,
        "temperatureCelsius": gpu.temperature_celsius,
        "powerWatts": gpu.power_watts,
        "source": gpu.source,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _per_million(usd: float | None) -> float | None:
    return None if usd is None else round(usd * 1_000_000, 6)


def _source(kubernetes: "KubernetesSource | None") -> dict[str, Any]:
    if kubernetes is None:
        return {"kind": "Files"}
    age_seconds = kubernetes.age_seconds()
    return {
        "kind": "Kubernetes",
        "connected": kubernetes.connected(),
        "ageSeconds": _rounded(age_seconds),
    }


def _resources(space: Space) -> list[dict[str, Any]]:
    snapshot = space.current.snapshot
    if snapshot is None:
        return []
    held: list[LLMBackend | ModelProfile | RoutingPolicy] = [
        *snapshot.resources.backends.values(),
        *snapshot.resources.profiles.values(),
        *snapshot.resources.policies.values(),
    ]
    problems: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in (*snapshot.problems, *_failing(snapshot, space.live)):
        problems.setdefault((problem.kind, problem.namespace, problem.name), []).append(problem)
    rows = []
    for one in held:
        named = (one.kind, one.namespace, one.name)
        rows.append(_resource(*named, problems.pop(named, ()), one.status.conditions))
    # What cannot be read is known by its problems only.
    return rows + [_resource(*named, found, ()) for named, found in problems.items()]


def _failing(snapshot: Snapshot, live: LiveEndpoints) -> Iterator[Problem]:
    """Endpoints whose last answer was a failure, as problems of their backends."""
    every = {endpoint.name: endpoint for pair in snapshot.table.candidates for endpoint in pair.endpoints}
    for endpoint in every.values():
        if how := live.how_failed(endpoint):
            message = f"{endpoint.name} {how}; failures in a row: {live.failures(endpoint)}."
            backend = snapshot.resources.backends[snapshot.namespace, endpoint.backend]
            yield compiling.problem(backend, "Reachable", "EndpointFailing", message)


def _resource(
    kind: str, namespace: str, name: str, problems: Iterable[Problem], conditions: Iterable[Condition]
) -> dict[str, Any]:
    return {
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "inForce": not any(problem.excludes for problem in problems),
        "problems": [
            {
                "condition": problem.condition,
                "reason": problem.reason,
                "message": problem.message,
                "excludes": problem.excludes,
            }
            for problem in problems
        ],
        "conditions": [condition.model_dump(mode="json", by_alias=True) for condition in conditions],
    }
