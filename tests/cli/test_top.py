"""`steelyard top` beside real gateways, and where there is none."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from time import monotonic

import msgspec
import pytest

from fakes import folders, gpu_exporter, program, slot_engine
from fakes.engines import answer, engine, refusing_port, says
from fakes.gpu_exporter import Card
from fakes.program import Gateway
from fakes.slot_engine import SlotEngine
from kube import waiting
from steelyard_cli import top

Steelyard = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that knows a llama.cpp with a GPU, and an engine that tells nothing."""
    tmp_path, up = tmp_path_factory.mktemp("conf"), SlotEngine(4, 0.01)
    with slot_engine.running([up]), gpu_exporter.gpu_exporter(Card(util=40)) as exporter:
        gpu = {"engine": {"intervalSeconds": 1}, "gpu": {"url": exporter.url}}
        folders.write(
            tmp_path,
            folders.backend("a", up.port, folders.model("m"), engine="LlamaCpp", metrics=gpu),
            folders.backend("b", 1, folders.model("n")),
        )
        with program.gateway(tmp_path) as running:

            def is_known() -> bool:
                first = running.admin.get("/admin/table").json()["candidates"][0]["endpoints"][0]
                return first["sample"]["version"] is not None and first["gpus"]["gpus"] is not None

            waiting.until(is_known, "samples")
            yield running


def test_once_prints_what_is_known_of_each_endpoint(steelyard: Steelyard, gateway: Gateway) -> None:
    ended = steelyard("top", "--once", "--admin", gateway.admin_url)
    assert (ended.returncode, ended.stderr) == (0, "")
    header, first, second = [line.split() for line in ended.stdout.splitlines()]
    assert header == [title for title in top.HEADER if title]
    assert first[0].startswith("a@127.0.0.1:")
    assert first[1:6] == ["0", "0", "0", "0", "4"]
    assert {"40%", "17/22Gi"} <= set(first)
    assert second == ["b@127.0.0.1:1", "0", "was", "not", "asked"]


def test_in_a_terminal_it_goes_on_until_ctrl_c(gateway: Gateway) -> None:
    terminal, end = pty.openpty()
    words = [sys.executable, "-m", "steelyard_cli", "top", "--admin", gateway.admin_url]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "160", "LINES": "24"}
    with subprocess.Popen(words, stdout=end, stderr=end, env=environment, start_new_session=True) as process:
        os.close(end)
        seen, deadline = b"", monotonic() + waiting.SECONDS
        while seen.count(b"a@127.0.0.1:") < 2:
            assert select.select([terminal], [], [], max(deadline - monotonic(), 0))[0], seen
            seen += os.read(terminal, 65_536)
        process.send_signal(signal.SIGINT)
        assert process.wait(waiting.SECONDS) == 0
    os.close(terminal)


def test_a_gateway_that_is_not_there_is_said_in_words(steelyard: Steelyard) -> None:
    with refusing_port() as port:
        ended = steelyard("top", "--once", "--admin", f"http://127.0.0.1:{port}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "cannot be reached" in ended.stderr
    assert ended.stderr.endswith("Start a gateway, or name its admin port with --admin.\n")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answer(b"{}", "404 Not Found"), "answered 404: name a gateway's admin port"),
        (answer(b"hello"), "answered with something else than endpoints"),
        (answer(b'{"candidates": [{"endpoints": [{"name": "a"}]}]}'), "answered with something else"),
    ],
    ids=["another path", "no JSON", "too little"],
)
def test_what_is_no_gateway_is_said_in_words(steelyard: Steelyard, reply: bytes, words: str) -> None:
    with engine(says(reply)) as up:
        ended = steelyard("top", "--once", "--admin", f"http://127.0.0.1:{up.port}/")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


TOLD = {
    "name": "a@h:1",
    "inFlight": 2,
    "othersInFlight": 0,
    "isFull": True,
    "restSeconds": 8.0,
    "sample": {"ageSeconds": 3600.0, "failure": "refused the connection"},
    "gpus": {"gpus": [{"memoryUsedMiB": 1024}]},
}


def test_namesakes_of_several_namespaces_are_told_apart(steelyard: Steelyard) -> None:
    pairs = [{"namespace": name, "endpoints": [TOLD]} for name in ("red", "blue", "red")]
    with engine(says(answer(json.dumps({"candidates": pairs}).encode()))) as up:
        ended = steelyard("top", "--once", "--admin", f"http://127.0.0.1:{up.port}")
    assert [line.split()[0] for line in ended.stdout.splitlines()[1:]] == ["blue/a@h:1", "red/a@h:1"]


def test_what_is_not_known_is_empty_and_never_0() -> None:
    cells = dict(zip(top.HEADER, top.row(msgspec.convert(TOLD, top.Endpoint)), strict=True))
    assert {title: cell for title, cell in cells.items() if cell} == {
        "ENDPOINT": "a@h:1",
        "OURS": "2",
        "AGE": "3600s",
        "": "rests 8s, full, refused the connection",
        "OTHERS": "0",
    }
