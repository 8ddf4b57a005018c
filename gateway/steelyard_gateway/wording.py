"""The bytes that are the same in all requests that are tried at one place, and in their answers.

They are kept with the attempt, side by side: with a thousand models or endpoints it is reading memory that
costs, not making bytes. Invariant: they depend on the key and the attempt only.
"""

import msgspec

from steelyard.routing.decision import Attempt
from steelyard_gateway import heads

MOST = 64
"""So many are kept for one attempt: paths that clients may choose freely would fill the memory."""


class Words(msgspec.Struct, frozen=True, gc=False):
    """What is sent to an engine, and told to clients, at each such request."""

    opening: bytes
    """The lines of a request to the engine that depend on its endpoint; see `heads.opening`."""
    model: bytes
    """The engine's own name of the model, in JSON."""
    labels: bytes
    """The lines that tell the client who answers; see `heads.labels`."""


def words(attempt: Attempt, path: str, policy: str, category: str | None) -> Words:
    """The words of this attempt for requests of this path, policy and category."""
    memo, key = attempt.memo, (path, policy, category)
    found = memo.get(key)
    if not isinstance(found, Words):
        if len(memo) >= MOST:
            memo.clear()
        pair = attempt.candidate
        found = memo[key] = Words(
            heads.opening(attempt.endpoint, path),
            msgspec.json.encode(pair.model),
            heads.labels(pair.model, pair.backend, policy, category),
        )
    return found
