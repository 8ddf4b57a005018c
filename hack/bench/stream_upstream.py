"""An upstream that streams chat chunks: paced, or as fast as they are taken. A process of its own.

Sockets are used without an event loop: each chunk is written at the moment that stands in it. What is no POST
is answered with a list of models, which is enough for those who ask whether it is healthy.
"""

import gc
import select
import socket
import sys
import time
from typing import Protocol

from bench import answers, streams

BACKLOG = 4096
RECEIVE_BYTES = 16_384


class Connection:
    """One connection: requests come in, streams go out, one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.chunks_left = 0
        """Chunks that the stream under way still has to bring."""
        self._unsent = b""
        self._received = bytearray()
        self._with_usage = False

    def requests(self) -> list[bool]:
        """For each request that is complete now, whether it is for a stream; raises OSError at the end."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError
        self._received += data
        found = []
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end]).lower()
            end += 4 + int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._received) < end:
                break
            self._with_usage = b"include_usage" in self._received[:end]
            del self._received[:end]
            found.append(head.startswith(b"post "))
        return found

    def write_chunk(self) -> None:
        """Write the next chunk with the time of now, and the end after the last."""
        self.chunks_left -= 1
        chunk = answers.chunk(time.monotonic_ns())
        self.write(chunk if self.chunks_left else chunk + answers.stream_end(with_usage=self._with_usage))

    def write(self, data: bytes) -> None:
        """Write, and keep what the peer does not take."""
        try:
            taken = 0 if self._unsent else self.socket.send(data)
        except BlockingIOError:
            taken = 0
        self._unsent += data[taken:]

    def write_unsent(self) -> None:
        """Write what was kept."""
        data, self._unsent = self._unsent, b""
        self.write(data)

    @property
    def is_blocked(self) -> bool:
        """Whether the peer has to read before more is written."""
        return bool(self._unsent)


class Schedule(Protocol):
    """When the streams under way get their chunks."""

    def add(self, connection: Connection) -> None:
        """A stream begins; its first chunk was written."""

    def write_due(self) -> None:
        """Write what is due now."""

    def pause_seconds(self) -> float | None:
        """How long nothing is due; None: until something is read."""


class Paced:
    """A chunk for every stream at equal intervals, each stream at a time of its own."""

    def __init__(self, interval_ms: int) -> None:
        self._streams: list[list[Connection]] = [[] for _ in range(interval_ms)]
        self._done_ms = _now_ms()

    def add(self, connection: Connection) -> None:
        """Its next chunk is due one interval from now."""
        self._streams[_now_ms() % len(self._streams)].append(connection)

    def write_due(self) -> None:
        """Write to the streams of the milliseconds that passed; what is late by an interval is left out."""
        now = _now_ms()
        for tick in range(max(self._done_ms, now - len(self._streams)) + 1, now + 1):
            slot = tick % len(self._streams)
            for connection in self._streams[slot]:
                _write_chunk(connection)
            self._streams[slot] = [one for one in self._streams[slot] if one.chunks_left]
        self._done_ms = now

    def pause_seconds(self) -> float | None:
        """Until the next millisecond."""
        return 0.001


class FlatOut:
    """A chunk for every stream in turn, as long as its peer takes them."""

    def __init__(self) -> None:
        self._streams: list[Connection] = []

    def add(self, connection: Connection) -> None:
        """It takes its turn from now on."""
        self._streams.append(connection)

    def write_due(self) -> None:
        """One chunk for each whose peer has read what came before."""
        for connection in self._streams:
            if not connection.is_blocked:
                _write_chunk(connection)
        self._streams = [one for one in self._streams if one.chunks_left]

    def pause_seconds(self) -> float | None:
        """None at all while a peer takes chunks."""
        return 0.0 if any(not one.is_blocked for one in self._streams) else None


class Upstream:
    """All connections of one listening socket."""

    def __init__(self, port: int, schedule: Schedule, chunks: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self._listener.setblocking(False)
        self._schedule = schedule
        self._chunks = chunks
        self._connections: dict[int, Connection] = {}
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)

    def serve(self) -> None:
        """Serve until the process is ended."""
        while True:
            for file, event in self._poll.poll(self._schedule.pause_seconds()):
                if file == self._listener.fileno():
                    self._accept()
                else:
                    self._handle(self._connections[file], event)
            self._schedule.write_due()

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[sock.fileno()] = Connection(sock)
        self._poll.register(sock, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def _handle(self, connection: Connection, event: int) -> None:
        try:
            if event & select.EPOLLOUT and connection.is_blocked:
                connection.write_unsent()
            if event & ~select.EPOLLOUT:
                for is_stream in connection.requests():
                    self._answer(connection, is_stream)
        except OSError:
            connection.chunks_left = 0
            del self._connections[connection.socket.fileno()]
            connection.socket.close()

    def _answer(self, connection: Connection, is_stream: bool) -> None:
        if is_stream:
            connection.write(answers.STREAM_HEAD)
            connection.chunks_left = self._chunks
            connection.write_chunk()
            self._schedule.add(connection)
        else:
            body = answers.MODELS.encode()
            connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


def main(words: list[str]) -> None:
    """Serve; the words are a port and the milliseconds from chunk to chunk (0: flat out)."""
    port, interval_ms = map(int, words)
    gc.disable()  # nothing here makes cycles, and a pause would be measured
    Upstream(port, Paced(interval_ms) if interval_ms else FlatOut(), streams.chunks(interval_ms)).serve()


def _write_chunk(connection: Connection) -> None:
    """Write a chunk; where the peer is gone the stream is over, and the connection's end will be read."""
    try:
        connection.write_chunk()
    except OSError:
        connection.chunks_left = 0


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


if __name__ == "__main__":
    main(sys.argv[1:])
