"""The parts of a gateway that every exchange works with."""

from collections.abc import Mapping
from dataclasses import dataclass

from steelyard_gateway.admission import Admission
from steelyard_gateway.budget import RetryBudget
from steelyard_gateway.cors import Cors
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.ports import Endpoints, Recorder, Router
from steelyard_gateway.upstream.client import Client


@dataclass(frozen=True, slots=True)
class Gateway:
    """What every exchange works with."""

    router: Router
    """Decides."""
    endpoints: Endpoints
    """Keeps load and health."""
    recorder: Recorder
    """Counts and logs."""
    client: Client
    """Sends to engines."""
    admission: Admission
    """Keeps the slots of endpoints that have a bound."""
    deadlines: Deadlines
    """Tells when a comment is due."""
    budget: RetryBudget
    """Bounds how many requests are sent again."""
    cors: Cors | None = None
    """Which web pages may read answers; None: nothing is said of it."""
    others: "Mapping[bytes, Gateway] | None" = None
    """Where requests that name a namespace go, by name; empty: resources were not read; None: none may."""
