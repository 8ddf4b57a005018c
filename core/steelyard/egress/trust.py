"""Whose certificates are believed: TLS contexts, and the extra certificates of a program.

Invariant: the host's name is always verified.
"""

import re
import ssl
from pathlib import Path

MOST_BYTES = 250_000
"""The most PEM in a bundle: a profiling Job's pod gets it as an annotation, and Kubernetes takes 256 KiB of
those. All authorities that browsers trust are less."""

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s.*?\s-----END CERTIFICATE-----", re.DOTALL)


class WrongBundle(ValueError):
    """The file cannot be used; the message says why."""


def bundle(path: str) -> str:
    """The PEM certificates of a file, without what else stands there; empty: no file is named.

    Raises WrongBundle.
    """
    if not path:
        return ""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise WrongBundle(f"{path} cannot be read: {error.strerror}") from None
    pem = "".join(f"{one}\n" for one in _CERTIFICATE.findall(text))
    if not pem:
        raise WrongBundle(f"{path} holds no PEM certificate")
    if len(pem) > MOST_BYTES:
        raise WrongBundle(
            f"{path} holds {len(pem)} bytes of certificates, more than {MOST_BYTES}: leave out "
            "those that the system trusts anyway"
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise WrongBundle(f"{path} holds a PEM certificate that is broken") from None
    return pem


def context(ca_pem: str | None, extra_pem: str) -> ssl.SSLContext:
    """What trusts this authority alone, or for None the system's and these extra certificates.

    Reads files: not for an event loop. Raises ssl.SSLError where `ca_pem` holds no certificate.
    """
    made = ssl.create_default_context(cadata=ca_pem)
    if ca_pem is None and extra_pem:
        made.load_verify_locations(cadata=extra_pem)
    return made
