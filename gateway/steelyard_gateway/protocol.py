"""The client's side: uvicorn's HTTP protocol, with the proxied paths kept from ever reaching ASGI.

An exchange plays the part of uvicorn's request-response cycle: it stands in the same queue, so that pipelined
requests are answered in order whichever side answers them, and a graceful shutdown treats both alike.
Invariant: a request whose framing could be read in two ways is refused, and nothing after it is read.
"""

import asyncio
from time import perf_counter
from typing import Any, ClassVar

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from steelyard_gateway import belonging, elsewhere, errors, heads, paths
from steelyard_gateway.client_connection import ClientConnection, Limits
from steelyard_gateway.client_head import ClientHead
from steelyard_gateway.deadlines import NEVER, Deadlines
from steelyard_gateway.ending import WORDS, Ending
from steelyard_gateway.exchange import Exchange
from steelyard_gateway.parts import Gateway
from steelyard_gateway.ports import HeaderLines
from steelyard_gateway.repeated import Repetition, repetition

MOST_HEAD_BYTES = 65_536
"""Longest request head; what nginx and engines take is less."""

HEAD_TOO_LARGE = f"The request's head is longer than {MOST_HEAD_BYTES} bytes."
NOT_HTTP = "The request is not valid HTTP/1.1, or its length is ambiguous."

FRAMING_RATIO = 8
"""A chunked body may take so many times its length on the wire: six bytes for one, and some slack."""

MOST_IN_LINE = 8
"""So many requests, and `MOST_HEAD_BYTES` of their bodies, may wait behind the one under way."""

UNREADABLE = paths.Place("", elsewhere.LABEL, frozenset())
"""Stands for the path of a request that could not be read."""

UPGRADES = frozenset({b"connection", b"upgrade", b"http2-settings"})
"""Headers that ask for another protocol; Java's client sends them with every request."""


class _Cycle(Ending, RequestResponseCycle):
    """An exchange where uvicorn expects one of its cycles."""

    message_event = asyncio.Event()


class GatewayProtocol(ClientConnection):
    """One client connection. Use `protocol_class` to get a class that knows its gateway."""

    gateway: ClassVar[Gateway]
    draining: ClassVar[bool] = False

    def __init__(self, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._active: _Cycle | None = None
        self._collecting: _Cycle | None = None
        self._body_is_new = self._is_running = self._is_again = self._is_bulky = False
        self._unfinished_bytes = 0
        self._head: ClientHead | None = None
        self._asked = self.gateway
        self._repetition: Repetition | None = None
        self._armed: Repetition | None = None

    # What the transport says

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, and with it everything that it asked for."""
        self.deadlines.forget(self)
        for cycle in (self._active, *(cycle for cycle, _ in self.pipeline), self._collecting):
            if isinstance(cycle, Exchange):
                cycle.client_left()
        self._active = self._collecting = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, then begin what is complete."""
        armed = self._armed
        if armed is not None:
            self._armed = None
            body = None if self.flow.write_paused or self.draining else armed.body_of(data)
            if body is not None and len(body) <= self.limits.body_bytes:
                self._begin_repeated(body)
                return
        if self._is_deaf:
            return
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        was_in_head, was_in_body = self._in_head, self._in_body
        if was_in_head or len(data) > MOST_HEAD_BYTES:
            self._is_bulky = True
        self._repetition = self._head = None
        self._feed(data)
        if self.pipeline and self._is_line_long():
            self.flow.pause_reading()
        if self._is_deaf:
            pass
        elif self._in_head:
            self._watch_head(len(data), was_in_head)
        elif self._in_body:
            self._watch_body(len(data))
        else:
            self._unfinished_bytes = 0
            if self._head is not None and not (was_in_head or was_in_body):
                self._repetition = repetition(data, self._head.headers)
        self._run()

    def resume_writing(self) -> None:
        """The client has read what was queued."""
        super().resume_writing()
        if not self._is_closing:
            self.deadline = perf_counter() + self.limits.keep_alive_seconds
        if self._active is not None:
            self._active.drained()
        if not self.pipeline:
            self.flow.resume_reading()
        self._run()

    def on_late(self, now: float) -> None:
        """The client was too slow: to send a head or a body, to ask again, or to read the last answer."""
        if self._is_closing or self.flow.write_paused or self.transport.is_closing():
            self._linger(now)
        elif self._in_body and self._active is not None and self._active is self._collecting:
            self._refuse(errors.RequestLate("The request's body stopped coming."))
            self._run()
        elif self.cycle is not None and not self.cycle.response_complete:
            self.deadline = NEVER
        else:
            self.close()

    # What the parser says

    def on_message_begin(self) -> None:
        """A request's first byte; ASGI's scope is made later, if at all."""
        self.url = b""
        self.headers = HeaderLines()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line, or a trailer line after the body, which is dropped."""
        if self._in_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """A head is complete: ours, or ASGI's. What is raised here and below is the answer: see `_feed`."""
        parser, url = self.parser, self.url
        version = parser.get_http_version()
        heads.check_framing(self.headers, version)
        if self._is_bulky:
            self._is_bulky = False
            if heads.size(url, self.headers) > MOST_HEAD_BYTES:
                raise errors.HeadTooLarge(HEAD_TOO_LARGE)
        self._in_head = False
        self._in_body = self._body_is_new = True
        gateway, place = self.gateway, paths.EXACT.get(url)
        if place is not None:
            target: tuple[paths.Place, bytes] | None = (place, b"")
        else:
            gateway, target = belonging.find(gateway, url)
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise errors.MalformedHttp("CONNECT is not offered.")
            self._is_again = True
        elif target is None:
            self._hand_to_asgi()
        else:
            is_http_10 = version == "1.0"
            head = ClientHead(
                target,
                parser.get_method(),
                self.headers,
                is_http_10=is_http_10,
                keep_alive=not (is_http_10 or self.draining) and parser.should_keep_alive(),
                cors=self.gateway.cors,
            )
            exchange = _Cycle(gateway, self, head)
            if head.method not in head.place.methods:
                exchange.preset(elsewhere.other_method(head, self.gateway.cors))
            elif head.keep_alive:
                self._head, self._asked = head, gateway
            self._stand_in_line(exchange)

    def on_body(self, body: bytes) -> None:
        """A piece of a request's body."""
        if self._unfinished_bytes:
            self.deadline = perf_counter() + self.limits.body_seconds
        exchange = self._collecting
        if exchange is None:
            super().on_body(body)
        elif not exchange.complete:
            exchange.add(body)
            if exchange.body_bytes > self.limits.body_bytes:
                raise self._too_large()

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._in_body = False
        exchange, self._collecting = self._collecting, None
        if exchange is not None:
            exchange.complete = True
        elif not self._is_again:
            super().on_message_complete()

    # What an exchange asks (see exchange.Door)

    def finished(self) -> None:
        """The exchange in turn is over: the next in line begins."""
        self._active = None
        self.server_state.total_requests += 1
        if self._is_closing or self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.deadline = perf_counter() + self.limits.keep_alive_seconds
            if not (self._in_head or self._in_body):
                self._armed = self._repetition

    # What the drain asks

    def shutdown(self) -> None:
        """Close after the answer under way if its head can say so, else when idle for too long."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.be_last() if isinstance(self.cycle, _Cycle) else super().shutdown()
        elif not self._in_head:
            self.deadline = min(self.deadline, perf_counter() + self.limits.keep_alive_seconds)

    def cut_short(self) -> None:
        """End the answer under way with an error, and close."""
        exchange = self._active
        if exchange is None:
            self.close()
        elif exchange is self._collecting:
            self._refuse(errors.NoUpstream(WORDS))
            self._run()
        else:
            exchange.cut_short()

    # Order

    def _begin_repeated(self, body: bytes) -> None:
        """Begin a request whose head is the last one's."""
        head = self._head
        assert head is not None
        exchange = _Cycle(self._asked, self, head)
        exchange.add(body)
        exchange.complete = True
        self.cycle = self._active = exchange
        self.deadline = NEVER
        exchange.begin()

    def _is_line_long(self) -> bool:
        """Whether more waits than may be asked for ahead; who is read on is seen to leave."""
        kept_bytes = sum(cycle.body_bytes for cycle, _ in self.pipeline if isinstance(cycle, _Cycle))
        return len(self.pipeline) > MOST_IN_LINE or kept_bytes > MOST_HEAD_BYTES

    def _stand_in_line(self, exchange: "_Cycle") -> None:
        previous, self.cycle = self.cycle, exchange
        self._collecting = exchange
        if previous is None or previous.response_complete:
            self._active = exchange
        else:
            self.pipeline.appendleft((exchange, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """The turn of the next in line, which is ours or ASGI's; uvicorn calls it too."""
        if isinstance(cycle, _Cycle):
            self._active = cycle
            if cycle is self._collecting:
                self.deadline = perf_counter() + self.limits.body_seconds
                self._invite_body()
            self._run()
        else:
            self._active = None
            self.deadline = NEVER
            super()._start_asgi_task(cycle, app)

    def _run(self) -> None:
        """Begin the exchange in turn if it is complete, and those behind it while they end at once."""
        if self._is_running:
            return
        self._is_running = True
        while (exchange := self._active) is not None and exchange.complete and not exchange.has_begun:
            if self.flow.write_paused:
                self.flow.pause_reading()
                break
            self.deadline = NEVER
            exchange.begin()
        self._is_running = False

    # Framing

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._is_again = False
            self._feed_again(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, errors.RequestError) else errors.MalformedHttp(NOT_HTTP))

    def _feed_again(self, rest: bytes) -> None:
        """Parse a request anew without its wish for another protocol: to say nothing declines it."""
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] not in UPGRADES]
        if not self.parser.should_keep_alive():
            lines.append(b"connection: close\r\n")
        version = self.parser.get_http_version().encode()
        first = self.parser.get_method(), self.url, version
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (*first, b"".join(lines))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._feed(head + rest)

    def _watch_head(self, read_bytes: int, was_in_head: bool) -> None:
        """A head is incomplete: it may not grow or last for ever."""
        if not was_in_head:
            self._unfinished_bytes = 1
            self.deadline = perf_counter() + self.limits.head_seconds
        else:
            self._unfinished_bytes += read_bytes
            if self._unfinished_bytes > MOST_HEAD_BYTES:
                self._refuse(errors.HeadTooLarge(HEAD_TOO_LARGE))

    def _watch_body(self, read_bytes: int) -> None:
        """A body is incomplete: judge what it announces, and that its framing stays in proportion."""
        exchange = self._collecting
        if self._body_is_new:
            self._body_is_new = False
            self._unfinished_bytes = 1
            self.deadline = perf_counter() + self.limits.body_seconds
            if exchange is not None and heads.announced_bytes(exchange.head.headers) > self.limits.body_bytes:
                self._refuse(self._too_large())
            elif exchange is not None and exchange is self._active:
                self._invite_body()
        else:
            self._unfinished_bytes += read_bytes
            if exchange is not None and self._unfinished_bytes > (
                MOST_HEAD_BYTES + FRAMING_RATIO * exchange.body_bytes
            ):
                self._refuse(errors.MalformedHttp("The request's body is more framing than content."))

    def _invite_body(self) -> None:
        if heads.expects_continue(self.headers):
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, error: errors.RequestError) -> None:
        """Answer the request under way with this error when its turn comes, and read nothing more."""
        self._is_deaf = True
        exchange = self._collecting
        if exchange is None:
            if self._in_body and self._is_page_broken():
                self.close()
                return
            head = ClientHead((UNREADABLE, b""), b"", [], cors=self.gateway.cors)
            exchange = _Cycle(self.gateway, self, head)
            self._stand_in_line(exchange)
        exchange.refuse(error)
        self._collecting = None

    def _is_page_broken(self) -> bool:
        """Whether the body under way is that of a page which is asked already; one in line is taken out."""
        cycle = self.cycle
        if cycle is None or isinstance(cycle, _Cycle) or cycle.response_complete or not cycle.more_body:
            return False
        if not self.pipeline or self.pipeline[0][0] is not cycle:
            return True
        self.pipeline.popleft()
        return False

    def _too_large(self) -> errors.BodyTooLarge:
        return errors.BodyTooLarge(f"The request's body is longer than {self.limits.body_bytes} bytes.")

    def _hand_to_asgi(self) -> None:
        """Give the head to uvicorn as if it had parsed it."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers.extend(headers)
        self.expect_100_continue = heads.expects_continue(headers)
        super().on_headers_complete()
        if self.draining:
            self.cycle.keep_alive = False


def protocol_class(gateway: Gateway, deadlines: Deadlines, limits: Limits) -> type[GatewayProtocol]:
    """The protocol class for uvicorn's `http=`."""

    class Bound(GatewayProtocol):
        pass

    Bound.gateway = gateway
    Bound.deadlines = deadlines
    Bound.limits = limits
    return Bound
