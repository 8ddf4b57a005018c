"""What a request would cost: from resources to a Price, and from a Price to dollars at the present load.

Unknown is None and stays unknown; it is never taken for free.
"""

from steelyard.api.backend import (
    BackendModel,
    CostBasis,
    Engine,
    LLMBackend,
    LLMBackendSpec,
    Location,
    TokenPrice,
)
from steelyard.api.profile import ModelProfile, Performance
from steelyard.routing import latency
from steelyard.routing.table import DEFAULT_KNEE, Price

OLLAMA_KNEE = 2
"""Requests in flight from which more begin to cost on Ollama, which works on few at once."""

_MILLION = 1_000_000


def price_of(
    backend: LLMBackend, model: BackendModel | None, profile: ModelProfile | None, location: Location
) -> Price:
    """The price of a pair: the hourly cost as measured, else the provider's list, else free if Local."""
    cost = backend.spec.cost
    if cost is not None:
        measured = profile.status.price if profile is not None else None
        return _per_token(measured, cost.basis)
    if model is not None and model.price is not None:
        return _per_token(model.price, None)
    free = 0.0 if location is Location.LOCAL else None
    return Price(free, free)


def knee(spec: LLMBackendSpec, measured: Performance | None) -> int:
    """Requests in flight on one endpoint from which more begin to cost: as measured, else as stated."""
    stated = spec.max_concurrency or (OLLAMA_KNEE if spec.engine is Engine.OLLAMA else DEFAULT_KNEE)
    return latency.knee(measured) or stated


def usd_per_token(usd_per_million_tokens: str) -> float:
    """A Money string, in dollars for a million tokens, as dollars for one token."""
    return float(usd_per_million_tokens) / _MILLION


def marginal_share(price: Price, in_flight: float, knee: int) -> float | None:
    """The share of the price that one more request causes, 0 to 1; None: unknown.

    A Fixed endpoint is paid anyway: free below the knee, then in a line to the whole at twice the knee.
    """
    share = 1.0
    if price.basis is CostBasis.FIXED:
        share = min(max(in_flight - knee, 0) / knee, 1.0)
        if price.output_usd is None and in_flight < knee:
            return 0.0
    return None if price.output_usd is None else share


def cost_usd(price: Price, share: float, prompt_tokens: int, output_tokens: float) -> float | None:
    """Dollars for a request at that share of the price; None: unknown."""
    if price.input_usd is None or price.output_usd is None:
        return None
    return share * (prompt_tokens * price.input_usd + output_tokens * price.output_usd)


def _per_token(price: TokenPrice | None, basis: CostBasis | None) -> Price:
    if price is None:
        return Price(None, None, basis)
    return Price(
        usd_per_token(price.input_usd_per_million_tokens),
        usd_per_token(price.output_usd_per_million_tokens),
        basis,
    )
