"""Why a request has no model to answer it.

Undecidable
├── UnknownModel   no policy, model or alias has the name
├── ModelUnusable  only an excluded backend or policy answers it
└── NoCandidate    every candidate was ruled out
"""

from collections.abc import Sequence

from steelyard.routing import filters
from steelyard.routing.decision import Rejected
from steelyard.routing.table import Policy


class Undecidable(Exception):
    """No model can answer; the message is for the client."""


class UnknownModel(Undecidable):
    """No policy, model or alias has the requested name."""

    def __init__(self, model: str) -> None:
        super().__init__(f"The model {model!r} does not exist: GET /v1/models lists those that do.")


class ModelUnusable(Undecidable):
    """Only a backend or policy that is excluded answers the requested name."""

    def __init__(self, model: str, by: str) -> None:
        super().__init__(
            f"The model {model!r} is served by {by} only, which cannot be used now: "
            "its operator sees the reason in /admin/resources."
        )


class NoCandidate(Undecidable):
    """Every candidate was ruled out."""

    def __init__(self, model: str, policy: Policy | None, rejected: Sequence[Rejected]) -> None:
        whose = f"of policy {policy.name!r}" if policy else f"named {model!r}"
        listed = "; ".join(
            f"{one.candidate.model}@{one.candidate.backend}: {', '.join(one.reasons)}" for one in rejected
        )
        super().__init__(f"No model {whose} can answer this request: {listed or 'it selects none'}.")
        self.rejected = tuple(rejected)
        """Every candidate with its reasons."""
        self.may_pass = any(one.reasons == (filters.NO_ENDPOINT,) for one in rejected)
        """Whether one of them could answer as soon as an endpoint of it is ready."""
