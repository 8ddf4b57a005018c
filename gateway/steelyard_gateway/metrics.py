"""What the gateway tells Prometheus: what `recording` counted, and what is in force at the moment.

Requests are counted in plain integers on the request path and turned into samples when scraped. The texts
here become docs/metrics.md. Invariant: a model on an endpoint costs at most 60 series.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from steelyard_gateway.admission import Admission
from steelyard_gateway.budget import RetryBudget
from steelyard_gateway.current import Current
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.recording import Histogram, Recorder
from steelyard_gateway.signals import Known

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


class Metrics:
    """Counts of finished requests, and gauges of what is in force."""

    def __init__(
        self,
        current: Current,
        live: LiveEndpoints,
        recorder: Recorder,
        admission: Admission,
        budget: RetryBudget,
        *,
        now: Callable[[], float] = time.time,
        kubernetes: "KubernetesSource | None" = None,
    ) -> None:
        self._kubernetes = kubernetes
        self._current = current
        self._live = live
        self._recorder = recorder
        self._admission = admission
        self._budget = budget
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
        timings = self._recorder.timings
        yield _family(
            "steelyard_request_duration_seconds",
            "From the request to the end of the answer.",
            ["model", "backend"],
            _sums((label[1:], one.durations) for label, one in timings.items()),
        )
        yield _family(
            "steelyard_time_to_first_byte_seconds",
            "From the request to the first byte of the answer.",
            ["model", "backend"],
            _sums((label[1:], one.first_bytes) for label, one in timings.items()),
        )
        yield _family(
            "steelyard_policy_request_duration_seconds",
            "From the request to the end of the answer, of all requests of a policy.",
            ["policy"],
            _sums((label[:1], one.durations) for label, one in timings.items()),
        )
        yield _family(
            "steelyard_overhead_seconds",
            "What the gateway itself takes of a request's time: parsing and deciding.",
            [],
            {(): self._recorder.overhead},
        )
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
        for series in self._recorder.series():
            counts[(*series.label, series.path, str(series.status), series.code)] += series.count
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
        for label, timing in self._recorder.timings.items():
            attempts.add_metric(list(label), timing.attempts)
            for source, every in (("told", timing.told), ("estimated", timing.estimated)):
                if any(every):
                    for direction, number in zip(("prompt", "completion", "cached"), every, strict=True):
                        tokens.add_metric([*label, direction, source], number)
        yield from (requests, attempts, tokens)

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
        snapshot = self._current.snapshot
        table = snapshot.table if snapshot else None
        every = {one.name: one for pair in (table.candidates if table else ()) for one in pair.endpoints}
        for endpoint in every.values():
            in_flight.add_metric([endpoint.backend, endpoint.name], self._live.own(endpoint))
            resting.add_metric([endpoint.backend, endpoint.name], float(self._live.is_resting(endpoint)))
        yield in_flight
        yield resting
        yield from self._signals(every.values())
        age = GaugeMetricFamily("steelyard_table_age_seconds", "Since the table in force was compiled.")
        problems = GaugeMetricFamily("steelyard_excluded_resources", "Resources that play no part.")
        if snapshot is not None:
            age.add_metric([], max(self._now() - snapshot.created, 0.0))
            problems.add_metric([], sum(problem.excludes for problem in snapshot.problems))
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
        lost.add_metric([], self._recorder.lost_lines)
        yield lost

    def _signals(self, every: Iterable[Endpoint]) -> Iterator[Metric]:
        """What engines and exporters told; what is unknown has no sample."""
        families = {
            name: GaugeMetricFamily(f"steelyard_{name}", text, labels=["backend", "endpoint"])
            for name, text in SIGNALS.items()
        }
        for endpoint in every:
            for name, value in _told(self._live.known(endpoint)).items():
                if value is not None:
                    families[name].add_metric([endpoint.backend, endpoint.name], value)
        yield from families.values()

    def _brakes(self) -> Iterator[Metric]:
        """What keeps requests from engines that have enough."""
        admission = self._admission
        queued = GaugeMetricFamily(
            "steelyard_queued_requests",
            "Requests that wait for a slot of maxConcurrency, or for a model's turn on an Ollama.",
            labels=["backend"],
        )
        waiting = admission.waiting()
        for backend in admission.waits:
            queued.add_metric([backend], waiting[backend])
        waits = CounterMetricFamily(
            "steelyard_queue_waits", "Requests that began to wait for one.", labels=["backend"]
        )
        for backend, count in admission.waits.items():
            waits.add_metric([backend], count)
        refusals = CounterMetricFamily(
            "steelyard_queue_refusals",
            "Requests that got none: reason is no_share, queue_full or late.",
            labels=["backend", "reason"],
        )
        for (backend, reason), count in admission.refusals.items():
            refusals.add_metric([backend, reason], count)
        retries = CounterMetricFamily(
            "steelyard_retries_refused", "Failed requests that the retry budget did not allow to send again."
        )
        retries.add_metric([], self._budget.refused)
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
