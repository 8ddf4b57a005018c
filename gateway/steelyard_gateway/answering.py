"""What the client of one request is given: an engine's answer as it comes, or the gateway's own.

Rule 1. A stream's head is held until the first byte of its body, any other answer until it is complete or
        longer than `MOST_HELD_BYTES`, so that a failure before that can be mended by another endpoint.
Rule 2. From then on nothing is mended: a stream of events gets an error event, anything else breaks off.
Rule 3. Comments to a client that waits (`sseCommentSeconds`) are a head and no first byte: rule 1 goes on,
        but what is no stream of events by then is told as an event.
"""

import re
from time import perf_counter

from steelyard.routing.decision import Attempt
from steelyard_gateway import cors, errors, heads, signature, sse, usage
from steelyard_gateway.client_head import ClientHead
from steelyard_gateway.deadlines import NEVER
from steelyard_gateway.door import Door
from steelyard_gateway.ports import HeaderLines, Reply, Routed
from steelyard_gateway.upstream.connection import NO_BODY
from steelyard_gateway.usage import Usage
from steelyard_gateway.wording import Words

MOST_HELD_BYTES = 1_048_576
"""Of an answer that is not streamed so much is held back: chats are shorter, and memory stays bounded."""

OK = 200
"""Of answers that are signed, and of streams that were begun with a comment."""

_ANSWER = b"%b%b%b" + heads.TOLD + b"%b%b"
_LAST_CHUNK = b"0\r\n\r\n"
_LACKS_BLANK = re.compile(rb"(?:\A|[\r\n])data[^\r\n]*(?:\r\n?|\n)\r?\Z")
"""An event that lacks only its empty line, as far as can be told: its data came, and ended with a line."""
_JSON = b"content-type: application/json\r\ncontent-length: %d\r\n"
_WAITING_HEAD = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"


class Answering:
    """The client's side of an exchange."""

    # Defaults of what changes; in the class, because most of it never does.
    deadline = NEVER
    """When the next comment is due."""
    keep_alive = True
    """Whether the client's connection outlives the answer."""
    _attempt: Attempt | None = None
    _routed: Routed | None = None
    _words: Words | None = None
    _first_byte_at: float | None = None
    _headers = HeaderLines()
    _passed: heads.Passed | None = None
    _events: sse.Events | None = None
    _held: list[bytes] | None = None
    _text: str | None = None
    _overhead = 0.0
    _held_bytes = _tries = _status = 0
    _request_id = _tail = b""
    _asks_usage = _chunked = _has_head = _is_engines = False

    def __init__(self, door: Door, head: ClientHead) -> None:
        self.head = head
        self._door = door

    # An engine's answer

    def _pass(self, status: int, headers: HeaderLines, passed: heads.Passed) -> None:
        """The answer is the client's; its head is sent with the first byte of its body."""
        routed = self._routed
        assert routed is not None
        self._status = status
        self._passed, self._headers = passed, headers
        text = self._signature() if status == OK else None
        if passed.is_events and status < errors.BadRequest.status:
            edits: tuple[sse.Edit, ...] = (usage.hide,) if self._asks_usage else ()
            if text is not None:
                edits += (signature.Signer(text).events,)
            if edits or not passed.has_length:
                shape = self.head.place.shape
                self._events = sse.Events(edits, is_signed=text is not None, shape=shape)
        elif self._has_head or status != OK or not routed.stream:
            self._text = text
            self._held, self._held_bytes = [], 0

    def _hold(self, data: bytes) -> bytes:
        """Keep a piece of an answer that is held; what may be sent of it by now."""
        held = self._held
        assert held is not None
        self._held_bytes += len(data)
        if self._held_bytes > MOST_HELD_BYTES and self._has_head:
            return b""
        held.append(data)
        if self._held_bytes <= MOST_HELD_BYTES:
            return b""
        self._held = None
        whole = b"".join(held)
        self._tail = usage.tail(b"", whole)
        return whole

    def _end_held(self, body: bytes) -> None:
        """Send a held answer that is complete."""
        self._tail = body
        if self._has_head:
            self._is_engines = True
            if self._status >= errors.BadRequest.status:
                self._write_error(body, self._status)
            else:
                self._write_error(errors.StreamCut("The backend answered without a stream.").body())
        elif self._text is None:
            self._write(body, is_whole=True)
        else:
            self._write(signature.sign(body, self._text), is_whole=True)

    def _write(self, data: bytes, *, is_whole: bool = False) -> None:
        """Send bytes of the body, the first ones with the head; `is_whole`: there is no other."""
        passed = self._passed
        if passed is not None:
            data = self._begun(passed, data, is_whole=is_whole)
        elif self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._door.write(data)

    def _begun(self, passed: heads.Passed, data: bytes, *, is_whole: bool) -> bytes:
        """The head, where it was not sent already, and the first bytes of the body."""
        routed, words = self._routed, self._words
        assert routed is not None and words is not None
        self._passed = None
        self._first_byte_at = perf_counter()
        self._is_engines = True
        self._begin_answer()
        routed.body = b""
        if self._has_head:
            return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data
        if is_whole and self._status not in NO_BODY:
            framing = b"content-length: %d\r\n" % len(data)
        elif self._events is None and passed.has_length and self._status not in NO_BODY:
            framing = heads.announced(self._headers)
        elif self.head.is_http_10 or self._status in NO_BODY:
            framing = b""
        else:
            self._chunked = True
            framing = b"transfer-encoding: chunked\r\n"
            if data:
                data = b"%x\r\n%b\r\n" % (len(data), data)
        return _ANSWER % (
            heads.status_line(self._status),
            passed.lines if not self.head.cors else cors.without(passed.lines) + self.head.cors,
            framing,
            words.labels,
            self._tries,
            self._overhead * 1e6,
            self._request_id,
            b"\r\n" if self.keep_alive else heads.CLOSE,
            data,
        )

    def _begin_answer(self) -> None:
        """The engine's answer is being passed on."""
        raise NotImplementedError

    def _end_body(self) -> None:
        """The body is complete."""
        if self._passed is not None:
            self._write(b"")
        if self._chunked:
            self._door.write(_LAST_CHUNK)

    def _cut(self, error: errors.RequestError, rest: bytes) -> None:
        """End a stream of events with an error after what is left of it; break anything else off."""
        if self._events is None:
            self.keep_alive = False
            self._door.abort()
            return
        blank = b"\n\n" if rest.endswith(b"\r") else b"\n"
        last_event = rest + blank if _LACKS_BLANK.search(rest) else b""
        self._write_error(error.body(), before=last_event)
        self._end_body()

    def _write_error(self, answer: bytes, status: int = errors.StreamCut.status, before: bytes = b"") -> None:
        """Tell of an error in an event, after these bytes."""
        number = self._events.number if self._events is not None else 0
        self._write(before + self.head.place.shape.error(answer, status, number))

    # The gateway's own

    def _reply(self, reply: Reply) -> None:
        """Give the gateway's own answer."""
        self._first_byte_at = perf_counter()
        if self._routed is not None:
            self._routed.body = b""
        if self._has_head:
            self._status = OK
            self._passed = None
            self._write_error(reply.body)
            self._end_body()
            return
        self._status = reply.status
        lines = [
            heads.status_line(reply.status),
            *(b"%b: %b\r\n" % header for header in self._door.date_lines()),
            *(b"%b: %b\r\n" % header for header in reply.headers),
            self.head.cors,
            _JSON % len(reply.body) if reply.status not in NO_BODY else b"",
            self._told(),
            b"\r\n" if self.keep_alive else heads.CLOSE,
        ]
        if self.head.method != b"HEAD":
            lines.append(reply.body)
        self._door.write(b"".join(lines))

    def _comment(self) -> None:
        """Tell a client that waits for a stream that it does; the first time with a head."""
        routed = self._routed
        assert routed is not None
        comment = sse.WAITING
        if not self._has_head:
            self._has_head = True
            self._chunked = not self.head.is_http_10
            decision = routed.decision
            policy = decision.policy.name if decision.policy is not None else ""
            head = b"".join(
                (
                    heads.status_line(OK),
                    *(b"%b: %b\r\n" % header for header in self._door.date_lines()),
                    _WAITING_HEAD,
                    self.head.cors,
                    heads.labels("", "", policy, decision.category),
                    b"x-request-id: %b\r\n" % self._request_id,
                    b"transfer-encoding: chunked\r\n" if self._chunked else b"",
                    b"\r\n" if self.keep_alive else heads.CLOSE,
                )
            )
            self._door.write(head)
        self._door.write(b"%x\r\n%b\r\n" % (len(comment), comment) if self._chunked else comment)

    def _told(self) -> bytes:
        """The header lines that tell why nobody answered."""
        routed = self._routed
        if routed is None:
            return b"x-request-id: %b\r\n" % self._request_id
        decision = routed.decision
        policy = "" if decision.policy is None else decision.policy.name
        labels = heads.labels("", "", policy, decision.category)
        return heads.TOLD % (labels, self._tries, self._overhead * 1e6, self._request_id)

    # What was said

    def _signature(self) -> str | None:
        """What is put under this attempt's answer; None: nothing."""
        attempt, routed = self._attempt, self._routed
        assert attempt is not None and routed is not None
        if routed.signature is None:
            return None
        return signature.filled(routed.signature, attempt.candidate.model, attempt.candidate.backend)

    def _used(self) -> Usage | None:
        """Tokens of the answer, of a part of one too; None where no engine's answer was passed on."""
        routed = self._routed
        if not self._is_engines or routed is None or self._status >= errors.BadRequest.status:
            return None
        if self._events is None:
            told = usage.of_answer(self._tail)
            return told or usage.of_text(routed.prompt_tokens, self._tail)
        return usage.of_stream(self._events) or usage.of_events(routed.prompt_tokens, self._events)
