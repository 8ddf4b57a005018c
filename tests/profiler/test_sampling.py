"""A run beside a GPU exporter: what it takes is told, and an exporter that fails harms nothing."""

import asyncio
import time
from dataclasses import dataclass

import pytest

from fakes import engines
from fakes.gpu_exporter import Card, GpuExporter, exposition, gpu_exporter
from fakes.profiled_engine import ProfiledEngine
from steelyard.api.profile import ModelProfileSpec
from steelyard_profiler import profiling, sampling, timing
from steelyard_profiler.profiling import Result
from steelyard_profiler.target import GpuSite

WATTS = 64.0
SPEC = ModelProfileSpec.model_validate({"backendRef": {"name": "b"}, "model": "m"})


@dataclass
class Meter(GpuExporter):
    """Its GPU draws WATTS, by a counter that is always up to date, and a gauge that is wrong."""

    text: bytes = b""

    def answer(self) -> bytes:
        """The counter as it is now."""
        super().answer()
        return exposition(Card(joules=WATTS * time.monotonic(), power=7, used=16021))


def profiled(engine: ProfiledEngine, url: str, *uuids: str) -> Result:
    target = engine.target(gpus=GpuSite(url, uuids))
    return asyncio.run(profiling.profile(target, SPEC, lambda progress: None))


def test_memory_power_and_energy_by_token_are_measured() -> None:
    engine = ProfiledEngine(token_seconds=0.001)
    with engine.running(), gpu_exporter(of=Meter()) as exporter:
        result = profiled(engine, exporter.url, "GPU-1")
    found, speed = result.resources, result.performance

    assert found and speed and speed.output_tokens_per_second and found.power_watts
    assert found.memory_mib == 16021
    assert found.power_watts == pytest.approx(WATTS, rel=0.15)  # a reading comes late on a busy machine
    expected = 1000 * found.power_watts / speed.output_tokens_per_second
    assert found.joules_per_thousand_tokens == pytest.approx(expected, rel=0.02, abs=1)
    assert exporter.asked >= 1 + timing.QUICK.alone


def test_the_gpus_of_others_do_not_count() -> None:
    with ProfiledEngine().running() as engine, gpu_exporter(Card(used=1), Card("GPU-2", used=2)) as exporter:
        mine, every = (profiled(engine, exporter.url, *uuids).resources for uuids in (["GPU-2"], []))
    assert mine and every and (mine.memory_mib, every.memory_mib) == (2, 3)


@pytest.mark.parametrize("case", ["fails", "tells of others", "garbage"])
def test_an_exporter_without_use_is_left_and_the_run_goes_on(case: str) -> None:
    with ProfiledEngine().running() as engine, gpu_exporter(Card("GPU-9")) as exporter:
        exporter.status = 500 if case == "fails" else 200
        exporter.text = b"\xff{" if case == "garbage" else exporter.text
        result = profiled(engine, exporter.url, "GPU-1")
    assert result.failure is None and result.quality
    assert (result.resources, exporter.asked) == (None, sampling.MOST_FAILURES)


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://127.0.0.1:1/", "no url"])
def test_an_exporter_that_cannot_be_reached_is_none(url: str) -> None:
    with ProfiledEngine().running() as engine:
        result = profiled(engine, url)
    assert result.failure is None and result.resources is None


def test_a_redirect_is_not_followed() -> None:
    moved = engines.answer(b"", "302 Found", b"location: /elsewhere\r\n")
    with ProfiledEngine().running() as engine, engines.engine(engines.says(moved)) as exporter:
        result = profiled(engine, f"http://127.0.0.1:{exporter.port}/metrics")
        assert {ask.line.split()[1] for ask in exporter.asks} == {b"/metrics"}
    assert result.resources is None
