"""What each gateway takes of a limit that holds for all of them."""

from hypothesis import given
from hypothesis import strategies as st

from steelyard.api.meta import ObjectMeta
from steelyard.api.resources import EndpointSlice, SliceConditions, SliceEndpoint, TargetRef
from steelyard_gateway import shares
from steelyard_gateway.shares import Fleet

NAMES = st.frozensets(st.text("abc-0", min_size=1, max_size=6), min_size=1, max_size=12)


@given(limit=st.integers(1, 1000), names=NAMES, workers=st.integers(1, 5))
def test_shares_add_up_to_the_limit_and_differ_by_one_at_most(
    limit: int, names: frozenset[str], workers: int
) -> None:
    by_gateway = [shares.share(limit, names, name) for name in sorted(names)]
    by_worker = [
        Fleet(names, name, workers, worker).share(limit) for name in names for worker in range(workers)
    ]
    assert sum(by_gateway) == sum(by_worker) == limit
    assert by_gateway == sorted(by_gateway, reverse=True)
    assert by_gateway[0] - by_gateway[-1] <= 1


def test_what_cannot_be_divided_goes_to_the_first_by_name() -> None:
    names = ["c", "a", "d", "b"]
    assert [shares.share(10, names, name) for name in "abcd"] == [3, 3, 2, 2]


def test_with_fewer_slots_than_gateways_the_last_have_none() -> None:
    assert [shares.share(2, "abc", name) for name in "abc"] == [1, 1, 0]


def test_a_gateway_that_is_not_counted_yet_counts_itself() -> None:
    assert shares.share(10, "ab", "c") == 3
    assert Fleet().share(10) == 10


def test_workers_share_what_their_gateway_has() -> None:
    names = frozenset("ab")
    assert [Fleet(names, "a", 3, worker).share(7) for worker in range(3)] == [2, 1, 1]


def test_a_pod_in_slices_of_both_families_is_one_gateway_and_an_ending_one_is_none() -> None:
    pods = [("a", None), ("b", True), ("c", False)]
    slices = [
        EndpointSlice(
            metadata=ObjectMeta(name=family),
            address_type=family,
            endpoints=tuple(
                SliceEndpoint(
                    addresses=(f"{family}-{pod}",),
                    conditions=SliceConditions(ready=ready),
                    target_ref=TargetRef(name=pod),
                )
                for pod, ready in pods
            ),
        )
        for family in ("ipv4", "ipv6")
    ]
    assert shares.gateways(slices) == {"a", "b"}


def test_a_pod_without_a_name_counts_by_its_address() -> None:
    pods = (SliceEndpoint(addresses=("10.0.0.1",)), SliceEndpoint(addresses=("10.0.0.2", "10.0.0.3")))
    one = EndpointSlice(metadata=ObjectMeta(name="by-hand"), address_type="IPv4", endpoints=pods)
    assert shares.gateways([one]) == {"10.0.0.1", "10.0.0.2"}
