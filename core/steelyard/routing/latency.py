"""How long an answer takes, from what was measured: first token, whole answer, and what others in flight add.

Formulas as in docs/decisions.md. Invariant: what was not measured is None, or adds nothing where a part of it
was; T(n) and the time to first token are linear between measured points.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import log2

from steelyard.api.measuring import LOAD_OUTPUT_TOKENS
from steelyard.api.profile import Performance, SaturationPoint
from steelyard.routing.table import Candidate, Curve

KNEE_GAIN = 1.10
"""The knee is where twice as many streams bring less than this many times the throughput."""


def expected_ttft_seconds(candidate: Candidate, prompt_tokens: int, in_flight: float) -> float | None:
    """Expected time to first token with so many requests at the endpoint; None where it was not measured, be
    it only for so long a prompt.

    ttftMs.p50 + (prompt - load.promptTokens) ÷ prompt speed + what the saturation curve adds. Beyond its last
    point each request more waits for the time in which one answer of the measured length is made.
    """
    is_longer = prompt_tokens > candidate.load_prompt_tokens
    if candidate.ttft_ms is None or (is_longer and not candidate.prompt_tokens_per_second):
        return None
    seconds = _unloaded_ttft_seconds(candidate, prompt_tokens)
    curve = candidate.curve
    if curve is None:
        return seconds
    waiting = max(in_flight - curve.concurrency[-1], 0)
    return seconds + _at(curve, curve.added_ttft_seconds, in_flight) + waiting * curve.queue_seconds


def expected_seconds(
    candidate: Candidate, prompt_tokens: int, output_tokens: float, in_flight: float
) -> float | None:
    """Expected time to the end of the answer; None where the speed was not measured.

    Time to first token + output ÷ speed(n), where speed(n) = T(n) ÷ n, for n requests in flight.
    """
    seconds = _unloaded_ttft_seconds(candidate, prompt_tokens)
    if candidate.curve is not None:
        return seconds + _loaded_seconds(candidate.curve, output_tokens, in_flight)
    speed = candidate.output_tokens_per_second
    return seconds + output_tokens / speed if speed else None


def predicted_seconds(curve: Curve, in_flight: float) -> float:
    """The time of a request as long as those that were measured, which finds so many at the endpoint."""
    seconds, last = curve.seconds, len(curve.seconds) - 1
    if in_flight >= last:
        return seconds[last] + (in_flight - last) * curve.queue_seconds
    low = int(in_flight)
    return seconds[low] + (seconds[low + 1] - seconds[low]) * (in_flight - low)


def curve(measured: Performance) -> Curve | None:
    """How speed bends under load; None where no saturation was measured.

    One stream has its own measured speed; where that is unknown, its share of the least measured point.
    """
    saturation = _rising(measured.saturation)
    if not saturation:
        return None
    least = saturation[0]
    one_stream = measured.output_tokens_per_second or least.output_tokens_per_second / least.concurrency
    beyond = [point for point in saturation if point.concurrency > 1]
    least_ms = least.ttft_ms_p95 or 0
    added = [max((point.ttft_ms_p95 or 0) - least_ms, 0) / 1000 for point in beyond]
    unpredicted = Curve(
        concurrency=(1, *(point.concurrency for point in beyond)),
        tokens_per_second=(float(one_stream), *(float(point.output_tokens_per_second) for point in beyond)),
        added_ttft_seconds=(0.0, *added),
    )
    ttft_seconds = measured.ttft_ms.p50 / 1000 if measured.ttft_ms else 0.0
    return replace(
        unpredicted,
        seconds=tuple(
            ttft_seconds + _loaded_seconds(unpredicted, LOAD_OUTPUT_TOKENS, others + 1)
            for others in range(unpredicted.concurrency[-1])
        ),
        queue_seconds=LOAD_OUTPUT_TOKENS / unpredicted.tokens_per_second[-1],
    )


def knee(measured: Performance | None) -> int | None:
    """The first measured concurrency from which more streams hardly bring more; None below two points."""
    saturation = _rising(measured.saturation) if measured else []
    if len(saturation) < 2:
        return None
    for one, more in pairwise(saturation):
        doublings = log2(more.concurrency / one.concurrency)
        if more.output_tokens_per_second < one.output_tokens_per_second * KNEE_GAIN**doublings:
            return one.concurrency
    return saturation[-1].concurrency


def _rising(saturation: Sequence[SaturationPoint]) -> list[SaturationPoint]:
    return sorted(saturation, key=lambda point: point.concurrency)


def _unloaded_ttft_seconds(candidate: Candidate, prompt_tokens: int) -> float:
    seconds = (candidate.ttft_ms or 0) / 1000
    if candidate.prompt_tokens_per_second and prompt_tokens > candidate.load_prompt_tokens:
        seconds += (prompt_tokens - candidate.load_prompt_tokens) / candidate.prompt_tokens_per_second
    return seconds


def _loaded_seconds(curve: Curve, output_tokens: float, streams: float) -> float:
    """Decoding among so many streams, and what they add to the time to first token."""
    speed = _at(curve, curve.tokens_per_second, streams) / max(streams, 1)
    return output_tokens / speed + _at(curve, curve.added_ttft_seconds, streams)


def _at(curve: Curve, values: Sequence[float], streams: float) -> float:
    """The value for so many streams: linear between the measured points, and level beyond them."""
    index = bisect_right(curve.concurrency, streams)
    if index == 0:
        return values[0]
    if index == len(values):
        return values[-1]
    low, high = curve.concurrency[index - 1], curve.concurrency[index]
    return values[index - 1] + (values[index] - values[index - 1]) * (streams - low) / (high - low)
