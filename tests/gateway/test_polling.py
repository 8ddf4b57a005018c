"""The poller with engines that answer well, badly or not at all, by a clock that is moved."""

import asyncio
import json
from pathlib import Path
from threading import Event

import pytest

from fakes import engines
from fakes.engines import Ask, Engine, Script, answer, says
from fakes.polled import LOAD, Polled, run, vllm
from fakes.resources import backend
from steelyard.telemetry import models
from steelyard_gateway import polls
from steelyard_gateway.breaker import Circuit
from steelyard_gateway.pace import LONGEST_SECONDS

RECORDED = Path(__file__).parents[1] / "recordings" / "probes"
HUGE_BYTES = 10_000_000
LOADED_RANK = b'num_requests_running{engine="0",model_name="smollm2:135m"} 1'


def telling(*answers: bytes) -> Script:
    """A script that tells its version, and at /metrics each of these in turn."""
    left = list(answers)

    def script(ask: Ask) -> None:
        if ask.line.startswith(b"GET /version "):
            ask.send(answer(b'{"version":"0.32.0"}'))
        else:
            ask.send(answer(left.pop(0) if len(left) > 1 else left[0]))

    return script


def paths(engine: Engine) -> list[str]:
    return [ask.line.split(b" ")[1].decode() for ask in engine.asks]


def test_what_a_real_vllm_told_is_known_with_its_version() -> None:
    async def work(polled: Polled) -> None:
        assert await polled.round() == 1
        sample = polled.live.sample(polled.endpoint())
        assert sample is not None
        assert (sample.running, sample.waiting, sample.cache_use, sample.version) == (0, 0, 0.0, "0.32.0")

    with engines.engine(telling((RECORDED / "vllm-0.32.0" / "metrics.body").read_bytes())) as up:
        run(work, vllm(up.port))
    assert paths(up) == ["/metrics", "/version"]


def test_a_vllm_of_many_ranks_may_tell_much() -> None:
    recorded = (RECORDED / "vllm-0.32.0" / "metrics.body").read_bytes()
    told = recorded.replace(b'num_requests_running{engine="0",model_name="smollm2:135m"} 0', LOADED_RANK)
    ranks = b"".join(told.replace(b'engine="0"', b'engine="%d"' % rank) for rank in range(64))
    assert models.MOST_ANSWER_BYTES > len(ranks) > 3_000_000

    async def work(polled: Polled) -> None:
        await polled.round()
        assert polled.known().others == 64

    with engines.engine(telling(ranks)) as up:
        run(work, vllm(up.port))


def test_requests_of_others_and_the_speed_come_of_two_readings() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        polled.live.started(polled.endpoint())
        await polled.round(2)
        sample = polled.known().sample
        assert sample is not None and sample.output_tokens_per_second == 150
        assert (polled.known().others, polled.live.in_flight(polled.endpoint())) == (2, 3)

    with engines.engine(telling(LOAD % (0, 0, 100), LOAD % (4, 1, 400))) as up:
        run(work, vllm(up.port))


def test_what_was_made_while_nobody_asked_is_no_speed_of_now() -> None:
    async def work(polled: Polled) -> None:
        speeds = []
        for seconds in (0, 2, 3600, 2):
            await polled.round(seconds)
            sample = polled.known().sample
            assert sample is not None
            speeds.append(sample.output_tokens_per_second)
        assert speeds == [None, 150, None, 50]

    told = [LOAD % (0, 0, tokens) for tokens in (100, 400, 7_200_400, 7_200_500)]
    with engines.engine(telling(*told)) as up:
        run(work, vllm(up.port))


def silent(ask: Ask) -> None:
    """Nothing, for ever."""
    ask.wait_for_hang_up()


def dripping(ask: Ask) -> None:
    """A byte now and then, for ever."""
    ask.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    while not ask.stopped.wait(0.05):
        ask.send(b"#")


def endless(ask: Ask) -> None:
    """Ever more of it."""
    ask.send(engines.stream_head())
    for _ in range(HUGE_BYTES // 100_000):
        ask.send(engines.chunk(b"#" * 100_000))
    ask.wait_for_hang_up()


MISBEHAVING: dict[str, tuple[Script, str]] = {
    "words that are no metrics": (says(answer(b"hello")), "told nothing of its load that can be read"),
    "bytes that are no text": (says(answer(bytes(range(256)) * 100)), "told nothing of its load"),
    "numbers that are none": (says(answer(b"vllm:num_requests_running NaN\n")), "told nothing of its load"),
    "nothing": (says(answer(b"")), "told nothing of its load"),
    "10 MB": (says(answer(b"#" * HUGE_BYTES)), "answered with too much"),
    "10 MB in chunks": (endless, "answered with too much"),
    "no end of silence": (silent, "did not answer in 0.8 s"),
    "a byte now and then": (dripping, "did not answer in 0.8 s"),
    "401": (says(answer(b"", "401 Unauthorized")), "answered 401"),
    "404": (says(answer(b"", "404 Not Found")), "answered 404"),
    "no HTTP": (says(b"220 hello\r\n"), "sent something that is not valid HTTP/1.1"),
    "a reset": (Ask.reset, "closed the connection before it answered"),
}


@pytest.mark.parametrize("case", MISBEHAVING)
def test_an_engine_that_answers_badly_is_unknown_and_harms_nobody_else(case: str) -> None:
    script, words = MISBEHAVING[case]

    async def work(polled: Polled) -> None:
        assert await polled.round() == 2
        bad, good = polled.known("bad"), polled.known("good")
        assert (bad.sample, bad.others) == (None, 0)
        assert bad.sample_failure.startswith(words)
        assert good.sample is not None and good.others == 3

    with engines.engine(script) as bad, engines.engine(telling(LOAD % (3, 0, 0))) as good:
        run(work, vllm(bad.port, "bad", 1), vllm(good.port, "good", 1))


def test_an_answer_that_is_too_long_is_not_read_to_its_end() -> None:
    is_cut = Event()

    def script(ask: Ask) -> None:
        try:
            ask.connection.sendall(engines.answer(b"#" * 6 * HUGE_BYTES))  # more than sockets hold
        except OSError:
            is_cut.set()
            raise

    async def work(polled: Polled) -> None:
        await polled.round()
        assert await asyncio.to_thread(is_cut.wait, engines.SECONDS)

    with engines.engine(script) as up:
        run(work, vllm(up.port))


def test_a_request_of_ours_that_came_while_the_engine_was_asked_is_not_taken_for_another_s() -> None:
    go_on = Event()

    def script(ask: Ask) -> None:
        assert go_on.wait(engines.SECONDS)
        ask.send(answer(LOAD % (1, 0, 0)))

    async def work(polled: Polled) -> None:
        (turn,) = polled.poller.due()
        asking = asyncio.create_task(polled.poller.poll(turn))
        await asyncio.to_thread(up.wait_for_asks, 1)
        polled.live.started(polled.endpoint())
        go_on.set()
        await asking
        assert (polled.known().others, polled.live.in_flight(polled.endpoint())) == (0, 1)

    with engines.engine(script) as up:
        run(work, vllm(up.port))


def test_a_redirect_is_not_followed() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        assert polled.known().sample_failure == "answered 302"

    with engines.engine(says(answer(LOAD % (1, 1, 1)))) as target:
        place = b"location: http://127.0.0.1:%d/metrics\r\n" % target.port
        with engines.engine(says(answer(b"", "302 Found", place))) as up:
            run(work, vllm(up.port))
        assert target.asks == []


def test_an_engine_that_fails_keeps_what_is_known_of_it_until_that_is_too_old() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        up.stop()
        await polled.round(2)
        assert polled.known().others == 5
        assert polled.known().sample_failure == "refused the connection"
        await polled.round(4)
        assert (polled.known().sample, polled.known().others) == (None, 0)
        assert polled.known().sample_age_seconds == 6

    with engines.engine(telling(LOAD % (5, 0, 0))) as up:
        run(work, vllm(up.port))


def test_an_engine_that_answers_a_request_is_asked_again_in_its_interval() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        up.stop()
        for _ in range(75):
            await polled.round(1)
        with engines.engine(telling(LOAD % (5, 0, 0)), port=up.port):
            assert await polled.round(0.5) == 0
            polled.live.answered(polled.endpoint())
            assert await polled.round(2) == 1
        assert polled.known().others == 5

    with engines.engine(telling(LOAD % (5, 0, 0))) as up:
        run(work, vllm(up.port))


def test_an_engine_whose_polls_fail_whatever_it_answers_is_asked_no_more_often_than_its_interval() -> None:
    async def work(polled: Polled) -> None:
        asked = 0
        for _ in range(60):
            polled.live.answered(polled.endpoint())
            asked += await polled.round(1)
        assert asked <= 60 / 2 + 1

    with engines.engine(says(answer(b"", "404 Not Found"))) as up:
        run(work, vllm(up.port))


def test_an_engine_that_answers_polls_again_is_tried_at_once_and_that_decides() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        up.stop()
        while polled.live.rest_seconds(polled.endpoint()) <= 2 * LONGEST_SECONDS:
            await polled.round(1)
            polled.live.failed(polled.endpoint(), "refused the connection")
        with engines.engine(telling(LOAD % (0, 0, 0)), port=up.port):
            await polled.round(LONGEST_SECONDS)
            assert not polled.live.is_resting(polled.endpoint())
            assert polled.live.health(polled.endpoint()).circuit is Circuit.HALF_OPEN
            polled.live.started(polled.endpoint())
            assert polled.live.is_resting(polled.endpoint())
            polled.live.failed(polled.endpoint(), "refused the connection")
            rest_seconds = polled.live.rest_seconds(polled.endpoint())
            await polled.round(2)
            assert polled.live.rest_seconds(polled.endpoint()) == rest_seconds - 2

    with engines.engine(telling(LOAD % (0, 0, 0))) as up:
        run(work, vllm(up.port))


def test_llama_cpp_without_metrics_tells_by_its_slots_and_is_asked_for_metrics_now_and_then() -> None:
    def script(ask: Ask) -> None:
        match ask.line.split(b" ")[1]:
            case b"/slots":
                ask.send(answer(json.dumps([{"is_processing": True}, {"is_processing": False}]).encode()))
            case b"/props":
                ask.send(answer(b'{"total_slots": 2, "build_info": "b1"}'))
            case _:
                ask.send(answer(b"", "501 Not Implemented"))

    async def work(polled: Polled) -> None:
        await polled.round()
        sample = polled.known().sample
        assert sample is not None and (sample.running, sample.capacity, sample.version) == (1, 2, "b1")
        for _ in range(14):
            await polled.round(2)
        assert paths(up) == ["/metrics", "/slots", "/props", *["/slots"] * 14]
        await polled.round(2)
        assert paths(up)[-3:] == ["/metrics", "/slots", "/props"]

    with engines.engine(script) as up:
        run(work, vllm(up.port, engine="LlamaCpp"))


def test_an_engine_that_keeps_its_version_to_itself_tells_its_load_all_the_same() -> None:
    def script(ask: Ask) -> None:
        if ask.line.startswith(b"GET /version "):
            ask.wait_for_hang_up()
        else:
            ask.send(answer(LOAD % (2, 1, 0)))

    async def work(polled: Polled) -> None:
        await polled.round()
        sample = polled.known().sample
        assert sample is not None and (sample.running, sample.version) == (2, None)

    with engines.engine(script) as up:
        run(work, vllm(up.port, seconds=1))


def test_a_reading_counts_once_also_when_more_is_asked_with_it() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        await polled.round(polls.SELDOM_SECONDS)
        assert paths(up) == ["/metrics", "/version"] * 2
        assert polled.known().others == 4

    with engines.engine(telling(LOAD % (0, 0, 0), LOAD % (8, 0, 0))) as up:
        run(work, vllm(up.port, seconds=20))


def test_what_is_known_outlives_a_table_that_still_has_the_endpoint() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        polled.take(vllm(up.port), backend("other", "n", engine="OpenAI"))
        assert polled.known().others == 4
        await polled.round(2)
        sample = polled.known().sample
        assert sample is not None and sample.output_tokens_per_second == 5
        assert paths(up) == ["/metrics", "/version", "/metrics"]

    with engines.engine(telling(LOAD % (4, 0, 10), LOAD % (4, 0, 20))) as up:
        run(work, vllm(up.port))


def test_another_path_for_metrics_is_asked_anew() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        polled.take(vllm(up.port, metrics={"engine": {"path": "/m"}}))
        await polled.round(2)

    with engines.engine(telling(LOAD % (4, 0, 10))) as up:
        run(work, vllm(up.port))
    assert paths(up) == ["/metrics", "/version", "/m", "/version"]


def test_an_endpoint_that_left_the_table_is_asked_no_more() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        polled.take()
        assert await polled.round(60) == 0

    with engines.engine(telling(LOAD % (0, 0, 0))) as up:
        run(work, vllm(up.port))


def test_one_poll_of_an_endpoint_is_under_way_at_a_time() -> None:
    async def work(polled: Polled) -> None:
        (turn,) = polled.poller.due()
        asking = asyncio.create_task(polled.poller.poll(turn))
        await asyncio.to_thread(up.wait_for_asks, 1)
        polled.seconds += 60
        assert polled.poller.due() == []
        await asking
        assert len(polled.poller.due()) == 1

    with engines.engine(silent) as up:
        run(work, vllm(up.port, seconds=1))


def test_why_an_engine_tells_nothing_is_logged_when_it_begins_changes_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "steelyard_gateway.polling")
    bad, none = answer(b"", "500 Oops"), answer(b"", "401 No")
    replies = [bad, bad, none, answer(LOAD % (0, 0, 0)), answer(b'{"version":"1"}')]

    async def work(polled: Polled) -> None:
        for _ in range(4):
            await polled.round(polls.SELDOM_SECONDS)

    with engines.engine(lambda ask: ask.send(replies.pop(0))) as up:
        run(work, vllm(up.port))
    told = [(record.getMessage(), vars(record).get("detail")) for record in caplog.records]
    assert told == [
        ("signals not told", "answered 500"),
        ("signals not told", "answered 401"),
        ("signals told again", None),
    ]
