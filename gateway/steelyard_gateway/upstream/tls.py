"""TLS contexts, made once for each certificate authority. The host's name is always verified."""

import ssl
from functools import lru_cache

from steelyard.egress import trust


@lru_cache(maxsize=256)
def context(ca_pem: str | None, extra_pem: str) -> ssl.SSLContext:
    """The context that trusts this authority, or for None the system's and these extra certificates.

    Reads files: not for the event loop. Raises ssl.SSLError where the PEM holds no certificate.
    """
    made = trust.context(ca_pem, extra_pem)
    made.set_alpn_protocols(["http/1.1"])
    return made
