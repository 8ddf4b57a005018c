"""Requests that name their namespace: how it is spelled, counted and logged, on connections of any age."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fakes import folders
from fakes.engines import Ask, Script, answer, engine
from fakes.program import Gateway, gateway
from steelyard_gateway import belonging, paths, settings
from steelyard_gateway.parts import Gateway as Parts
from steelyard_gateway.ports import Router
from steelyard_gateway.spaces import Reach

OWN, RED = (cast(Any, name) for name in ("own", "red"))


def parts(router: Any, others: dict[bytes, Parts] | None = None) -> Parts:
    nothing = cast(Any, None)
    return Parts(cast(Router, router), nothing, nothing, nothing, nothing, nothing, nothing, others=others)


SPELLINGS = {
    b"/ns/red/v1/chat/completions": "/v1/chat/completions",
    b"/ns/red/v1/chat/completions?api-version=1": "/v1/chat/completions",
    b"//ns//red//v1/chat/completions/": "/v1/chat/completions",
    b"/ns/red/openai/v1/embeddings": "/v1/embeddings",
    b"http://gateway:8080/ns/red/v1/models": "/v1/models",
    b"HTTPS://gateway/ns/red/v1/models/org/name": "/v1/models/{id}",
}


@pytest.mark.parametrize("target", SPELLINGS)
def test_the_namespace_is_found_however_the_path_is_spelled(target: bytes) -> None:
    red = parts(RED)
    gateway, found = belonging.find(parts(OWN, {b"red": red}), target)

    assert gateway is red
    assert found is not None
    assert found[0].label == SPELLINGS[target]
    assert found[1] == (b"?api-version=1" if b"?" in target else b"")


@pytest.mark.parametrize(
    "target",
    [
        b"/ns",
        b"/ns/red",
        b"/ns/red/",
        b"/ns/red/v1",
        b"/ns/red/metrics",
        b"/ns/red/ns/red/v1/models",
        b"/ns/Red/v1/models",
        b"/ns/-red/v1/models",
        b"/ns/red%2Fblue/v1/models",
        b"/ns//v1/models",
        b"/v1/ns/red/models",
        b"/openai/ns/red/v1/models",
        b"/ns/" + b"r" * 64 + b"/v1/models",
        b"gateway/ns/red/v1/models",
    ],
)
def test_nothing_else_is_a_path_of_a_namespace(target: bytes) -> None:
    _, found = belonging.find(parts(OWN, {b"red": parts(RED)}), target)

    assert found is None


def test_a_gateway_of_one_namespace_offers_no_such_paths() -> None:
    assert belonging.find(parts(OWN), b"/ns/red/v1/models")[1] is None


def test_before_resources_were_read_nobody_is_told_that_a_namespace_is_not_there() -> None:
    own = parts(OWN, {})

    assert belonging.find(own, b"/ns/red/v1/models") == (own, (paths.BY_PATH["/v1/models"], b""))


def test_namespaces_are_read_from_flag_and_environment_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    def read(*words: str, **environment: str) -> Reach:
        chosen = settings.parse(["--source=file:conf", *words], environment)
        return Reach(chosen.namespace, chosen.watched_namespaces)

    assert read().named == ("default",)
    assert read("--watch-namespaces", "b, a,b").named == ("default", "b", "a")
    assert read("--namespace=a", STEELYARD_WATCH_NAMESPACES="a,b").named == ("a", "b")
    assert read("--watch-namespaces", "*").named is None
    assert [read().is_wide, read("--watch-namespaces=*").is_wide] == [False, True]
    for wrong in ("Team", "a,*", "a/b"):
        with pytest.raises(SystemExit):
            read("--watch-namespaces", wrong)
        assert "is not the name of a namespace: write a,b or *" in capsys.readouterr().err


def says(name: str) -> Script:
    def script(ask: Ask) -> None:
        message = {"role": "assistant", "content": name}
        ask.send(answer(json.dumps({"choices": [{"index": 0, "message": message}]}).encode()))

    return script


def placed(document: dict[str, Any], namespace: str) -> dict[str, Any]:
    return document | {"metadata": document["metadata"] | {"namespace": namespace}}


@contextmanager
def two_namespaces(directory: Path) -> Iterator[Gateway]:
    """A gateway over files of `default` and `red`, each with a backend b of a model m."""
    with engine(says("own")) as own, engine(says("red")) as red:
        backends = [folders.backend("b", up.port, folders.model("m")) for up in (own, red)]
        policies = [folders.resource("RoutingPolicy", "p", {"models": [{"name": "auto"}]}) for _ in range(2)]
        of_red = [placed(one, "red") for one in (backends[1], policies[1])]
        folders.write(directory, backends[0], policies[0], *of_red)
        with gateway(directory, "--watch-namespaces=red") as up:
            yield up


BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}).encode()
REQUEST = b"POST %b/v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: %d\r\n\r\n%b"


def test_requests_of_several_namespaces_take_turns_on_one_connection(tmp_path: Path) -> None:
    """The second of equal heads takes the short way, which must not lead to the other namespace."""
    with two_namespaces(tmp_path) as up:
        host, port = up.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 20) as connection:
            came = connection.makefile("rb")
            texts = []
            for namespace in (b"", b"", b"/ns/red", b"/ns/red", b"/ns/red", b"", b"/ns/red"):
                connection.sendall(REQUEST % (namespace, len(BODY), BODY))
                lines = iter(came.readline, b"\r\n")
                (length,) = [int(one.split(b":")[1]) for one in lines if one.startswith(b"content-length")]
                texts.append(json.loads(came.read(length))["choices"][0]["message"]["content"])
    assert texts == ["own", "own", "red", "red", "red", "own", "red"]


def test_counts_and_log_lines_tell_namesakes_apart(tmp_path: Path) -> None:
    with two_namespaces(tmp_path) as up:
        for place in ("", "/ns/red", "/ns/red"):
            asked = up.client.post(f"{place}/v1/chat/completions", content=BODY)
            assert (asked.status_code, asked.headers["x-steelyard-backend"]) == (200, "b")
        absent = up.client.get("/ns/green/v1/models")
        assert (absent.status_code, absent.json()["error"]["code"]) == (404, "not_found")
        assert "'green' is not served here" in absent.json()["error"]["message"]
        families = list(text_string_to_metric_families(up.admin.get("/metrics").text))
        samples = [sample for family in families for sample in family.samples]
        labels = [(one.name, tuple(sorted(one.labels.items()))) for one in samples]
        assert len(set(labels)) == len(labels), "no series is there twice"
        counted = {
            (one.labels["policy"], one.labels["backend"]): one.value
            for one in samples
            if one.name == "steelyard_requests_total" and one.labels["status"] == "200"
        }
        assert counted == {("p", "b"): 1, ("red/p", "red/b"): 2}
        resting = [one.labels["backend"] for one in samples if one.name == "steelyard_endpoint_resting"]
        assert sorted(resting) == ["b", "red/b"]
        (overhead,) = [one.value for one in samples if one.name == "steelyard_overhead_seconds_count"]
        assert overhead == 4
        lines = [up.wait_for("request") for _ in range(4)]
    assert sorted(line["namespace"] for line in lines) == ["default", "default", "red", "red"]
