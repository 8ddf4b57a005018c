"""FakeKubelet: the pod-resources API on a Unix socket, by gRPC's own server."""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

Text = str | bytes


class FakeKubelet:
    """A kubelet that answers what a test says."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.answer = b""
        self.status: grpc.StatusCode | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._server: Any = None

    def start(self) -> None:
        """Listen."""
        lister = grpc.method_handlers_generic_handler(
            "v1.PodResourcesLister", {"List": grpc.unary_unary_rpc_method_handler(self._list)}
        )
        self._server = grpc.server(ThreadPoolExecutor(2))
        self._server.add_generic_rpc_handlers((lister,))
        self._server.add_insecure_port(f"unix:{self.socket}")
        self._server.start()

    def stop(self) -> None:
        """Listen no more; the socket goes, too."""
        self.may_answer.set()
        self._server.stop(grace=0).wait()
        self.socket.unlink(missing_ok=True)

    def _list(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        self.may_answer.wait()
        if self.status is not None:
            context.abort(self.status, "as the test says")
        return self.answer


@contextmanager
def running() -> Iterator[FakeKubelet]:
    """A kubelet; its socket has a short name, as those of Unix must."""
    with tempfile.TemporaryDirectory() as folder:
        kubelet = FakeKubelet(Path(folder) / "kubelet.sock")
        kubelet.start()
        try:
            yield kubelet
        finally:
            kubelet.stop()


def pods(*several: bytes) -> bytes:
    """ListPodResourcesResponse."""
    return b"".join(field(1, pod) for pod in several)


def pod(name: str, *containers: bytes, namespace: str = "models") -> bytes:
    """PodResources."""
    return field(1, name) + field(2, namespace) + b"".join(field(3, one) for one in containers)


def container(name: str, *devices: str, claimed: Sequence[str] = (), driver: str = "gpu.nvidia.com") -> bytes:
    """ContainerResources, with more fields than the agent reads."""
    topology = field(3, field(1, b"\x08\x00"))
    memory = field(4, field(1, "hugepages-1Gi") + b"\x10\x80\x80\x80\x80\x04")
    plugged = field(2, field(1, "nvidia.com/gpu") + b"".join(field(2, one) for one in devices) + topology)
    resources = b"".join(field(4, field(2, driver) + field(3, "node-1") + field(4, one)) for one in claimed)
    dynamic = field(5, field(2, "claim") + field(3, "models") + resources) if claimed else b""
    return field(1, name) + plugged + field(3, b"\x00\x01\x02") + memory + dynamic


def field(number: int, value: Text) -> bytes:
    """A text, bytes or a message, in protobuf."""
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A whole number, in protobuf."""
    head, rest = value & 0x7F, value >> 7
    return bytes([head | 0x80]) + varint(rest) if rest else bytes([head])
