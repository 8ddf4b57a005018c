"""What the benchmark sends and to whom: prompts, resources, wrk's scripts, streams, the upstreams."""

import http.client
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench import answers, nginx, processes, prompts, resources, streams, wrk
from bench.measures import Quantity
from bench.processes import BenchError, Program
from bench.streams import StreamLoad
from steelyard.files import reading
from steelyard.routing.compiling import compile_table

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason=wrk.HOW_TO_GET)
needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason=nginx.HOW_TO_GET)
SECONDS = 20.0


@contextmanager
def engine() -> Iterator[tuple[int, list[Any]]]:
    """A server that answers every request, its port and the bodies that it got."""
    bodies: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, bodies
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(launch: processes.Launch, folder: Path) -> Iterator[Program]:
    program = Program(launch, frozenset(os.sched_getaffinity(0)), folder / "log")
    try:
        yield program
    finally:
        program.stop()


def test_a_thousand_prompts_are_distinct_short_and_of_every_kind() -> None:
    made = prompts.generate(1)

    assert len({prompt.text for prompt in made}) == 1_000
    assert {len(prompt.text.split()) for prompt in made} <= set(range(30, 61))
    assert set(Counter(prompt.category for prompt in made).values()) == {100}


def test_prompts_stand_in_json_as_they_are() -> None:
    assert all(json.dumps(prompt.text) == f'"{prompt.text}"' for prompt in prompts.generate(1))


def test_prompts_depend_on_nothing_but_the_seed() -> None:
    assert prompts.generate(1) == prompts.generate(1)
    assert not {prompt.text for prompt in prompts.generate(1)} & {one.text for one in prompts.generate(2)}


def test_every_set_of_resources_is_in_force_as_a_whole(tmp_path: Path) -> None:
    sets = {
        "name": resources.by_name(18000),
        "auto": resources.automatic(18000),
        "models": resources.many_models(18000, 1_000),
        "endpoints": resources.many_endpoints(18000, 1_000),
    }
    for name, objects in sets.items():
        folder = resources.write(tmp_path / name, objects)
        _, problems = compile_table(reading.load(folder).resources, "default")
        assert problems == (), name


def test_the_candidates_of_auto_are_measured_in_every_category(tmp_path: Path) -> None:
    loaded = reading.load(resources.write(tmp_path / "auto", resources.automatic(18000)))
    profiles = loaded.resources.profiles.values()

    assert len(profiles) == 8
    assert {len(one.status.quality.categories) for one in profiles if one.status.quality} == {10}


def test_a_thousand_endpoints_have_a_thousand_loopback_addresses() -> None:
    addresses = resources.addresses(1_000)

    assert len(set(addresses)) == 1_000
    assert addresses[0] == "127.0.0.1"
    assert all(
        one.startswith("127.") and all(int(part) < 255 for part in one.split(".")) for one in addresses
    )


def test_what_wrk_prints_is_read() -> None:
    output = (
        'Running 3s test\nbench {"requests": 300, "seconds": 3, "p50_us": 613, "p99_us": 2000, "errors": 0}\n'
    )

    assert wrk.parse(output) == {
        Quantity.RATE: 100,
        Quantity.P50_MS: 0.613,
        Quantity.P99_MS: 2,
        Quantity.ERRORS: 0,
        Quantity.COUNT: 300,
    }


def test_answers_that_are_errors_are_no_rate() -> None:
    output = 'bench {"requests": 300, "seconds": 3, "p50_us": 1, "p99_us": 1, "errors": 270}'

    assert wrk.parse(output)[Quantity.RATE] == 10


def test_a_run_of_wrk_without_figures_is_an_error() -> None:
    with pytest.raises(BenchError, match="no figures"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_without_wrk_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BenchError, match="apt-get install wrk"):
        wrk.find()


@needs_wrk
def test_the_same_body_is_sent_again_and_again(tmp_path: Path) -> None:
    body = wrk.body("bench", "What is 7 + 5?")
    with engine() as (port, bodies):
        measured = wrk.one(tmp_path, body).run(port, 1, 1)

    assert measured[Quantity.COUNT] > 0
    assert measured[Quantity.ERRORS] == 0
    assert all(one == json.loads(body) for one in bodies)


@needs_wrk
def test_bodies_are_sent_in_turn(tmp_path: Path) -> None:
    sent = [wrk.body(f"model-{number}", "Hello.") for number in range(4)]
    with engine() as (port, bodies):
        wrk.in_turn(tmp_path, sent).run(port, 1, 1)
    counts = Counter(one["model"] for one in bodies)

    assert set(counts) == {f"model-{number}" for number in range(4)}
    assert max(counts.values()) - min(counts.values()) <= wrk.CONNECTIONS


@needs_wrk
def test_new_prompts_never_come_twice_not_in_another_round_either(tmp_path: Path) -> None:
    load = wrk.all_new(tmp_path, prompts.generate(1))
    with engine() as (port, bodies):
        load.run(port, 1, 1)
        load.run(port, 1, 2)
    texts = [one["messages"][0]["content"] for one in bodies]

    assert len(texts) == len(set(texts)) > 0
    assert {one["model"] for one in bodies} == {resources.POLICY}


@needs_nginx
@pytest.mark.parametrize("reads_bodies", [False, True], ids=["at once", "after the body"])
def test_the_static_upstream_answers_large_bodies_on_every_address(
    tmp_path: Path, reads_bodies: bool
) -> None:
    port, hosts = processes.free_port(), resources.addresses(300)
    launch = nginx.upstream(tmp_path, port, hosts=hosts, reads_bodies=reads_bodies)
    with running(launch, tmp_path) as upstream:
        processes.wait_for_answer(upstream, port, b"{}", SECONDS)
        with closing(http.client.HTTPConnection(hosts[-1], port, timeout=SECONDS)) as connection:
            for _ in range(2):
                connection.request("POST", "/v1/chat/completions", b"x" * 1_000_000)
                answer = connection.getresponse()
                assert (answer.status, answer.read().decode()) == (200, answers.COMPLETION)


@needs_nginx
def test_the_proxy_to_compare_with_keeps_its_log(tmp_path: Path) -> None:
    port = processes.free_port()
    with engine_of_streams(tmp_path, interval_ms=1) as upstream_port:
        launch = nginx.proxy(tmp_path / "proxy", port, [f"127.0.0.1:{upstream_port}"], is_streamed=True)
        with running(launch, tmp_path / "proxy") as proxy:
            processes.wait_for_answer(proxy, port, b"{}", SECONDS)
            measured = StreamLoad(2, interval_ms=1).run(port, 1, 1)

    assert measured[Quantity.ERRORS] == 0
    assert (tmp_path / "proxy" / "access.log").exists()


@contextmanager
def engine_of_streams(folder: Path, interval_ms: int) -> Iterator[int]:
    """The port of an upstream of streams that is up."""
    port = processes.free_port()
    with running(streams.upstream(folder, port, interval_ms=interval_ms), folder) as upstream:
        processes.wait_for_answer(upstream, port, b"{}", SECONDS)
        yield port


def test_paced_streams_come_whole_and_in_their_time(tmp_path: Path) -> None:
    with engine_of_streams(tmp_path, interval_ms=2) as port:
        measured = StreamLoad(4, interval_ms=2).run(port, 1, 1)

    assert measured[Quantity.ERRORS] == 0
    assert 0 < measured[Quantity.RATE] < 4 * 500 * 1.1
    assert 0 < measured[Quantity.P50_MS] <= measured[Quantity.P99_MS]
    assert measured[Quantity.TTFT_P50_MS] > 0
    assert measured[Quantity.COUNT] > measured[Quantity.RATE]


def test_streams_flat_out_bring_more_than_paced_ones(tmp_path: Path) -> None:
    with engine_of_streams(tmp_path, interval_ms=0) as port:
        measured = StreamLoad(4, interval_ms=0).run(port, 1, 1)

    assert measured[Quantity.ERRORS] == 0
    assert measured[Quantity.RATE] > 4 * 50
    assert Quantity.P50_MS not in measured


def test_a_stream_is_events_that_end_with_usage_where_it_was_asked_for(tmp_path: Path) -> None:
    body = {"stream": True, "stream_options": {"include_usage": True}}
    with (
        engine_of_streams(tmp_path, interval_ms=1) as port,
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)) as connection,
    ):
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        events = connection.getresponse().read().decode().split("\n\n")
    *chunks, usage, done, rest = events

    assert len(chunks) == streams.CHUNKS
    assert all(json.loads(one.removeprefix("data: "))["choices"][0]["delta"] for one in chunks)
    assert json.loads(usage.removeprefix("data: "))["choices"] == []
    assert (done, rest) == ("data: [DONE]", "")


def test_the_time_in_a_chunk_is_read_back() -> None:
    sent_at_ns = 1_234_567_890_123

    assert answers.SENT_AT.findall(answers.chunk(sent_at_ns)) == [b"000001234567890123"]


def test_a_stream_that_breaks_off_is_an_error() -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.wfile.write(answers.STREAM_HEAD + answers.chunk(1))

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            measured = StreamLoad(1, interval_ms=0).run(server.server_port, 1, 1)
        finally:
            server.shutdown()
            thread.join()

    assert measured[Quantity.ERRORS] > 0
