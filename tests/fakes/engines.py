"""Engine: a server of raw bytes on loopback that does what a script says, right or wrong.

A script is a function that gets each request as an Ask and answers with the bytes, pauses and ends it likes.
"""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Condition, Event, Thread

SECONDS = 10.0
"""Nothing in a test takes longer, unless it hangs."""


@dataclass
class Ask:
    """One request that an engine got, and the means to answer it."""

    connection: socket.socket
    """Where it came from."""
    number: int
    """Of the connection, counted from 0."""
    head: bytes
    """Request line and headers, without the empty line."""
    body: bytes
    """The body."""
    stopped: Event = field(repr=False)
    """Set when the engine goes down."""

    @property
    def line(self) -> bytes:
        """The request line."""
        return self.head.split(b"\r\n")[0]

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Headers by name as they were spelled."""
        return dict(line.split(b": ", 1) for line in self.head.split(b"\r\n")[1:])

    def send(self, data: bytes) -> None:
        """Send these bytes; a gateway that is gone is no failure of the engine."""
        with suppress(OSError):
            self.connection.sendall(data)

    def send_pieces(self, data: bytes, borders: Sequence[int]) -> None:
        """Send the bytes cut at these places, each piece in a packet of its own."""
        for start, end in zip((0, *borders), (*borders, len(data)), strict=True):
            self.send(data[start:end])

    def close(self) -> None:
        """End the connection in good order."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End the connection as a killed process does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def wait_for_hang_up(self) -> bool:
        """Say nothing until the gateway closes; whether it did before the engine went down."""
        with suppress(OSError):
            return self.connection.recv(1) == b""
        return not self.stopped.is_set()


Script = Callable[[Ask], None]


class Engine:
    """Answers by its script, one thread for each connection, and remembers what it was asked."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.asks: list[Ask] = []
        self.stopped = Event()
        self.reads_bodies = True
        self._hang_ups = 0
        self._script = script
        self._context = context
        self._changed = Condition()
        self._connections: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def connections(self) -> int:
        """Connections that were opened so far."""
        return len(self._connections)

    def wait_for_asks(self, number: int) -> None:
        """Wait until so many requests came."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asks) >= number, SECONDS)

    def wait_for_hang_ups(self, number: int) -> None:
        """Wait until so many connections were closed by the gateway."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._hang_ups >= number, SECONDS)

    def stop(self) -> None:
        """Go down, and close every connection."""
        with self._changed:
            self.stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)
        for connection in self._connections:
            connection.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with self._changed:
                    if self.stopped.is_set():
                        connection.close()
                        return
                    self._connections.append(connection)
                    number = len(self._connections) - 1
                self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._connections.append(connection)
            while (ask := self._read(connection, number)) is not None:
                with self._changed:
                    self.asks.append(ask)
                    self._changed.notify_all()
                self._script(ask)
        with self._changed:
            self._hang_ups += 1
            self._changed.notify_all()

    def _read(self, connection: socket.socket, number: int) -> Ask | None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65_536)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        length = next((int(line[1]) for line in lines if line[0].lower() == b"content-length"), 0)
        while len(body) < length and self.reads_bodies:
            body += connection.recv(65_536)
        return Ask(connection, number, head, body, self.stopped)


@contextmanager
def engine(script: Script, context: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Engine]:
    """An engine that is up inside the block."""
    up = Engine(script, context, port)
    try:
        yield up
    finally:
        up.stop()


def answer(body: bytes, status: str = "200 OK", headers: bytes = b"") -> bytes:
    """An answer with a length; JSON unless `headers` say otherwise."""
    kind = b"" if b"content-type" in headers else b"content-type: application/json\r\n"
    return b"HTTP/1.1 %b\r\n%b%bcontent-length: %d\r\n\r\n%b" % (
        status.encode(),
        kind,
        headers,
        len(body),
        body,
    )


def stream_head(headers: bytes = b"") -> bytes:
    """The head of a stream of events in chunks."""
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n%btransfer-encoding: chunked\r\n\r\n"
        % headers
    )


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def says(data: bytes) -> Script:
    """A script that sends the same bytes to whoever asks."""
    return lambda ask: ask.send(data)


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port where connecting never succeeds and never fails: its queue is full and nobody takes from it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        try:
            yield listener.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


@contextmanager
def plain_port() -> Iterator[int]:
    """A port that greets everybody in words, and so cannot speak TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(b"220 hello\r\n")
                        connection.recv(65_536)

        thread = Thread(target=greet, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(SECONDS)
