"""What the operator counts, in Prometheus' text format. Labels come from kinds and fixed words only.

The texts here become docs/metrics.md.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """All figures of one operator."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._reconciles = Histogram(
            "steelyard_operator_reconcile_seconds",
            "Time of a look at one object.",
            ["kind"],
            registry=registry,
            buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
        )
        self._writes = Counter(
            "steelyard_operator_status_writes_total",
            "Statuses that were written.",
            ["kind"],
            registry=registry,
        )
        self._failures = Counter(
            "steelyard_operator_api_failures_total",
            "Requests that the API server refused or did not answer.",
            ["kind"],
            registry=registry,
        )
        self._probes = Counter(
            "steelyard_operator_probes_total",
            "Probes of engines: result is ok or failed.",
            ["result"],
            registry=registry,
        )
        self._runs = Counter(
            "steelyard_operator_profiling_runs_total",
            "Profiling runs that ended: result is succeeded or failed.",
            ["result"],
            registry=registry,
        )
        self._depth = Gauge("steelyard_operator_queue_depth", "Objects due for a look.", registry=registry)
        self._running = Gauge(
            "steelyard_operator_profiling_jobs", "Profiling Jobs under way.", registry=registry
        )
        self._active = Gauge(
            "steelyard_operator_active", "1 while this operator is the active one.", registry=registry
        )

    def observe(
        self, *, depth: Callable[[], float], running: Callable[[], float], active: Callable[[], float]
    ) -> None:
        """Where to read what is not counted."""
        self._depth.set_function(depth)
        self._running.set_function(running)
        self._active.set_function(active)

    def reconciled(self, kind: str, seconds: float) -> None:
        """One object was reconciled."""
        self._reconciles.labels(kind).observe(seconds)

    def status_written(self, kind: str) -> None:
        """One status was written."""
        self._writes.labels(kind).inc()

    def api_failed(self, kind: str) -> None:
        """A request for an object of this kind failed."""
        self._failures.labels(kind).inc()

    def probed(self, *, ok: bool) -> None:
        """An engine was asked."""
        self._probes.labels("ok" if ok else "failed").inc()

    def run_ended(self, *, ok: bool) -> None:
        """A profiling run is over."""
        self._runs.labels("succeeded" if ok else "failed").inc()

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)
