"""A client that keeps so many streams under way and tells what it saw, as JSON. A process of its own.

A stream that ends is followed by another one on the same connection. What is read before all streams stand
for a while is not counted.
"""

import gc
import json
import select
import socket
import sys
import time
from array import array

import httptools

from bench import answers, estimates, streams
from bench.measures import Quantity

RAMP_SECONDS = 0.001
"""From the begin of one stream to that of the next: they are not to begin all at once."""

SETTLE_SECONDS = 0.5
"""From the last stream's begin to the first chunk that counts."""

_BUFFER = memoryview(bytearray(262_144))
"""All streams are read into it, one by one: it is parsed before the next one is read."""

_BODY = streams.QUESTION.encode()
_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class Seen:
    """What was seen while it counted."""

    def __init__(self) -> None:
        self.counts = False
        """Whether what is seen now counts."""
        self.counted_chunks = 0
        self.chunks = 0
        """All of them, those before it counted included."""
        self.errors = 0
        """Streams that were not whole; they always count."""
        self.delays_ns = array("q")
        self.ttfts_ns = array("q")


class Stream:
    """A connection that asks for one stream after the other; httptools calls the methods named on_."""

    def __init__(self, port: int, chunks: int, seen: Seen, *, is_paced: bool) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._chunks = chunks
        self._seen = seen
        self._is_paced = is_paced
        self._parser = httptools.HttpResponseParser(self)
        self.ask()

    def ask(self) -> None:
        """Ask for a stream."""
        self._chunks_here = 0
        self._piece = b""
        self._is_done = False
        self._asked_at_ns = time.monotonic_ns()
        self.socket.send(_REQUEST)

    def read(self) -> None:
        """Read what came; raises OSError or httptools' error where the stream is broken."""
        size = self.socket.recv_into(_BUFFER)
        if not size:
            raise ConnectionResetError
        self._parser.feed_data(_BUFFER[:size])

    def on_body(self, data: bytes) -> None:
        """Events, the last of which may be only begun."""
        now = time.monotonic_ns()
        data = self._piece + data
        end = data.rfind(b"\n\n") + 2 if data else 0
        self._piece = data[end:]
        if self._is_paced:
            times = answers.SENT_AT.findall(data, 0, end)
            found = len(times)
            if self._seen.counts:
                self._seen.delays_ns.extend([now - int(one) for one in times])
        else:
            found = data.count(b'"delta"', 0, end)
        self._is_done = data.find(b"data: [DONE]", 0, end) >= 0
        if found:
            self._note(found, now)

    def on_message_complete(self) -> None:
        """The answer is over: ask again."""
        is_whole = (
            self._is_done and self._chunks_here == self._chunks and self._parser.get_status_code() == 200
        )
        self._seen.errors += not is_whole
        self.ask()

    def _note(self, found: int, now: int) -> None:
        seen = self._seen
        seen.chunks += found
        if seen.counts:
            seen.counted_chunks += found
            if not self._chunks_here:
                seen.ttfts_ns.append(now - self._asked_at_ns)
        self._chunks_here += found


class Client:
    """All streams."""

    def __init__(self, port: int, chunks: int, *, is_paced: bool) -> None:
        self.seen = Seen()
        self._port = port
        self._chunks = chunks
        self._is_paced = is_paced
        self._poll = select.epoll()
        self._streams: dict[int, Stream] = {}

    def begin(self) -> None:
        """Begin one more stream."""
        stream = Stream(self._port, self._chunks, self.seen, is_paced=self._is_paced)
        self._streams[stream.socket.fileno()] = stream
        self._poll.register(stream.socket, select.EPOLLIN)

    def read_for(self, seconds: float) -> None:
        """Read all streams for so long; one that breaks is counted and another one begun."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for file, _ in self._poll.poll(left):
                try:
                    self._streams[file].read()
                except (OSError, httptools.HttpParserError):
                    self.seen.errors += 1
                    self._streams.pop(file).socket.close()
                    self.begin()


def main(words: list[str]) -> None:
    """Measure; the words are a port, a number of streams, seconds and milliseconds from chunk to chunk."""
    port, streams_at_once, seconds, interval_ms = map(int, words)
    gc.disable()  # nothing here makes cycles, and a pause would be measured
    client = Client(port, streams.chunks(interval_ms), is_paced=interval_ms > 0)
    for _ in range(streams_at_once):
        client.begin()
        client.read_for(RAMP_SECONDS)
    client.read_for(SETTLE_SECONDS)
    client.seen.counts = True
    began = time.monotonic()
    client.read_for(seconds)
    print(json.dumps(_figures(client.seen, time.monotonic() - began)))


def _figures(seen: Seen, seconds: float) -> dict[Quantity, float]:
    figures = {
        Quantity.RATE: seen.counted_chunks / seconds,
        Quantity.COUNT: seen.chunks,
        Quantity.ERRORS: seen.errors,
    }
    delays, ttfts = sorted(seen.delays_ns), sorted(seen.ttfts_ns)
    if delays:
        late = sum(1 for one in delays if one > streams.LATE_MS * 1e6)
        figures[Quantity.P50_MS] = estimates.quantile(delays, 0.5) / 1e6
        figures[Quantity.P99_MS] = estimates.quantile(delays, 0.99) / 1e6
        figures[Quantity.LATE_PERCENT] = 100 * late / len(delays)
    if ttfts:
        figures[Quantity.TTFT_P50_MS] = estimates.quantile(ttfts, 0.5) / 1e6
        figures[Quantity.TTFT_P99_MS] = estimates.quantile(ttfts, 0.99) / 1e6
    return figures


if __name__ == "__main__":
    main(sys.argv[1:])
