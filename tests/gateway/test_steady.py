"""What goes wrong beside the traffic is logged and begun anew; the traffic goes on."""

import asyncio
import io
from pathlib import Path

import httpx
import pytest

from steelyard_gateway import settings, steady
from steelyard_gateway.app import App


@pytest.mark.asyncio
async def test_work_that_fails_is_begun_anew_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(steady, "PAUSE_SECONDS", 0.01)
    left = [ValueError("a"), ExceptionGroup("b", [KeyError("c")])]

    async def work() -> None:
        if left:
            raise left.pop(0)

    await steady.steadily(work, "count sheep")
    assert [record.__dict__["helper"] for record in caplog.records] == ["count sheep"] * 2


@pytest.mark.asyncio
async def test_work_that_is_cancelled_ends() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(steady.steadily(work, "wait"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Broken(io.BytesIO):
    """A log that was closed by somebody else."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    def write(self, line: object, /) -> int:
        self.asked.set()
        raise ValueError("write to closed file")


@pytest.mark.asyncio
async def test_a_gateway_serves_on_when_a_helper_of_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(steady, "PAUSE_SECONDS", 0.01)
    words = [f"--source=file:{tmp_path}", "--host=127.0.0.1", "--port=0", "--admin-port=0"]
    log, stop = Broken(), asyncio.Event()
    app = App(settings.parse(words, {}), log)
    caplog.set_level("INFO")
    serving = asyncio.create_task(app.serve(stop))
    async with asyncio.timeout(20), httpx.AsyncClient() as client:
        await app.ready.wait()
        url = next(one.__dict__["url"] for one in caplog.records if "url" in one.__dict__)

        async def status() -> int:
            body = {"model": "absent", "messages": [{"role": "user", "content": "x"}]}
            return (await client.post(f"{url}/v1/chat/completions", json=body)).status_code

        first = await status()
        await log.asked.wait()
        log.asked.clear()
        assert await status() == first and not serving.done()
        await log.asked.wait()
    stop.set()
    await serving
    assert {one.__dict__["helper"] for one in caplog.records if "helper" in one.__dict__} == {
        "flush request log"
    }
