"""The admin port of several workers: one answer made of theirs.

/metrics is their sum, /readyz is all of them; /admin/table has the first one's rows with the requests in
flight of all, of which it knows the others' as those of others; anything else is the first one's answer.
Invariant: a counter never falls, whoever dies.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import httpx
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steelyard_gateway import errors, people

ANSWER_SECONDS = 5.0
"""How long a worker may take to answer; it has traffic to serve as well."""

OF_EACH_THE_SAME = frozenset({"steelyard_reload_failures"})
"""Counters of what all workers see: the largest counts."""

SUMMED_GAUGES = "_requests"
"""How gauges end that count what each worker has. Of others the largest counts: ages, rests, problems."""

SMALLEST_GAUGES = frozenset({"steelyard_gateway_source_connected"})
"""Gauges that are 1 only where they are 1 for all."""

_Key = tuple[str, tuple[tuple[str, str], ...]]
_Values = dict[_Key, float]


class Worker(Protocol):
    """One of the processes, as this module needs it."""

    @property
    def index(self) -> int:
        """Its number, from 0."""
        ...

    @property
    def generation(self) -> int:
        """How many processes it had before this one."""
        ...

    @property
    def admin_url(self) -> str:
        """Where it answers; empty while it does not run."""
        ...


def make(workers: Sequence[Worker], client: httpx.AsyncClient, stop: asyncio.Event) -> Starlette:
    """The application of the admin port."""
    sums = Sums()

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        reason = "shutting down" if stop.is_set() else await _not_ready(workers, client)
        if reason:
            return JSONResponse({"status": "not ready", "reason": reason}, 503)
        return JSONResponse({"status": "ready"})

    async def exposition(_: Request) -> Response:
        generations = [worker.generation for worker in workers]
        answers = await _ask_all(workers, client, "/metrics")
        for worker, generation, answer in zip(workers, generations, answers, strict=True):
            if answer is not None and answer.is_success:
                sums.take(worker.index, generation, answer.text)
        return Response(sums.text(), media_type=people.METRICS_TYPE)

    async def table(request: Request) -> Response:
        answers = await _ask_all(workers, client, "/admin/table", request)
        given = [answer.json() for answer in answers if answer is not None and answer.is_success]
        return JSONResponse(table_of_all(given)) if given else _nobody()

    async def first(request: Request) -> Response:
        for worker in workers:
            answer = await _ask(worker, client, request.url.path, request)
            if answer is not None:
                kind = answer.headers.get("content-type")
                return Response(answer.content, answer.status_code, media_type=kind)
        return _nobody()

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", exposition),
            Route("/admin/table", table),
            Route("/{path:path}", first, methods=["GET", "POST"]),
        ]
    )


class Sums:
    """The metrics of all workers as one; what dead ones had counted stays in it."""

    def __init__(self) -> None:
        self._latest: dict[int, tuple[int, list[Metric]]] = {}
        self._buried: list[list[Metric]] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def take(self, index: int, generation: int, text: str) -> None:
        """What a worker tells now; `generation` counts the processes that it had before."""
        families = list(text_string_to_metric_families(text))
        before = self._latest.get(index)
        if before is not None and before[0] != generation:
            counted = [one for one in before[1] if one.type in ("counter", "histogram")]
            self._buried = [list(_merged([*self._buried, counted]))]
        self._latest[index] = (generation, families)

    def text(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """All metrics of the moment."""
        return _merged([*(families for _, families in self._latest.values()), *self._buried])


def table_of_all(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first one's table, with the requests in flight of all."""
    in_flight: dict[tuple[str, str], int] = {}
    for answer in answers:
        pairs = answer["candidates"]
        seen = {(pair["namespace"], one["name"]): one for pair in pairs for one in pair["endpoints"]}
        for key, endpoint in seen.items():
            in_flight[key] = in_flight.get(key, 0) + endpoint["inFlight"]
    for pair in answers[0]["candidates"]:
        for endpoint in pair["endpoints"]:
            there = endpoint["inFlight"] + endpoint["othersInFlight"]
            endpoint["inFlight"] = own = in_flight[pair["namespace"], endpoint["name"]]
            endpoint["othersInFlight"] = max(there - own, 0)
    return answers[0]


def _merged(parts: Iterable[list[Metric]]) -> Iterator[Metric]:
    families: dict[str, Metric] = {}
    values: dict[str, _Values] = {}
    for part in parts:
        for family in part:
            families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            merged, way = values.setdefault(family.name, {}), _way(family)
            for sample in family.samples:
                key = (sample.name, tuple(sample.labels.items()))
                merged[key] = way((merged[key], sample.value)) if key in merged else sample.value
    for name, family in families.items():
        for (sample_name, labels), value in values[name].items():
            family.add_sample(sample_name, dict(labels), value)
        yield family


def _way(family: Metric) -> Callable[[Iterable[float]], float]:
    if family.type == "gauge":
        if family.name in SMALLEST_GAUGES:
            return min
        return sum if family.name.endswith(SUMMED_GAUGES) else max
    return max if family.name in OF_EACH_THE_SAME else sum


async def _not_ready(workers: Sequence[Worker], client: httpx.AsyncClient) -> str:
    for worker, answer in zip(workers, await _ask_all(workers, client, "/readyz"), strict=True):
        if answer is None:
            return f"worker {worker.index} does not answer"
        if not answer.is_success:
            return f"worker {worker.index}: {answer.json()['reason']}"
    return ""


async def _ask_all(
    workers: Sequence[Worker], client: httpx.AsyncClient, path: str, request: Request | None = None
) -> list[httpx.Response | None]:
    return await asyncio.gather(*(_ask(worker, client, path, request) for worker in workers))


async def _ask(
    worker: Worker, client: httpx.AsyncClient, path: str, request: Request | None = None
) -> httpx.Response | None:
    """A worker's answer; None where there is none."""
    if not worker.admin_url:
        return None
    method, body, params, headers = "GET", b"", "", {}
    if request is not None:
        method, body, params = request.method, await request.body(), request.url.query
        headers = {name: value for name, value in request.headers.items() if name.startswith("x-")}
    try:
        return await client.request(
            method,
            f"{worker.admin_url}{path}",
            params=params,
            content=body,
            headers=headers,
            timeout=ANSWER_SECONDS,
        )
    except httpx.TransportError:
        return None


def _nobody() -> Response:
    error = errors.NoUpstream("No worker answers: try again.")
    return Response(error.body(), error.status, media_type="application/json")
