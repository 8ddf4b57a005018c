"""What a gateway knows of a real llama.cpp under load, beside what this test sent."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fakes import folders, program
from fakes.gateways import Line, post
from fakes.program import Gateway
from kube import waiting
from steelyard_cli.engines.fleet import Engine

SLOTS = 2
"""Requests that the engine works on at once."""

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
    (pair,) = gateway.admin.get("/admin/table").json()["candidates"]
    (endpoint,) = pair["endpoints"]
    found: dict[str, Any] = endpoint
    return found


def test_what_runs_and_waits_is_what_was_sent_and_of_others_what_came_past_the_gateway(
    smollm2_engine: Engine, tmp_path: Path
) -> None:
    engine, model = port(smollm2_engine.url), smollm2_engine.alias
    metrics = {"engine": {"intervalSeconds": 1}}
    write = folders.backend("a", engine, folders.model(model), engine="LlamaCpp", metrics=metrics)
    folders.write(tmp_path, write)

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
