"""What the gateway counts, for Prometheus.

Requests are counted in plain integers on the request path and turned into samples when scraped. Labels are
names of resources or words of our own, never a client's text.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from steelyard_gateway.current import Current
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.ports import Outcome
from steelyard_gateway.sources.kubernetes import KubernetesSource

DURATION_BUCKETS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds for answers of language models: from a cached word to a long report."""

OVERHEAD_BUCKETS_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05)
"""Upper bounds for what the gateway itself adds."""

_Label = tuple[str, str, str]


@dataclass(slots=True)
class _Histogram:
    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus has them."""
        running, rows = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, float(running)))
        return rows


class Metrics:
    """Counts of finished requests, and gauges of what is in force."""

    def __init__(
        self,
        current: Current,
        live: LiveEndpoints,
        now: Callable[[], float],
        kubernetes: KubernetesSource | None = None,
    ) -> None:
        self._kubernetes = kubernetes
        self._current = current
        self._live = live
        self._now = now
        self._requests: dict[tuple[_Label, str, int, str], int] = {}
        self._durations: dict[_Label, _Histogram] = {}
        self._first_bytes: dict[_Label, _Histogram] = {}
        self._overhead = _Histogram(OVERHEAD_BUCKETS_SECONDS)
        self._attempts: dict[_Label, int] = {}
        self._reload_failures = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def finished(self, outcome: Outcome) -> None:
        """Count one request."""
        label = _label(outcome)
        key = (label, outcome.path, outcome.status, outcome.code)
        self._requests[key] = self._requests.get(key, 0) + 1
        self._overhead.observe(outcome.overhead_seconds)
        if outcome.routed is None:
            return
        self._attempts[label] = self._attempts.get(label, 0) + outcome.attempts
        _observe(self._durations, label, outcome.duration_seconds)
        if outcome.ttfb_seconds is not None:
            _observe(self._first_bytes, label, outcome.ttfb_seconds)

    def reload_failed(self) -> None:
        """Count resources that were refused."""
        self._reload_failures += 1

    def text(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """All metrics of the moment."""
        labels = ["policy", "model", "backend"]
        requests = CounterMetricFamily(
            "steelyard_requests",
            "Requests that ended, by who answered and how.",
            labels=[*labels, "path", "status", "code"],
        )
        for (label, path, status, code), count in self._requests.items():
            requests.add_metric([*label, path, str(status), code], count)
        yield requests
        attempts = CounterMetricFamily(
            "steelyard_attempts", "Endpoints that were tried for requests.", labels=labels
        )
        for label, count in self._attempts.items():
            attempts.add_metric(list(label), count)
        yield attempts
        yield _family(
            "steelyard_request_duration_seconds", "From request to end of answer.", labels, self._durations
        )
        yield _family(
            "steelyard_time_to_first_byte_seconds",
            "From request to first byte of the answer.",
            labels,
            self._first_bytes,
        )
        yield _family(
            "steelyard_overhead_seconds", "Time spent on parsing and deciding.", [], {(): self._overhead}
        )
        yield from self._gauges()

    def _gauges(self) -> Iterator[Metric]:
        in_flight = GaugeMetricFamily(
            "steelyard_in_flight_requests", "Requests under way.", labels=["backend", "endpoint"]
        )
        resting = GaugeMetricFamily(
            "steelyard_endpoint_resting",
            "1 while an endpoint rests after failures or at its own request.",
            labels=["backend", "endpoint"],
        )
        snapshot = self._current.snapshot
        table = snapshot.table if snapshot else None
        for endpoint in {one for pair in (table.candidates if table else ()) for one in pair.endpoints}:
            in_flight.add_metric([endpoint.backend, endpoint.name], self._live.in_flight(endpoint))
            resting.add_metric([endpoint.backend, endpoint.name], float(self._live.is_resting(endpoint)))
        yield in_flight
        yield resting
        age = GaugeMetricFamily("steelyard_table_age_seconds", "Since the table in force was compiled.")
        problems = GaugeMetricFamily("steelyard_excluded_resources", "Resources that play no part.")
        if snapshot is not None:
            age.add_metric([], max(self._now() - snapshot.created, 0.0))
            problems.add_metric([], sum(problem.excludes for problem in snapshot.problems))
        yield age
        yield problems
        yield from self._source()
        failures = CounterMetricFamily(
            "steelyard_reload_failures", "Changes of the resources that were refused."
        )
        failures.add_metric([], self._reload_failures)
        yield failures

    def _source(self) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "steelyard_gateway_resources_age_seconds", "Since the Kubernetes API server was last heard."
        )
        connected = GaugeMetricFamily(
            "steelyard_gateway_source_connected", "1 while changes of all resources in Kubernetes are told."
        )
        if self._kubernetes is not None:
            connected.add_metric([], float(self._kubernetes.connected()))
            seconds = self._kubernetes.age_seconds()
            if seconds is not None:
                age.add_metric([], seconds)
        yield age
        yield connected


def _label(outcome: Outcome) -> _Label:
    routed, attempt = outcome.routed, outcome.attempt
    policy = routed.decision.policy if routed else None
    name = policy.name if policy else ""
    if attempt is None:
        return (name, "", "")
    return (name, attempt.candidate.model, attempt.candidate.backend)


def _observe(histograms: dict[_Label, _Histogram], label: _Label, seconds: float) -> None:
    histogram = histograms.get(label)
    if histogram is None:
        histogram = histograms[label] = _Histogram(DURATION_BUCKETS_SECONDS)
    histogram.observe(seconds)


def _family(
    name: str,
    text: str,
    labels: list[str],
    histograms: Mapping[_Label, _Histogram] | Mapping[tuple[()], _Histogram],
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=labels)
    for label, histogram in histograms.items():
        family.add_metric(list(label), histogram.buckets(), histogram.total)
    return family
