"""How many requests of others follow from what engines and exporters told, and how long that holds."""

import pytest

from fakes import gateways
from steelyard.routing.table import Endpoint
from steelyard.telemetry.gpus import Gpu
from steelyard.telemetry.samples import EngineSample
from steelyard_gateway import signals
from steelyard_gateway.live import LiveEndpoints

VALID_SECONDS = 6.0


class Live:
    """The live state of one endpoint, by a clock that moves when told."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.live = LiveEndpoints(lambda: self.seconds)
        self.endpoint: Endpoint = gateways.endpoint(8000)
        self.energy_joules = 0.0

    def start(self, requests: int) -> None:
        for _ in range(requests):
            self.live.started(self.endpoint)

    def tell(self, running: int | None, waiting: int | None = 0, *, own: int | None = None) -> None:
        """The engine tells this; at that time so many own requests were there, or those that are."""
        sample = EngineSample(running=running, waiting=waiting)
        self.live.sampled(
            self.endpoint, sample, self.live.own(self.endpoint) if own is None else own, VALID_SECONDS
        )

    def tell_gpus(self, *percents: float | None) -> None:
        """An exporter that sampled anew tells this."""
        self.energy_joules += 100
        self.tell_gpus_again(*percents)

    def tell_gpus_again(self, *percents: float | None) -> None:
        """It tells this of its last sample."""
        gpus = tuple(
            Gpu(f"GPU-{at}", utilization_percent=percent, energy_joules=self.energy_joules)
            for at, percent in enumerate(percents)
        )
        self.live.gpus_told(self.endpoint, gpus, self.live.own(self.endpoint), VALID_SECONDS)

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.live.expire()

    @property
    def in_flight(self) -> float:
        return self.live.in_flight(self.endpoint)


@pytest.fixture
def live() -> Live:
    return Live()


def test_what_runs_and_waits_beyond_our_own_is_of_others(live: Live) -> None:
    live.start(3)
    live.tell(running=4, waiting=6)
    assert live.live.known(live.endpoint).others == 7
    assert live.in_flight == 10


def test_own_requests_come_and_go_on_top_of_those_of_others(live: Live) -> None:
    live.tell(running=5)
    live.start(2)
    live.live.ended(live.endpoint)
    assert (live.in_flight, live.live.own(live.endpoint)) == (6, 1)


def test_an_engine_that_tells_less_than_we_sent_has_nobody_else_s(live: Live) -> None:
    live.start(4)
    live.tell(running=1)
    assert live.in_flight == 4


def test_own_requests_that_ended_while_it_was_asked_are_not_taken_for_others(live: Live) -> None:
    live.tell(running=2, own=2)
    assert live.in_flight == 0


def test_each_reading_counts_for_half_so_that_what_came_and_went_is_not_believed_for_long(live: Live) -> None:
    live.tell(running=8)
    seen = []
    for running in (0, 0, 0, 8):
        live.tell(running=running)
        seen.append(live.in_flight)
    assert seen == [4, 2, 1, 4.5]


def test_what_lasts_is_believed_in_whole(live: Live) -> None:
    live.tell(running=0)
    for _ in range(10):
        live.tell(running=8)
    assert live.in_flight == 8
    for _ in range(10):
        live.tell(running=0)
    assert live.in_flight == 0


def test_what_is_older_than_its_time_is_unknown_and_nothing_is_reckoned_from_it(live: Live) -> None:
    live.start(1)
    live.tell(running=9)
    live.wait(VALID_SECONDS - 1)
    assert live.in_flight == 9
    live.wait(1)
    known = live.live.known(live.endpoint)
    assert (live.in_flight, known.sample, known.sample_age_seconds) == (1, None, VALID_SECONDS)
    assert live.live.sample(live.endpoint) is None


def test_the_first_reading_after_it_was_unknown_counts_in_whole(live: Live) -> None:
    live.tell(running=9)
    live.wait(60)
    live.tell(running=1)
    assert live.in_flight == 1


def test_an_endpoint_that_was_never_asked_is_unknown(live: Live) -> None:
    known = live.live.known(live.endpoint)
    assert (known.sample, known.sample_age_seconds, known.gpus) == (None, None, None)
    assert known.sample_failure == "was not asked"


def test_a_failure_is_shown_beside_what_is_still_known_until_it_tells_again(live: Live) -> None:
    live.tell(running=1)
    live.live.not_sampled(live.endpoint, "refused the connection")
    known = live.live.known(live.endpoint)
    assert known.sample is not None and known.sample_failure == "refused the connection"
    live.tell(running=1)
    assert live.live.known(live.endpoint).sample_failure == ""


def test_a_gpu_that_works_though_nothing_of_ours_is_there_counts_as_one_request(live: Live) -> None:
    live.tell_gpus(95)
    assert live.in_flight == 1
    live.tell_gpus(12, 89)
    assert live.in_flight == 0


def test_what_is_told_again_is_of_a_time_when_we_may_have_been_at_work(live: Live) -> None:
    live.tell_gpus(3)
    live.start(1)
    live.tell_gpus_again(3)
    live.tell_gpus(99)
    live.live.ended(live.endpoint)
    for _ in range(5):
        live.wait(5)
        live.tell_gpus_again(99)
        assert live.in_flight == 0
    live.tell_gpus(99)
    assert live.in_flight == 0  # it was sampled at any time since the sample before
    live.tell_gpus(99)
    assert live.in_flight == 1


def test_what_is_told_for_long_enough_was_sampled_again(live: Live) -> None:
    live.start(1)
    live.tell_gpus(99)
    live.live.ended(live.endpoint)
    seen = []
    for _ in range(int(2 * signals.SAME_SECONDS / 5)):
        live.wait(5)
        live.tell_gpus_again(99)
        seen.append(live.in_flight)
    assert seen == [0] * 23 + [1]


@pytest.mark.parametrize("seconds", [5, VALID_SECONDS])
def test_a_request_that_came_and_went_between_two_readings_may_be_what_was_seen(
    live: Live, seconds: float
) -> None:
    live.tell_gpus(3)
    live.start(1)
    live.live.ended(live.endpoint)
    live.wait(seconds)
    live.tell_gpus(99)
    assert live.in_flight == 0
    live.tell_gpus(99)
    assert live.in_flight == 1


@pytest.mark.parametrize("percents", [(None,), (), (89.9, None)])
def test_a_gpu_that_tells_no_work_counts_as_nothing(live: Live, percents: tuple[float | None, ...]) -> None:
    live.tell_gpus(*percents)
    live.tell_gpus(*percents)
    assert live.in_flight == 0


def test_a_gpu_that_works_may_be_working_for_us_and_for_a_while_after_we_are_done(live: Live) -> None:
    live.start(1)
    live.tell_gpus(100)
    live.live.ended(live.endpoint)
    live.tell_gpus(100)
    assert live.in_flight == 0
    live.tell_gpus(100)
    assert live.in_flight == 1


def test_an_engine_that_tells_its_queue_is_believed_more_than_its_gpu(live: Live) -> None:
    live.tell(running=0)
    live.tell_gpus(100)
    live.tell_gpus(100)
    assert live.in_flight == 0


def test_an_engine_that_tells_no_queue_leaves_it_to_its_gpu(live: Live) -> None:
    live.tell(running=None, waiting=None)
    live.tell_gpus(100)
    live.tell_gpus(100)
    live.tell(running=None, waiting=None)
    assert live.in_flight == 1


def test_of_a_dead_exporter_nothing_stays_but_the_age(live: Live) -> None:
    live.tell_gpus(100)
    live.tell_gpus(100)
    for _ in range(3600):
        live.live.gpus_not_told(live.endpoint, "refused the connection")
        live.wait(1)
    known = live.live.known(live.endpoint)
    assert (known.gpus, known.gpus_age_seconds, live.in_flight) == (None, 3600, 0)
    assert known.gpus_failure == "refused the connection"


def test_retries_are_bounded_by_own_requests_alone(live: Live) -> None:
    live.start(1)
    live.tell(running=50)
    assert live.live.under_way(live.endpoint) == 1
