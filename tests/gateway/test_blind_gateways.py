"""Three gateways, each blind to the others' requests, on engines that tell what they work on: simulated."""

import pytest

from fakes.blind_gateways import Fleet, Traffic

SHORT = Traffic(seconds=2.0, share=0.2, gateways=(1, 2))
LONG = Traffic(seconds=40.0, share=0.2, gateways=(0,))
EVEN = Traffic(seconds=6.0, share=0.6, gateways=(0, 1, 2))


def p95(gateways: int, *traffic: Traffic, polls: bool) -> float:
    """Of the first kind, with three engines of two slots."""
    times: list[float] = []
    for seed in (1, 2, 3):
        fleet = Fleet(gateways, engines=3, slots=2, polls=polls, seed=seed)
        times += fleet.times(*traffic, of=traffic[0], number=2000)
    return sorted(times)[len(times) * 95 // 100]


def test_signals_tell_a_gateway_of_the_long_requests_of_another() -> None:
    alone = p95(1, SHORT, LONG, polls=False)
    signals, own = p95(3, SHORT, LONG, polls=True), p95(3, SHORT, LONG, polls=False)
    assert signals <= 1.3 * alone
    assert own >= 1.3 * signals


@pytest.mark.parametrize("polls", [False, True])
def test_where_gateways_have_the_same_share_of_everything_nothing_is_lost(polls: bool) -> None:
    assert p95(3, EVEN, polls=polls) <= 1.3 * p95(1, EVEN, polls=False)
