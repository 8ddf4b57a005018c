"""One request and its answer: decide, try, fail over, pass the answer on.

Rule 1. A stream's head is held until the first byte of its body, any other answer until it is complete or
        longer than `MOST_HELD_BYTES`, so that a failure before that can be mended by another endpoint.
Rule 2. From then on nothing is mended: a stream of events gets an error event, anything else breaks off.
Rule 3. Every attempt that was started at an endpoint is ended there once; the recorder is told once.
"""

import logging
from dataclasses import dataclass
from time import perf_counter, time

from steelyard.routing.decision import Attempt
from steelyard_gateway import errors, failover, heads, sse
from steelyard_gateway.client_head import ClientHead
from steelyard_gateway.door import Door
from steelyard_gateway.failover import Misstep, Verdict
from steelyard_gateway.ports import AnswerHeaders, Endpoints, Outcome, Recorder, Reply, Routed, Router
from steelyard_gateway.upstream.call import Call
from steelyard_gateway.upstream.client import Client
from steelyard_gateway.upstream.connection import NO_BODY
from steelyard_gateway.upstream.failure import Failure, Kind

logger = logging.getLogger(__name__)

MOST_HELD_BYTES = 1_048_576
"""Of an answer that is not streamed so much is held back: chats are shorter, and memory stays bounded."""

CLIENT_LEFT = 499
"""Status in the records for a client that left before an answer; nginx's convention."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """What every exchange works with."""

    router: Router
    """Decides."""
    endpoints: Endpoints
    """Keeps load and health."""
    recorder: Recorder
    """Counts and logs."""
    client: Client
    """Sends to engines."""


class Exchange:
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

    # Defaults of what changes; in the class, because most of it never does.
    _reply: Reply | None = None
    _routed: Routed | None = None
    _attempt: Attempt | None = None
    _call: Call | None = None
    _events: sse.Events | None = None
    _held: list[bytes] | None = None
    _missteps: tuple[Misstep, ...] = ()
    _begun_at = _overhead = 0.0
    _first_byte_at: float | None = None
    _passed: heads.Passed | None = None
    _headers = AnswerHeaders()
    _request_id = b""
    _detail, _tries, _status, _held_bytes = "", 0, 0, 0
    _at_endpoint = _after_500 = _chunked = False

    def __init__(self, gateway: Gateway, door: Door, head: ClientHead) -> None:
        self.head = head
        self.keep_alive = head.keep_alive
        """Whether the client's connection outlives the answer."""
        self._gateway = gateway
        self._door = door
        self._body: list[bytes] = []

    # What the client's connection says

    def add(self, piece: bytes) -> None:
        """A piece of the request's body came."""
        self.body_bytes += len(piece)
        self._body.append(piece)

    def preset(self, error: errors.RequestError) -> None:
        """Answer with this error once the request is complete."""
        self._reply = error.reply()

    def refuse(self, error: errors.RequestError) -> None:
        """Answer with this error when its turn comes, and close: the rest of the request is not wanted."""
        self._reply = error.reply()
        self._body.clear()
        self.complete = True
        self.keep_alive = False

    def begin(self) -> None:
        """Decide the complete request and answer it, or hand it to the first endpoint."""
        self.has_begun = True
        self._begun_at = perf_counter()
        self._request_id = heads.request_id(self.head.request_id)
        try:
            reply = self._reply or self._route()
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
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        self._leave_endpoint()
        if self._first_byte_at is None:
            self._status = CLIENT_LEFT
        self._finish("client_left")

    def drained(self) -> None:
        """The client has read what was queued: read on from the engine."""
        if self._call is not None:
            self._call.resume()

    # What the upstream call says

    def on_head(self, status: int, headers: AnswerHeaders) -> None:
        """Pass the answer, or leave it for another endpoint."""
        passed = heads.from_engine(headers)
        if status < 300 and not passed.is_page:
            self._pass(status, headers, passed)
            return
        pause = failover.retry_after(headers, time()) if status in (429, 503) else None
        match failover.judge(status, pause, is_page=passed.is_page):
            case Verdict.ELSEWHERE:
                self._go_elsewhere_once(status)
            case Verdict.PASS:
                self._pass(status, headers, passed)
            case verdict:
                self._leave_answer(status, pause if verdict is Verdict.REST else None, verdict)

    def on_data(self, data: bytes) -> None:
        """Pass a piece of the body on; the first one takes the head with it."""
        held = self._held
        if held is not None:
            held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes <= MOST_HELD_BYTES:
                return
            data, self._held = b"".join(held), None
        if self._events is not None:
            data = self._events.whole(data)
            if not data:
                return
        self._write(data)
        if self._call is not None and self._door.is_full():
            self._call.pause()

    def on_end(self) -> None:
        """The engine's answer is complete."""
        self._call = None
        events = self._events
        if events is not None:
            rest = events.rest()
            if self.head.place.ends_with_done and not events.is_done():
                self._broke_off("ended its stream without [DONE]", rest)
                return
            if rest:
                self._write(rest)
        held = self._held
        if held is not None:
            self._write(held[0] if len(held) == 1 else b"".join(held), is_whole=True)
        elif self._passed is not None:
            self._write(b"")
        if self._chunked:
            self._door.write(b"0\r\n\r\n")
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
        if failure.sent:
            routed.walk.count()
        self._gateway.endpoints.failed(attempt.endpoint, failure.words)
        self._misstep(failover.of_failure(attempt.endpoint, failure))
        if failure.kind is Kind.TOTAL_LATE:
            self._give_up()
        else:
            self._try_next()

    # Trying

    def _route(self) -> Reply | None:
        """Decide; the gateway's own answer, or None where an endpoint is asked."""
        pieces = self._body
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        head = self.head
        method = b"GET" if head.method == b"HEAD" else head.method
        routed = self._gateway.router.route(method, head.place.path, head.headers, body)
        if isinstance(routed, Reply):
            return routed
        self._routed = routed
        self._overhead = perf_counter() - self._begun_at
        self._try_next()
        return None

    def _try_next(self) -> None:
        assert self._routed is not None
        attempt = self._routed.walk.next()
        if attempt is None:
            self._give_up()
        else:
            self._try(attempt, self._routed)

    def _try(self, attempt: Attempt, routed: Routed) -> None:
        self._attempt = attempt
        self._tries += 1
        endpoint = attempt.endpoint
        self._gateway.endpoints.started(endpoint)
        self._at_endpoint = True
        body, (start, end) = memoryview(routed.body), routed.model_span
        model = heads.json_string(attempt.candidate.model)
        payload = b"".join(
            (
                heads.opening(endpoint, routed.path, self.head.query),
                self.head.lines,
                b"x-request-id: %b\r\ncontent-length: %d\r\n\r\n"
                % (self._request_id, len(body) - end + start + len(model)),
                body[:start],
                model,
                body[end:],
            )
        )
        self._call = self._gateway.client.send(endpoint, payload, self, stream=routed.stream)

    def _go_elsewhere_once(self, status: int) -> None:
        """A 500 is tried once elsewhere: it may be the engine's fault, or the request's wherever it goes."""
        assert self._routed is not None
        self._routed.walk.count()
        self._drop_answer(status, None)
        attempt = None if self._after_500 else self._routed.walk.next()
        self._after_500 = True
        if attempt is None:
            self._give_up()
        else:
            self._try(attempt, self._routed)

    def _leave_answer(self, status: int, rest_seconds: float | None, verdict: Verdict) -> None:
        """Leave an answer that is not the client's, and try the next endpoint."""
        assert self._routed is not None and self._attempt is not None
        endpoint = self._attempt.endpoint
        if verdict is Verdict.REST:
            rest_seconds = failover.DEFAULT_REST_SECONDS if rest_seconds is None else rest_seconds
            self._gateway.endpoints.rest(endpoint, rest_seconds)
        else:
            self._gateway.endpoints.failed(endpoint, failover.of_status(endpoint, status, None).words)
        self._routed.walk.count()
        self._drop_answer(status, rest_seconds)
        self._try_next()

    def _drop_answer(self, status: int, rest_seconds: float | None) -> None:
        assert self._call is not None and self._attempt is not None
        self._call.cancel()
        self._misstep(failover.of_status(self._attempt.endpoint, status, rest_seconds))

    def _misstep(self, misstep: Misstep) -> None:
        self._passed = self._events = self._held = None
        self._missteps += (misstep,)
        self._leave_endpoint()

    def _give_up(self) -> None:
        error = failover.conclude(self._missteps)
        self._detail = error.message
        self._answer(error.reply())

    def _leave_endpoint(self) -> None:
        self._call = None
        if self._at_endpoint and self._attempt is not None:
            self._at_endpoint = False
            self._gateway.endpoints.ended(self._attempt.endpoint)

    # Answering

    def _pass(self, status: int, headers: AnswerHeaders, passed: heads.Passed) -> None:
        """The answer is the client's; its head is sent with the first byte of its body."""
        assert self._routed is not None
        self._status = status
        self._passed, self._headers = passed, headers
        if passed.is_events or self._routed.stream:
            self._events = sse.Events() if passed.is_events and not passed.has_length else None
        else:
            self._held, self._held_bytes = [], 0

    def _write(self, data: bytes, *, is_whole: bool = False) -> None:
        """Send bytes of the body, the first ones with the head; `is_whole`: there is no other."""
        if self._passed is None:
            if self._chunked and data:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            self._door.write(data)
            return
        attempt, routed, passed = self._attempt, self._routed, self._passed
        assert attempt is not None and routed is not None
        self._passed = None
        self._first_byte_at = perf_counter()
        self._gateway.endpoints.answered(attempt.endpoint)
        routed.body = b""
        if self._status in NO_BODY:
            framing = heads.announced(self._headers)
        elif is_whole:
            framing = b"content-length: %d\r\n" % len(data)
        elif passed.has_length:
            framing = heads.announced(self._headers)
        elif self.head.is_http_10:
            framing = b""
        else:
            self._chunked = True
            framing = b"transfer-encoding: chunked\r\n"
            if data:
                data = b"%x\r\n%b\r\n" % (len(data), data)
        candidate = attempt.candidate
        self._door.write(
            b"".join(
                (
                    heads.status_line(self._status),
                    passed.lines,
                    framing,
                    self._told(candidate.model, candidate.backend),
                    b"\r\n" if self.keep_alive else heads.CLOSE,
                    data,
                )
            )
        )

    def _broke_off(self, words: str, rest: bytes) -> None:
        """End an answer that will not be completed: mend it, say so, or break it off, as far as it came."""
        attempt, routed = self._attempt, self._routed
        assert attempt is not None and routed is not None
        self._gateway.endpoints.failed(attempt.endpoint, words)
        if self._first_byte_at is None:
            routed.walk.count()
            self._misstep(Misstep(attempt.endpoint, words))
            self._try_next()
            return
        if self._events is None:
            self.keep_alive = False
            self._leave_endpoint()
            self._door.abort()
        else:
            error = errors.StreamCut(f"The answer was cut off: {attempt.endpoint.name} {words}.")
            last_event = rest + b"\n" if rest.endswith((b"\n", b"\r")) else b""
            self._write(last_event + error.event())
            if self._chunked:
                self._door.write(b"0\r\n\r\n")
            self._leave_endpoint()
        self._finish(errors.StreamCut.code)

    def _answer(self, reply: Reply) -> None:
        """Give the gateway's own answer."""
        self._status = reply.status
        lines = [
            heads.status_line(reply.status),
            *(b"%b: %b\r\n" % header for header in self._door.date_lines()),
            *(b"%b: %b\r\n" % header for header in reply.headers),
            b"content-type: application/json\r\ncontent-length: %d\r\n" % len(reply.body),
            self._told("", "") if self._routed is not None else b"x-request-id: %b\r\n" % self._request_id,
            b"\r\n" if self.keep_alive else heads.CLOSE,
        ]
        if self.head.method != b"HEAD":
            lines.append(reply.body)
        self._first_byte_at = perf_counter()
        self._door.write(b"".join(lines))
        self._finish(reply.code)

    def _told(self, model: str, backend: str) -> bytes:
        """The header lines that tell who answered, and why."""
        assert self._routed is not None
        answered, decision = (model, backend), self._routed.decision
        return heads.told(decision, answered, self._tries, self._overhead, self._request_id)

    def _finish(self, code: str = "") -> None:
        self.response_complete = True
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
        )
        self._gateway.recorder.finished(outcome)
        if self.disconnected:
            return
        if not self.keep_alive:
            self._door.close()
        self._door.finished()
