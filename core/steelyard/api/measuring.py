"""How a model is measured: what a profile says of it, and a backend for the profiles made for it.

The pod options are Kubernetes' own, passed on to the profiling Job as they are.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from steelyard.api.meta import DnsName, LabelValue, LocalObjectRef, Spec
from steelyard.api.rules import SET, Rule, map_by

LOAD_PROMPT_TOKENS = 512
"""Length of the prompts that speed is measured with, in tokens."""

LOAD_OUTPUT_TOKENS = 128
"""The longest answer that speed is measured with, in tokens."""

Quantity = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?([a-zA-Z]{1,2})?$")]
"""An amount as Kubernetes writes it: 500m, 2, 512Mi."""

Word = Annotated[str, Field(max_length=253)]
"""A short text."""


class Suite(StrEnum):
    """How much is measured."""

    QUICK = "Quick"
    STANDARD = "Standard"
    FULL = "Full"


Streams = Annotated[int, Field(ge=1, le=1024)]
"""Requests at once on one endpoint."""


class Load(Spec):
    """What speed is measured with."""

    rules = (
        Rule(
            "self.concurrency.isSorted()",
            "concurrency must rise: list the smaller numbers first",
            lambda load: list(load.concurrency) == sorted(load.concurrency),
        ),
    )

    concurrency: Annotated[tuple[Streams, ...], Field(max_length=16), *SET] = (1, 4, 16)
    """Requests at once, in rising order: one point of the load curve each. Empty: no curve."""
    prompt_tokens: Annotated[int, Field(ge=16, le=131_072)] = LOAD_PROMPT_TOKENS
    """Length of the prompts, in tokens."""
    output_tokens: Annotated[int, Field(ge=16, le=8192)] = LOAD_OUTPUT_TOKENS
    """The longest answer, in tokens."""


class ProfileLimits(Spec):
    """Bounds of one run; a run that meets one reports what it has, or fails and says which."""

    max_duration_seconds: Annotated[int, Field(ge=10, le=86400)] = 900
    """The longest that a run may take."""
    max_tokens: Annotated[int, Field(ge=1000, le=100_000_000)] = 200_000
    """The most tokens, prompt and output together, that a run may spend."""
    only_when_idle: bool = True
    """Begin on an idle engine and pause for others at it, where it tells. False: Ollama may unload it."""
    max_idle_wait_seconds: Annotated[int, Field(ge=0, le=86400)] = 3600
    """The longest wait for that; after it a run begins that measures quality alone."""


class Refresh(Spec):
    """When a model is measured again."""

    on_change: bool = True
    """Measure again when model, engine, GPU or suite are others than measured, or the speed has drifted."""
    max_age_hours: Annotated[int, Field(ge=1, le=87600)] = 168
    """Measure again when the last measurement is older."""
    drift_percent: Annotated[int, Field(ge=0, le=1000)] = 50
    """How far from the measured speed streams at the gateways may be for ten minutes; 0: does not matter."""


class JobResources(Spec):
    """What the Job's container asks for and may use."""

    requests: Annotated[dict[str, Quantity], Field(max_length=8)] = Field(default={})
    """What it is given at least, by resource: cpu, memory."""
    limits: Annotated[dict[str, Quantity], Field(max_length=8)] = Field(default={})
    """What it gets at most, by resource: cpu, memory."""


class TolerationOperator(StrEnum):
    """How a taint is compared."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """What a taint does."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(Spec):
    """A taint of nodes that the Job's pod may run on in spite of it."""

    key: Word = ""
    """The taint's key; empty with operator Exists: every taint."""
    operator: TolerationOperator = TolerationOperator.EQUAL
    """Exists: any value; Equal: this value."""
    value: LabelValue = ""
    """The taint's value."""
    effect: TaintEffect | None = None
    """The taint's effect; absent: every one."""
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None
    """How long the pod stays when a NoExecute taint appears; absent: as long as it runs."""


class JobOptions(Spec):
    """Where and with what the profiling Job runs; what is absent is the operator's default."""

    resources: JobResources = JobResources()
    """What the container asks for and may use."""
    node_selector: Annotated[dict[str, LabelValue], Field(max_length=16)] = Field(default={})
    """Labels that the node must carry."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints that the node may have."""
    priority_class_name: DnsName | None = None
    """The pod's PriorityClass."""
    runtime_class_name: DnsName | None = None
    """The pod's RuntimeClass."""
    image_pull_secrets: Annotated[tuple[LocalObjectRef, ...], Field(max_length=8), *map_by("name")] = ()
    """Secrets that the profiler's image is pulled with."""


class ProfileOptions(Spec):
    """How a model is measured."""

    suite: Suite = Suite.QUICK
    """How many probes of each category: Quick asks 20, Standard 40 or 80, Full up to 160."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    """The same seed gives the same probes, so that models are compared on the same questions."""
    load: Load = Load()
    """What speed is measured with."""
    refresh: Refresh = Refresh()
    """When to measure again."""
    limits: ProfileLimits = ProfileLimits()
    """Bounds of one run."""
    job: JobOptions = JobOptions()
    """Where and with what the profiling Job runs, in a cluster."""
