"""From timed replies to speed, and from speed and an hourly cost to a price. Pure.

Invariant: what was not measured is absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import takewhile
from statistics import median

from steelyard.api.backend import TokenPrice
from steelyard.api.measuring import Load
from steelyard.api.profile import InterToken, Performance, SaturationPoint, Ttft
from steelyard.routing import latency
from steelyard_profiler.target import Reply

LEAST_OUTPUT_TOKENS = 8
"""A shorter answer says too little about the speed of decoding."""

LEAST_ARRIVAL_SHARE = 1 / 16
"""An answer with fewer moments of arrival by token was held back and says nothing of decoding."""

LEAST_TOKEN_SECONDS = 1e-4
"""Tokens of one stream that come faster were held back: no engine decodes so fast."""

TOKEN_PIECES = 0.8
"""With this many moments of arrival by token and more, tokens come one by one."""

_LARGEST_PRICE = Decimal("999999.999999")


@dataclass(frozen=True, slots=True)
class Point:
    """So many requests at once, again and again."""

    concurrency: int
    """Requests at once."""
    replies: tuple[Reply, ...]
    """All answers."""
    seconds: float
    """From the first request sent to the last piece of the last answer."""


@dataclass(frozen=True, slots=True)
class Timings:
    """What was timed."""

    alone: tuple[Reply, ...] = ()
    """Answers to fresh prompts, one request at a time."""
    repeated: tuple[Reply, ...] = ()
    """Answers to a prompt that was just answered."""
    points: tuple[Point, ...] = field(default=())
    """The load curve, by rising concurrency."""


def performance(timings: Timings) -> Performance | None:
    """Speed; None where no fresh prompt was answered with any text."""
    said = [reply for reply in timings.alone if reply.is_said]
    if not said:
        return None
    first_ms = [1000 * reply.first_seconds for reply in said]
    cached_ms = [1000 * reply.first_seconds for reply in timings.repeated if reply.is_said]
    decoding = decode_tokens_per_second(said)
    reading = [reply.prompt_tokens / reply.first_seconds for reply in said if reply.first_seconds > 0]
    return Performance(
        ttft_ms=Ttft(p50=round(median(first_ms)), p95=round(_quantile(first_ms, 0.95))),
        cached_ttft_ms=round(median(cached_ms)) if cached_ms else None,
        output_tokens_per_second=max(1, round(decoding)) if decoding else None,
        inter_token_us=_inter_token(said),
        prompt_tokens_per_second=max(1, round(median(reading))) if reading else None,
        saturation=saturation(timings.points),
    )


def saturation(points: Sequence[Point]) -> tuple[SaturationPoint, ...]:
    """The load curve; it ends before a point whose answers say too little."""
    curve: list[SaturationPoint] = []
    for point in points:
        speed = throughput(point)
        if speed is None:
            break
        first_ms = [1000 * reply.first_seconds for reply in point.replies]
        curve.append(
            SaturationPoint(
                concurrency=point.concurrency,
                output_tokens_per_second=max(1, round(speed)),
                ttft_ms_p95=round(_quantile(first_ms, 0.95)),
            )
        )
    return tuple(curve)


def throughput(point: Point) -> float | None:
    """Output tokens of all streams by the second; None where answers are too short to tell."""
    tokens = sum(reply.output_tokens for reply in point.replies)
    enough = tokens >= LEAST_OUTPUT_TOKENS * len(point.replies)
    return tokens / point.seconds if point.replies and enough and point.seconds > 0 else None


def rises(points: Sequence[Point]) -> bool:
    """Whether the last point lies before the knee, so that more streams may still bring more."""
    curve = saturation(points)
    knee = latency.knee(Performance(saturation=curve))
    return len(curve) == len(points) and (knee is None or knee == curve[-1].concurrency)


def decode_tokens_per_second(replies: Sequence[Reply]) -> float | None:
    """The median speed of decoding; None where no answer is long enough to tell, or comes bit by bit."""
    speeds = [
        _tokens_after_first(reply) / reply.rest_seconds
        for reply in replies
        if reply.output_tokens >= LEAST_OUTPUT_TOKENS and comes_bit_by_bit(reply)
    ]
    return median(speeds) if speeds else None


def comes_bit_by_bit(reply: Reply) -> bool:
    """Whether its text came while it was made; else it was held back somewhere."""
    in_bits = _arrivals(reply) >= max(3, LEAST_ARRIVAL_SHARE * reply.output_tokens)
    return in_bits and reply.rest_seconds > LEAST_TOKEN_SECONDS * reply.output_tokens


def amortised_price(usd_per_hour: str, measured: Performance | None, load: Load) -> TokenPrice | None:
    """The hourly cost spread over the tokens of an hour; None where speed was not measured.

    rps = T(knee) ÷ output tokens; an hour's cost is split by the seconds that prompt and decoding take.
    Without a load curve rps is that of one stream, so that the price is an upper bound.
    """
    if not measured or not measured.output_tokens_per_second or not measured.prompt_tokens_per_second:
        return None
    prompt_seconds = load.prompt_tokens / Decimal(measured.prompt_tokens_per_second)
    decode_seconds = load.output_tokens / Decimal(measured.output_tokens_per_second)
    share = prompt_seconds / (prompt_seconds + decode_seconds)
    speed = _throughput_at_knee(measured)
    seconds_by_request = load.output_tokens / Decimal(speed) if speed else prompt_seconds + decode_seconds
    usd_per_request = Decimal(usd_per_hour) / 3600 * seconds_by_request
    price_in = usd_per_request * share / load.prompt_tokens * 1_000_000
    price_out = usd_per_request * (1 - share) / load.output_tokens * 1_000_000
    return TokenPrice(
        input_usd_per_million_tokens=_money(price_in), output_usd_per_million_tokens=_money(price_out)
    )


def _throughput_at_knee(measured: Performance) -> int | None:
    knee = latency.knee(measured)
    at = [point for point in measured.saturation if knee in (None, point.concurrency)]
    return at[0].output_tokens_per_second if at else None


def _tokens_after_first(reply: Reply) -> float:
    """Tokens that came after the first moment: an end without text takes a token, and no time that is seen.

    Where one piece holds several, or several came at once, they are split by bytes.
    """
    if _come_one_by_one(reply):
        return reply.pieces - 1
    at_first = 1 + sum(1 for _ in takewhile(lambda gap: gap <= LEAST_TOKEN_SECONDS, reply.gaps_seconds))
    return reply.output_tokens * (1 - sum(reply.sizes_bytes[:at_first]) / sum(reply.sizes_bytes))


def _come_one_by_one(reply: Reply) -> bool:
    return TOKEN_PIECES * reply.output_tokens <= _arrivals(reply) and reply.pieces <= reply.output_tokens


def _arrivals(reply: Reply) -> int:
    """Moments at which text came."""
    return 1 + sum(gap > LEAST_TOKEN_SECONDS for gap in reply.gaps_seconds)


def _inter_token(replies: Sequence[Reply]) -> InterToken | None:
    """Over all gaps of all replies whose tokens come one by one."""
    gaps_us = [
        1e6 * gap
        for reply in replies
        if reply.output_tokens >= LEAST_OUTPUT_TOKENS and _come_one_by_one(reply) and comes_bit_by_bit(reply)
        for gap in reply.gaps_seconds
    ]
    if not gaps_us:
        return None
    return InterToken(p50=round(median(gaps_us)), p95=round(_quantile(gaps_us, 0.95)))


def _quantile(values: Sequence[float], share: float) -> float:
    """Linear between order statistics: Hyndman and Fan 1996, type 7."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def _money(value: Decimal) -> str:
    rounded = min(value, _LARGEST_PRICE).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
    return f"{rounded.normalize():f}"
