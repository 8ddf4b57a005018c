"""Speed and price follow from what was timed."""

from dataclasses import replace

import pytest

from steelyard.api.measuring import Load
from steelyard.api.profile import InterToken, Performance, SaturationPoint, Ttft
from steelyard_profiler import measure
from steelyard_profiler.measure import Point, Timings
from steelyard_profiler.target import Reply


def reply(first: float, rest: float, output: int = 101, prompt: int = 500) -> Reply:
    gaps = (rest / (output - 1),) * (output - 1)
    told = Reply("", first, rest, prompt, output, usage_reported=True)
    return came(told, *gaps)


def came(told: Reply, *gaps: float) -> Reply:
    """The same in pieces of 4 bytes, with these gaps between them."""
    pieces = len(gaps) + 1
    return replace(told, pieces=pieces, sizes_bytes=(4,) * pieces, gaps_seconds=gaps)


def speed_of(*replies: Reply) -> Performance | None:
    return measure.performance(Timings(alone=replies))


def test_speed_is_the_median_of_single_requests() -> None:
    assert speed_of(reply(0.1, 2.0), reply(0.2, 1.0), reply(0.4, 4.0)) == Performance(
        ttft_ms=Ttft(p50=200, p95=380),
        output_tokens_per_second=50,
        inter_token_us=InterToken(p50=20_000, p95=40_000),
        prompt_tokens_per_second=2500,
    )


def test_short_answers_say_nothing_about_decoding() -> None:
    speed = speed_of(reply(0.1, 0.5, output=7))

    assert speed and speed.output_tokens_per_second is None and speed.ttft_ms


HELD_BACK: dict[str, tuple[float, ...]] = {
    "one piece": (),
    "all pieces at one moment": (0.0,) * 99,
    "two bursts": (0.0,) * 50 + (0.001,) + (0.0,) * 49,
}


@pytest.mark.parametrize("case", HELD_BACK)
def test_text_that_was_held_back_says_nothing_about_decoding(case: str) -> None:
    gaps = HELD_BACK[case]
    speed = speed_of(came(reply(0.1, sum(gaps)), *gaps))

    assert speed and speed.ttft_ms and speed.output_tokens_per_second is None
    assert speed.inter_token_us is None


def test_pieces_of_several_tokens_tell_speed_but_not_the_time_between_tokens() -> None:
    speed = speed_of(came(reply(0.1, 2.0, output=104), *((0.08,) * 25)))

    assert speed and speed.output_tokens_per_second == 50 and speed.inter_token_us is None


def test_tokens_that_came_with_the_first_took_none_of_the_time_after_it() -> None:
    one, twelve = reply(0.1, 1.0, output=121), (0.1,) * 10
    alone = replace(came(one, *twelve), sizes_bytes=(4, *(48,) * 10))

    assert measure.decode_tokens_per_second([alone]) == pytest.approx(120)
    assert measure.decode_tokens_per_second([came(one, *twelve)]) == pytest.approx(110)


def test_pieces_that_come_several_at_a_time_tell_speed_but_not_the_time_between_tokens() -> None:
    gaps = ((0.0,) * 3 + (0.04,)) * 25
    speed = speed_of(came(reply(0.1, 1.0, output=101), *gaps[3:]))
    bundled = speed_of(came(reply(0.1, 1.0, output=104), *gaps, *(0.0,) * 3))

    assert speed and (speed.output_tokens_per_second, speed.inter_token_us) == (100, None)
    assert bundled and (bundled.output_tokens_per_second, bundled.inter_token_us) == (100, None)


def test_a_token_without_text_at_the_end_takes_no_time() -> None:
    speed = speed_of(came(reply(0.1, 2.0, output=11), *((2 / 9,) * 9)))

    assert speed and speed.output_tokens_per_second == round(9 / 2)


def test_the_cached_prompt_is_told_apart() -> None:
    speed = measure.performance(Timings((reply(0.5, 1),), (reply(0.1, 0.1), reply(0.3, 0.1))))

    assert speed and speed.ttft_ms and (speed.ttft_ms.p50, speed.cached_ttft_ms) == (500, 200)


def test_without_requests_there_is_no_speed() -> None:
    assert speed_of() is None
    assert speed_of(replace(reply(0, 0), pieces=0, sizes_bytes=(), gaps_seconds=())) is None, (
        "without a word there is none"
    )


def at(concurrency: int, tokens_per_second: int) -> Point:
    """So many requests at once with this throughput."""
    return Point(concurrency, (reply(0.1, 1.0),) * concurrency, 101 * concurrency / tokens_per_second)


def test_a_point_is_the_throughput_of_all_streams_and_the_95th_percentile() -> None:
    replies = (reply(0.1, 1.0), reply(0.2, 1.0), reply(0.4, 1.0))
    assert measure.saturation([Point(3, replies, 1.5)]) == (
        SaturationPoint(concurrency=3, output_tokens_per_second=202, ttft_ms_p95=380),
    )


def test_a_curve_ends_before_answers_that_are_too_short() -> None:
    short = Point(4, (reply(0.1, 1.0, output=7),) * 4, 1.0)
    assert [one.concurrency for one in measure.saturation([at(1, 50), short, at(8, 90)])] == [1]


@pytest.mark.parametrize(
    ("points", "rises"),
    [
        ([at(1, 50)], True),
        ([at(1, 50), at(4, 61)], True),
        ([at(1, 50), at(4, 60)], False),
        ([at(1, 50), at(4, 190), at(16, 191)], False),
        ([at(4, 50)], True),
    ],
)
def test_a_curve_rises_until_twice_the_streams_bring_less_than_a_tenth(
    points: list[Point], rises: bool
) -> None:
    assert measure.rises(points) is rises


def test_the_price_of_an_hour_is_split_by_the_seconds_of_prompt_and_answer() -> None:
    speed = Performance(output_tokens_per_second=128, prompt_tokens_per_second=1024)
    price = measure.amortised_price("3.60", speed, Load())

    # a request takes .5 s of reading and 1 s of decoding: 0.0015 USD, a third of it for 512 tokens
    assert price and price.input_usd_per_million_tokens == "0.976562"
    assert price.output_usd_per_million_tokens == "7.8125"


PRICES: dict[str, tuple[list[Point], Load, str, str]] = {
    "the throughput at the knee": ([at(1, 64), at(4, 256), at(16, 257)], Load(), "0.325521", "2.604167"),
    "the last point where it rises to the end": ([at(1, 64), at(4, 256)], Load(), "0.325521", "2.604167"),
    "the only point": ([at(16, 128)], Load(), "0.651042", "5.208333"),
    "the load's own lengths": (
        [at(1, 64), at(4, 256)],
        Load(prompt_tokens=1024, output_tokens=256),
        "0.325521",
        "2.604167",
    ),
}


@pytest.mark.parametrize("case", PRICES)
def test_an_amortised_price_is_of(case: str) -> None:
    points, load, price_in, price_out = PRICES[case]
    speed = Performance(
        output_tokens_per_second=128,
        prompt_tokens_per_second=1024,
        saturation=measure.saturation(points),
    )
    price = measure.amortised_price("3.60", speed, load)

    assert price and price.input_usd_per_million_tokens == price_in
    assert price.output_usd_per_million_tokens == price_out


@pytest.mark.parametrize(
    ("usd", "tokens_per_second", "money"),
    [("0", 1, "0"), ("999999", 1, "999999.999999"), ("0.000001", 9, "0.000031")],
)
def test_a_price_is_always_money(usd: str, tokens_per_second: int, money: str) -> None:
    speed = Performance(output_tokens_per_second=tokens_per_second, prompt_tokens_per_second=100_000)
    price = measure.amortised_price(usd, speed, Load())

    assert price and price.output_usd_per_million_tokens == money


@pytest.mark.parametrize("speed", [None, Performance(), Performance(output_tokens_per_second=1)])
def test_a_price_needs_both_speeds(speed: Performance | None) -> None:
    assert measure.amortised_price("1", speed, Load()) is None
