"""How many requests may be tried again: an outage must not make a storm.

Pure counting; time is an argument, in seconds. Only attempts whose request was sent need leave: one that
could not connect cost no engine anything. A retry that is answered is given back: there was room for it.
Invariant: of the requests by one name in the last seconds (half of `WINDOW_SECONDS` to all of it), no more
than `RETRY_SHARE` are tried again in vain or under way, or `LEAST_RETRIES` where that is more.
"""

RETRY_SHARE = 0.2
"""Retries for each request."""

LEAST_RETRIES = 10
"""So many are always free: a share of few requests would be none."""

WINDOW_SECONDS = 10.0
"""How long a request and a retry count."""


class RetryBudget:
    """The budgets of all names that clients ask for: what fails under one leaves the others theirs."""

    def __init__(self) -> None:
        self.refused = 0
        """Retries that were not allowed."""
        self._shares: dict[str, _Share] = {}

    def request(self, name: str, now: float) -> None:
        """A request by this name was decided."""
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = _Share(now)
        if now >= share.turns_at:
            share.turn(now)
        share.requests += 1

    def may_retry(self, name: str, now: float, under_way: int = 0) -> bool:
        """Take leave for one retry, where there is some.

        `under_way`: requests at the endpoints in question. They count where they are more than those that
        came in the window: answers may take minutes.
        """
        share = self._shares[name]
        if now >= share.turns_at:
            share.turn(now)
        requests = max(share.requests + share.requests_before, under_way)
        if share.retries + share.retries_before >= max(LEAST_RETRIES, int(requests * RETRY_SHARE)):
            self.refused += 1
            return False
        share.retries += 1
        return True

    def worked(self, name: str) -> None:
        """A retry that was allowed is answered."""
        share = self._shares[name]
        if share.retries:
            share.retries -= 1
        elif share.retries_before:
            share.retries_before -= 1


class _Share:
    """Counts of this half of the window and of the one before."""

    __slots__ = ("requests", "requests_before", "retries", "retries_before", "turns_at")

    def __init__(self, now: float) -> None:
        self.requests = self.requests_before = self.retries = self.retries_before = 0
        self.turns_at = now + WINDOW_SECONDS / 2

    def turn(self, now: float) -> None:
        """Begin a new half; what is older than the window is dropped."""
        half = WINDOW_SECONDS / 2
        if now < self.turns_at + half:
            self.requests_before, self.retries_before = self.requests, self.retries
            self.turns_at += half
        else:
            self.requests_before = self.retries_before = 0
            self.turns_at = now + half
        self.requests = self.retries = 0
