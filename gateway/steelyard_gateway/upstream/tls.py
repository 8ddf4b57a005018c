"""TLS contexts, made once for each certificate authority. The host's name is always verified."""

import ssl
from functools import lru_cache


@lru_cache(maxsize=256)
def context(ca_pem: str | None) -> ssl.SSLContext:
    """The context that trusts this authority, or the system's for None. Reads files: not for the event loop.

    Raises ssl.SSLError where the PEM holds no certificate.
    """
    made = ssl.create_default_context(cadata=ca_pem)
    made.set_alpn_protocols(["http/1.1"])
    return made
