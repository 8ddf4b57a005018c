"""What a gateway knows of real engines, beside what this test did to them."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fakes import folders, program, real_ollama
from fakes.gateways import Line, post
from fakes.program import Gateway
from fakes.real_ollama import SMOLLM2
from kube import waiting
from steelyard_cli.engines.fleet import Engine

SLOTS = 2
"""Requests that the engine works on at once."""

OFTEN = {"engine": {"intervalSeconds": 1}}

MOST_OFF = 1
"""A request may have begun or ended between the reading and the look."""


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


def test_what_runs_and_waits_is_what_was_sent_and_of_others_what_came_past_the_gateway(
    smollm2_engine: Engine, tmp_path: Path
) -> None:
    engine, model = port(smollm2_engine.url), smollm2_engine.alias
    spec = {"engine": "LlamaCpp", "metrics": OFTEN}
    folders.write(tmp_path, folders.backend("a", engine, folders.model(model), **spec))

    def at_rest(gateway: Gateway, requests: int, others: int) -> bool:
        endpoint = shown(gateway)
        sample = endpoint["sample"]
        if None in (sample["running"], sample["waiting"]):
            return False
        is_right = abs(sample["running"] + sample["waiting"] - requests) <= MOST_OFF
        return is_right and bool(abs(endpoint["othersInFlight"] - others) <= MOST_OFF)

    with program.gateway(tmp_path) as gateway:
        waiting.until(lambda: at_rest(gateway, 0, 0), "a sample of an idle engine")
        assert shown(gateway)["sample"]["capacity"] == SLOTS
        lines = [Line(port(gateway.url)) for _ in range(3)]
        lines += [Line(engine) for _ in range(3)]
        for line in lines:
            line.send(post(long_request(model)))
        waiting.until(lambda: at_rest(gateway, 6, 3), "a sample of all requests")
        endpoint = shown(gateway)
        assert endpoint["inFlight"] == 3
        assert endpoint["sample"]["running"] == SLOTS
        for line in lines:
            line.close()
        waiting.until(lambda: at_rest(gateway, 0, 0), "a sample of none")


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
