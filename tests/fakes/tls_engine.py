"""An engine that only speaks TLS: a proxy that ends TLS, as they stand before engines, and the engine behind.

Invariant: its certificate is for NAME and signed by AUTHORITY, which no machine trusts by itself.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from fakes import engines
from fakes.engines import Ask, Engine
from fakes.profiled_engine import ProfiledEngine

NAME = "engine.test"
"""What its certificate is for."""

_CERTIFICATES = Path(__file__).parents[1] / "gateway" / "upstream" / "certificates"

AUTHORITY_FILE = _CERTIFICATES / "engine.crt"
"""The file with AUTHORITY."""

AUTHORITY = AUTHORITY_FILE.read_text()
"""PEM of who signed its certificate."""


def shown() -> ssl.SSLContext:
    """What shows its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(AUTHORITY_FILE, _CERTIFICATES / "engine.key")
    return context


@contextmanager
def running() -> Iterator[Engine]:
    """An engine with one model, m, that answers every probe rightly; what it was asked is in `asks`."""
    with ProfiledEngine().running() as behind, httpx.Client(trust_env=False) as client:

        def forward(ask: Ask) -> None:
            method, path, _ = ask.line.decode().split()
            url = f"http://{behind.host}:{behind.port}{path}"
            got = client.request(method, url, content=ask.body)
            kind = f"content-type: {got.headers['content-type']}\r\n"
            ask.send(engines.answer(got.content, headers=kind.encode()))

        with engines.engine(forward, shown()) as up:
            yield up
