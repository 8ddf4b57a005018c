"""Which GPUs a backend's status tells of, and when it is written."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fakes.gateways import endpoint
from fakes.gpu_exporter import Card, exposition
from steelyard.api.backend import LLMBackend
from steelyard.api.signals import GpuMetrics
from steelyard.routing.table import Endpoint
from steelyard.telemetry import gpus as telemetry
from steelyard_operator import gpus
from steelyard_operator.gpus import Exporter, Known, Place, Reading, Sight

CARD = Card()
OURS, OTHERS = Card("GPU-1", namespace="llm", pod="engine-0"), Card("GPU-2", namespace="llm", pod="other-0")
NODE = Exporter("http://10.1.0.1:9400/metrics", Place.NODE)
POD = Exporter("http://10.0.0.1:9400/metrics", Place.POD)
LOST = Reading(NODE, None, is_lost=True)
NAMED = Exporter("http://dcgm.test:9400", Place.NAMED)


def place(number: int = 0, **fields: Any) -> Endpoint:
    """An endpoint whose pod is on a node."""
    told = {"pod": f"engine-{number}", "node": f"node-{number}"} | fields
    return endpoint(8000, "engine", host=f"10.0.0.{number + 1}", **told)


def backend(status: Known | None = None, **gpu: Any) -> LLMBackend:
    """A backend whose status says this of GPUs."""
    spec = {"engine": "VLLM", "serviceRef": {"name": "engine", "port": 80}, "metrics": {"gpu": gpu}}
    told = LLMBackend.model_validate_json(
        json.dumps({"metadata": {"name": "engine", "namespace": "llm"}, "spec": spec})
    )
    update = {} if status is None else {"gpus": status.gpus, "gpu_exporters": status.exporters}
    return told.model_copy(update={"status": told.status.model_copy(update=update)})


def told(exporter: Exporter, *cards: Card, agent: bool = False) -> Reading:
    """What this exporter says when it has these."""
    return Reading(exporter, telemetry.read(exposition(*cards, agent=agent)))


def sight(*readings: Reading, number: int = 0, is_alone: bool = False) -> Sight:
    return Sight(place(number), readings, is_alone=is_alone)


def known(*sights: Sight, before: Known | None = None, source: str = "Auto") -> Known:
    return gpus.known(backend(before, source=source), sights)


def uuids(status: Known) -> list[str]:
    return [gpu.uuid for gpu in status.gpus]


WHOSE: dict[str, tuple[Sight, str, list[str]]] = {
    "those of the pod that the exporter names": (sight(told(NODE, OURS, OTHERS)), "Auto", ["GPU-1"]),
    "none where it names other pods": (sight(told(NODE, OTHERS), is_alone=True), "Auto", []),
    "all where it names none and the engine is alone": (
        sight(told(NODE, CARD), is_alone=True),
        "Auto",
        ["GPU-1"],
    ),
    "none where it names none and there are others": (sight(told(NODE, CARD)), "Auto", []),
    "none of a pod of the same name elsewhere": (
        sight(told(NODE, OURS.but(namespace="elsewhere")), is_alone=True),
        "Auto",
        [],
    ),
    "all of an agent in the pod": (sight(told(POD, CARD, agent=True)), "Auto", ["GPU-1"]),
    "none of another exporter in the pod": (sight(told(POD, CARD)), "Auto", []),
    "all of the exporter that is named": (sight(told(NAMED, OURS, OTHERS)), "Auto", ["GPU-1", "GPU-2"]),
    "an agent's alone, if it is asked for": (
        sight(told(NODE, OURS), told(POD, CARD.but(uuid="GPU-9"), agent=True)),
        "Agent",
        ["GPU-9"],
    ),
    "dcgm-exporter's alone, if it is asked for": (
        sight(told(NODE, OURS, agent=True)),
        "Dcgm",
        [],
    ),
    "none where nobody tells": (sight(), "Auto", []),
    "none where the exporter is lost": (sight(LOST), "Auto", []),
}


@pytest.mark.parametrize("case", WHOSE)
def test_the_gpus_of_an_endpoint_are(case: str) -> None:
    seen, source, wanted = WHOSE[case]
    status = known(seen, source=source)

    assert uuids(status) == wanted
    assert [one.uuids for one in status.exporters] == ([tuple(wanted)] if wanted else [])


def test_where_an_agent_and_dcgm_exporter_tell_of_a_gpu_the_agent_counts() -> None:
    agent = replace(NODE, url="http://10.1.0.9:9400/metrics")
    status = known(sight(told(NODE, OURS), told(agent, OURS, agent=True)))

    assert [(one.endpoint, one.url) for one in status.exporters] == [("10.0.0.1:8000", agent.url)]
    assert [gpu.source for gpu in status.gpus] == ["Agent"]


def test_a_gpu_is_told_in_whole_numbers() -> None:
    (gpu,) = known(sight(told(NODE, OURS))).gpus

    assert gpu.model_dump(mode="json", by_alias=True) == {
        "uuid": "GPU-1",
        "name": "NVIDIA L4",
        "memoryTotalMiB": 23034,
        "memoryUsedMiB": 17408,
        "utilizationPercent": 40,
        "temperatureCelsius": 60,
        "powerWatts": 60,
        "source": "Dcgm",
    }


MOVES: dict[str, tuple[Card, bool]] = {
    "nothing": (OURS, False),
    "utilisation a little": (OURS.but(util=49), False),
    "utilisation by ten points": (OURS.but(util=50), True),
    "memory a little": (OURS.but(used=17408 + 2300), False),
    "memory by a tenth of all": (OURS.but(used=17408 - 2304), True),
    "temperature a little": (OURS.but(temperature=69), False),
    "temperature by ten degrees": (OURS.but(temperature=50), True),
    "power of an idle card": (OURS.but(power=69), False),
    "power by a sixth": (OURS.but(power=71), True),
    "its name": (OURS.but(name="NVIDIA H200"), True),
    "what it is": (OURS.but(uuid="GPU-7"), True),
    "energy alone": (OURS.but(joules=9999), False),
}


@pytest.mark.parametrize("case", MOVES)
def test_the_status_changes_when_a_gpu_has_moved_by_a_tenth(case: str) -> None:
    card, has_moved = MOVES[case]
    before = known(sight(told(NODE, OURS)))
    after = known(sight(told(NODE, card)), before=before)

    assert (after != before) is has_moved
    assert known(sight(told(NODE, card)), before=after) == after


def test_small_moves_add_up_and_then_all_gpus_are_told_anew() -> None:
    two = OURS.but(uuid="GPU-2")
    before = known(sight(told(NODE, OURS, two)))
    crept = known(sight(told(NODE, OURS.but(util=46), two.but(util=44))), before=before)
    assert crept == before

    after = known(sight(told(NODE, OURS.but(util=51), two.but(util=44))), before=crept)
    assert [gpu.utilization_percent for gpu in after.gpus] == [51, 44]


def test_a_status_that_is_new_is_changed_by_no_figures() -> None:
    before = known(sight(told(NODE, OURS)))
    busy = replace(sight(told(NODE, OURS.but(util=99))), is_settled=False)
    assert known(busy, before=before) == before

    two = OURS.but(uuid="GPU-3", util=99)
    more = replace(sight(told(NODE, OURS.but(util=99), two)), is_settled=False)
    assert [(gpu.uuid, gpu.utilization_percent) for gpu in known(more, before=before).gpus] == [
        ("GPU-1", 99),
        ("GPU-3", 99),
    ]


def test_what_was_not_read_stays_and_what_is_lost_goes() -> None:
    before = known(sight(told(NODE, OURS)))

    assert known(sight(Reading(NODE, None)), before=before) == before
    assert gpus.known(backend(before), None) == before, "a restart blanks nothing"
    assert known(sight(LOST), before=before) == before, "its pod is there"
    assert known(sight(Reading(NODE, ())), before=before) == Known((), ())
    assert known(before=before) == Known((), ()), "its endpoint is gone"


def test_where_an_exporter_is_lost_another_one_counts() -> None:
    before = known(sight(told(NODE, OURS)))
    other = replace(NODE, url="http://10.1.0.9:9400/metrics")
    assert known(sight(Reading(NODE, None), told(other, OURS)), before=before) == before
    (after,) = known(sight(LOST, told(other, OURS)), before=before).exporters
    assert after.url == other.url


def test_an_exporter_that_is_not_read_holds_up_no_other() -> None:
    there = Card("GPU-5", namespace="llm", pod="engine-1")
    second = sight(told(replace(NODE, url="http://10.1.0.2:9400/metrics"), there), number=1)
    before = known(sight(told(NODE, OURS)), second)
    busy = sight(told(replace(NODE, url="http://10.1.0.2:9400/metrics"), there.but(util=99)), number=1)
    after = known(sight(Reading(NODE, None)), busy, before=before)

    assert [(gpu.uuid, gpu.utilization_percent) for gpu in after.gpus] == [("GPU-1", 40), ("GPU-5", 99)]
    assert after.exporters == before.exporters


def test_an_agent_that_is_late_is_waited_for_where_it_told_before() -> None:
    agent = replace(NODE, url="http://10.1.0.9:9400/metrics")
    before = known(sight(told(NODE, OURS), told(agent, OURS, agent=True)))
    assert known(sight(told(NODE, OURS), Reading(agent, None)), before=before) == before


def test_a_gpu_that_endpoints_share_is_told_once() -> None:
    both = known(sight(told(NAMED, CARD)), sight(told(NAMED, CARD), number=1))
    assert (uuids(both), len(both.exporters)) == (["GPU-1"], 2)


def test_a_status_holds_no_more_gpus_than_it_may() -> None:
    cards = [CARD.but(uuid=f"GPU-{number:03}") for number in range(100)]
    status = known(sight(told(NAMED, *cards)))
    assert uuids(status) == [card.uuid for card in cards[:64]]
    assert [len(one.uuids) for one in status.exporters] == [32]


MEMORY: dict[str, tuple[list[Card], str | None]] = {
    "one": ([CARD], "17/22Gi"),
    "some": ([CARD, CARD.but(uuid="GPU-2", used=100)], "17/45Gi"),
    "none": ([], None),
}


@pytest.mark.parametrize("case", MEMORY)
def test_memory_is_summed_for_kubectl(case: str) -> None:
    cards, wanted = MEMORY[case]
    assert gpus.memory(known(sight(told(NAMED, *cards, agent=True))).gpus) == wanted


def test_memory_that_is_not_told_is_not_summed() -> None:
    (gpu,) = known(sight(told(NAMED, CARD))).gpus
    assert gpus.memory([gpu.model_copy(update={"memory_total_mib": None})]) is None


AGENT_IN_POD = "http://10.0.0.1:9400/metrics"
ASKED: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = {
    "the node's exporter": ({}, {}, [("http://node:1/metrics", "Node")]),
    "an agent in the pod where the node has none": ({}, {"node": "bare"}, [(AGENT_IN_POD, "Pod")]),
    "an agent in the pod on an unknown node": ({}, {"node": ""}, [(AGENT_IN_POD, "Pod")]),
    "nobody where the pod is unknown": ({}, {"node": "", "pod": ""}, []),
    "both where an agent is wanted": (
        {"source": "Agent"},
        {},
        [("http://node:1/metrics", "Node"), (AGENT_IN_POD, "Pod")],
    ),
    "no agent where dcgm-exporter is wanted": ({"source": "Dcgm"}, {"node": "bare"}, []),
    "nobody where nobody is wanted": ({"source": "None"}, {}, []),
    "whom the owner names": ({"url": "http://me:7/gpu"}, {}, [("http://me:7/gpu", "Named")]),
}


@pytest.mark.parametrize("case", ASKED)
def test_who_is_asked_is(case: str) -> None:
    metrics, fields, wanted = ASKED[case]
    found = gpus.exporters(
        GpuMetrics.model_validate_json(json.dumps(metrics)),
        place(**fields),
        {"node-0": ["http://node:1/metrics"]},
    )
    assert [(one.url, one.place) for one in found] == wanted


def test_a_pods_address_of_the_sixth_version_is_written_in_brackets() -> None:
    (only,) = gpus.exporters(GpuMetrics(), replace(place(), host="fd00::7"), {})
    assert only.url == "http://[fd00::7]:9400/metrics"
