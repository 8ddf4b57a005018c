"""How many tokens a request took: by the engine's usage where the bytes bear it out, else estimated. Pure.

Rule 1. A count is plausible where no vocabulary would refute it: a token has one byte at least and, on
        average, 16 at most; where pieces are as long as tokens there are not fewer tokens than pieces, but
        for a tenth. (A call's pieces are cut as its JSON is: there it is half.)
Rule 2. A count of output that is not plausible is false, and so is one of the prompt that is too high. One
        that is too low is not: some engines leave out what their cache held.
Rule 3. The estimate of output is the number of pieces where these are as long as tokens, else bytes ÷ 4.

A false count within these bounds is not found out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from steelyard_profiler.target import BYTES_PER_TOKEN, Asked

MOST_BYTES_PER_TOKEN = 16
"""No vocabulary packs more than this into a token on average."""

TEMPLATE_TOKENS = 1024
"""The most that a chat template may add to a prompt."""

_PIECE_BYTES = range(3, 9)
"""Mean bytes of pieces that are one token each."""

_WORD_BYTES = range(4, 9)
"""The same where no piece is less than a token: shorter ones may be cut by bytes, and calls as JSON is."""

_LEAST_PIECES = 8
"""Fewer say nothing of their mean length."""

_SLACK, _CALL_SLACK = 8, 64
"""Tokens without text of their own: the end of an answer; the marks around a call of a tool."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The tokens of one request."""

    prompt_tokens: int
    """By usage where that is plausible, else estimated."""
    output_tokens: int
    """Likewise."""
    estimated_prompt_tokens: int
    """Without a look at usage."""
    estimated_output_tokens: int
    """Likewise."""
    is_plausible: bool
    """Whether the engine reported usage that may be true."""
    is_false: bool
    """Whether it reported usage that cannot be true."""


def tokens(asked: Asked, text_bytes: int, pieces: int, usage: Mapping[str, object]) -> Counted:
    """The tokens of an answer of so many bytes, reasoning and calls included, that came in so many pieces."""
    prompt, output = _whole(usage, "prompt_tokens"), _whole(usage, "completion_tokens")
    prompt_estimate = -(-(asked.prompt_bytes + asked.extra_bytes) // BYTES_PER_TOKEN)
    output_estimate = estimate(text_bytes, pieces)
    most_prompt = asked.prompt_bytes + asked.extra_bytes + TEMPLATE_TOKENS
    is_false = (prompt is not None and not 0 <= prompt <= most_prompt) or (
        output is not None and not _fits(output, asked, text_bytes, pieces, usage)
    )
    least_prompt = asked.prompt_bytes / MOST_BYTES_PER_TOKEN
    plausible = prompt is not None and output is not None and not is_false and prompt >= least_prompt
    return Counted(
        prompt_tokens=prompt if plausible and prompt is not None else prompt_estimate,
        output_tokens=output if plausible and output is not None else output_estimate,
        estimated_prompt_tokens=prompt_estimate,
        estimated_output_tokens=output_estimate,
        is_plausible=plausible,
        is_false=is_false,
    )


def overruns(asked: Asked, text_bytes: int, pieces: int) -> bool:
    """Whether an answer of so many bytes in so many pieces is surely longer than was asked for."""
    are_words = not asked.extra and pieces >= _LEAST_PIECES and text_bytes // pieces in _WORD_BYTES
    is_more = are_words and pieces > asked.max_tokens + _SLACK
    return is_more or text_bytes > asked.max_tokens * MOST_BYTES_PER_TOKEN


def estimate(text_bytes: int, pieces: int) -> int:
    """Tokens of a text of so many bytes that came in so many pieces."""
    return pieces if _are_tokens(text_bytes, pieces) else -(-text_bytes // BYTES_PER_TOKEN)


def _fits(output: int, asked: Asked, text_bytes: int, pieces: int, usage: Mapping[str, object]) -> bool:
    """Whether an answer of so many tokens may be what came."""
    details = usage.get("completion_tokens_details")
    hidden = (_whole(details, "reasoning_tokens") or 0) if isinstance(details, Mapping) else 0
    slack = _CALL_SLACK if asked.extra else _SLACK
    least = text_bytes / MOST_BYTES_PER_TOKEN
    if _are_tokens(text_bytes, pieces):
        least = max(least, pieces * (0.5 if asked.extra else 0.9))
    return least <= output <= min(asked.max_tokens + _SLACK, text_bytes + slack + max(hidden, 0))


def _are_tokens(text_bytes: int, pieces: int) -> bool:
    return pieces >= _LEAST_PIECES and text_bytes // pieces in _PIECE_BYTES


def _whole(counts: Mapping[str, object], name: str) -> int | None:
    """The count of this name; None where there is none, -1 where it is no whole number."""
    value = counts.get(name)
    if value is None:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
