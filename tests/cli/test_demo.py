"""The demo on real engines: it ends in words whatever is in the way, and nothing of it is left running."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import openai
import pytest

from steelyard.files import reading
from steelyard.routing.compiling import compile_table
from steelyard_cli.demo import requests, resources
from steelyard_cli.demo.errors import InTheWay
from steelyard_cli.engines import fleet
from steelyard_cli.engines.fleet import Engine
from steelyard_cli.engines.parts import Parts

Steelyard = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
SECONDS = 120
"""Nothing but the whole demo takes longer, unless it hangs."""

WHOLE_SECONDS = 900
"""The whole demo takes one to two minutes where nothing else runs."""

SERVE = """
import sys
from pathlib import Path
from steelyard_cli.demo import errors, serving
folder, port, admin_port = sys.argv[1:]
try:
    ports = int(port), int(admin_port)
    serving.serve(Path(folder), ports, lambda text: print(text, flush=True), once=False)
except errors.InTheWay as error:
    sys.exit(f"told: {error}")
"""


class Running:
    """A demo, or a part of it, that is read line by line."""

    def __init__(self, process: subprocess.Popen[str], complaints: Path) -> None:
        self.process = process
        self._complaints = complaints

    def wait_for(self, text: str) -> None:
        """Read on until a line holds this text."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if text in line:
                return
        raise AssertionError(f"{text!r} is not in {lines}; it complained: {self._complaints.read_text()}")

    def ended(self) -> tuple[int, str]:
        """Its status and what it complained of."""
        assert self.process.stdout is not None
        self.process.stdout.read()
        return self.process.wait(SECONDS), self._complaints.read_text()


@contextmanager
def running(tmp_path: Path, *words: str) -> Iterator[Running]:
    """Python with these words; killed at the end if it still runs."""
    complaints = tmp_path / "stderr"
    with (
        complaints.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=tmp_path
        ) as process,
    ):
        try:
            yield Running(process, complaints)
        finally:
            process.kill()


def demo(folder: Path | str, ports: Sequence[int]) -> list[str]:
    port, admin_port = map(str, ports)
    return ["demo", "--folder", str(folder), "--port", port, "--admin-port", admin_port]


def free_ports() -> tuple[int, int]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        return first.getsockname()[1], second.getsockname()[1]


def processes_of(folder: Path) -> dict[int, str]:
    """The running processes that were given this folder: engines, too, are told a log file in it."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in words:
                found[int(entry.name)] = words
    return found


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def refused(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line of a demo that could not go on."""
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    return line.removeprefix("steelyard demo: ")


def test_a_taken_port_is_told_with_its_flag_before_anything_is_done(
    steelyard: Steelyard, tmp_path: Path
) -> None:
    folder = tmp_path / "demo"
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = other.getsockname()[1], free_ports()[0]
        lines = [refused(steelyard(*demo(folder, ports))) for ports in ((taken, free), (free, taken))]

    reason = f"port {taken} cannot be used (Address already in use): choose another with"
    assert lines == [f"{reason} --port", f"{reason} --admin-port"]
    assert not folder.exists()


def test_a_folder_with_a_users_own_files_is_left_as_it_is(steelyard: Steelyard, tmp_path: Path) -> None:
    own = tmp_path / "backends.yaml"
    own.write_text("# mine")

    line = refused(steelyard(*demo(tmp_path, free_ports())))

    assert line == f"{own} is not the demo's own: choose another folder with --folder"
    assert own.read_text() == "# mine"


def test_a_folder_that_cannot_be_made_is_told(steelyard: Steelyard, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    line = refused(steelyard(*demo(tmp_path / "file" / "demo", free_ports())))

    assert line == f"{tmp_path}/file/demo: Not a directory"


def test_a_later_demo_takes_the_folder_over_and_keeps_nothing(tmp_path: Path) -> None:
    resources.clear(tmp_path)
    resources.write(tmp_path, [], "http://127.0.0.1:11434", ["llama3:8b"])
    (tmp_path / "modelprofile-a.yaml").touch()
    (tmp_path / "logs" / "gateway.log").touch()

    resources.clear(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [resources.MARK, "logs"]
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_file_that_a_user_put_into_a_demos_folder_is_in_the_way_and_all_stays(tmp_path: Path) -> None:
    resources.clear(tmp_path)
    (tmp_path / "backends.yaml").touch()
    (tmp_path / "mine.yaml").touch()

    with pytest.raises(InTheWay, match=r"mine\.yaml is not the demo's own"):
        resources.clear(tmp_path)

    assert (tmp_path / "backends.yaml").exists()


def test_models_of_an_ollama_take_part_and_are_not_measured_for_long(tmp_path: Path) -> None:
    engine = Engine("small", "http://127.0.0.1:8000", 1, tmp_path / "log")
    resources.write(tmp_path, [engine], "http://127.0.0.1:11434", ["llama3:8b", "hf.co/a/b:Q4_K_M"])

    found = reading.load(tmp_path).resources
    table, problems = compile_table(found, "default")

    assert problems == ()
    assert {(pair.model, pair.backend) for pair in table.candidates} == {
        ("small", "llamacpp-1"),
        ("llama3:8b", "ollama"),
        ("hf.co/a/b:Q4_K_M", "ollama"),
    }
    templates = [one.spec.profiling.template for one in found.backends.values()]
    assert [(one.limits.max_tokens, one.limits.max_duration_seconds) for one in templates] == [
        (9_000, 900),
        (200_000, 60),
    ]


def test_engines_that_cannot_be_fetched_are_told(steelyard: Steelyard, tmp_path: Path) -> None:
    without_wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}

    line = refused(steelyard(*demo(tmp_path / "demo", free_ports()), **without_wheels))

    assert line.startswith("The demo's engines cannot be fetched: ERROR: No matching distribution")
    assert processes_of(tmp_path) == {}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False)
    if not made or made.returncode:
        pytest.skip("needs the right to mount a small file system (root)")
    yield disk
    subprocess.run(["umount", disk], check=True)  # noqa: S607


def test_a_full_disk_is_told(
    steelyard: Steelyard, engine_parts: Parts, tiny_disk: Path, tmp_path: Path
) -> None:
    small_cache = refused(
        steelyard(*demo(tmp_path / "demo", free_ports()), XDG_CACHE_HOME=str(tiny_disk / "cache"))
    )
    small_folder = refused(steelyard(*demo(tiny_disk / "demo", free_ports())))

    assert f"The demo needs 900 MB in {tiny_disk}/cache/steelyard/demo" in small_cache
    assert small_folder.startswith(f"{tiny_disk}/demo has 1 MB left: make room")
    assert processes_of(tmp_path) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_ends_it_quietly_with_its_engines(
    engine_parts: Parts, tmp_path: Path, number: signal.Signals
) -> None:
    folder, ports = tmp_path / "demo", free_ports()
    with running(tmp_path, "-m", "steelyard_cli", *demo(folder, ports)) as up:
        up.wait_for("Measuring:")
        assert len(processes_of(folder)) == 3

        up.process.send_signal(number)
        status, complaints = up.ended()

    assert status == 128 + number
    assert complaints in ("", "measuring smollm2-135m-instruct on llamacpp-1\n")
    assert processes_of(folder) == {}


def test_engines_that_die_while_they_are_measured_are_told(engine_parts: Parts, tmp_path: Path) -> None:
    with running(tmp_path, "-m", "steelyard_cli", *demo(tmp_path / "demo", free_ports())) as up:
        up.wait_for("Measuring:")
        for process_id, words in processes_of(tmp_path / "demo").items():
            if "engines.llamacpp" in words:
                os.kill(process_id, signal.SIGKILL)
        status, complaints = up.ended()

    assert status == 1
    assert complaints.splitlines()[-1].startswith("steelyard demo: smollm2-135m-instruct on llamacpp-1: ")
    assert "Traceback" not in complaints


@contextmanager
def serving(tmp_path: Path, engines: Sequence[Engine]) -> Iterator[tuple[Running, int]]:
    """The demo's last part over these engines, and its port."""
    folder, ports = tmp_path / "demo", free_ports()
    resources.clear(folder)
    resources.write(folder, engines, "", [])
    with running(tmp_path, "-c", SERVE, str(folder), *map(str, ports)) as up:
        yield up, ports[0]
    assert all(map(is_free, ports))


def test_it_serves_until_ctrl_c(smollm2_engine: Engine, gemma3_engine: Engine, tmp_path: Path) -> None:
    with serving(tmp_path, [smollm2_engine, gemma3_engine]) as (up, port):
        up.wait_for("Serving until Ctrl-C.")
        with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as client:
            answer = client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": "What is 6 times 7?"}], max_tokens=8
            )
        up.process.send_signal(signal.SIGINT)

        assert up.ended() == (0, "")
    assert answer.choices[0].message.content
    assert answer.model in (smollm2_engine.alias, gemma3_engine.alias)


def test_a_signal_among_the_requests_ends_it_quietly(smollm2_engine: Engine, tmp_path: Path) -> None:
    with serving(tmp_path, [smollm2_engine]) as (up, _):
        up.wait_for("a few requests")
        up.process.send_signal(signal.SIGTERM)

        assert up.ended() == (128 + signal.SIGTERM, "")


def test_a_request_that_no_engine_answers_is_told_in_a_line(tmp_path: Path) -> None:
    dead = Engine("dead", f"http://127.0.0.1:{free_ports()[0]}", 1, tmp_path / "log")
    with serving(tmp_path, [dead]) as (up, _):
        status, complaints = up.ended()

    assert status == 1
    assert complaints.startswith("told: a request for auto got 502: ")
    assert complaints.count("\n") == 1


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The command of the repository's wheel, installed with pip into an empty environment."""
    dist, environment = tmp_path / "dist", tmp_path / "environment"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    [wheel] = dist.glob("*.whl")
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), str(wheel)], check=True)
    return environment / "bin/steelyard"


@pytest.mark.slow
def test_the_wheel_in_an_empty_environment_runs_the_whole_demo(
    engine_parts: Parts, installed: Path, tmp_path: Path
) -> None:
    elsewhere, ports = tmp_path / "elsewhere", free_ports()
    elsewhere.mkdir()
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    ended = subprocess.run(
        [installed, *demo("demo", ports), "--once"],
        cwd=elsewhere,
        env=inherited,
        capture_output=True,
        text=True,
        timeout=WHOLE_SECONDS,
    )

    assert ended.returncode == 0, ended.stderr
    rows = [line.split() for line in ended.stdout.splitlines()]
    [header] = [row for row in rows if row[:1] == ["MODEL"]]
    assert header == ["MODEL", "BACKEND", "QUALITY", "TOK/S", "TTFT", "READY", "AGE"]
    measured = {row[0]: row[-2] for row in rows if row[1:2] in (["llamacpp-1"], ["llamacpp-2"])}
    assert measured == {model.alias: "True" for model in fleet.demo_models(engine_parts)}
    assert sum("@llamacpp-" in line and " › " in line for line in ended.stdout.splitlines()) == len(
        requests.EXAMPLES
    )
    assert max(map(len, ended.stdout.splitlines())) <= 100
    assert processes_of(installed.parent) == {}
    assert all(map(is_free, ports))
