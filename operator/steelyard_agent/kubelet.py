"""Kubelet: one unary gRPC call over a Unix socket, PodResourcesLister.List of the pod-resources API, v1.

HTTP/2 without TLS by prior knowledge; a message is a byte that says whether it is compressed, four bytes of
length, and the protobuf (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

Invariant: the call ends within CALL_SECONDS, and its answer is at most MOST_ANSWER_BYTES long.
"""

import socket
import struct
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from steelyard_agent import podresources
from steelyard_agent.podresources import Holders, NotPodResources
from steelyard_agent.sampling import Unavailable

CALL_SECONDS = 5.0
"""The kubelet answers in milliseconds."""

MOST_ANSWER_BYTES = 16 * 2**20
"""As much as the kubelet itself takes for the most that it may answer."""

_HEADERS = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/v1.PodResourcesLister/List"),
    (":authority", "localhost"),  # gRPC for Go refuses a socket's path here
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)
_EMPTY_MESSAGE = struct.pack(">BI", 0, 0)
_HEAD = struct.Struct(">BI")
_READ_BYTES = 65_536


class KubeletUnavailable(Unavailable):
    """The kubelet cannot be asked."""


class Kubelet:
    """The kubelet of this node."""

    def __init__(self, path: str) -> None:
        self._path = path

    def holders(self) -> Holders:
        """Who has which device. Raises KubeletUnavailable."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                return podresources.holders(_Call(connection, self._path).answer())
        except FileNotFoundError:
            raise KubeletUnavailable(f"The kubelet's socket {self._path} is not there.") from None
        except (OSError, h2.exceptions.H2Error, NotPodResources) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise KubeletUnavailable(f"The kubelet does not answer at {self._path}: {reason}.") from error


class _Call:
    """One call on a connection of its own."""

    def __init__(self, connection: socket.socket, path: str) -> None:
        self._deadline = time.monotonic() + CALL_SECONDS
        self._socket = connection
        self._answer = bytearray()
        self._status: dict[str, str] = {}
        self._is_over = False
        self._protocol = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._limit()
        connection.connect(path)

    def answer(self) -> bytes:
        """The message. Raises OSError, H2Error or NotPodResources."""
        self._protocol.initiate_connection()
        stream = self._protocol.get_next_available_stream_id()
        self._protocol.send_headers(stream, _HEADERS)
        self._protocol.send_data(stream, _EMPTY_MESSAGE, end_stream=True)
        while not self._is_over:
            self._limit()
            self._socket.sendall(self._protocol.data_to_send())
            received = self._socket.recv(_READ_BYTES)
            if not received:
                raise ConnectionAbortedError("the connection was closed")
            for event in self._protocol.receive_data(received):
                self._take(event)
        return self._message()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                self._status |= {str(name): str(value) for name, value in event.headers or ()}
            case h2.events.DataReceived():
                self._answer += event.data or b""
                if len(self._answer) > MOST_ANSWER_BYTES:
                    raise NotPodResources(f"the answer is longer than {MOST_ANSWER_BYTES} bytes")
                self._protocol.acknowledge_received_data(
                    event.flow_controlled_length or 0, event.stream_id or 0
                )
            case h2.events.StreamEnded():
                self._is_over = True
            case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                raise ConnectionAbortedError("the call was broken off")

    def _message(self) -> bytes:
        status = self._status.get("grpc-status")
        if status != "0":
            http = self._status.get(":status", "none")
            raise NotPodResources(f"gRPC status {status or 'none'}, HTTP status {http}")
        if len(self._answer) < _HEAD.size:
            raise NotPodResources("the answer holds no message")
        is_compressed, length = _HEAD.unpack_from(self._answer)
        if is_compressed or length != len(self._answer) - _HEAD.size:
            raise NotPodResources("the answer is not one plain message")
        return bytes(self._answer[_HEAD.size :])

    def _limit(self) -> None:
        """Have the next operation end by the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it takes too long")
        self._socket.settimeout(left)
