"""How many of an endpoint's slots are this gateway's: `maxConcurrency` holds over all gateways together.

Pure. Invariant: gateways that count the same names take shares that add up to the limit.
"""

from collections.abc import Collection
from dataclasses import dataclass

from steelyard.api.resources import EndpointSlice


@dataclass(frozen=True, slots=True)
class Fleet:
    """The gateways that share endpoints, and who of them this process is."""

    gateways: frozenset[str] = frozenset()
    """Names of the gateways that take requests; this one counts whether it is among them or not."""
    own: str = ""
    """This gateway's name."""
    workers: int = 1
    """Processes of this gateway, which share what it has."""
    worker: int = 0
    """Which of them this is, counted from 0."""

    def share(self, limit: int) -> int:
        """How many of so many slots are this process's own."""
        return part(share(limit, self.gateways, self.own), self.workers, self.worker)


def share(limit: int, names: Collection[str], own: str) -> int:
    """How many of so many slots are this gateway's: the first by name take what cannot be divided."""
    every = sorted({*names, own})
    return part(limit, len(every), every.index(own))


def part(whole: int, parts: int, place: int) -> int:
    """The part at this place of a whole in nearly equal parts; the first ones are larger by one."""
    return whole // parts + (place < whole % parts)


def gateways(slices: Collection[EndpointSlice]) -> frozenset[str]:
    """The names of the pods behind the gateways' own Service that take new requests.

    One that is ending is not counted, though it still works on old ones: for as long as those last, an
    endpoint may have more than its limit. Were it counted, each restart would leave slots unused.
    """
    return frozenset(
        (pod.target_ref and pod.target_ref.name) or pod.addresses[0]
        for one in slices
        for pod in one.endpoints or ()
        if pod.conditions.ready is not False and pod.addresses
    )
