"""How long a stream took beside what its model's profile lets expect: the operator sees drift by it.

Like is compared with like, so what the profile says nothing about is left out: a model that was loaded for
the request, others at the endpoint where no load curve was measured, answers of a few tokens, clients that
read more slowly than the engine writes. Pure.
"""

from msgspec import Struct

from steelyard.routing import latency
from steelyard.routing.table import Candidate
from steelyard_gateway.usage import Usage

LEAST_TOKENS = 8
"""A shorter answer says too little of the speed of decoding; profiles leave such ones out, too."""

MOST_RATIO = 20.0
"""A phase counts as at most so many times as long as expected: one that hung is not to outweigh all."""


class Stream(Struct, frozen=True, gc=False):
    """A stream that came to its end."""

    candidate: Candidate
    """Who answered."""
    prompt_tokens: int
    """Estimated length of the prompt."""
    used: Usage | None
    """Tokens, told or estimated."""
    in_flight: tuple[float, float]
    """Other requests at the endpoint, as it was sent there and as it ended."""
    first_seconds: float
    """From the request sent to the first byte of the answer."""
    decode_seconds: float | None
    """From there to the end; None where the client held it up."""


class Phase(Struct, frozen=True, gc=False):
    """One phase of a stream."""

    actual_seconds: float
    """What it took, at most `MOST_RATIO` times the expected."""
    expected_seconds: float
    """What it was to take; above 0."""


class Compared(Struct, frozen=True, gc=False):
    """A stream beside what was expected of it; None: nothing comparable was."""

    first_byte: Phase | None
    """Until its first byte."""
    decoding: Phase | None
    """From there to its end."""


def compared(stream: Stream) -> Compared | None:
    """Its phases beside what was expected of them; None where nothing was of either."""
    candidate, before, after = stream.candidate, *stream.in_flight
    has_curve = candidate.curve is not None
    first = decoding = None
    if has_curve or before < 1:
        expected = latency.expected_ttft_seconds(candidate, _fresh_tokens(stream), before)
        first = _phase(stream.first_seconds, expected)
    if stream.decode_seconds is not None and (has_curve or (before < 1 and after < 1)):
        decoding = _phase(stream.decode_seconds, _decode_seconds(stream, 1 + (before + after) / 2))
    return Compared(first, decoding) if first or decoding else None


def _fresh_tokens(stream: Stream) -> int:
    """Tokens of the prompt that the engine had to read: without those that it had in its cache."""
    used = stream.used
    if used is None or used.estimated:
        return stream.prompt_tokens
    return max(used.prompt_tokens - used.cached_tokens, 0)


def _decode_seconds(stream: Stream, streams: float) -> float | None:
    """Expected time of all tokens but the first, among so many streams; None where nobody counted them."""
    used, candidate = stream.used, stream.candidate
    if used is None or used.estimated or used.completion_tokens < LEAST_TOKENS:
        return None
    whole = latency.expected_seconds(candidate, 0, used.completion_tokens - 1, streams)
    begin = latency.expected_seconds(candidate, 0, 0, streams)
    return None if whole is None or begin is None else whole - begin


def _phase(actual: float, expected: float | None) -> Phase | None:
    if not expected or expected <= 0:
        return None
    return Phase(min(actual, MOST_RATIO * expected), expected)
