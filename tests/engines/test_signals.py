"""What a gateway knows of real engines, beside what this test did to them."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from fakes import folders, program, real_ollama
from fakes.gateways import Line, post
from fakes.program import Gateway
from fakes.real_ollama import SMOLLM2
from kube import waiting
from steelyard.api.backend import Engine as Kind
from steelyard.telemetry import samples
from steelyard.telemetry.samples import Topic
from steelyard_cli.engines.fleet import Engine

SLOTS = 4
"""Requests that the engine works on at once."""

OFTEN = {"engine": {"intervalSeconds": 1}}

MOST_OFF = 1
"""So many requests may what is known be off when it was asked twice at rest."""

POLLS = 2
"""So often is it asked in two intervals."""


def port(url: str) -> int:
    found = urlsplit(url).port
    assert found is not None
    return found


def long_request(model: str) -> bytes:
    """It goes on until its client leaves."""
    body = {
        "model": model,
        "stream": True,
        "max_tokens": 4000,
        "ignore_eos": True,
        "messages": [{"role": "user", "content": "Go on."}],
    }
    return json.dumps(body).encode()


def shown(gateway: Gateway) -> dict[str, Any]:
    """The only endpoint, as people see it."""
    (pair,) = gateway.admin.get("/admin/table").json()["candidates"]
    (endpoint,) = pair["endpoints"]
    found: dict[str, Any] = endpoint
    return found


def after_polls(gateway: Gateway, number: int) -> dict[str, Any]:
    """The endpoint when its engine answered so many more polls: its sample's age fell so often."""
    age = None

    def answered() -> dict[str, Any] | None:
        nonlocal age
        endpoint = shown(gateway)
        before, age = age, endpoint["sample"]["ageSeconds"]
        return endpoint if before is not None and age < before else None

    return [waiting.until(answered, "a poll") for _ in range(number)][-1]


def at_work(url: str) -> int | None:
    """How many requests the engine itself says that it has."""
    told = httpx.get(url.removesuffix("/v1") + "/metrics", trust_env=False).content
    return samples.activity(samples.read(Kind.LLAMA_CPP, Topic.LOAD, told))


def test_what_runs_and_waits_is_what_was_sent_and_of_others_what_came_past_the_gateway(
    smollm2_engine: Engine, tmp_path: Path
) -> None:
    engine, model = port(smollm2_engine.url), smollm2_engine.alias
    spec = {"engine": "LlamaCpp", "metrics": OFTEN}
    folders.write(tmp_path, folders.backend("a", engine, folders.model(model), **spec))

    def assert_known(gateway: Gateway, requests: int, others: int) -> dict[str, Any]:
        """Two polls after the engine has so many requests the gateway knows it."""
        waiting.until(lambda: at_work(smollm2_engine.url) == requests, f"{requests} requests at work")
        endpoint = after_polls(gateway, POLLS)
        sample = endpoint["sample"]
        assert abs(sample["running"] + sample["waiting"] - requests) <= MOST_OFF
        assert abs(endpoint["othersInFlight"] - others) <= MOST_OFF
        return endpoint

    with program.gateway(tmp_path) as gateway:
        assert assert_known(gateway, 0, 0)["sample"]["capacity"] == SLOTS
        lines = [Line(port(gateway.url)) for _ in range(3)]
        lines += [Line(engine) for _ in range(3)]
        for line in lines:
            line.send(post(long_request(model)))
        endpoint = assert_known(gateway, 6, 3)
        assert endpoint["inFlight"] == 3
        assert endpoint["sample"]["running"] == SLOTS
        for line in lines:
            line.close()
        assert_known(gateway, 0, 0)


def test_of_an_ollama_the_models_in_memory_are_known_and_no_queue(ollama_home: Path, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.mkdir()
    with real_ollama.ollama(ollama_home, tmp_path / "ollama", (SMOLLM2,)) as ollama:
        spec = {"engine": "Ollama", "url": ollama.url, "metrics": OFTEN}
        folders.write(conf, folders.backend("a", 0, folders.model(SMOLLM2), **spec))
        ollama.load(SMOLLM2)
        told = ollama.loaded()[SMOLLM2]
        with program.gateway(conf) as gateway:
            sample = waiting.until(
                lambda: shown(gateway)["sample"]["loaded"] and shown(gateway)["sample"], "a sample"
            )
            (model,) = sample["loaded"]
            assert (model["name"], model["contextTokens"]) == (SMOLLM2, told["context_length"])
            assert model["memoryMiB"] == -(-told["size"] // 2**20)
            assert model["expiresAt"] > "2300"
            assert (sample["running"], sample["waiting"]) == (None, None)
            assert sample["version"]
            ollama.unload(SMOLLM2)
            waiting.until(lambda: shown(gateway)["sample"]["loaded"] == [], "an empty memory")
