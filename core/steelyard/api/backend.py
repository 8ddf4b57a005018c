"""LLMBackend: an engine that serves models, as its owner describes it and as it was last seen."""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from steelyard.api.measuring import ProfileOptions
from steelyard.api.meta import Conditions, DnsName, KeyRef, ModelName, Money, Resource, Spec
from steelyard.api.rules import SET, Rule, map_by
from steelyard.api.signals import GpuExporter, Memory, Metrics, ObservedGpu
from steelyard.api.urls import PATH, URL, url_is_sound

Digest = Annotated[str, Field(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
"""A digest of a model's weights."""

_PORT_NAME = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""The name of a Service's port: a DNS label."""


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


class ServiceRouting(StrEnum):
    """Which addresses of a Service are used."""

    ENDPOINTS = "Endpoints"
    CLUSTER_IP = "ClusterIP"


class ProfilingMode(StrEnum):
    """Whether profiles are made without being asked for."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class CostBasis(StrEnum):
    """Whether an endpoint's hours are paid anyway or for use only."""

    FIXED = "Fixed"
    PER_USE = "PerUse"


class UsageAsking(StrEnum):
    """Whether an engine is asked for usage that a client did not ask for."""

    AUTO = "Auto"
    AS_ASKED = "AsAsked"


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
    json_mode: bool | None = None
    """Answers in JSON alone where response_format is json_object."""
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
    logprobs: bool | None = None
    """Tells the log probability of each token when asked."""
    system_prompt: bool | None = None
    """Does what a system message says."""


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
    aliases: Annotated[tuple[ModelName, ...], Field(max_length=16), *SET] = ()
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
    """The name that the certificate must carry; absent: the URL's host, or the Service's."""


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


class ServiceRef(Spec):
    """A Service of the same namespace, in front of the engine's pods."""

    rules = (
        Rule(
            "type(self.port) == int ? self.port > 0 && self.port < 65536 :"
            f" self.port.matches('{_PORT_NAME}')",
            "port must be 1 to 65535 or the name of a port",
            lambda reference: _port_is_sound(reference.port),
        ),
    )

    name: DnsName
    """The Service's name."""
    port: int | str
    """The Service's port, by number or by name."""
    path: Annotated[str, Field(max_length=1024, pattern=rf"^({PATH})?$")] = ""
    """Path before /chat/completions; empty means /v1."""
    routing: ServiceRouting = ServiceRouting.ENDPOINTS
    """Endpoints: each ready pod by its own address. ClusterIP: the Service's name, as meshes need it."""


class Probe(Spec):
    """How the operator looks whether the engine answers."""

    interval_seconds: Annotated[int, Field(ge=1, le=3600)] = 10
    """Time between two probes; each asks one endpoint, in turn."""
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 3
    """How long an answer may take."""
    unhealthy_after: Annotated[int, Field(ge=1, le=100)] = 3
    """Failures in a row after which an endpoint counts as not reachable."""


class Profiling(Spec):
    """Which of the models are measured, and how."""

    mode: ProfilingMode | None = None
    """Automatic: a ModelProfile for each model. Manual: none. Absent: Automatic for Local backends."""
    max_profiles: Annotated[int, Field(ge=0, le=256)] = 20
    """The most ModelProfiles made for this backend."""
    template: ProfileOptions = ProfileOptions()
    """What the spec of each of them says."""
    retain_hours: Annotated[int, Field(ge=0, le=87600)] = 168
    """How long one stays whose model went away."""


def _port_is_sound(port: int | str) -> bool:
    if isinstance(port, int):
        return 0 < port < 65536
    return re.fullmatch(_PORT_NAME, port) is not None


class LLMBackendSpec(Spec):
    """What the owner says of an engine."""

    rules = (
        Rule(
            "has(self.url) != has(self.serviceRef)",
            "url or serviceRef, exactly one of them: name the engine's Service or give its address",
            lambda spec: (spec.url is None) != (spec.service_ref is None),
        ),
        Rule(
            "!has(self.url) || !self.url.matches('^[a-zA-Z]+://[^/?#]*@')",
            "url must not hold a user or password: put the key in a Secret and name it in credentialsRef",
            lambda spec: spec.url is None or re.match("[a-zA-Z]+://[^/?#]*@", spec.url) is None,
        ),
        Rule(
            "!has(self.url) || !self.url.matches('[?#]')",
            "url must not have a query or fragment: give the base address only",
            lambda spec: spec.url is None or not set("?#") & set(spec.url),
        ),
        Rule(
            f"!has(self.url) || (isURL(self.url) && self.url.matches(r'{URL}')"
            " && (url(self.url).getPort() == '' || int(url(self.url).getPort()) < 65536))",
            "url must be http(s)://host[:port][/path]",
            lambda spec: spec.url is None or url_is_sound(spec.url),
        ),
        Rule(
            "!has(self.memory) || self.engine == 'Ollama'",
            "memory is for engine Ollama, which loads on demand: remove it or correct engine",
            lambda spec: spec.memory is None or spec.engine is Engine.OLLAMA,
        ),
        Rule(
            "!has(self.tls) || !has(self.url) || self.url.startsWith('https:')",
            "tls needs an https url: write https:// or remove tls",
            lambda spec: spec.tls is None or spec.url is None or spec.url.startswith("https:"),
        ),
    )

    engine: Engine
    """The software that answers."""
    url: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """Where it answers, as http(s)://host[:port][/path]. No path means /v1; a path replaces it."""
    service_ref: ServiceRef | None = None
    """The Service in front of its pods; exactly one of url and serviceRef."""
    models: Annotated[tuple[BackendModel, ...], Field(max_length=256), *map_by("name")] = ()
    """What it serves. Empty: every model that the engine reports (External backends must list theirs)."""
    cost: Cost | None = None
    """What an endpoint costs by the hour; replaces the models' price."""
    credentials_ref: KeyRef | None = None
    """The labelled Secret and key with the engine's API key, sent as a bearer token."""
    tls: Tls | None = None
    """How the engine's certificate is checked. With serviceRef its presence, even {}, means https."""
    location: Location | None = None
    """Absent: Services, loopback, private addresses, single-label hosts, *.svc and *.local are Local."""
    max_concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Requests that all gateways together give one endpoint at once; more of them wait. Absent: any."""
    timeouts: Timeouts = Timeouts()
    """How long each phase of a request may take."""
    usage: UsageAsking = UsageAsking.AUTO
    """Auto: VLLM, SGLang and LlamaCpp are asked to tell a stream's tokens. AsAsked: bytes stay untouched."""
    probe: Probe = Probe()
    """How the operator looks whether it answers."""
    metrics: Metrics = Metrics()
    """Which live signals are read."""
    memory: Memory | None = None
    """Which models are in the memory of its endpoints; for engine Ollama. Absent: the engine decides."""
    profiling: Profiling = Profiling()
    """Which models the operator measures, and how."""

    def declared(self, model: str) -> BackendModel | None:
        """What the owner says of a model; None for one that is not listed."""
        return next((one for one in self.models if one.name == model), None)


class ObservedModel(Spec):
    """A model as the engine reported it."""

    name: ModelName
    """The engine's own name of the model."""
    digest: Digest | None = None
    """Digest of its weights, where the engine tells it."""
    context_tokens: Annotated[int, Field(ge=1)] | None = None
    """The context length that the engine reports, in tokens."""
    endpoints: Annotated[int, Field(ge=1)] | None = None
    """Endpoints that reported it; absent in files."""


class BackendSummary(Spec):
    """What kubectl prints."""

    models: Annotated[int, Field(ge=0)]
    """Models that it serves."""
    endpoints: Annotated[str, Field(max_length=32)]
    """Endpoints that answer, of all that there are: 2/3."""
    gpu_memory: Annotated[str, Field(max_length=32)] | None = None
    """Memory in use and in all of its GPUs: 17/22Gi; absent: none is known."""


class LLMBackendStatus(Spec):
    """What was last seen of an engine."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that this status is about."""
    conditions: Conditions = ()
    """Accepted, ResolvedRefs, Reachable, Uniform (its endpoints are alike), Loaded (spec.memory), Ready; and
    while they are true Reconciling (it is yet to be asked) and Stalled (the spec has to change)."""
    location: Location | None = None
    """Where it runs, as it says or as its address tells."""
    engine_version: Annotated[str, Field(max_length=64)] | None = None
    """The engine's version, where it tells it."""
    summary: BackendSummary | None = None
    """What kubectl prints."""
    models: Annotated[tuple[ObservedModel, ...], Field(max_length=256), *map_by("name")] = ()
    """The models that the engine reported; they count where spec.models is empty."""
    gpus: Annotated[tuple[ObservedGpu, ...], Field(max_length=64), *map_by("uuid")] = ()
    """The GPUs behind its endpoints, rounded."""
    gpu_exporters: Annotated[tuple[GpuExporter, ...], Field(max_length=256), *map_by("endpoint")] = ()
    """Where gateways read them live."""


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
