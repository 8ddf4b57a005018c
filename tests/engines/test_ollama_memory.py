"""A real Ollama's memory, kept by a gateway over files, and what the keeper takes Ollama to do."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes import folders, real_ollama
from fakes.program import gateway
from fakes.real_ollama import GEMMA3, SECONDS, SMOLLM2, SMOLLM2_LONG, RealOllama
from kube import waiting
from steelyard.api.signals import Memory
from steelyard.memory.keeping import Answer, Event, Keeper, Pause
from steelyard.memory.wishes import Wanted

OFTEN = {"engine": {"intervalSeconds": 1}}


@pytest.fixture
def ollama(ollama_home: Path, tmp_path: Path) -> Iterator[RealOllama]:
    """A server with all three models."""
    with real_ollama.ollama(ollama_home, tmp_path / "ollama") as up:
        yield up


def write(folder: Path, ollama: RealOllama, **memory: Any) -> None:
    models: list[dict[str, Any]] = [{"name": SMOLLM2, "contextTokens": 2048}, {"name": GEMMA3}]
    spec = {"engine": "Ollama", "url": ollama.url, "memory": memory, "metrics": OFTEN}
    folders.write(folder, folders.backend("ollama", 0, *models, **spec))


def wait_for(ollama: RealOllama, *names: str) -> dict[str, Any]:
    """What is in memory once just these are."""
    return waiting.until(
        lambda: found if set(found := ollama.loaded()) == set(names) else None, f"{names} in memory"
    )


def test_a_gateway_over_files_pins_again_after_a_restart_and_evicts_what_nobody_uses(
    ollama: RealOllama, tmp_path: Path
) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    write(folder, ollama, pinned=[SMOLLM2])
    with gateway(folder) as up:
        first = wait_for(ollama, SMOLLM2)[SMOLLM2]
        assert first["context_length"] == 2048
        assert first["expires_at"] > "2300"
        smollm2_mib = -(-first["size"] // 2**20)
        assert up.wait_for("memory changed")["detail"] == f"was loaded: {smollm2_mib} MiB."

        ollama.restart()
        assert wait_for(ollama, SMOLLM2)[SMOLLM2]["expires_at"] > "2300"

        # Both are used, the pinned one first; a budget for one of them comes into force.
        ollama.generate(GEMMA3)
        gemma3_mib = -(-wait_for(ollama, SMOLLM2, GEMMA3)[GEMMA3]["size"] // 2**20)
        write(folder, ollama, pinned=[SMOLLM2], budgetMiB=smollm2_mib + gemma3_mib - 1)
        wait_for(ollama, SMOLLM2)

        # Nothing is pinned. The one that was used longest ago works on: the other one goes.
        with ollama.working(SMOLLM2, num_ctx=2048):
            ollama.generate(GEMMA3)
            write(folder, ollama, budgetMiB=gemma3_mib + 1)
            wait_for(ollama, SMOLLM2)

    assert [line for line in up.lines if line["event"] == "model not kept in memory"] == []


def test_a_model_for_which_another_server_answers_is_asked_while_a_full_server_works(
    ollama_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    with (
        real_ollama.ollama(ollama_home, tmp_path / "far", [GEMMA3]) as far,
        real_ollama.ollama(
            ollama_home,
            tmp_path / "near",
            [SMOLLM2],
            OLLAMA_NO_CLOUD=0,
            OLLAMA_REMOTES="127.0.0.1",
            OLLAMA_MAX_LOADED_MODELS=1,
        ) as near,
    ):
        near.post("/api/create", model="elsewhere", remote_host=far.url, **{"from": GEMMA3})
        spec = {"engine": "Ollama", "url": near.url, "metrics": OFTEN}
        folders.write(folder, folders.backend("near", 0, {"name": SMOLLM2}, {"name": "elsewhere"}, **spec))
        with gateway(folder) as up, httpx.Client(base_url=up.url, timeout=SECONDS, trust_env=False) as client:
            body = {"messages": [{"role": "user", "content": "Count to 500."}]}
            long = body | {"model": SMOLLM2, "stream": True, "max_tokens": 1500}
            with client.stream("POST", "/v1/chat/completions", json=long) as answer:
                pieces = answer.iter_raw()  # without it the answer is closed
                next(pieces)
                short = body | {"model": "elsewhere", "max_tokens": 4}
                asked = client.post("/v1/chat/completions", json=short)
                pairs = up.admin.get("/admin/table").json()["candidates"]
            assert asked.status_code == 200, asked.text
            assert [pair["endpoints"][0]["inFlight"] for pair in pairs] == [1, 1]
        assert (set(near.loaded()), near.loads()) == ({SMOLLM2}, 1)
        assert set(far.loaded()) == {GEMMA3}


class Direct:
    """A keeper beside the server, without a gateway, with a clock that can be set ahead."""

    def __init__(self, ollama: RealOllama, contexts: dict[str, int] | None = None, **memory: Any) -> None:
        self.keeper = Keeper("/v1", Wanted(Memory(**memory), contexts or {}, 60.0, 10.0))
        self.ahead_seconds = 0.0
        self.events: list[Event] = []
        self.client = httpx.Client(base_url=ollama.url, trust_env=False)

    def round(self) -> "Direct":
        conversation = self.keeper.round()
        try:
            step = next(conversation)
            while True:
                status, body = 0, b""
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                elif step.body is None:
                    answer = self.client.get(step.path, timeout=step.timeout_seconds)
                    status, body = answer.status_code, answer.content
                else:
                    answer = self.client.post(step.path, content=step.body, timeout=step.timeout_seconds)
                    status, body = answer.status_code, answer.content
                wall = time.time() + self.ahead_seconds
                at = time.monotonic() + self.ahead_seconds
                step = conversation.send(Answer(at, wall, status, body))
        except StopIteration:
            self.events += self.keeper.events()
            return self

    def told(self) -> list[str]:
        return [problem.reason for problem in self.keeper.problems or ()]


MakeDirect = Callable[..., Direct]


@pytest.fixture
def direct(ollama: RealOllama) -> Iterator[MakeDirect]:
    """Makes keepers beside the server."""
    with ExitStack() as clients:

        def make(*contexts: dict[str, int], **memory: Any) -> Direct:
            made = Direct(ollama, *contexts, **memory)
            clients.enter_context(made.client)
            return made

        yield make


@pytest.mark.parametrize("is_first", [True, False], ids=["its first request", "a later one"])
def test_onto_a_server_that_works_nothing_is_loaded_until_it_is_idle(
    ollama: RealOllama, direct: MakeDirect, is_first: bool
) -> None:
    if not is_first:
        ollama.load(SMOLLM2)
    kept = direct(pinned=(GEMMA3,))
    with ollama.working(SMOLLM2):
        kept.round()
        assert kept.told() == ["Waiting"]
        assert list(ollama.loaded()) == [SMOLLM2]

    kept.round()
    assert set(ollama.loaded()) == {SMOLLM2, GEMMA3}
    assert kept.told() == []
    assert ollama.loads() == 2


def test_asking_and_pinning_load_nothing_anew(ollama: RealOllama, direct: MakeDirect) -> None:
    ollama.load(SMOLLM2, num_ctx=2048)  # by somebody else's wish
    kept = direct({GEMMA3: 999_999}, pinned=(GEMMA3,)).round()
    kept.ahead_seconds = 60.0
    kept.round()

    assert {name: one["context_length"] for name, one in ollama.loaded().items()} == {
        SMOLLM2: 2048,
        GEMMA3: 32_768,
    }
    assert ollama.loads() == 2
    assert kept.told() == ["ContextDiffers"]


def test_a_pinned_model_whose_process_was_killed_is_loaded_again(
    ollama: RealOllama, direct: MakeDirect
) -> None:
    kept = direct(pinned=(SMOLLM2,)).round()
    ollama.kill_runners()
    kept.round()
    assert ollama.loads() == 1  # the server goes on telling of it

    kept.ahead_seconds = 60.0
    kept.round()

    assert ollama.loads() == 2
    assert list(ollama.loaded()) == [SMOLLM2]


def test_two_names_of_one_file_do_not_drive_each_other_out_for_ever(
    ollama: RealOllama, direct: MakeDirect
) -> None:
    kept = direct(pinned=(SMOLLM2, SMOLLM2_LONG))
    for _ in range(5):
        kept.round()

    assert ollama.loads() == 2
    assert [event.model for event in kept.events if event.failed] == [SMOLLM2]
    assert "they are one file under two names" in kept.events[-1].words


def test_a_derived_name_keeps_its_context_over_v1(ollama: RealOllama, direct: MakeDirect) -> None:
    ollama.create("smollm2-2k", SMOLLM2, num_ctx=2048)
    kept = direct({"smollm2-2k:latest": 2048}, pinned=("smollm2-2k",)).round()
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    ollama.post("/v1/chat/completions", model="smollm2-2k", **body)
    kept.round()

    assert ollama.loaded()["smollm2-2k:latest"]["context_length"] == 2048
    assert ollama.loads() == 1
    assert kept.told() == []
