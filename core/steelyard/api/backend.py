"""LLMBackend: an engine that serves models, as its owner describes it and as it was last seen."""

from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from steelyard.api.meta import Condition, KeyRef, ModelName, Money, Resource, Spec


class Engine(StrEnum):
    """The software that answers, which decides how it is probed."""

    VLLM = "VLLM"
    SGLANG = "SGLang"
    LLAMA_CPP = "LlamaCpp"
    OLLAMA = "Ollama"
    OPENAI = "OpenAI"


class Location(StrEnum):
    """Where an engine runs: a policy takes External ones only when they are selected."""

    LOCAL = "Local"
    EXTERNAL = "External"


class CostBasis(StrEnum):
    """Whether an endpoint's hours are paid anyway or for use only."""

    FIXED = "Fixed"
    PER_USE = "PerUse"


class Capabilities(Spec):
    """What a model can do: true, false, or absent for unknown."""

    chat: bool | None = None
    """Answers /v1/chat/completions."""
    completions: bool | None = None
    """Answers /v1/completions."""
    embeddings: bool | None = None
    """Answers /v1/embeddings."""
    vision: bool | None = None
    """Takes images in messages."""
    tools: bool | None = None
    """Calls tools."""
    json_schema: bool | None = None
    """Holds to a JSON schema given in response_format."""
    reasoning: bool | None = None
    """Thinks before it answers, and shows it apart."""
    rerank: bool | None = None
    """Orders documents by relevance to a query."""
    audio: bool | None = None
    """Takes or makes speech."""
    images: bool | None = None
    """Makes images."""
    stream_usage: bool | None = None
    """Reports token usage at the end of a stream when asked."""


class TokenPrice(Spec):
    """A price by token."""

    input_usd_per_million_tokens: Money
    """US dollars for a million prompt tokens."""
    output_usd_per_million_tokens: Money
    """US dollars for a million output tokens."""


class BackendModel(Spec):
    """One model that the engine serves."""

    name: ModelName
    """The engine's own name of the model."""
    aliases: Annotated[tuple[ModelName, ...], Field(max_length=16)] = ()
    """Further names that clients may ask for."""
    context_tokens: Annotated[int, Field(ge=1)] | None = None
    """The longest prompt with answer, in tokens; overrides what the engine reports."""
    capabilities: Capabilities = Capabilities()
    """Overrides what profiling found."""
    price: TokenPrice | None = None
    """What a provider bills by token; `cost` of the backend replaces it."""


class Cost(Spec):
    """What one endpoint costs by the hour."""

    usd_per_hour: Money
    """US dollars an hour for one endpoint."""
    basis: CostBasis = CostBasis.FIXED
    """Fixed: paid anyway, so an idle endpoint costs nothing more. PerUse: each request pays its share."""


class Tls(Spec):
    """How the engine's certificate is checked."""

    ca_ref: KeyRef | None = None
    """The ConfigMap or labelled Secret with the authority's certificate in PEM; absent: the system's."""
    server_name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """The name that the certificate must carry; absent: the URL's host."""


class Timeouts(Spec):
    """How long each phase of a request may take."""

    connect_seconds: Annotated[int, Field(ge=1, le=600)] = 2
    """Until the connection stands, TLS included."""
    first_byte_seconds: Annotated[int, Field(ge=1, le=86400)] = 300
    """Streams only: from the request sent to the first byte; queue, load and prompt belong to it."""
    idle_seconds: Annotated[int, Field(ge=1, le=86400)] = 120
    """Streams only: between two pieces of the answer."""
    total_seconds: Annotated[int, Field(ge=1, le=86400)] = 600
    """Answers that are not streamed only: from the request sent to the end."""


class LLMBackendSpec(Spec):
    """What the owner says of an engine."""

    engine: Engine
    """The software that answers."""
    url: Annotated[str, Field(min_length=1, max_length=2048)]
    """Where it answers, as http(s)://host[:port][/path]. No path means /v1; a path replaces it."""
    models: Annotated[tuple[BackendModel, ...], Field(max_length=256)] = ()
    """What it serves. Empty: every model that the engine reports (External backends must list theirs)."""
    cost: Cost | None = None
    """What an endpoint costs by the hour; replaces the models' price."""
    credentials_ref: KeyRef | None = None
    """The labelled Secret and key with the engine's API key, sent as a bearer token."""
    tls: Tls | None = None
    """How the engine's certificate is checked; only with an https URL."""
    location: Location | None = None
    """Absent: loopback, private addresses, single-label hosts, *.svc and *.local are Local, else External."""
    timeouts: Timeouts = Timeouts()
    """How long each phase of a request may take."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [model.name for model in self.models]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"models lists {twice!r} twice: keep one entry for each model")
        try:
            url = urlsplit(self.url)
            port = url.port
        except ValueError as error:
            raise ValueError(f"url is not a URL ({error}): write http://host:port") from error
        if url.scheme not in ("http", "https") or not url.hostname or port == 0:
            raise ValueError(f"url must be http(s)://host[:port][/path], got {self.url!r}")
        if url.username or url.password:
            raise ValueError(
                "url must not hold a user or password: put the key in a Secret and name it in credentialsRef"
            )
        if url.query or url.fragment:
            raise ValueError("url must not have a query or fragment: give the base address only")
        if self.tls is not None and url.scheme != "https":
            raise ValueError("tls needs an https url: write https:// or remove tls")
        return self


class ObservedModel(Spec):
    """A model as the engine reported it."""

    name: ModelName
    """The engine's own name of the model."""
    context_tokens: Annotated[int, Field(ge=1)] | None = None
    """The context length that the engine reports, in tokens."""


class LLMBackendStatus(Spec):
    """What was last seen of an engine."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that this status is about."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Accepted, ResolvedRefs, Reachable, Ready."""
    models: Annotated[tuple[ObservedModel, ...], Field(max_length=256)] = ()
    """The models that the engine reported; they count where spec.models is empty."""


class LLMBackend(Resource):
    """An engine that serves models."""

    api_version: Literal["steelyard.dev/v1alpha1"] = "steelyard.dev/v1alpha1"
    """The version of this kind."""
    kind: Literal["LLMBackend"] = "LLMBackend"
    """The kind."""
    spec: LLMBackendSpec
    """What the owner says of it."""
    status: LLMBackendStatus = LLMBackendStatus()
    """What was last seen of it."""
