"""A request's head, with everything worked out that depends on nothing else."""

from steelyard_gateway import heads, paths
from steelyard_gateway.cors import Cors
from steelyard_gateway.ports import Headers


class ClientHead:
    """What a client's head says. One object serves all requests of a connection that repeat it."""

    __slots__ = (
        "cors",
        "headers",
        "is_http_10",
        "keep_alive",
        "lines",
        "method",
        "place",
        "query",
        "request_id",
    )

    def __init__(
        self,
        target: tuple[paths.Place, bytes],
        method: bytes,
        headers: Headers,
        *,
        is_http_10: bool = False,
        keep_alive: bool = True,
        cors: Cors | None = None,
    ) -> None:
        self.place, self.query = target
        """The offered path, and the query with its `?`."""
        self.method = method
        """The HTTP method."""
        self.headers = headers
        """Header lines, names in lower case."""
        self.is_http_10 = is_http_10
        """Whether the client knows no chunks."""
        self.keep_alive = keep_alive
        """Whether the connection may outlive the answer."""
        self.lines = heads.from_client(headers)
        """The header lines that pass to an engine."""
        self.cors = b"" if cors is None else cors.lines(headers)
        """Header lines of every answer that say which web pages may read it."""
        self.request_id = heads.given_request_id(headers)
        """The client's own x-request-id where it can be used; else empty."""
