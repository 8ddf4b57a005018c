"""One active operator, over a real HTTP API, on a clock that moves only while somebody sleeps."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from fakes.kubernetes_api import FakeApiServer, Object, fake_cluster
from steelyard.kube.client import Client
from steelyard_operator.lease import (
    DEADLINE_SECONDS,
    LEASE_SECONDS,
    RETRY_SECONDS,
    LeadershipLost,
    Lease,
)

PLACE = ("leases", "steelyard", "operator")


@dataclass
class World:
    """An API server and those who want its lease. After each sleep, what `meanwhile` says happens."""

    api: FakeApiServer
    client: Client
    now: float = 1000.0
    sleeps: int = 0
    meanwhile: Callable[[], Awaitable[None]] | None = None

    def candidate(self, identity: str) -> Lease:
        """Somebody who wants the lease."""
        return Lease(self.client, *PLACE[1:], identity, clock=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Nobody waits, but time passes."""
        self.now += seconds
        self.sleeps += 1
        assert self.sleeps < 100, "this waits for ever"
        if self.meanwhile is not None:
            await self.meanwhile()

    async def keep_for(self, lease: Lease, times: int) -> None:
        """Renew so often."""
        left = iter(range(times))

        async def stop() -> None:
            if next(left, None) is None:
                raise Enough

        self.meanwhile = stop
        try:
            await lease.keep()
        except Enough:
            self.meanwhile = None

    @property
    def spec(self) -> Object:
        """What the lease says."""
        spec: Object = self.api.objects[PLACE]["spec"]
        return spec

    def held_by(self, holder: str, renewed: str) -> None:
        """Somebody elsewhere holds it."""
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
        metadata = {"name": PLACE[2], "namespace": PLACE[1]}
        self.api.put("leases", {"metadata": metadata, "spec": spec})


class Enough(Exception):
    """The test has seen what it wanted to see."""


def tell(story: Callable[[World], Awaitable[None]]) -> None:
    async def told() -> None:
        async with fake_cluster() as (api, client):
            await story(World(api, client))

    asyncio.run(told())


def test_a_lease_that_nobody_made_is_taken_at_once() -> None:
    async def story(world: World) -> None:
        lease = world.candidate("one")
        assert not lease.is_held
        await lease.acquire()
        assert lease.is_held and world.sleeps == 0
        assert world.spec["holderIdentity"] == "one"
        assert world.spec["leaseDurationSeconds"] == LEASE_SECONDS
        lease.check()

    tell(story)


def test_before_the_lease_is_held_nothing_may_be_written() -> None:
    async def story(world: World) -> None:
        with pytest.raises(LeadershipLost):
            world.candidate("one").check()

    tell(story)


def test_a_lease_of_another_is_free_after_it_was_not_renewed_for_so_long() -> None:
    async def story(world: World) -> None:
        world.held_by("gone", "2026-11-21T10:00:00.000000Z")
        began = world.now
        await world.candidate("one").acquire()
        assert LEASE_SECONDS <= world.now - began < LEASE_SECONDS + RETRY_SECONDS
        assert world.spec["holderIdentity"] == "one"
        assert world.spec["leaseTransitions"] == 1

    tell(story)


def test_a_lease_that_is_renewed_is_waited_for_whatever_its_clock_says() -> None:
    async def story(world: World) -> None:
        world.held_by("alive", "1999-01-01T00:00:00.000000Z")
        renewals = iter(range(6))

        async def renew() -> None:
            number = next(renewals, None)
            if number is not None:
                world.held_by("alive", f"1999-01-01T00:00:{number:02}.000000Z")

        world.meanwhile = renew
        began = world.now
        await world.candidate("one").acquire()
        assert world.now - began >= 6 * RETRY_SECONDS + LEASE_SECONDS

    tell(story)


def test_a_longer_lease_of_another_program_is_respected() -> None:
    async def story(world: World) -> None:
        world.held_by("gone", "2026-11-21T10:00:00.000000Z")
        world.spec["leaseDurationSeconds"] = 24
        began = world.now
        await world.candidate("one").acquire()
        assert world.now - began >= 24

    tell(story)


def test_a_lease_whose_holder_released_it_is_taken_at_the_next_look() -> None:
    async def story(world: World) -> None:
        first, second = world.candidate("one"), world.candidate("two")
        await first.acquire()

        async def release() -> None:
            await first.release()

        world.meanwhile = release
        await second.acquire()
        assert world.sleeps == 1
        assert second.is_held and not first.is_held
        assert (world.spec["holderIdentity"], world.spec["leaseTransitions"]) == ("two", 2)

    tell(story)


def test_the_second_gets_it_only_when_the_first_has_lost_it() -> None:
    async def story(world: World) -> None:
        first, second = world.candidate("one"), world.candidate("two")
        await first.acquire()
        both = []

        async def compare() -> None:
            both.append(first.is_held)
            assert not (first.is_held and second.is_held)

        world.meanwhile = compare
        await second.acquire()
        assert second.is_held and not first.is_held
        assert set(both) == {True, False}

    tell(story)


def test_a_renewed_lease_stays_and_keeps_its_beginning() -> None:
    async def story(world: World) -> None:
        lease = world.candidate("one")
        await lease.acquire()
        before = dict(world.spec)
        await world.keep_for(lease, 7)
        assert lease.is_held
        assert world.spec["renewTime"] > before["renewTime"]
        assert world.spec["acquireTime"] == before["acquireTime"]
        assert world.spec["leaseTransitions"] == before["leaseTransitions"]

    tell(story)


def test_who_slept_too_long_writes_nothing_more() -> None:
    async def story(world: World) -> None:
        lease = world.candidate("one")
        await lease.acquire()
        world.now += DEADLINE_SECONDS - 0.1
        lease.check()
        world.now += 0.1
        with pytest.raises(LeadershipLost, match="the lease steelyard/operator was not renewed in time"):
            lease.check()

    tell(story)


def test_who_was_stopped_does_not_renew_after_waking() -> None:
    async def story(world: World) -> None:
        lease = world.candidate("one")
        await lease.acquire()

        async def oversleep() -> None:
            world.now += 20

        world.meanwhile = oversleep
        asked = len(world.api.requests)
        with pytest.raises(LeadershipLost):
            await lease.keep()
        assert len(world.api.requests) == asked

    tell(story)


def test_a_short_outage_of_the_api_server_is_survived() -> None:
    async def story(world: World) -> None:
        lease = world.candidate("one")
        await lease.acquire()
        world.api.refuse(500, times=2, part="leases")
        await world.keep_for(lease, 5)
        assert lease.is_held

    tell(story)


def test_a_long_outage_ends_it() -> None:
    async def story(world: World) -> None:
        lease = world.candidate("one")
        await lease.acquire()
        world.api.refuse(500, times=1000, part="leases")
        began = world.now
        with pytest.raises(LeadershipLost):
            await lease.keep()
        assert world.now - began <= DEADLINE_SECONDS
        assert not lease.is_held

    tell(story)


def test_a_lease_that_another_one_took_is_lost_at_once() -> None:
    async def story(world: World) -> None:
        lease = world.candidate("one")
        await lease.acquire()
        world.held_by("thief", "2026-11-21T10:00:00.000000Z")
        with pytest.raises(LeadershipLost):
            await lease.keep()
        assert world.sleeps == 1
        assert world.spec["holderIdentity"] == "thief"

    tell(story)


def test_of_two_who_reach_for_a_free_lease_one_gets_it() -> None:
    async def story(world: World) -> None:
        world.held_by("", "2026-11-21T10:00:00.000000Z")
        for _ in range(3):
            both = [world.candidate("one"), world.candidate("two")]
            world.held_by("", "2026-11-21T10:00:00.000000Z")
            await asyncio.gather(*(lease._tried() for lease in both))
            assert sum(lease.is_held for lease in both) == 1

    tell(story)


def test_of_two_who_make_the_lease_one_gets_it() -> None:
    async def story(world: World) -> None:
        both = [world.candidate("one"), world.candidate("two")]
        await asyncio.gather(*(lease._tried() for lease in both))
        assert sum(lease.is_held for lease in both) == 1

    tell(story)


def test_a_restarted_operator_of_the_same_name_goes_on() -> None:
    async def story(world: World) -> None:
        await world.candidate("one").acquire()
        await world.candidate("one").acquire()
        assert world.sleeps == 0

    tell(story)


def test_releasing_what_another_one_has_leaves_it_alone() -> None:
    async def story(world: World) -> None:
        lease = world.candidate("one")
        await lease.release()
        assert PLACE not in world.api.objects
        await lease.acquire()
        world.held_by("thief", "2026-11-21T10:00:00.000000Z")
        await lease.release()
        assert world.spec["holderIdentity"] == "thief"
        assert not lease.is_held

    tell(story)


def test_a_lease_made_by_hand_without_spec_is_taken() -> None:
    async def story(world: World) -> None:
        world.api.put("leases", {"metadata": {"name": PLACE[2], "namespace": PLACE[1]}})
        lease = world.candidate("one")
        await lease.acquire()
        assert lease.is_held and world.spec["holderIdentity"] == "one"

    tell(story)


def test_a_lease_that_was_installed_and_says_nothing_yet_is_taken_at_once_and_keeps_its_labels() -> None:
    async def story(world: World) -> None:
        labels = {"app.kubernetes.io/name": "steelyard"}
        world.api.put("leases", {"metadata": {"name": PLACE[2], "namespace": PLACE[1], "labels": labels}})
        lease = world.candidate("one")
        await lease.acquire()
        assert lease.is_held and world.sleeps == 0
        assert (world.spec["holderIdentity"], world.spec["leaseTransitions"]) == ("one", 1)
        assert world.api.objects[PLACE]["metadata"]["labels"] == labels

    tell(story)


def test_a_lease_that_is_removed_is_not_made_anew_by_its_holder_who_ends() -> None:
    async def story(world: World) -> None:
        lease = world.candidate("one")
        await lease.acquire()
        await world.keep_for(lease, 1)
        world.api.remove(*PLACE)
        began = world.now
        with pytest.raises(LeadershipLost):
            await lease.keep()
        assert world.now - began <= DEADLINE_SECONDS
        assert PLACE not in world.api.objects

    tell(story)


def test_a_lease_that_is_removed_is_made_anew_by_another_one_when_its_holder_has_lost_it() -> None:
    async def story(world: World) -> None:
        first, second = world.candidate("one"), world.candidate("two")
        await first.acquire()
        looks: list[bool] = []

        async def remove_and_compare() -> None:
            if not looks:
                world.api.remove(*PLACE)
            looks.append(first.is_held)
            assert not (first.is_held and second.is_held)

        world.meanwhile = remove_and_compare
        began = world.now
        await second.acquire()
        assert LEASE_SECONDS <= world.now - began <= LEASE_SECONDS + 2 * RETRY_SECONDS
        assert set(looks) == {True, False}
        assert world.spec["holderIdentity"] == "two"

    tell(story)
