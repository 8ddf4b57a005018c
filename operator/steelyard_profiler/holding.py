"""How long a prompt the model really holds: a word at its beginning is asked for at its end.

Rule 1. Lengths double, up to the context that the engine tells, within a share of either budget.
Rule 2. The first length at which the word is not told ends it: the engine cut the prompt, or the model does
        not look so far back. Either way it does not hold so much.
"""

import time
from collections.abc import Iterator

from steelyard.api.measuring import Suite
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import SHORT
from steelyard_profiler.probes import haystacks
from steelyard_profiler.session import Session
from steelyard_profiler.target import Asked, Failure

FIRST_TOKENS = 512
"""The shortest prompt; a context below is not worth a look."""

SHARE = 0.1
"""The most of either budget that it may take."""

QUICK_SECONDS = 4.0
"""At suite Quick it is left after so long."""

MOST_TOKENS = 2**20
"""No longer prompt is tried."""

_ROOM_TOKENS = 128
"""For the chat template and the answer."""


async def verified_tokens(session: Session, told_tokens: int | None, suite: Suite) -> int | None:
    """The longest prompt, in tokens, whose first words the model could tell; None: none was tried or held."""
    began, before, last_seconds = time.monotonic(), session.tokens, 0.0
    seconds = SHARE * session.limits.max_duration_seconds
    seconds = min(seconds, QUICK_SECONDS) if suite is Suite.QUICK else seconds
    held = None
    for tokens in _lengths(told_tokens):
        took = time.monotonic() - began
        if session.tokens - before + 2 * tokens > SHARE * session.limits.max_tokens:
            break
        if took + 2 * last_seconds > seconds:
            break
        asked, word = _question(tokens)
        reply = await session.attempt(asked)
        if isinstance(reply, Failure) or word not in reply.text:
            break
        last_seconds = time.monotonic() - began - took
        held = reply.prompt_tokens
    return held


def _lengths(told_tokens: int | None) -> Iterator[int]:
    longest = MOST_TOKENS if told_tokens is None else told_tokens - _ROOM_TOKENS
    tokens = FIRST_TOKENS
    while tokens < longest:
        yield tokens
        tokens *= 2
    if longest > 0:
        yield longest


def _question(tokens: int) -> tuple[Asked, str]:
    """A prompt of about so many tokens, and the word that it begins with."""
    draws = Draws("holding", tokens)
    word = str(draws.between(10_000, 98_999))
    filler = haystacks.filled(draws, tokens, ())
    text = f"The number to remember is {word}.\n\n{filler}\n\nWhich number was to be remembered?"
    return Asked(f"{text} Answer with the number only.", SHORT), word
