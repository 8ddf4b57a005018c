"""What the gateway tells Prometheus: what `recording` counted, and what is in force at the moment.

Requests are counted in plain integers on the request path and turned into samples when scraped. The texts
here become docs/metrics.md. A policy or backend of another namespace than the gateway's own is labelled
NAMESPACE/NAME. Invariant: a model on an endpoint costs at most 60 series.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from steelyard.routing.table import Endpoint
from steelyard.telemetry.samples import NOTHING
from steelyard_gateway.recording import Histogram, Label, Timings
from steelyard_gateway.signals import Known
from steelyard_gateway.space import Space

if TYPE_CHECKING:  # loaded where there is a cluster
    from steelyard_gateway.sources.kubernetes import KubernetesSource

_MIB = 1_048_576

SIGNALS = {
    "engine_running": "Requests that the engine says it works on; absent where unknown.",
    "engine_waiting": "Requests that the engine says wait in it.",
    "engine_cache_use_ratio": "Share of the engine's key-value cache that is in use.",
    "engine_output_tokens_per_second": "Speed of the engine, from its own count of tokens.",
    "engine_loaded_models": "Models in the memory of an engine that loads on demand.",
    "engine_sample_age_seconds": "Since the engine told something of itself.",
    "gpu_utilization_ratio": "Share of the time in which the endpoint's GPUs work, their mean.",
    "gpu_memory_used_bytes": "Memory of the endpoint's GPUs that is in use.",
    "gpu_sample_age_seconds": "Since an exporter told of the endpoint's GPUs.",
}
"""Gauges of each endpoint. None ends with `_requests`: workers see the same, so theirs are not added up."""


COMPARISONS = {
    "requests": "Streams whose time was compared with their model's profile: phase is first_byte, or "
    "decoding for what follows.",
    "actual_seconds": "What that phase of them took.",
    "expected_seconds": "What it was to take by the profile, at the prompt's length and the endpoint's load.",
}
"""Counters of streams beside what was expected of them, in the order of `Timings`."""

_NO_SUMS = (0.0, 0.0, 0.0)


class Metrics:
    """Counts of finished requests, and gauges of what is in force."""

    def __init__(
        self,
        spaces: Callable[[], Sequence[Space]],
        *,
        now: Callable[[], float] = time.time,
        kubernetes: "KubernetesSource | None" = None,
    ) -> None:
        """`spaces`: the namespaces of now and those that were, the own one first."""
        self._kubernetes = kubernetes
        self._spaces = spaces
        self._now = now
        self._reload_failures = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def reload_failed(self) -> None:
        """Count resources that were refused."""
        self._reload_failures += 1

    def text(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """All metrics of the moment."""
        yield from self._counts()
        timings = list(self._timings())
        own, *others = (space.recorder.overhead for space in self._spaces())
        yield _family(
            "steelyard_request_duration_seconds",
            "From the request to the end of the answer.",
            ["model", "backend"],
            _sums((label[1:], one.durations) for label, one in timings),
        )
        yield _family(
            "steelyard_time_to_first_byte_seconds",
            "From the request to the first byte of the answer.",
            ["model", "backend"],
            _sums((label[1:], one.first_bytes) for label, one in timings),
        )
        yield _family(
            "steelyard_policy_request_duration_seconds",
            "From the request to the end of the answer, of all requests of a policy.",
            ["policy"],
            _sums((label[:1], one.durations) for label, one in timings),
        )
        yield _family(
            "steelyard_overhead_seconds",
            "What the gateway itself takes of a request's time: parsing and deciding.",
            [],
            {(): reduce(Histogram.plus, others, own)},
        )
        yield from self._comparisons()
        yield from self._gauges()
        yield from self._brakes()

    def _counts(self) -> Iterator[Metric]:
        """Requests, attempts and tokens."""
        labels = ["policy", "model", "backend"]
        requests = CounterMetricFamily(
            "steelyard_requests",
            "Requests that ended, by who answered and how; policy is empty where a model was asked by name, "
            "code where the answer was no error.",
            labels=[*labels, "path", "status", "code"],
        )
        counts: Counter[tuple[str, ...]] = Counter()
        for space in self._spaces():
            for series in space.recorder.series():
                label = _label(space, series.label)
                counts[(*label, series.path, str(series.status), series.code)] += series.count
        for values, count in counts.items():
            requests.add_metric(list(values), count)
        attempts = CounterMetricFamily(
            "steelyard_attempts", "Endpoints that were tried for requests.", labels=labels
        )
        tokens = CounterMetricFamily(
            "steelyard_tokens",
            "Tokens: direction is prompt, completion or cached (a part of prompt), source is told by engines "
            "or estimated.",
            labels=[*labels, "direction", "source"],
        )
        tried: Counter[Label] = Counter()
        used: Counter[tuple[str, ...]] = Counter()
        for label, timing in self._timings():
            tried[label] += timing.attempts
            for source, every in (("told", timing.told), ("estimated", timing.estimated)):
                if any(every):
                    for direction, number in zip(("prompt", "completion", "cached"), every, strict=True):
                        used[(*label, direction, source)] += number
        for label, count in tried.items():
            attempts.add_metric(list(label), count)
        for values, count in used.items():
            tokens.add_metric(list(values), count)
        yield from (requests, attempts, tokens)

    def _timings(self) -> Iterator[tuple[Label, Timings]]:
        for space in self._spaces():
            for label, timings in space.recorder.timings.items():
                yield _label(space, label), timings

    def _comparisons(self) -> Iterator[Metric]:
        """Streams beside what was expected of them."""
        labels = ["model", "backend", "phase"]
        families = [
            CounterMetricFamily(f"steelyard_compared_{name}", text, labels=labels)
            for name, text in COMPARISONS.items()
        ]
        sums: dict[tuple[str, ...], list[float]] = {}
        for label, timing in self._timings():
            for phase, every in (("first_byte", timing.first_byte), ("decoding", timing.decoding)):
                if every[0]:
                    key = (*label[1:], phase)
                    sums[key] = [one + more for one, more in zip(sums.get(key, _NO_SUMS), every, strict=True)]
        for values, every in sums.items():
            for family, value in zip(families, every, strict=True):
                family.add_metric(list(values), value)
        yield from families

    def _gauges(self) -> Iterator[Metric]:
        in_flight = GaugeMetricFamily(
            "steelyard_in_flight_requests",
            "Requests under way, of this gateway.",
            labels=["backend", "endpoint"],
        )
        resting = GaugeMetricFamily(
            "steelyard_endpoint_resting",
            "1 while an endpoint rests after failures or at its own request.",
            labels=["backend", "endpoint"],
        )
        told: list[tuple[list[str], Known]] = []
        for space, endpoint in self._endpoints():
            live, labels = space.live, [space.label(endpoint.backend), endpoint.name]
            in_flight.add_metric(labels, live.own(endpoint))
            resting.add_metric(labels, float(live.is_resting(endpoint)))
            told.append((labels, live.known(endpoint)))
        yield in_flight
        yield resting
        yield from _signals(told)
        info = GaugeMetricFamily(
            "steelyard_gateway_info",
            "1 while the gateway answers for the resources of a namespace, which serves names; own is true "
            "of the one whose names stand alone in labels.",
            labels=["serves", "own"],
        )
        age = GaugeMetricFamily("steelyard_table_age_seconds", "Since a table in force was compiled last.")
        problems = GaugeMetricFamily("steelyard_excluded_resources", "Resources that play no part.")
        snapshots = [one for one in (space.current.snapshot for space in self._spaces()) if one is not None]
        if snapshots:
            age.add_metric([], max(self._now() - max(one.created for one in snapshots), 0.0))
            problems.add_metric([], sum(found.excludes for one in snapshots for found in one.problems))
        for space in self._spaces():
            if space.current.snapshot is not None:
                info.add_metric([space.namespace, str(space.is_own).lower()], 1)
        yield info
        yield age
        yield problems
        yield from self._source()
        failures = CounterMetricFamily("steelyard_reload_failures", "Changes of the files that were refused.")
        failures.add_metric([], self._reload_failures)
        yield failures
        lost = CounterMetricFamily(
            "steelyard_lost_log_lines",
            "Log lines that could not be written: standard error was closed, or a disk full.",
        )
        lost.add_metric([], sum(space.recorder.lost_lines for space in self._spaces()))
        yield lost

    def _endpoints(self) -> Iterator[tuple[Space, Endpoint]]:
        """Every endpoint of the tables in force once, by namespace."""
        for space in self._spaces():
            snapshot = space.current.snapshot
            pairs = snapshot.table.candidates if snapshot else ()
            for endpoint in {one.name: one for pair in pairs for one in pair.endpoints}.values():
                yield space, endpoint

    def _brakes(self) -> Iterator[Metric]:
        """What keeps requests from engines that have enough."""
        queued = GaugeMetricFamily(
            "steelyard_queued_requests",
            "Requests that wait for a slot of maxConcurrency, or for a model's turn on an Ollama.",
            labels=["backend"],
        )
        waits = CounterMetricFamily(
            "steelyard_queue_waits", "Requests that began to wait for one.", labels=["backend"]
        )
        refusals = CounterMetricFamily(
            "steelyard_queue_refusals",
            "Requests that got none: reason is no_share, queue_full or late.",
            labels=["backend", "reason"],
        )
        for space in self._spaces():
            admission, waiting = space.admission, space.admission.waiting()
            for backend, count in admission.waits.items():
                queued.add_metric([space.label(backend)], waiting[backend])
                waits.add_metric([space.label(backend)], count)
            for (backend, reason), count in admission.refusals.items():
                refusals.add_metric([space.label(backend), reason], count)
        retries = CounterMetricFamily(
            "steelyard_retries_refused", "Failed requests that the retry budget did not allow to send again."
        )
        retries.add_metric([], sum(space.budget.refused for space in self._spaces()))
        yield from (queued, waits, refusals, retries)

    def _source(self) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "steelyard_gateway_resources_age_seconds",
            "Since the Kubernetes API server was last heard, of the kind where that is longest; up to a "
            "minute while nothing changes; absent with files.",
        )
        connected = GaugeMetricFamily(
            "steelyard_gateway_source_connected",
            "1 while the Kubernetes API server tells all changes; absent with files.",
        )
        if self._kubernetes is not None:
            connected.add_metric([], float(self._kubernetes.connected()))
            seconds = self._kubernetes.age_seconds()
            if seconds is not None:
                age.add_metric([], seconds)
        yield age
        yield connected


def _label(space: Space, label: Label) -> Label:
    policy, model, backend = label
    return space.label(policy), model, space.label(backend)


def _signals(told: Iterable[tuple[list[str], Known]]) -> Iterator[Metric]:
    """What engines and exporters told, by backend and endpoint; what is unknown has no sample."""
    families = {
        name: GaugeMetricFamily(f"steelyard_{name}", text, labels=["backend", "endpoint"])
        for name, text in SIGNALS.items()
    }
    for labels, known in told:
        for name, value in _told(known).items():
            if value is not None:
                families[name].add_metric(labels, value)
    yield from families.values()


def _sums(parts: Iterable[tuple[tuple[str, ...], Histogram]]) -> Mapping[tuple[str, ...], Histogram]:
    """The histograms of each label as one."""
    sums: dict[tuple[str, ...], Histogram] = {}
    for label, part in parts:
        before = sums.get(label)
        sums[label] = part if before is None else before.plus(part)
    return sums


def _family(
    name: str, text: str, labels: list[str], histograms: Mapping[tuple[str, ...], Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=labels)
    for label, histogram in histograms.items():
        family.add_metric(list(label), histogram.buckets(), histogram.total)
    return family


def _told(known: Known) -> Mapping[str, float | None]:
    sample, gpus = known.sample or NOTHING, known.gpus or ()
    busy = [gpu.utilization_percent for gpu in gpus if gpu.utilization_percent is not None]
    used_mib = [gpu.memory_used_mib for gpu in gpus if gpu.memory_used_mib is not None]
    return {
        "engine_running": sample.running,
        "engine_waiting": sample.waiting,
        "engine_cache_use_ratio": sample.cache_use,
        "engine_output_tokens_per_second": sample.output_tokens_per_second,
        "engine_loaded_models": None if sample.loaded is None else len(sample.loaded),
        "engine_sample_age_seconds": known.sample_age_seconds,
        "gpu_utilization_ratio": sum(busy) / len(busy) / 100 if busy else None,
        "gpu_memory_used_bytes": sum(used_mib) * _MIB if used_mib else None,
        "gpu_sample_age_seconds": known.gpus_age_seconds,
    }
