"""What can go wrong between the gateway and an engine, in words that may be shown to a client.

Nothing that an engine sent is ever quoted here.
"""

import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum

from steelyard.egress.connecting import ProxyFailed
from steelyard.egress.proxies import Proxy


class Kind(StrEnum):
    """How a call failed."""

    REFUSED = "Refused"
    UNREACHABLE = "Unreachable"
    CONNECT_LATE = "ConnectLate"
    DNS = "Dns"
    PROXY = "Proxy"
    TLS = "Tls"
    RESET = "Reset"
    BAD_FRAMING = "BadFraming"
    HEAD_TOO_LARGE = "HeadTooLarge"
    FIRST_BYTE_LATE = "FirstByteLate"
    IDLE_LATE = "IdleLate"
    TOTAL_LATE = "TotalLate"
    CUT = "Cut"


LATE = frozenset({Kind.CONNECT_LATE, Kind.FIRST_BYTE_LATE, Kind.IDLE_LATE, Kind.TOTAL_LATE})
"""The kinds that are a timeout."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call did not end well."""

    kind: Kind
    """How it failed."""
    sent: bool
    """Whether any of the request may have reached the engine."""
    words: str
    """The rest of a sentence that begins with the endpoint's name: refused the connection."""


RESET = Failure(Kind.RESET, True, "closed the connection before it answered")
BAD_FRAMING = Failure(Kind.BAD_FRAMING, True, "sent something that is not valid HTTP/1.1")
HEAD_TOO_LARGE = Failure(Kind.HEAD_TOO_LARGE, True, "sent a response head of more than 64 kB")
CUT = Failure(Kind.CUT, True, "closed the connection in the middle of its answer")


def first_byte_late(seconds: float) -> Failure:
    """The phase firstByte of a stream took too long."""
    return Failure(Kind.FIRST_BYTE_LATE, True, f"sent no first byte within {seconds:g} s")


def idle_late(seconds: float) -> Failure:
    """The phase idle of a stream took too long."""
    return Failure(Kind.IDLE_LATE, True, f"sent nothing for {seconds:g} s in the middle of its answer")


def total_late(seconds: float) -> Failure:
    """An answer that is not streamed took too long."""
    return Failure(Kind.TOTAL_LATE, True, f"did not finish its answer within {seconds:g} s")


def of_dialling(error: OSError | UnicodeError, connect_seconds: float, proxy: Proxy | None) -> Failure:
    """What an error of opening a connection means; none of the request was sent."""
    match error:
        case ProxyFailed():
            return Failure(Kind.PROXY, False, f"could not be reached: {error}")
        case TimeoutError():
            way = "" if proxy is None else f" through the proxy {proxy}"
            return Failure(
                Kind.CONNECT_LATE, False, f"could not be connected to{way} within {connect_seconds:g} s"
            )
        case socket.gaierror() | UnicodeError() if not isinstance(error, ssl.SSLError):
            return Failure(Kind.DNS, False, "has a host name that could not be resolved")
        case ssl.SSLCertVerificationError():
            return Failure(
                Kind.TLS, False, f"showed a certificate that is not trusted: {error.verify_message}"
            )
        case ssl.SSLError():
            return Failure(Kind.TLS, False, "failed the TLS handshake")
        case ConnectionRefusedError():
            return Failure(Kind.REFUSED, False, "refused the connection")
        case _:
            return Failure(Kind.UNREACHABLE, False, "could not be reached")
