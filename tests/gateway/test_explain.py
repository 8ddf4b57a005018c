"""/admin/explain for a load that is given: the same resources decide the same in every gateway."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fakes import program
from fakes.program import Gateway

TWINS = """\
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {name: one}
spec: {engine: VLLM, url: "http://127.0.0.1:8001", models: [{name: twin}]}
---
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {name: two}
spec: {engine: VLLM, url: "http://127.0.0.1:8002", models: [{name: twin}]}
"""
BODY = {"model": "twin", "messages": [{"role": "user", "content": "Hello."}]}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of two equal backends."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "twins.yaml").write_text(TWINS)
    with program.gateway(folder) as up:
        yield up


def chosen(gateway: Gateway, load: dict[str, Any]) -> str:
    answer = gateway.admin.post("/admin/explain", params={"load": json.dumps(load)}, json=BODY)
    return str(answer.json()["chosen"]["backend"])


def test_the_endpoint_with_less_under_way_is_chosen_whatever_the_gateway_did_before(gateway: Gateway) -> None:
    assert chosen(gateway, {"one@127.0.0.1:8001": 3}) == "two"
    assert chosen(gateway, {"two@127.0.0.1:8002": 3}) == "one"
    assert {chosen(gateway, {"elsewhere": 1}) for _ in range(4)} == {"one"}


@pytest.mark.parametrize("load", ["3", "[]", '{"one": -1}', '{"one": "many"}', "{"])
def test_a_load_that_is_none_is_refused_with_an_example(gateway: Gateway, load: str) -> None:
    answer = gateway.admin.post("/admin/explain", params={"load": load}, json=BODY)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "load")
    assert '{"BACKEND@HOST:PORT": 3}' in answer.json()["error"]["message"]
