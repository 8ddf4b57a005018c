"""The attempts of one request: decide, wait for a slot, try, fail over, and be over.

Rule 1. An attempt that fails before the client has anything of its answer is followed by the next one.
Rule 2. Every attempt that was started at an endpoint is ended there once, and its slot given back once.
Rule 3. The recorder is told once.
"""

from time import perf_counter
from zlib import crc32

from steelyard.routing import latency
from steelyard.routing.decision import Attempt
from steelyard.routing.table import Endpoint
from steelyard_gateway import comparing, errors, failover, heads, outgoing, wording
from steelyard_gateway.answering import OK, Answering
from steelyard_gateway.client_head import ClientHead
from steelyard_gateway.comparing import Compared, Stream
from steelyard_gateway.deadlines import NEVER
from steelyard_gateway.door import Door
from steelyard_gateway.failover import Judgement, Misstep, Verdict
from steelyard_gateway.lines import Ticket
from steelyard_gateway.parts import Gateway
from steelyard_gateway.ports import Outcome, Reply, Routed
from steelyard_gateway.upstream.call import Call, Receiver
from steelyard_gateway.usage import Usage


class Attempting(Answering, Receiver):
    """An exchange as it goes from endpoint to endpoint; what an engine says of it is heard by `exchange`."""

    complete = False
    """Whether all of the request is there."""
    has_begun = False
    """Whether its turn has come."""
    disconnected = False
    """Whether the client left."""
    response_complete = False
    """Whether it is over."""
    body_bytes = 0
    """Length of the request's body so far."""

    _preset: Reply | None = None
    _call: Call | None = None
    _ticket: Ticket | None = None
    _missteps: tuple[Misstep, ...] = ()
    _begun_at = 0.0
    _detail = ""
    _at_endpoint = _owes = _after_500 = _after_too_long = False
    _sent_at = 0.0
    _expected: float | None = None
    _in_flight = 0.0
    _is_comparable = _was_held_up = False

    def __init__(self, gateway: Gateway, door: Door, head: ClientHead) -> None:
        self.head = head
        self.keep_alive = head.keep_alive
        self._gateway = gateway
        self._door = door
        self._body: list[bytes] = []

    # Trying

    def _route(self) -> Reply | None:
        """Decide; the gateway's own answer, or None where an endpoint is asked."""
        pieces, head = self._body, self.head
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        method = b"GET" if head.method == b"HEAD" else head.method
        routed = self._gateway.router.route(method, head.place.path, head.headers, body)
        if isinstance(routed, Reply):
            return routed
        if self._routed is None:
            self._gateway.budget.request(routed.decision.model, self._begun_at)
        self._routed = routed
        self._overhead = perf_counter() - self._begun_at
        if routed.comment_seconds and routed.stream and not self.head.place.is_played:
            self.deadline = self._begun_at + routed.comment_seconds
            self._gateway.deadlines.watch(self)
        self._try_next(is_retry=False)
        return None

    def _try_next(self, *, is_retry: bool) -> None:
        """Try the next endpoint that takes requests; `is_retry`: an engine may be at work on it already."""
        routed, endpoints = self._routed, self._gateway.endpoints
        assert routed is not None
        while (attempt := routed.walk.next()) is not None:
            endpoint = attempt.endpoint
            pause_seconds = endpoints.pause_seconds(endpoint)
            if pause_seconds:
                self._missteps += (failover.of_pause(endpoint, pause_seconds),)
            elif is_retry and not self._may_retry(endpoint):
                self._give_up(is_refused=True)
                return
            elif not attempt.is_gated or self._gateway.admission.enter(attempt):
                self._try(attempt, routed)
                return
            else:
                self._wait(attempt, routed)
                return
        self._give_up()

    def _may_retry(self, endpoint: Endpoint) -> bool:
        gateway, routed = self._gateway, self._routed
        assert routed is not None
        under_way = gateway.endpoints.under_way(endpoint)
        self._owes = gateway.budget.may_retry(routed.decision.model, perf_counter(), under_way)
        return self._owes

    def on_late(self, now: float) -> None:
        """A comment is due."""
        raise NotImplementedError

    def _wait(self, attempt: Attempt, routed: Routed) -> None:
        """Every slot of this endpoint is in use; `queueing` knows what to do."""
        raise NotImplementedError

    def _try(self, attempt: Attempt, routed: Routed) -> None:
        self._attempt = attempt
        self._tries += 1
        endpoint, endpoints = attempt.endpoint, self._gateway.endpoints
        self._sent_at = perf_counter()
        if routed.stream:
            self._in_flight = in_flight = endpoints.in_flight(endpoint)
            expected = latency.expected_ttft_seconds(attempt.candidate, routed.prompt_tokens, in_flight)
            load = endpoints.load_seconds(attempt) if attempt.candidate.loads_on_demand else 0.0
            self._expected = None if expected is None else expected + load
            self._is_comparable = not load
        endpoints.started(endpoint)
        self._at_endpoint = True
        policy = routed.decision.policy
        self._words = words = wording.words(
            attempt, routed.path, "" if policy is None else policy.name, routed.decision.category
        )
        payload, self._asks_usage = outgoing.payload(endpoint, words, routed, self.head, self._request_id)
        self._call = self._gateway.client.send(endpoint, payload, self, stream=routed.stream)

    def _go_elsewhere_once(self, status: int) -> None:
        """A 500 is tried once elsewhere: it may be the engine's fault, or the request's wherever it goes."""
        assert self._routed is not None and self._attempt is not None
        self._gateway.endpoints.answered_500(self._attempt.endpoint, crc32(self._routed.body))
        self._routed.walk.count()
        self._drop_answer(status, None)
        if self._after_500:
            self._give_up()
        else:
            self._after_500 = True
            self._try_next(is_retry=True)

    def _leave_answer(self, status: int, judged: Judgement) -> None:
        """Leave an answer that is not the client's, and try the next endpoint."""
        assert self._routed is not None and self._attempt is not None
        endpoint = self._attempt.endpoint
        if judged.verdict is Verdict.REST:
            self._gateway.endpoints.rest(endpoint, judged.rest_seconds)
        else:
            self._gateway.endpoints.failed(endpoint, failover.of_status(endpoint, status, None).words)
            self._routed.walk.count()
        self._drop_answer(status, judged.rest_seconds)
        self._try_next(is_retry=True)

    def _leave_refusal(self, status: int) -> None:
        """Leave a refusal that is no engine's word and says nothing of how the endpoint is; try the next."""
        assert self._routed is not None and self._attempt is not None and self._call is not None
        self._routed.walk.count()
        self._call.cancel()
        self._misstep(failover.of_refusal(self._attempt.endpoint, status))
        self._try_next(is_retry=False)

    def _is_set_aside(self, body: bytes) -> bool:
        """Whether an engine's refusal is left, since another endpoint may take the request."""
        if failover.is_model_missing(self._status, body):
            return self._try_where_it_is()
        if self._after_too_long or not failover.is_context_too_long(self._status, body):
            return False
        return self._try_larger_context()

    def _try_where_it_is(self) -> bool:
        """Try an endpoint that has the model, where there is another one."""
        attempt, routed = self._attempt, self._routed
        assert attempt is not None and routed is not None
        self._gateway.endpoints.lacks(attempt)
        routed.walk.count()
        if not routed.walk.has_next():
            return False
        self._misstep(failover.of_missing_model(attempt.endpoint))
        self._try_next(is_retry=False)
        return True

    def _try_larger_context(self) -> bool:
        """Try a larger context once; whether there is."""
        attempt, routed, endpoints = self._attempt, self._routed, self._gateway.endpoints
        assert attempt is not None and routed is not None
        routed.walk.count()
        larger = routed.walk.next_larger_context(attempt.candidate.context_tokens)
        if larger is None or endpoints.pause_seconds(larger.endpoint) or not self._may_retry(larger.endpoint):
            return False
        self._after_too_long = True
        endpoints.answered(attempt.endpoint)
        self._misstep(failover.of_too_long(attempt.endpoint, self._status))
        enters = self._gateway.admission.enter(larger)
        (self._try if enters else self._wait)(larger, routed)
        return True

    def _drop_answer(self, status: int, rest_seconds: float | None) -> None:
        assert self._call is not None and self._attempt is not None
        self._call.cancel()
        self._misstep(failover.of_status(self._attempt.endpoint, status, rest_seconds))

    def _misstep(self, misstep: Misstep) -> None:
        self._passed = self._events = self._held = self._text = None
        self._missteps += (misstep,)
        self._leave_endpoint()

    def _give_up(self, *, is_refused: bool = False) -> None:
        error = failover.conclude(self._missteps, is_refused=is_refused)
        self._detail = error.message
        self._answer(error.reply())

    def _want_nothing(self) -> None:
        """Ask nothing more of anybody."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        self._leave_endpoint()

    def _begin_answer(self) -> None:
        attempt, routed, gateway = self._attempt, self._routed, self._gateway
        assert attempt is not None and routed is not None and self._first_byte_at is not None
        expected = self._expected if self._status == OK else None
        ratio = (self._first_byte_at - self._sent_at) / expected if expected else 0.0
        gateway.endpoints.answered(attempt.endpoint, ratio)
        if attempt.is_gated and self._status == OK:
            gateway.admission.began(attempt, self._first_byte_at - self._sent_at, is_stream=routed.stream)
        if self._owes:
            gateway.budget.worked(routed.decision.model)

    def _leave_endpoint(self) -> None:
        """Give back what is held: the place at the endpoint, or the one in its queue."""
        self._call = None
        if self._at_endpoint and self._attempt is not None:
            self._at_endpoint = False
            self._gateway.endpoints.ended(self._attempt.endpoint)
            if self._attempt.is_gated:
                self._gateway.admission.leave(self._attempt)
        elif self._ticket is not None:
            self._ticket.cancel()
            self._ticket = None

    # Ending

    def _broke_off(self, words: str, rest: bytes) -> None:
        """End an answer that will not be completed: mend it, say so, or break it off, as far as it came."""
        attempt, routed = self._attempt, self._routed
        assert attempt is not None and routed is not None
        self._gateway.endpoints.failed(attempt.endpoint, words)
        if self._first_byte_at is None:
            routed.walk.count()
            self._misstep(Misstep(attempt.endpoint, words))
            self._try_next(is_retry=True)
            return
        error = errors.StreamCut(f"The answer was cut off: {attempt.endpoint.name} {words}.")
        self._cut(error, rest)
        self._leave_endpoint()
        self._finish(error.code)

    def _answer(self, reply: Reply) -> None:
        """Give the gateway's own answer."""
        self._reply(reply)
        self._finish(reply.code)

    def _compared(self, used: Usage | None) -> Compared | None:
        """A stream that came to its end beside what its model's profile lets expect."""
        attempt, routed, first_byte_at = self._attempt, self._routed, self._first_byte_at
        if attempt is None or routed is None or first_byte_at is None or self._events is None:
            return None
        return comparing.compared(
            Stream(
                attempt.candidate,
                routed.prompt_tokens,
                used,
                (self._in_flight, self._gateway.endpoints.in_flight(attempt.endpoint)),
                first_byte_at - self._sent_at,
                None if self._was_held_up else perf_counter() - first_byte_at,
            )
        )

    def _finish(self, code: str = "") -> None:
        self.response_complete = True
        if self.deadline is not NEVER:
            self.deadline = NEVER
            self._gateway.deadlines.forget(self)
        begun_at, first_byte_at = self._begun_at, self._first_byte_at
        outcome = Outcome(
            self.head.place.label,
            self._request_id or heads.request_id(self.head.request_id),
            self._status,
            perf_counter() - begun_at if begun_at else 0.0,
            self._overhead,
            self._tries,
            code,
            None if first_byte_at is None else first_byte_at - begun_at,
            self._routed,
            self._attempt,
            self._detail,
            used := self._used(),
            self._compared(used) if self._is_comparable and not code else None,
        )
        self._gateway.recorder.finished(outcome)
        if self.disconnected:
            return
        if not self.keep_alive:
            self._door.close()
        self._door.finished()
