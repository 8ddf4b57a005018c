"""Who is asked for live signals, by the resources in force."""

from typing import Any

import pytest

from fakes.resources import backend, endpoint_slice, resource_set, service
from steelyard.api.backend import LLMBackend
from steelyard_gateway import current, targets
from steelyard_gateway.targets import ExporterTarget, Targets

URL = "http://10.0.0.9:9400/metrics"


def of(*backends: LLMBackend) -> Targets:
    return targets.of(current.snapshot(resource_set(*backends), "default", 0))


def with_exporters(*exporters: dict[str, Any], **gpu: str) -> LLMBackend:
    metrics = {"gpu": gpu} if gpu else {}
    return backend("a", "m", url="http://10.0.0.1:8000", metrics=metrics, status={"gpuExporters": exporters})


def only(exporters: tuple[ExporterTarget, ...]) -> ExporterTarget:
    (exporter,) = exporters
    return exporter


@pytest.mark.parametrize("engine", ["VLLM", "SGLang", "LlamaCpp", "Ollama"])
def test_an_engine_that_tells_something_is_asked_in_its_interval(engine: str) -> None:
    (target,) = of(backend("a", "m", engine=engine, metrics={"engine": {"intervalSeconds": 7}})).engines
    assert (target.endpoint.name, target.interval_seconds) == ("a@127.0.0.1:8000", 7)


def test_an_engine_that_tells_nothing_is_not_asked() -> None:
    assert of(backend("a", "m", engine="OpenAI")).engines == ()


def test_an_endpoint_with_many_models_is_asked_once_and_each_pod_by_itself() -> None:
    pods = [{"addresses": [f"10.0.0.{number}"]} for number in (1, 2)]
    resources = resource_set(
        backend("a", "m", "n", serviceRef={"name": "s", "port": 8000}),
        service("s"),
        endpoint_slice("s", *pods),
    )
    found = targets.of(current.snapshot(resources, "default", 0)).engines
    assert [target.endpoint.host for target in found] == ["10.0.0.1", "10.0.0.2"]


def test_the_path_of_the_metrics_is_the_owner_s() -> None:
    (target,) = of(backend("a", "m", metrics={"engine": {"path": "/m"}})).engines
    assert target.questions.often[0].paths == ("/m",)


def test_an_exporter_of_status_tells_of_its_endpoint_s_gpus() -> None:
    found = only(of(with_exporters({"endpoint": "10.0.0.1:8000", "url": URL, "uuids": ["GPU-1"]})).exporters)
    assert (found.exporter.host, found.exporter.port, found.exporter.base_path) == (
        "10.0.0.9",
        9400,
        "/metrics",
    )
    ((endpoint, uuids),) = [(one.endpoint.name, one.uuids) for one in found.behind]
    assert (endpoint, uuids) == ("a@10.0.0.1:8000", frozenset({"GPU-1"}))


def test_an_exporter_of_an_endpoint_that_went_is_not_asked() -> None:
    assert of(with_exporters({"endpoint": "10.0.0.7:8000", "url": URL})).exporters == ()


def test_the_owner_s_url_counts_instead_of_those_that_were_found_and_no_path_means_metrics() -> None:
    found = {"endpoint": "10.0.0.1:8000", "url": URL}
    assert only(of(with_exporters(found, url="http://gpu:1")).exporters).exporter.name == "http://gpu:1"
    assert only(of(with_exporters(found, url="http://gpu:1")).exporters).exporter.base_path == "/metrics"


def test_nobody_is_asked_of_gpus_where_the_owner_says_none() -> None:
    assert of(with_exporters({"endpoint": "10.0.0.1:8000", "url": URL}, source="None")).exporters == ()


def test_an_exporter_that_backends_share_is_asked_once_as_often_as_the_quickest_wants() -> None:
    shared = {"gpu": {"url": URL}}
    found = of(
        backend("a", "m", metrics={**shared, "engine": {"intervalSeconds": 30}}),
        backend("b", "m", metrics={**shared, "engine": {"intervalSeconds": 12}}),
    )
    assert only(found.exporters).interval_seconds == 12
    assert [one.endpoint.backend for one in only(found.exporters).behind] == ["a", "b"]


def test_an_exporter_is_asked_every_five_seconds_at_most() -> None:
    assert only(of(backend("a", "m", metrics={"gpu": {"url": URL}})).exporters).interval_seconds == 5


def test_an_exporter_gets_no_credential_of_the_engine() -> None:
    found = of(backend("a", "m", metrics={"gpu": {"url": URL}}))
    assert only(found.exporters).exporter.authorization is None


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://[fe80::1]:9400",
        "http://metadata.google.internal",
        "ftp://x",
        "http://[",
    ],
)
def test_an_exporter_where_nobody_may_go_is_refused_in_words(url: str) -> None:
    found = of(with_exporters({"endpoint": "10.0.0.1:8000", "url": url}))
    (refused,) = found.refused
    assert found.exporters == ()
    assert [endpoint.name for endpoint in refused.endpoints] == ["a@10.0.0.1:8000"]
    assert refused.why.endswith(".")
