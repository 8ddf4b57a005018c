"""ConnectProxy: an HTTP proxy on loopback that opens ways by CONNECT, or refuses, breaks off, hangs.

Every way leads to loopback, whatever host was asked for: so names that only a proxy knows can be tested.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from fakes import engines
from fakes.engines import Ask
from steelyard.egress.proxies import Proxy

SECRET = "pass:word/of the proxy"
"""A password that has to be quoted in a URL."""

AUTHORIZATION = "Basic dXNlcjpwYXNzOndvcmQvb2YgdGhlIHByb3h5"
"""What user and SECRET make."""


def opens(ask: Ask) -> None:
    """Lead there."""
    port = int(ask.line.split()[1].rpartition(b":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=engines.SECONDS) as there:
        ask.send(b"HTTP/1.1 200 Connection established\r\nVia: fake\r\n\r\n")
        back = Thread(target=_pass, args=(there, ask.connection), daemon=True)
        back.start()
        _pass(ask.connection, there)
        back.join(engines.SECONDS)


def opens_for_who_knows_the_password(ask: Ask) -> None:
    """Lead there, or answer 407."""
    if ask.headers.get(b"Proxy-Authorization") == AUTHORIZATION.encode():
        opens(ask)
    else:
        ask.send(engines.answer(b"who are you?", "407 Proxy Authentication Required"))


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


class ConnectProxy:
    """A proxy that is up; what it was asked is in `up`."""

    def __init__(self, up: engines.Engine) -> None:
        self.up = up

    @property
    def targets(self) -> list[str]:
        """The addresses that it was asked for, in order."""
        return [ask.line.decode().split()[1] for ask in self.up.asks]

    @property
    def host(self) -> str:
        """Its address, as it may be shown."""
        return f"127.0.0.1:{self.up.port}"

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://{self.host}"

    @property
    def secret_url(self) -> str:
        """Its URL with user and password."""
        return f"http://user:pass%3Aword%2Fof%20the%20proxy@{self.host}"

    def proxy(self) -> Proxy:
        """Itself as a value."""
        return Proxy("127.0.0.1", self.up.port, url=self.url)


@contextmanager
def proxy(script: Callable[[Ask], None] = opens) -> Iterator[ConnectProxy]:
    """A proxy that is up inside the block."""
    with engines.engine(script) as up:
        yield ConnectProxy(up)
