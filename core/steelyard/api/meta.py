"""What all kinds share: the strict base type, object metadata, conditions, references.

Nothing here does I/O or reads a clock. Invariant: a value of these types is immutable and was checked
completely when it was made; an unknown field never passes.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from steelyard.api.rules import Rule, camel, map_by

DEFAULT_NAMESPACE = "default"
"""The namespace of an object in a file that names none, as kubectl has it."""

SECRET_LABEL = "steelyard.dev/kind"  # noqa: S105 - a label's name
"""Label that a Secret must carry before a backend may use it."""

SECRET_LABEL_VALUE = "backend-credential"  # noqa: S105 - a label's value
"""The value of `SECRET_LABEL`."""

SECRET_SELECTOR = f"{SECRET_LABEL}={SECRET_LABEL_VALUE}"
"""Label selector of the Secrets that backends may use."""

PROFILE_NOW = "steelyard.dev/profile-now"
"""Annotation of a ModelProfile: any new value asks for one more run."""

_LAST = datetime.max.replace(tzinfo=UTC)
"""Where creationTimestamp is absent, as in files, names decide."""

_SERVER_FIELDS = frozenset(
    {
        "deletionGracePeriodSeconds",
        "finalizers",
        "generateName",
        "managedFields",
        "selfLink",
    }
)

DnsName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""An object's name: lower case letters, digits, '-' and '.', at most 253."""

ModelName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^ \t\n\f\r](.*[^ \t\n\f\r])?$")]
"""A model's name as its engine spells it."""

Money = Annotated[str, Field(max_length=13, pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?$")]
"""US dollars as a decimal string; a float would round. Quote it in YAML."""

Percent = Annotated[int, Field(ge=0, le=100)]
"""A whole number of percent, 0 to 100."""


LabelValue = Annotated[str, Field(max_length=63)]
"""A label's value."""

Time = Annotated[AwareDatetime, Field(strict=False)]
"""A moment with its time zone."""


class Spec(BaseModel):
    """Base of every type that users write: frozen, strict, camelCase outside, snake_case inside."""

    rules: ClassVar[tuple[Rule, ...]] = ()
    """What must hold between the fields."""

    model_config = ConfigDict(
        alias_generator=camel,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        strict=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise ValueError(rule.message)
        return self


class ConditionStatus(StrEnum):
    """A condition's value, as Kubernetes spells it."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Spec):
    """One observed fact about an object, with the reason and a sentence for people."""

    type: Annotated[str, Field(max_length=316)]
    """What is claimed: Accepted, ResolvedRefs, Succeeded, Ready."""
    status: ConditionStatus
    """Whether the claim holds."""
    reason: Annotated[str, Field(max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, as one CamelCase word."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, in a sentence that says what to do."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that the claim was made about."""
    last_transition_time: AwareDatetime | None = None
    """When status last changed."""


class OwnerReference(Spec):
    """An object with which another one goes."""

    model_config = ConfigDict(extra="ignore")

    kind: str
    """The owner's kind."""
    name: str
    """The owner's name."""
    uid: str
    """The owner's identifier."""


class ObjectMeta(Spec):
    """The part of Kubernetes object metadata that Steelyard reads; what the API server adds is ignored."""

    name: DnsName
    """The object's name, unique for its kind in its namespace."""
    namespace: DnsName = DEFAULT_NAMESPACE
    """The object's namespace."""
    labels: dict[str, LabelValue] = Field(default={})
    """Labels, which a policy's selector matches."""
    annotations: dict[str, str] = Field(default={})
    """Annotations, kept as they are."""
    uid: str = ""
    """The API server's identifier of this object; empty in files."""
    generation: Annotated[int, Field(ge=0)] = 0
    """Counts changes of spec; 0 in files."""
    creation_timestamp: Time | None = None
    """When the object was made; absent in files."""
    deletion_timestamp: Time | None = None
    """Since when it is being deleted; absent while it is not."""
    resource_version: str = ""
    """What the API server calls this state of the object; empty in files."""
    owner_references: Annotated[tuple[OwnerReference, ...], Field(strict=False)] = ()
    """Objects with which this one goes."""

    @model_validator(mode="before")
    @classmethod
    def _drop_server_fields(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: field for key, field in value.items() if key not in _SERVER_FIELDS}
        return value


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16), *map_by("type")]
"""One condition of each type."""


class KeyRef(Spec):
    """A key of a Secret or ConfigMap in the same namespace."""

    name: DnsName
    """The object's name."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """The key within it."""


class LocalObjectRef(Spec):
    """An object of a known kind in the same namespace."""

    name: DnsName
    """The object's name."""


class Resource(Spec):
    """What every object of ours carries beside spec and status."""

    metadata: ObjectMeta
    """Standard object metadata."""

    @property
    def name(self) -> str:
        """The object's name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """The object's namespace."""
        return self.metadata.namespace

    @property
    def seniority(self) -> tuple[datetime, str]:
        """Of two objects for one thing the one with the lower value counts: the older, then by name."""
        return self.metadata.creation_timestamp or _LAST, self.name
