"""A run pauses while its engine works for others, for so long and no longer, and says so."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from fakes import engines
from fakes.engines import Ask
from fakes.profiled_engine import ProfiledEngine
from steelyard.api.backend import Engine
from steelyard.api.profile import ModelProfileSpec
from steelyard_profiler import idling, profiling
from steelyard_profiler.drive import Drive
from steelyard_profiler.idling import Idling
from steelyard_profiler.profiling import Result
from steelyard_profiler.target import Target

HOUR = 3600.0
WHY = "for other requests at the engine"


@dataclass
class Engineer:
    """An engine's load by what the next looks are told, and a clock that only pauses move."""

    told: list[int | None]
    own: int = 0
    now: float = 100.0
    looks: int = 0
    slept: list[float] = field(default_factory=list)

    async def look(self) -> int | None:
        """The next; the last is told again and again."""
        self.looks += 1
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]

    async def sleep(self, seconds: float) -> None:
        """Time goes by."""
        self.slept.append(seconds)
        self.now += seconds

    def idling(self, most_seconds: float = HOUR) -> Idling:
        """The pauses of a run."""
        return Idling(self.look, lambda: self.own, most_seconds, clock=lambda: self.now, sleep=self.sleep)


def waited(engineer: Engineer, *, most_seconds: float = HOUR, seconds_left: float = HOUR) -> str:
    """Wait once; the note."""
    pauses = engineer.idling(most_seconds)
    asyncio.run(pauses.wait_until_idle(seconds_left))
    return pauses.note


def test_an_idle_engine_is_not_waited_for() -> None:
    engineer = Engineer([0])
    assert waited(engineer) == "" and engineer.slept == []


def test_a_busy_one_is_waited_for_until_it_is_idle() -> None:
    engineer = Engineer([2, 2, 1, 3, 1, 0])
    assert waited(engineer) == "The run paused once, 3 s in all, for other requests at the engine."
    assert engineer.slept == [0.05, 0.2, 0.5, 1.0, 1.0]


def test_our_own_requests_are_none_of_others() -> None:
    assert waited(Engineer([3], own=3)) == ""


def test_our_own_last_request_that_is_still_counted_is_no_pause() -> None:
    engineer = Engineer([1, 1, 0])
    assert waited(engineer) == "" and len(engineer.slept) == idling.OWN_LOOKS


@pytest.mark.parametrize(
    ("most_seconds", "seconds_left", "note"),
    [
        (
            10.0,
            HOUR,
            f"The run paused once, 10 s in all, {WHY}, and then went on beside them.",
        ),
        (HOUR, 20.0, f"The run paused once, 20 s in all, {WHY}."),
    ],
)
def test_pauses_end_with_their_share_and_with_the_run(
    most_seconds: float, seconds_left: float, note: str
) -> None:
    engineer = Engineer([1])
    assert waited(engineer, most_seconds=most_seconds, seconds_left=seconds_left) == note
    assert engineer.now - 100 == pytest.approx(min(most_seconds, seconds_left))


def test_when_the_share_is_spent_nothing_is_looked_at_any_more() -> None:
    async def run() -> None:
        pauses = engineer.idling(5.0)
        await pauses.wait_until_idle(HOUR)
        looks = engineer.looks
        for _ in range(5):
            await engineer.sleep(10)
            await pauses.wait_until_idle(HOUR)
        assert engineer.looks == looks

    engineer = Engineer([1])
    asyncio.run(run())


def test_it_is_looked_at_most_once_a_second() -> None:
    async def run() -> None:
        pauses = engineer.idling()
        for _ in range(30):
            await pauses.wait_until_idle(HOUR)
            await engineer.sleep(0.1)

    engineer = Engineer([0])
    asyncio.run(run())
    assert engineer.looks == 3


def test_of_several_who_wait_one_looks() -> None:
    async def run() -> None:
        pauses = engineer.idling()
        async with asyncio.TaskGroup() as tasks:
            for number in range(4):
                tasks.create_task(pauses.wait_until_idle(HOUR), name=f"probe {number}")
        assert pauses.note.startswith("The run paused once")

    engineer = Engineer([1, 1, 1, 1, 0])
    asyncio.run(run())
    assert engineer.looks == 5


def test_an_engine_that_does_not_tell_is_soon_not_asked_any_more() -> None:
    async def run() -> None:
        pauses = engineer.idling()
        for _ in range(10):
            await pauses.wait_until_idle(HOUR)
            await engineer.sleep(10)

    engineer = Engineer([None])
    asyncio.run(run())
    assert engineer.looks == idling.MOST_FAILURES


def metrics(*running: int) -> Callable[[Ask], None]:
    """A vLLM with so many requests, look by look."""
    left = list(running)

    def answer(ask: Ask) -> None:
        number = left.pop(0) if len(left) > 1 else left[0]
        text = f"vllm:num_requests_running {number}\nvllm:num_requests_waiting 0\n"
        ask.send(engines.answer(text.encode()))

    return answer


@pytest.mark.parametrize(
    ("metrics_path", "asked"), [(None, b"/prefix/metrics"), ("/else/metrics", b"/else/metrics")]
)
def test_the_engine_is_asked_where_it_tells_of_its_load(metrics_path: str | None, asked: bytes) -> None:
    async def run(target: Target) -> int | None:
        async with Drive(target) as drive:
            look = idling.looking(drive, target)
            assert look is not None
            return await look()

    with engines.engine(metrics(2)) as up:
        target = Target(
            f"http://127.0.0.1:{up.port}/prefix/v1", "m", engine=Engine.VLLM, metrics_path=metrics_path
        )
        assert asyncio.run(run(target)) == 2
        assert up.asks[0].line.split()[1] == asked


def test_an_engine_without_a_place_for_that_is_not_looked_at() -> None:
    async def run() -> None:
        target = Target("http://127.0.0.1:9/v1", "m")
        async with Drive(target) as drive:
            assert idling.looking(drive, target) is None

    asyncio.run(run())


def profiled(engine: ProfiledEngine, *, quality_only: bool = False, **limits: object) -> Result:
    value = {"backendRef": {"name": "b"}, "model": "m", "limits": limits}
    target = engine.target(engine=Engine.VLLM)
    spec = ModelProfileSpec.model_validate(value)
    return asyncio.run(profiling.profile(target, spec, lambda progress: None, quality_only=quality_only))


def test_a_run_pauses_while_others_are_at_its_engine_and_says_so() -> None:
    with ProfiledEngine(load=[2, 2, 2, 2, 0]).running() as engine:
        result = profiled(engine)
    assert result.failure is None and "paused once" in result.note


def test_a_run_of_an_engine_that_is_always_busy_ends_all_the_same() -> None:
    with ProfiledEngine(load=[9]).running() as engine:
        result = profiled(engine, maxDurationSeconds=10)
    assert result.quality is not None and result.quality.overall is not None
    words = "The run paused once, 5 s in all, for other requests at the engine, and then went on beside them."
    assert words in result.note


@pytest.mark.parametrize("change", [{"quality_only": True}, {"onlyWhenIdle": False}])
def test_a_run_that_is_not_to_wait_does_not_look(change: dict[str, bool]) -> None:
    with ProfiledEngine(load=[9]).running() as engine:
        result = profiled(engine, **change)
    assert result.quality is not None and "paused" not in result.note
    assert engine.looks == (0 if "quality_only" in change else 1), "whether it has answered anybody yet"


def test_a_run_of_quality_alone_measures_no_speed_and_sends_no_long_prompt() -> None:
    with ProfiledEngine().running() as engine:
        result = profiled(engine, quality_only=True)
    assert result.quality is not None and result.quality.overall is not None
    assert result.performance is None and result.failure is None
    assert result.context_tokens_verified is None and result.capabilities.chat
