"""One request and its attempts: decide, wait for a slot, try, fail over; `answering` gives what comes of it.

Rule 1. An attempt that fails before the client has anything of its answer is followed by the next one.
Rule 2. Every attempt that was started at an endpoint is ended there once, and its slot given back once.
Rule 3. The recorder is told once.
"""

import logging
from time import perf_counter, time
from zlib import crc32

from steelyard.routing import latency
from steelyard.routing.decision import Attempt
from steelyard.routing.table import Endpoint
from steelyard_gateway import errors, failover, heads, outgoing, usage
from steelyard_gateway.admission import Ticket
from steelyard_gateway.answering import OK, Answering
from steelyard_gateway.client_head import ClientHead
from steelyard_gateway.deadlines import NEVER
from steelyard_gateway.door import Door
from steelyard_gateway.failover import Judgement, Misstep, Verdict
from steelyard_gateway.parts import Gateway
from steelyard_gateway.ports import HeaderLines, Outcome, Reply, Routed
from steelyard_gateway.upstream.call import Call
from steelyard_gateway.upstream.failure import Failure, Kind

logger = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""Status in the records for a client that left before an answer; nginx's convention."""


class Exchange(Answering):
    """A request, from its head to the last byte of its answer. It is the upstream call's receiver."""

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

    def __init__(self, gateway: Gateway, door: Door, head: ClientHead) -> None:
        self.head = head
        self.keep_alive = head.keep_alive
        self._gateway = gateway
        self._door = door
        self._body: list[bytes] = []

    # What the client's connection says

    def add(self, piece: bytes) -> None:
        """A piece of the request's body came."""
        self.body_bytes += len(piece)
        self._body.append(piece)

    def preset(self, reply: Reply) -> None:
        """Answer so once the request is complete."""
        self._preset = reply

    def refuse(self, error: errors.RequestError) -> None:
        """Answer with this error when its turn comes, and close: the rest of the request is not wanted."""
        self._preset = error.reply()
        self._body.clear()
        self.complete = True
        self.keep_alive = False

    def begin(self) -> None:
        """Decide the complete request and answer it, or hand it to the first endpoint."""
        self.has_begun = True
        self._begun_at = perf_counter()
        self._request_id = heads.request_id(self.head.request_id)
        try:
            reply = self._preset or self._route()
        except Exception:
            logger.exception("request failed", extra={"request_id": self._request_id.decode()})
            self._leave_endpoint()
            reply = errors.Internal("The gateway failed; its log says how.").reply()
        if reply is not None:
            self._answer(reply)

    def client_left(self) -> None:
        """The client is gone: want nothing more from the engine."""
        if self.response_complete:
            return
        self.disconnected = True
        self._want_nothing()
        if self._first_byte_at is None:
            self._status = CLIENT_LEFT
        self._finish("client_left")

    def drained(self) -> None:
        """The client has read what was queued: read on from the engine."""
        if self._call is not None:
            self._call.resume()

    def on_late(self, now: float) -> None:
        """A comment is due, while there is no answer."""
        if self._first_byte_at is not None:
            self.deadline = NEVER
            self._gateway.deadlines.forget(self)
        elif self._routed is not None:
            self.deadline = now + self._routed.comment_seconds
            self._comment()

    # What the upstream call says

    def on_head(self, status: int, headers: HeaderLines) -> None:
        """Pass the answer, or leave it for another endpoint."""
        passed = heads.from_engine(headers)
        if status < 300 and not passed.is_page:
            self._pass(status, headers, passed)
            return
        judged = failover.judge_answer(status, headers, time())
        match judged.verdict:
            case Verdict.PASS | Verdict.READ:
                self._pass(status, headers, passed)
            case Verdict.ELSEWHERE:
                self._go_elsewhere_once(status)
            case _:
                self._leave_answer(status, judged)

    def on_data(self, data: bytes) -> None:
        """Pass a piece of the body on; the first one takes the head with it."""
        if self._events is not None:
            data = self._events.whole(data)
        elif self._held is not None:
            data = self._hold(data)
        else:
            self._tail = usage.tail(self._tail, data)
        if data:
            self._write(data)
            if self._call is not None and self._door.is_full():
                self._call.pause()

    def on_end(self) -> None:
        """The engine's answer is complete."""
        self._call = None
        events, held = self._events, self._held
        if events is not None:
            rest = events.rest()
            if self.head.place.ends_with_done and not events.is_done():
                self._broke_off("ended its stream without [DONE]", rest)
                return
            if rest:
                self._write(rest)
        elif held is not None:
            body = held[0] if len(held) == 1 else b"".join(held)
            if self._status >= errors.BadRequest.status and self._try_larger_context(body):
                return
            self._end_held(body)
        self._end_body()
        self._leave_endpoint()
        self._finish()

    def on_whole(self, headers: HeaderLines, body: bytes) -> None:
        """All of an engine's good answer."""
        self._call = None
        self._status, self._headers, self._passed = OK, headers, heads.from_engine(headers)
        routed = self._routed
        assert routed is not None
        self._text = None if routed.stream else self._signature()
        self._end_held(body)
        self._end_body()
        self._leave_endpoint()
        self._finish()

    def on_failure(self, failure: Failure) -> None:
        """Try the next endpoint while the client has nothing; else end what it has."""
        attempt, routed = self._attempt, self._routed
        assert attempt is not None and routed is not None
        self._call = None
        if self._first_byte_at is not None:
            self._broke_off(failure.words, self._events.rest() if self._events is not None else b"")
            return
        endpoint, endpoints = attempt.endpoint, self._gateway.endpoints
        is_late = failure.kind in (Kind.FIRST_BYTE_LATE, Kind.TOTAL_LATE)
        is_alive = is_late and not endpoints.is_silent(endpoint, perf_counter() - self._sent_at)
        if not is_alive:
            endpoints.failed(endpoint, failure.words)
        if failure.sent:
            routed.walk.count()
        self._misstep(failover.of_failure(endpoint, failure))
        if failover.is_last(failure, is_alive=is_alive):
            self._give_up()
        else:
            self._try_next(is_retry=failure.sent)

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
            elif endpoint.max_concurrency is None or self._gateway.admission.enter(endpoint):
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

    def _wait(self, attempt: Attempt, routed: Routed) -> None:
        """Every slot of this endpoint is in use; `queueing` knows what to do."""
        raise NotImplementedError

    def _try(self, attempt: Attempt, routed: Routed) -> None:
        self._attempt = attempt
        self._tries += 1
        endpoint, endpoints = attempt.endpoint, self._gateway.endpoints
        self._sent_at = perf_counter()
        if routed.stream:
            in_flight = endpoints.in_flight(endpoint)
            self._expected = latency.expected_ttft_seconds(attempt.candidate, routed.prompt_tokens, in_flight)
        endpoints.started(endpoint)
        self._at_endpoint = True
        payload, self._asks_usage = outgoing.payload(attempt, routed, self.head, self._request_id)
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

    def _try_larger_context(self, body: bytes) -> bool:
        """Try a larger context once, where the engine says that the prompt is too long; whether there is."""
        attempt, routed, endpoints = self._attempt, self._routed, self._gateway.endpoints
        assert attempt is not None and routed is not None
        if self._after_too_long or not failover.is_context_too_long(self._status, body):
            return False
        routed.walk.count()
        larger = routed.walk.next_larger_context(attempt.candidate.context_tokens)
        if larger is None or endpoints.pause_seconds(larger.endpoint) or not self._may_retry(larger.endpoint):
            return False
        self._after_too_long = True
        endpoints.answered(attempt.endpoint)
        self._misstep(failover.of_status(attempt.endpoint, self._status, None))
        enters = self._gateway.admission.enter(larger.endpoint)
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
        if self._owes:
            gateway.budget.worked(routed.decision.model)

    def _leave_endpoint(self) -> None:
        """Give back what is held: the place at the endpoint, or the one in its queue."""
        self._call = None
        if self._at_endpoint and self._attempt is not None:
            self._at_endpoint = False
            endpoint = self._attempt.endpoint
            self._gateway.endpoints.ended(endpoint)
            if endpoint.max_concurrency is not None:
                self._gateway.admission.leave(endpoint)
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
            self._used(),
        )
        self._gateway.recorder.finished(outcome)
        if self.disconnected:
            return
        if not self.keep_alive:
            self._door.close()
        self._door.finished()
