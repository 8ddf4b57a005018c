"""From timed replies to speed, and from speed and an hourly cost to a price. Pure.

Invariant: what was not measured is absent.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from statistics import median

from steelyard.api.backend import TokenPrice
from steelyard.api.measuring import LOAD_OUTPUT_TOKENS, LOAD_PROMPT_TOKENS
from steelyard.api.profile import Performance, Ttft
from steelyard_profiler.target import Reply

LEAST_OUTPUT_TOKENS = 8
"""A shorter answer says too little about the speed of decoding."""

_LARGEST_PRICE = Decimal("999999.999999")


def performance(replies: Sequence[Reply]) -> Performance | None:
    """Speed of one stream; None without any reply."""
    if not replies:
        return None
    first_ms = [round(1000 * reply.first_seconds) for reply in replies]
    decoding = decode_tokens_per_second(replies)
    reading = [reply.prompt_tokens / reply.first_seconds for reply in replies if reply.first_seconds > 0]
    return Performance(
        ttft_ms=Ttft(p50=round(median(first_ms)), p95=round(_quantile(first_ms, 0.95))),
        output_tokens_per_second=max(1, round(decoding)) if decoding else None,
        prompt_tokens_per_second=max(1, round(median(reading))) if reading else None,
    )


def decode_tokens_per_second(replies: Sequence[Reply]) -> float | None:
    """The median speed of decoding; None where no answer is long enough to tell."""
    speeds = [
        (reply.output_tokens - 1) / reply.rest_seconds
        for reply in replies
        if reply.output_tokens >= LEAST_OUTPUT_TOKENS and reply.rest_seconds > 0
    ]
    return median(speeds) if speeds else None


def amortised_price(usd_per_hour: str, measured: Performance | None) -> TokenPrice | None:
    """The hourly cost spread over the tokens of an hour; None where speed was not measured.

    rps = T(knee) ÷ output tokens; an hour's cost is split by the seconds that prompt and decoding take. Until
    load curves are measured, T(knee) is the speed of a single stream, so that the price is an upper bound.
    """
    if not measured or not measured.output_tokens_per_second or not measured.prompt_tokens_per_second:
        return None
    speed = Decimal(measured.output_tokens_per_second)
    prompt_seconds = LOAD_PROMPT_TOKENS / Decimal(measured.prompt_tokens_per_second)
    decode_seconds = LOAD_OUTPUT_TOKENS / speed
    share = prompt_seconds / (prompt_seconds + decode_seconds)
    usd_per_request = Decimal(usd_per_hour) / 3600 / (speed / LOAD_OUTPUT_TOKENS)
    price_in = usd_per_request * share / LOAD_PROMPT_TOKENS * 1_000_000
    price_out = usd_per_request * (1 - share) / LOAD_OUTPUT_TOKENS * 1_000_000
    return TokenPrice(
        input_usd_per_million_tokens=_money(price_in), output_usd_per_million_tokens=_money(price_out)
    )


def _quantile(values: Sequence[int], share: float) -> float:
    """Linear between order statistics: Hyndman and Fan 1996, type 7."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def _money(value: Decimal) -> str:
    rounded = min(value, _LARGEST_PRICE).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
    return f"{rounded.normalize():f}"
