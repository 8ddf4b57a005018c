"""One namespace as its requests see it: a table, and what is known, kept and counted of what is in it.

Invariant: nothing in it is another namespace's; what all have in common is `spaces`'.
"""

from dataclasses import dataclass, field

from steelyard_gateway.admission import Admission
from steelyard_gateway.budget import RetryBudget
from steelyard_gateway.current import Current
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.recording import Recorder
from steelyard_gateway.router import TableRouter


@dataclass(slots=True, eq=False)
class Space:
    """The parts of one namespace."""

    namespace: str
    """Its name."""
    current: Current
    """Its table."""
    live: LiveEndpoints
    """Load and health of its endpoints."""
    recorder: Recorder
    """Counts and logs its requests."""
    admission: Admission
    """The slots of its endpoints, and the queues before them."""
    budget: RetryBudget
    """How many of its requests are sent again."""
    is_own: bool = True
    """Whether requests that name no namespace are its."""
    router: TableRouter = field(init=False)
    """Decides its requests."""

    def __post_init__(self) -> None:
        self.router = TableRouter(self.current, self.live)

    def label(self, name: str) -> str:
        """The name of a resource in it among those of all namespaces; empty where there is none."""
        return name if self.is_own or not name else f"{self.namespace}/{name}"
