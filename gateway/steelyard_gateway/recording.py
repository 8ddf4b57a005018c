"""What is written down of each request: counts for Prometheus and one line in the log.

Everything about a request but its times and its id is one of few combinations: a Series holds what is counted
of a combination, and the part of the log line that is the same for all of its requests. Invariant: no line
holds a header's value, a body's text or a secret, and labels are names of resources or words of our own.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from steelyard_gateway.comparing import Compared
from steelyard_gateway.ports import Outcome
from steelyard_gateway.usage import Usage

DURATION_BUCKETS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds for answers of language models: from a cached word to a long report."""

OVERHEAD_BUCKETS_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05)
"""Upper bounds for what the gateway itself adds."""

MOST_PENDING = 64
"""So many requests are logged at once, or what there is at every `flush`: in a row they cost half as much."""

Label = tuple[str, str, str]
"""Policy, model, backend; empty where there was none."""

_Key = tuple[str, int, str, str, bool, str | None, str, str, str]
"""Path, status, code, model asked for, whether streamed, category, and the label."""

_LINE = (
    b'{"time":"%b.%03dZ","level":"INFO","event":"request","request_id":"%b",'
    b'"duration_ms":%.2f,"overhead_us":%d,"attempts":%d,%b'
)
_TTFB = b'"ttfb_ms":%.2f,%b'
_TOKENS = b'"prompt_tokens":%d,"completion_tokens":%d,"cached_tokens":%d,%b'
_ESTIMATED = _TOKENS[:-2] + b'"tokens_estimated":true,%b'


class Histogram:
    """Counts by upper bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def plus(self, other: "Histogram") -> "Histogram":
        """The values of both; `other` has the same bounds."""
        both = Histogram(self.bounds)
        both.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        both.total = self.total + other.total
        return both

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus has them."""
        running, rows = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, float(running)))
        return rows


class Timings:
    """What is counted of the requests of one label."""

    __slots__ = ("attempts", "decoding", "durations", "estimated", "first_byte", "first_bytes", "told")

    def __init__(self) -> None:
        self.attempts = 0
        """Endpoints that were tried."""
        self.durations = Histogram(DURATION_BUCKETS_SECONDS)
        """From request to end of answer, in seconds."""
        self.first_bytes = Histogram(DURATION_BUCKETS_SECONDS)
        """From request to first byte of the answer, in seconds."""
        self.told = [0, 0, 0]
        """Tokens that engines told: of prompts, of completions, and of prompts from their caches."""
        self.estimated = [0, 0, 0]
        """Tokens that were estimated, likewise."""
        self.first_byte = [0.0, 0.0, 0.0]
        """Streams whose first byte was compared, its actual and its expected seconds."""
        self.decoding = [0.0, 0.0, 0.0]
        """The same of the time from there to the end."""

    def count(self, used: Usage) -> None:
        """Count the tokens of one request."""
        counts = self.estimated if used.estimated else self.told
        counts[0] += used.prompt_tokens
        counts[1] += used.completion_tokens
        counts[2] += used.cached_tokens

    def compare(self, compared: Compared) -> None:
        """Count what a stream took beside what was expected."""
        for sums, phase in ((self.first_byte, compared.first_byte), (self.decoding, compared.decoding)):
            if phase is not None:
                sums[0] += 1
                sums[1] += phase.actual_seconds
                sums[2] += phase.expected_seconds


class Series:
    """The requests that were alike in everything but their times."""

    __slots__ = ("code", "count", "label", "path", "status", "timings", "words")

    def __init__(self, key: _Key, timings: Timings | None, namespace: str) -> None:
        self.path, self.status, self.code = key[:3]
        self.label: Label = key[-3:]
        self.count = 0
        """How many there were."""
        self.timings = timings
        """Shared by all series of this label; None where the gateway answered by itself."""
        self.words = _words(key, namespace)
        """The end of their log lines."""


class Recorder:
    """Counts and logs finished requests."""

    def __init__(self, out: BinaryIO, namespace: str = "") -> None:
        """`namespace`: whose requests they are, where the log is to say it."""
        self._namespace = namespace
        self.overhead = Histogram(OVERHEAD_BUCKETS_SECONDS)
        """Seconds spent on parsing and deciding."""
        self.timings: dict[Label, Timings] = {}
        """What is counted by label."""
        self.lost_lines = 0
        """Log lines that could not be written: a full disk is no reason to stop serving."""
        self._series: dict[_Key, Series] = {}
        self._out = out
        self._pending: list[tuple[float, Outcome, bytes]] = []
        self._second, self._date = 0, b""

    def finished(self, outcome: Outcome) -> None:
        """A request is over."""
        key = _key(outcome)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._new(key, outcome)
        series.count += 1
        self.overhead.observe(outcome.overhead_seconds)
        timings = series.timings
        if timings is not None:
            timings.attempts += outcome.attempts
            timings.durations.observe(outcome.duration_seconds)
            if outcome.ttfb_seconds is not None:
                timings.first_bytes.observe(outcome.ttfb_seconds)
            if outcome.usage is not None:
                timings.count(outcome.usage)
            if outcome.compared is not None:
                timings.compare(outcome.compared)
        self._pending.append((time.time(), outcome, series.words))
        if len(self._pending) >= MOST_PENDING:
            self.flush()

    def series(self) -> Iterator[Series]:
        """All series."""
        return iter(self._series.values())

    def flush(self) -> None:
        """Write the log lines of the requests that ended since the last time."""
        if self._pending:
            pending, self._pending = self._pending, []
            try:
                self._out.write(b"".join([self._line(*one) for one in pending]))
                self._out.flush()
            except OSError:
                self.lost_lines += len(pending)

    def _new(self, key: _Key, outcome: Outcome) -> Series:
        label = key[-3:]
        if outcome.routed is None:
            return Series(key, None, self._namespace)
        timings = self.timings.get(label)
        if timings is None:
            timings = self.timings[label] = Timings()
        return Series(key, timings, self._namespace)

    def _line(self, now: float, outcome: Outcome, words: bytes) -> bytes:
        second = int(now)
        if second != self._second:
            self._second = second
            self._date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        used = outcome.usage
        if used is not None:
            tokens = (used.prompt_tokens, used.completion_tokens, used.cached_tokens)
            words = (_ESTIMATED if used.estimated else _TOKENS) % (*tokens, words)
        if outcome.ttfb_seconds is not None:
            words = _TTFB % (outcome.ttfb_seconds * 1e3, words)
        if outcome.detail:
            words = b'"detail":%b,%b' % (msgspec.json.encode(outcome.detail), words)
        return _LINE % (
            self._date,
            int((now - second) * 1000),
            outcome.request_id,
            outcome.duration_seconds * 1e3,
            int(outcome.overhead_seconds * 1e6),
            outcome.attempts,
            words,
        )


def _key(outcome: Outcome) -> _Key:
    routed, attempt = outcome.routed, outcome.attempt
    path, status, code = outcome.path, outcome.status, outcome.code
    if routed is None:
        return path, status, code, "", False, None, "", "", ""
    decision = routed.decision
    policy = "" if decision.policy is None else decision.policy.name
    if attempt is None:
        return path, status, code, decision.model, routed.stream, decision.category, policy, "", ""
    pair = attempt.candidate
    return (
        path, status, code, decision.model, routed.stream, decision.category, policy, pair.model, pair.backend
    )  # fmt: skip


def _words(key: _Key, namespace: str) -> bytes:
    path, status, code, asked, stream, category, policy, model, backend = key
    told = {
        "namespace": namespace,
        "path": path,
        "status": status,
        "model": asked,
        "answered_by": model,
        "backend": backend,
        "policy": policy,
        "category": category,
        "stream": stream,
        "code": code,
    }
    return msgspec.json.encode({name: value for name, value in told.items() if value})[1:] + b"\n"
