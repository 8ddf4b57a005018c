"""What a request does where every slot of an endpoint is in use: another endpoint of the model, or the queue.

Rule 1. It waits only while all endpoints of the model that are up are full, `maxWaitSeconds` in all.
Rule 2. Where models are loaded on demand it waits for the server that is best for it, by turns for its own.
Rule 3. After that the next model of the decision has its turn, and at the end the client is told 429.
"""

import logging
from collections.abc import Callable, Sequence
from time import perf_counter

from steelyard.api.policy import DEFAULT_MAX_WAIT_SECONDS, BalanceType
from steelyard.routing.decision import Attempt
from steelyard_gateway import errors, failover
from steelyard_gateway.deadlines import NEVER
from steelyard_gateway.exchange import Exchange
from steelyard_gateway.failover import Misstep
from steelyard_gateway.lines import Refusal
from steelyard_gateway.ports import Reply, Routed

logger = logging.getLogger(__name__)


class Queueing(Exchange):
    """An exchange that can wait for a slot; the waiter of its ticket."""

    _full: Sequence[Attempt] = ()
    _waits_since = 0.0

    def admitted(self, name: str) -> None:
        """A slot is free at this endpoint."""
        self._safely(lambda: self._start_at(name))

    def refused(self, refusal: Refusal) -> None:
        """No slot was free in time."""
        self._safely(lambda: self._pass_over(refusal))

    def decide_anew(self) -> None:
        """The endpoints are others now."""
        self._safely(self._route_again)

    def on_late(self, now: float) -> None:
        """A comment is due, while there is no answer."""
        if self._first_byte_at is not None:
            self.deadline = NEVER
            self._gateway.deadlines.forget(self)
        elif self._routed is not None:
            self.deadline = now + self._routed.comment_seconds
            self._comment()

    def _wait(self, attempt: Attempt, routed: Routed) -> None:
        gateway, equal = self._gateway, routed.walk.equal()
        admission = gateway.admission
        policy = routed.decision.policy
        if attempt.candidate.loads_on_demand:
            is_by_turns = policy is not None and policy.spec.balance.type is BalanceType.ROUND_ROBIN
            self._full = [attempt] if is_by_turns else self._worth_waiting_for(equal)
        else:
            others = [one for one in equal if not one.candidate.loads_on_demand]
            for other in others:
                if not gateway.endpoints.is_resting(other.endpoint) and admission.enter(other):
                    routed.walk.prefer(other)
                    self._try(other, routed)
                    return
            self._full = [one for one in others if admission.is_full(one.endpoint)]
        now = perf_counter()
        seconds = policy.spec.max_wait_seconds if policy else DEFAULT_MAX_WAIT_SECONDS
        self._waits_since = self._waits_since or now
        given = admission.wait(self._full, self, self._waits_since + seconds, self._waits_since)
        if isinstance(given, Refusal):
            self._pass_over(given)
        else:
            self._ticket = given

    def _worth_waiting_for(self, equal: Sequence[Attempt]) -> Sequence[Attempt]:
        """Of those that load on demand, all that do not rest; all, where each of them does."""
        on_demand = [one for one in equal if one.candidate.loads_on_demand]
        is_resting = self._gateway.endpoints.is_resting
        return [one for one in on_demand if not is_resting(one.endpoint)] or on_demand

    def _start_at(self, name: str) -> None:
        assert self._routed is not None
        attempt = next(one for one in self._full if one.endpoint.name == name)
        self._routed.walk.prefer(attempt)
        pause_seconds = self._gateway.endpoints.pause_seconds(attempt.endpoint)
        if pause_seconds:
            self._gateway.admission.leave(attempt)
            self._missteps += (failover.of_pause(attempt.endpoint, pause_seconds),)
            self._try_next(is_retry=False)
        else:
            self._try(attempt, self._routed)

    def _pass_over(self, refusal: Refusal) -> None:
        assert self._routed is not None
        first = self._full[0]
        words = f"cannot take model {first.candidate.model!r} now: it {refusal.words}"
        self._misstep(Misstep(first.endpoint, words, status=429, rest_seconds=refusal.retry_after_seconds))
        self._routed.walk.drop(self._full)
        self._try_next(is_retry=False)

    def _route_again(self) -> Reply | None:
        assert self._routed is not None
        self._body.append(self._routed.body)
        self.deadline = NEVER
        self._gateway.deadlines.forget(self)
        return self._route()

    def _safely(self, step: Callable[[], Reply | None]) -> None:
        """Take a step that nobody waits for; an error in it is this request's only."""
        self._ticket = None
        try:
            reply = step()
        except Exception:
            logger.exception("request failed", extra={"request_id": self._request_id.decode()})
            self._leave_endpoint()
            reply = errors.Internal("The gateway failed; its log says how.").reply()
        if reply is not None:
            self._answer(reply)
