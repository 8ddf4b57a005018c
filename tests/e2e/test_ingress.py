"""The gateway behind the Ingress that the chart makes, and a real controller."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import client, evidence, ingress, installation, pods
from e2e.clusters import Cluster
from e2e.installation import HELLO, LASTING, NAMESPACE, Record

pytestmark = [pytest.mark.slow, pytest.mark.full]

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def behind(steelyard: Cluster) -> Iterator[Cluster]:
    """With the Ingress and its controller."""
    ingress.start(steelyard)
    yield steelyard
    ingress.stop(steelyard)


def test_auto_answers_through_the_ingress_at_once_and_in_a_stream(behind: Cluster) -> None:
    whole, streamed, listed = installation.ask(
        behind,
        {"path": CHAT, "body": HELLO | {"model": "auto"}},
        {"path": CHAT, "body": HELLO | {"model": "auto", "stream": True}},
        {"path": "/v1/models"},
        url=ingress.URL,
    )

    assert json.loads(whole["text"])["choices"][0]["message"]["content"]
    assert whole["headers"]["x-steelyard-policy"] == "auto"
    events = [line for line in streamed["text"].splitlines() if line]
    assert (events[-1], len(events) > 2) == ("data: [DONE]", True)
    assert {model["id"] for model in json.loads(listed["text"])["data"]} >= {"auto", pods.MODEL}


def test_streams_and_answers_through_the_ingress_outlive_an_upgrade(
    behind: Cluster, record: Record, tmp_path: Path
) -> None:
    load = installation.begin_load(behind, LASTING, tokens=24, url=ingress.URL)
    gateways, controller = installation.GATEWAY_PODS, f"deployment/{ingress.NAME}"
    with evidence.followed(behind, NAMESPACE, gateways, controller, tmp_path) as told:
        annotation = "gateway.podAnnotations.behind=ingress"
        installation.install(behind, "--reset-then-reuse-values", "--set", annotation)
        behind.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{installation.GATEWAY}")
        tally = installation.end_load(behind, load)
        if set(tally) != {client.WHOLE}:
            sys.stdout.write(told())

    assert set(tally) == {client.WHOLE}, tally
    record(
        "failed or cut answers through the Ingress in a rolling upgrade of the gateway",
        f"0 of {tally[client.WHOLE]}",
        "0",
    )
