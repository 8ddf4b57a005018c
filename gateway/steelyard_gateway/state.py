"""Whether the gateway takes requests, and why not."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded where there is a cluster
    from steelyard_gateway.sources.kubernetes import KubernetesSource


@dataclass(slots=True)
class State:
    """What /readyz and /admin/resources tell of the program itself. Written by `app`, read by `admin`."""

    kubernetes: "KubernetesSource | None" = None
    """Where the resources come from; None: from files."""
    asked_engines: bool = False
    """Whether engines whose models nobody listed were asked once."""
    draining: bool = False
    """Whether SIGTERM came."""
    refused: list[dict[str, str | int]] = field(default_factory=list)
    """Problems of the last state of the resources, where it was refused; empty when it is in force."""

    def not_ready(self) -> str:
        """Why no request should be sent here; empty when they should."""
        if self.draining:
            return "shutting down"
        if not self.asked_engines:
            waits_for = self.kubernetes.waits_for() if self.kubernetes else ""
            return f"waiting for {waits_for}" if waits_for else "the resources have not been read yet"
        return ""
