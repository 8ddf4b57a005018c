"""The walk over attempts where endpoints are full: take another one of the model now, or pass them over."""

from fakes.gateways import FixedRouter, candidate, endpoint
from steelyard.routing.decision import Attempt, AttemptWalk


def walk(*models: str, max_attempts: int = 9) -> AttemptWalk:
    """A walk over endpoints of these models, on the ports 0, 1, 2 …"""
    pairs = [candidate(endpoint(port), model) for port, model in enumerate(models)]
    decision = FixedRouter(pairs, max_attempts).decision
    assert decision is not None
    return AttemptWalk(decision)


def ports(attempts: list[Attempt]) -> list[int]:
    return [one.endpoint.port for one in attempts]


def rest(walked: AttemptWalk) -> list[int]:
    """The ports that are still to be tried."""
    return ports(list(iter(walked.next, None)))


def test_equal_are_the_last_one_and_those_of_its_model_that_are_left() -> None:
    walked = walk("a", "a", "b", "a")
    walked.next()
    walked.next()
    assert ports(walked.equal()) == [1, 3]


def test_one_that_is_preferred_is_taken_and_the_last_one_stays_to_be_tried() -> None:
    walked = walk("a", "a", "a", "b")
    walked.next()
    walked.prefer(walked.equal()[2])
    assert rest(walked) == [0, 1, 3]


def test_preferring_the_last_one_changes_nothing() -> None:
    walked = walk("a", "a", "b")
    walked.next()
    walked.prefer(walked.equal()[0])
    assert rest(walked) == [1, 2]


def test_those_that_are_dropped_are_not_tried() -> None:
    walked = walk("a", "a", "b", "a")
    walked.next()
    first, _, third = walked.equal()
    walked.drop([first, third])
    assert rest(walked) == [1, 2]


def test_when_all_are_dropped_nothing_is_left() -> None:
    walked = walk("a")
    walked.next()
    walked.drop(walked.equal())
    assert walked.next() is None


def test_what_was_preferred_counts_as_any_attempt() -> None:
    walked = walk("a", "a", "a", max_attempts=1)
    walked.next()
    walked.prefer(walked.equal()[1])
    walked.count()
    assert walked.next() is None
