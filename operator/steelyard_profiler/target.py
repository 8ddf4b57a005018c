"""Where a run's questions go, and what can come back. Only values.

Invariant: a failure is a value with a sentence for people, never an exception, and holds no answer's body.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from steelyard.api.backend import Engine
from steelyard.egress.proxies import Proxy


@dataclass(frozen=True, slots=True)
class GpuSite:
    """Where a target's GPUs are told of."""

    url: str
    """The exporter; no path means /metrics."""
    uuids: tuple[str, ...] = ()
    """The GPUs; empty: all that it tells of."""


@dataclass(frozen=True, slots=True)
class Target:
    """One model on one endpoint."""

    url: str
    """Base address, as http://host:port/v1."""
    model: str
    """The model, as the engine names it."""
    authorization: str | None = field(default=None, repr=False)
    """Value of the Authorization header; None: send none."""
    ca_pem: str | None = field(default=None, repr=False)
    """Certificate authority in PEM; None: the system's, and the extra ones."""
    extra_pem: str = field(default="", repr=False)
    """PEM certificates that are trusted beside the system's; empty: none."""
    proxy: Proxy | None = None
    """The proxy that it is reached through; None: none."""
    server_name: str | None = None
    """Name that the certificate must carry; None: the host."""
    connect_seconds: float = 2
    """Until the connection stands."""
    first_byte_seconds: float = 300
    """From the request sent to the first piece of the answer."""
    idle_seconds: float = 120
    """Between two pieces of the answer."""
    engine: Engine = Engine.OPENAI
    """What it is, where that is known: Ollama is asked for more than answers."""
    gpus: GpuSite | None = None
    """Where its GPUs are told of; None: nowhere."""


class Severity(StrEnum):
    """What a failure means for the run."""

    FATAL = "Fatal"
    """No other question would fare better: the run ends."""
    TRANSIENT = "Transient"
    """It may pass: the question is asked once more."""
    REFUSED = "Refused"
    """This question is not answered; others may be."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer."""

    reason: str
    """One CamelCase word."""
    message: str
    """A sentence that says what to do."""
    severity: Severity = Severity.FATAL
    """What it means for the run."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with the times of its bytes."""

    text: str
    """What the model said, its reasoning left out."""
    first_seconds: float
    """From the request sent to the first piece of text."""
    rest_seconds: float
    """From the first piece of text to the last."""
    prompt_tokens: int
    """By the engine's usage where that is plausible, else bytes ÷ 4."""
    output_tokens: int
    """Likewise."""
    usage_reported: bool
    """Whether the engine reported plausible usage."""
