"""Several processes behind one port: they share the work, are replaced when they die and end together."""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest

import chaos
from fakes.engines import Ask, Engine, Script, answer, engine, says
from fakes.gateways import Line
from fakes.program import SECONDS, Gateway, gateway
from steelyard_gateway import logs, merging

GOOD = b'{"object":"chat.completion"}'
BODY = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'


@contextmanager
def two_workers(script: Script, directory: Path, *flags: str) -> Iterator[tuple[Gateway, Engine]]:
    """Two workers that are up, before an engine with this script."""
    with engine(script) as at:
        chaos.write_resources(directory, [at.port])
        with gateway(directory, "--workers", "2", *flags) as up:
            up.wait_for("worker listening")
            yield up, at


def lines_to(up: Gateway, number: int, stack: ExitStack) -> list[Line]:
    port = urlsplit(up.url).port
    assert port is not None
    return [stack.enter_context(Line(port)) for _ in range(number)]


def pids(up: Gateway) -> dict[int, int]:
    """The worker processes by index."""
    return {line["worker"]: line["pid"] for line in up.lines if line["event"] == "worker started"}


def samples(up: Gateway, name: str) -> float:
    """The sum of a metric's samples."""
    lines = [line for line in up.admin.get("/metrics").text.splitlines() if line.startswith(f"{name}{{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def until_ready(up: Gateway) -> None:
    end = monotonic() + SECONDS
    while up.admin.get("/readyz").status_code != 200:
        assert monotonic() < end


def is_open(line: Line) -> bool:
    """Whether a request over this connection is answered."""
    try:
        return line.post(BODY).read().status == 200
    except (OSError, AssertionError):
        return False


def test_both_serve_and_are_counted_as_one(tmp_path: Path) -> None:
    with two_workers(says(answer(GOOD)), tmp_path) as (up, _), ExitStack() as stack:
        lines = lines_to(up, 24, stack)
        assert {line.post(BODY).read().status for line in lines} == {200}
        assert samples(up, "steelyard_requests_total") == 24
        assert samples(up, "steelyard_request_duration_seconds_count") == 24

        os.kill(pids(up)[0], signal.SIGKILL)
        assert up.wait_for("worker died")["status"] == -signal.SIGKILL
        left = [is_open(line) for line in lines]
        assert set(left) == {True, False}
        assert samples(up, "steelyard_requests_total") == 24 + left.count(True)


def test_one_that_died_is_replaced_while_the_other_serves(tmp_path: Path) -> None:
    with two_workers(says(answer(GOOD)), tmp_path) as (up, _), ExitStack() as stack:
        first = pids(up)
        os.kill(first[1], signal.SIGKILL)
        up.wait_for("worker died")
        assert {line.post(BODY).read().status for line in lines_to(up, 8, stack)} == {200}
        reason = up.admin.get("/readyz").json()["reason"]
        assert reason == "worker 1 does not answer"
        up.wait_for("worker listening")
        until_ready(up)
        assert pids(up)[0] == first[0] and pids(up)[1] != first[1]


def test_requests_in_flight_are_those_of_both(tmp_path: Path) -> None:
    held: list[Ask] = []
    with two_workers(held.append, tmp_path) as (up, at), ExitStack() as stack:
        lines = [line.post(BODY) for line in lines_to(up, 16, stack)]
        at.wait_for_asks(16)
        (pair,) = up.admin.get("/admin/table").json()["candidates"]
        assert pair["endpoints"][0]["inFlight"] == 16
        assert samples(up, "steelyard_in_flight_requests") == 16
        for ask in held:
            ask.send(answer(GOOD))
        assert {line.read().status for line in lines} == {200}


def test_people_are_answered_as_by_one(tmp_path: Path) -> None:
    with two_workers(says(answer(GOOD)), tmp_path) as (up, _):
        until_ready(up)
        asked = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
        told = up.admin.post("/admin/explain", params={"load": '{"x": 3}'}, json=asked).json()
        wrong = up.admin.post("/admin/explain", params={"path": "/nowhere"}, json=asked)
        assert up.admin.get("/healthz").json() == {"status": "ok"}
        assert told["chosen"] == {"model": "m", "backend": "engine-0"}
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "path")
        assert [row["name"] for row in up.admin.get("/admin/resources").json()["resources"]] == ["engine-0"]
        assert up.admin.get("/nowhere").status_code == 404


def test_both_let_what_is_under_way_end_and_the_program_ends_with_0(tmp_path: Path) -> None:
    held: list[Ask] = []
    with two_workers(held.append, tmp_path) as (up, at), ExitStack() as stack:
        lines = [line.post(BODY) for line in lines_to(up, 16, stack)]
        at.wait_for_asks(16)
        up.process.terminate()
        up.wait_for("draining")
        up.wait_for("draining")
        assert up.admin.get("/readyz").json() == {"status": "not ready", "reason": "shutting down"}
        for ask in held:
            ask.send(answer(GOOD))
        got = [line.read() for line in lines]
        assert {(one.status, one.headers["connection"]) for one in got} == {(200, "close")}
        assert up.process.wait(SECONDS) == 0


def test_ctrl_c_after_a_signal_ends_both_at_once(tmp_path: Path) -> None:
    def silent(ask: Ask) -> None:
        ask.wait_for_hang_up()

    with two_workers(silent, tmp_path, "--drain-seconds", "600") as (up, at), ExitStack() as stack:
        lines = [line.post(BODY) for line in lines_to(up, 8, stack)]
        at.wait_for_asks(8)
        up.process.terminate()
        up.wait_for("draining")
        up.wait_for("draining")
        up.process.send_signal(signal.SIGINT)
        assert {line.read().status for line in lines} == {503}
        assert up.process.wait(SECONDS) == 0


class Killed(Exception):
    """The gateway was ended by the test itself."""


def test_no_worker_outlives_its_supervisor(tmp_path: Path) -> None:
    with engine(says(answer(GOOD))) as at:
        chaos.write_resources(tmp_path, [at.port])
        with pytest.raises(Killed), gateway(tmp_path, "--workers", "2") as up:
            up.wait_for("worker listening")
            up.process.kill()
            up.wait_for("draining")
            up.wait_for("draining")
            up.wait_for_silence()
            raise Killed


def refusal(directory: Path, port: int = 0) -> list[str]:
    """What a gateway with two workers says that cannot start."""
    words = ["--source", f"file:{directory}", "--port", str(port), "--admin-port", "0", "--workers", "2"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STEELYARD_")}
    ended = subprocess.run(
        [sys.executable, "-m", "steelyard_gateway", *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment,
    )
    assert ended.returncode == 1
    return [line for line in ended.stderr.splitlines() if not line.startswith("{")]


def test_what_one_process_refuses_several_refuse_once(tmp_path: Path) -> None:
    chaos.write_resources(tmp_path, [1])
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = other.getsockname()[1]
        (taken,) = refusal(tmp_path, port)
    (missing,) = refusal(tmp_path / "absent")

    assert taken == (
        f"Cannot listen on 127.0.0.1:{port} (Address already in use): choose another with --port."
    )
    assert missing == f"{tmp_path}/absent: cannot be read as a directory: No such file or directory"


EXPOSITION = """\
# TYPE steelyard_requests_total counter
steelyard_requests_total{{status="{status}"}} {count}
# TYPE steelyard_reload_failures_total counter
steelyard_reload_failures_total {failures}
# TYPE steelyard_overhead_seconds histogram
steelyard_overhead_seconds_bucket{{le="0.1"}} {count}
steelyard_overhead_seconds_bucket{{le="+Inf"}} {count}
steelyard_overhead_seconds_count {count}
steelyard_overhead_seconds_sum 0.5
# TYPE steelyard_in_flight_requests gauge
steelyard_in_flight_requests{{endpoint="e"}} {count}
# TYPE steelyard_table_age_seconds gauge
steelyard_table_age_seconds {count}
# TYPE steelyard_gateway_source_connected gauge
steelyard_gateway_source_connected {failures}
"""


def test_metrics_are_summed_where_sums_mean_something() -> None:
    sums = merging.Sums()
    sums.take(0, 0, EXPOSITION.format(status=200, count=4, failures=1))
    sums.take(1, 0, EXPOSITION.format(status=500, count=2, failures=0))

    assert [line for line in sums.text().decode().splitlines() if not line.startswith("#")] == [
        'steelyard_requests_total{status="200"} 4.0',
        'steelyard_requests_total{status="500"} 2.0',
        "steelyard_reload_failures_total 1.0",
        'steelyard_overhead_seconds_bucket{le="0.1"} 6.0',
        'steelyard_overhead_seconds_bucket{le="+Inf"} 6.0',
        "steelyard_overhead_seconds_count 6.0",
        "steelyard_overhead_seconds_sum 1.0",
        'steelyard_in_flight_requests{endpoint="e"} 6.0',
        "steelyard_table_age_seconds 4.0",
        "steelyard_gateway_source_connected 0.0",
    ]


def test_what_a_dead_worker_counted_stays_and_what_it_had_in_flight_goes() -> None:
    sums = merging.Sums()
    sums.take(0, 0, EXPOSITION.format(status=200, count=4, failures=0))
    for generation, count in ((1, 1), (1, 2), (2, 1)):
        sums.take(0, generation, EXPOSITION.format(status=200, count=count, failures=0))

    text = sums.text().decode()
    assert 'steelyard_requests_total{status="200"} 7.0' in text
    assert 'steelyard_in_flight_requests{endpoint="e"} 1.0' in text


def test_lines_of_several_processes_do_not_mix() -> None:
    reading, writing = os.pipe()
    lines = {letter: letter * 300 + b"\n" for letter in (b"a", b"b", b"c")}

    def write(line: bytes) -> None:
        out = logs.WholeLines(writing)
        for _ in range(50):
            assert out.write(line * 60) == 60 * len(line)

    with os.fdopen(reading, "rb") as seen, ThreadPoolExecutor() as pool:
        writers = [pool.submit(write, line) for line in lines.values()]
        came = Counter(seen.readline() for _ in range(len(lines) * 50 * 60))
        for writer in writers:
            writer.result(SECONDS)
    os.close(writing)

    assert came == dict.fromkeys(lines.values(), 50 * 60)


def test_a_line_longer_than_a_pipe_takes_at_once_is_written_whole(tmp_path: Path) -> None:
    written = b"x" * 9000 + b"\n" + b"y" * 5000 + b"\nz\n"
    with (tmp_path / "log").open("wb") as file:
        logs.WholeLines(file.fileno()).write(written)

    assert (tmp_path / "log").read_bytes() == written
