"""One request as its two sides see it: what its client's connection says, and what the upstream call says.

What is done about it is `attempting`'s; what the client is given, `answering`'s.
"""

import logging
from time import perf_counter, time

from steelyard_gateway import errors, failover, heads, signature, usage
from steelyard_gateway.answering import OK
from steelyard_gateway.attempting import Attempting
from steelyard_gateway.failover import Verdict
from steelyard_gateway.ports import HeaderLines, Reply
from steelyard_gateway.upstream.failure import Failure, Kind

logger = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""Status in the records for a client that left before an answer; nginx's convention."""


class Exchange(Attempting):
    """A request, from its head to the last byte of its answer. It is the upstream call's receiver."""

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
            case Verdict.ASIDE:
                self._leave_refusal(status)
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
                self._was_held_up = True
                self._call.pause()

    def on_chunk(self, chunk: bytes, start: int) -> None:
        """Pass a whole chunk on as it came, framing included, unless something in it is to be changed."""
        events = self._events
        if events is None or not self._chunked or not events.takes(chunk):
            self.on_data(chunk[start:-2])
            return
        self._door.write(chunk)
        if self._call is not None and self._door.is_full():
            self._was_held_up = True
            self._call.pause()

    def on_end(self) -> None:
        """The engine's answer is complete."""
        self._call = None
        events, held = self._events, self._held
        if events is not None:
            rest = events.rest()
            if events.lacks_end:
                self._broke_off(f"ended its stream without {self.head.place.shape.last_event}", rest)
                return
            if rest:
                self._write(rest)
        elif held is not None:
            body = held[0] if len(held) == 1 else b"".join(held)
            if self._status >= errors.BadRequest.status and self._is_set_aside(body):
                return
            self._end_held(body)
        self._end_body()
        self._leave_endpoint()
        self._finish()

    def on_whole(self, headers: HeaderLines, body: bytes) -> None:
        """All of an engine's good answer."""
        self._call = None
        self._status, self._headers = OK, headers
        passed, routed = heads.from_engine(headers), self._routed
        assert routed is not None
        if self._has_head:
            self._passed = passed
            self._end_held(body)
            self._end_body()
        else:
            self._tail = body
            text = None if routed.stream else self._signature()
            self._door.write(
                self._begun(passed, body if text is None else signature.sign(body, text), is_whole=True)
            )
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
