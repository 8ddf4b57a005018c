"""The poller with exporters of GPUs, by a clock that is moved."""

import pytest

from fakes import engines, gpu_exporter
from fakes.engines import Ask, answer, says
from fakes.gpu_exporter import Card
from fakes.polled import LOAD, Polled, run, vllm
from fakes.resources import backend
from steelyard.api.backend import LLMBackend


def telling(ask: Ask) -> None:
    """A vLLM with two requests."""
    ask.send(answer(LOAD % (2, 0, 0)))


def test_the_engine_is_asked_with_its_credential_and_the_exporter_without() -> None:
    async def work(polled: Polled) -> None:
        assert await polled.round() == 2

    with engines.engine(telling) as up, engines.engine(says(answer(b""))) as exporter:
        gpu = {"gpu": {"url": f"http://127.0.0.1:{exporter.port}"}}
        run(work, vllm(up.port, credentialsRef={"name": "key", "key": "api-key"}, metrics=gpu))
    assert [ask.headers.get(b"authorization") for ask in up.asks] == [b"Bearer sesame"] * 2
    assert [b"authorization" in ask.headers for ask in exporter.asks] == [False]


def test_a_dead_exporter_for_an_hour_changes_nothing_but_the_age() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        exporter.text = b""
        exporter.status = 500
        seen = []
        for _ in range(3600):
            await polled.round(1)
            known = polled.known()
            assert (known.others, polled.live.in_flight(polled.endpoint())) == (2, 2)
            assert known.sample is not None
            seen.append(known.gpus_age_seconds)
        assert seen == list(range(1, 3601))
        assert known.gpus is None
        assert known.gpus_failure == "answered 500"
        assert exporter.asked <= 3600 / 20 + 1

    with (
        engines.engine(telling) as up,
        gpu_exporter.gpu_exporter(Card(util=40)) as exporter,
    ):
        run(work, vllm(up.port, seconds=20, metrics={"gpu": {"url": exporter.url}}))


def test_an_answer_that_tells_nothing_of_gpus_is_none() -> None:
    async def work(polled: Polled) -> None:
        await polled.round()
        exporter.text = b""  # as dcgm-exporter after its restart
        await polled.round(5)
        known = polled.known()
        assert known.gpus is not None and [gpu.uuid for gpu in known.gpus] == ["GPU-1"]
        assert (known.gpus_age_seconds, known.gpus_failure) == (5, "told nothing of GPUs that can be read")

    with engines.engine(telling) as up, gpu_exporter.gpu_exporter(Card()) as exporter:
        run(work, vllm(up.port, metrics={"gpu": {"url": exporter.url}}))


def test_one_question_to_an_exporter_tells_of_the_gpus_of_all_endpoints_behind_it() -> None:
    async def work(polled: Polled) -> None:
        assert await polled.round() == 1
        for name, uuid in (("a", "GPU-1"), ("b", "GPU-2")):
            told = polled.known(name).gpus
            assert told is not None and [gpu.uuid for gpu in told] == [uuid]

    def behind(name: str, port: int, uuid: str) -> LLMBackend:
        told = {"endpoint": f"127.0.0.1:{port}", "url": exporter.url, "uuids": [uuid]}
        url = f"http://127.0.0.1:{port}"
        return backend(name, "m", url=url, engine="OpenAI", status={"gpuExporters": [told]})

    with gpu_exporter.gpu_exporter(Card("GPU-1"), Card("GPU-2")) as exporter:
        run(work, behind("a", 1, "GPU-1"), behind("b", 2, "GPU-2"))
    assert exporter.asked == 1


def test_an_exporter_at_a_metadata_address_is_never_asked_and_it_is_said_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(polled: Polled) -> None:
        assert await polled.round() == 0
        assert "a link-local or metadata address" in polled.known().gpus_failure

    metrics = {"gpu": {"url": "http://169.254.169.254/latest/meta-data"}}
    run(work, backend("a", "m", engine="OpenAI", metrics=metrics))
    assert [record.getMessage() for record in caplog.records] == ["signals not told"]
