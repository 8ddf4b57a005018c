"""Where a run's questions go, and what can come back. Only values.

Invariant: a failure is a value with a sentence for people, never an exception, and holds no answer's body.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from steelyard.api.backend import Engine
from steelyard.egress.proxies import Proxy
from steelyard_profiler import sayings

UNBOUNDED = 100_000
"""More requests at once than maxConcurrency of a backend can say."""

BYTES_PER_TOKEN = 4
"""The estimate where an engine does not count: English text has 3.5 to 4.5 in common vocabularies."""


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
    max_concurrency: int = UNBOUNDED
    """The most requests at once that it may be sent."""
    context_tokens: int | None = None
    """The longest prompt with answer that the backend says the model takes; None: what the engine tells."""
    engine: Engine = Engine.OPENAI
    """What it is, where that is known: Ollama is asked for more than answers."""
    metrics_path: str | None = None
    """Where it tells of its load, from the host's root; None: where its kind does."""
    gpus: GpuSite | None = None
    """Where its GPUs are told of; None: nowhere."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that a model calls."""

    name: str
    """The tool."""
    arguments: str
    """Its arguments, as the model wrote them: JSON, where it did so rightly."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to a model."""

    question: str
    """The user's message."""
    max_tokens: int
    """The longest answer."""
    system: str = ""
    """The system message; empty: none."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """Further fields of the request's body, as tools."""
    may_think: bool = True
    """Whether a model that thinks first gets tokens for that beside its answer's."""

    @property
    def prompt_bytes(self) -> int:
        """The length of its texts, in UTF-8."""
        return len(self.system.encode()) + len(self.question.encode())

    @property
    def extra_bytes(self) -> int:
        """The length of its further fields, of which an engine may make a part of the prompt."""
        return len(json.dumps(self.extra)) if self.extra else 0

    @property
    def most_tokens(self) -> int:
        """What it may cost: its estimated prompt and its longest answer."""
        return (self.prompt_bytes + self.extra_bytes) // BYTES_PER_TOKEN + self.max_tokens

    def messages(self) -> list[dict[str, object]]:
        """The conversation, as the API wants it."""
        told: list[dict[str, object]] = [{"role": "system", "content": self.system}] if self.system else []
        return [*told, {"role": "user", "content": self.question}]


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
    """By the engine's usage where that is plausible, else estimated."""
    output_tokens: int
    """Likewise."""
    usage_reported: bool
    """Whether the engine reported plausible usage."""
    calls: tuple[Call, ...] = ()
    """The tools that the model called, in order."""
    usage_is_false: bool = False
    """Whether it reported usage that cannot be true."""
    estimated_prompt_tokens: int = 0
    """Without a look at usage."""
    estimated_output_tokens: int = 0
    """Likewise."""
    pieces: int = 1
    """Pieces of text, reasoning included."""
    sizes_bytes: tuple[int, ...] = ()
    """Of each piece, [pieces]."""
    gaps_seconds: tuple[float, ...] = ()
    """Between one piece and the next, [pieces - 1]; 0 where they came together."""
    overran: bool = False
    """Whether the engine went on beyond what was asked for, and was left."""
    is_cut: bool = False
    """Whether the engine says that the answer reached its longest length."""
    is_thinking: bool = False
    """Whether reasoning came apart from the text."""
    has_logprobs: bool = False
    """Whether log probabilities of tokens came."""

    @property
    def is_said(self) -> bool:
        """Whether any text came, reasoning included."""
        return self.pieces > 0

    @property
    def thinks(self) -> bool:
        """Whether the model reasoned first, apart from its text or within."""
        return self.is_thinking or self.text.lstrip().startswith("<think>")

    @property
    def ended_in_thought(self) -> bool:
        """Whether nothing came but reasoning."""
        return self.thinks and not sayings.visible(self.text) and not self.calls

    @property
    def seconds(self) -> float:
        """From the request sent to the last piece of text."""
        return self.first_seconds + self.rest_seconds

    def estimated(self) -> Self:
        """The same with its tokens estimated."""
        return replace(
            self,
            prompt_tokens=self.estimated_prompt_tokens,
            output_tokens=self.estimated_output_tokens,
            usage_reported=False,
        )
