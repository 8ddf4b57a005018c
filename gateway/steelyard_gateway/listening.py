"""Where the gateway listens: sockets, and the servers on them.

Invariant: a port that cannot be had is a Refused that names the flag to change.
"""

import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

BACKLOG = 2048
"""Connections that may wait to be accepted."""


class Refused(Exception):
    """The gateway cannot start; the message says why and what to do."""


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the program: there are two servers in it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def admin_server(app: ASGIApp) -> Server:
    """The server of what people read."""
    return Server(
        uvicorn.Config(
            app, ws="none", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
    )


def bound(host: str, port: int, flag: str, *, shared: bool = False) -> socket.socket:
    """A socket at this place; `shared`: other processes of ours may listen there too. Raises Refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise _refused(host, port, flag, error) from None
    made.setblocking(False)
    return made


def listening(host: str, port: int, flag: str, *, shared: bool = False) -> socket.socket:
    """A socket at this place that takes connections. Raises Refused."""
    made = bound(host, port, flag, shared=shared)
    try:
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise _refused(host, port, flag, error) from None
    return made


def url(listener: socket.socket) -> str:
    """How to reach it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(host: str, port: int, flag: str, error: OSError) -> Refused:
    flag = flag if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
    return Refused(f"Cannot listen on {host}:{port} ({error.strerror}): choose another with {flag}.")
