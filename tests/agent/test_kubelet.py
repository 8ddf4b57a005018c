"""Who has which GPU: the agent with a kubelet that speaks gRPC."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from agent import kubelets
from agent.kubelets import FakeKubelet, container, pod, pods
from agent.programs import Run, Series
from fakes.nvml import driver as nvml
from fakes.nvml.driver import MIG_UUID, UUID, FakeDriver
from kube import waiting
from steelyard.telemetry import gpus
from steelyard_agent.kubelet import MOST_ANSWER_BYTES, Kubelet, KubeletUnavailable
from steelyard_agent.podresources import Holder

UNKNOWN = "it is not known who has the GPUs"
OLLAMA, VLLM = ("models", "ollama-0"), ("models", "vllm-0")


@pytest.fixture
def kubelet() -> Iterator[FakeKubelet]:
    """A kubelet that has no pods yet."""
    with kubelets.running() as up:
        yield up


def pods_of(said: Series) -> list[frozenset[tuple[str, str]]]:
    """Who has each GPU, as readers of exporters understand it."""
    return [gpu.pods for gpu in gpus.read(said.text.encode())]


def test_each_line_names_the_container_that_has_the_gpu(
    driver: FakeDriver, run: Run, kubelet: FakeKubelet
) -> None:
    driver.say(nvml.gpu(0), nvml.gpu(1), nvml.gpu(2), count=3)
    kubelet.answer = pods(
        pod("idle", container("main")),
        pod("ollama-0", container("sidecar"), container("ollama", UUID.format(0))),
        pod("vllm-0", container("vllm", UUID.format(1))),
    )
    with run(f"--kubelet-socket={kubelet.socket}") as agent:
        said = waiting.until(lambda: _with_pods(agent.metrics()), "a pod in a line")

        assert pods_of(said) == [{OLLAMA}, {VLLM}, frozenset()]
        first, _, last = said.labels("DCGM_FI_DEV_FB_USED")
        assert (first["namespace"], first["pod"], first["container"]) == ("models", "ollama-0", "ollama")
        assert not {"namespace", "pod", "container", "vgpu"} & last.keys()
        assert agent.health()["pods_problem"] == ""

        kubelet.stop()
        waiting.until(lambda: agent.logged(UNKNOWN), "a line that says that it is gone")
        assert agent.health()["pods_problem"] == f"The kubelet's socket {kubelet.socket} is not there."
        assert agent.metrics().values("DCGM_FI_DEV_GPU_UTIL") == {"0": 83, "1": 83, "2": 83}

        kubelet.start()
        waiting.until(lambda: _with_pods(agent.metrics()), "a pod in a line again")
        waiting.until(lambda: agent.logged("it is known again who has the GPUs"), "a line that says so")
        assert len(agent.logged(UNKNOWN)) == 1


def test_a_gpu_that_pods_share_has_lines_for_each(driver: FakeDriver, run: Run, kubelet: FakeKubelet) -> None:
    driver.say(nvml.gpu())
    kubelet.answer = pods(
        pod("ollama-0", container("ollama", f"{UUID.format(0)}::0", f"{UUID.format(0)}::3")),
        pod("vllm-0", container("vllm", f"{UUID.format(0)}::1")),
    )
    with run(f"--kubelet-socket={kubelet.socket}") as agent:
        said = waiting.until(lambda: _with_pods(agent.metrics()), "a pod in a line")

    assert pods_of(said) == [{OLLAMA, VLLM}]
    shares = [(one["pod"], one["vgpu"]) for one in said.labels("DCGM_FI_DEV_GPU_UTIL")]
    assert shares == [("ollama-0", "0"), ("ollama-0", "3"), ("vllm-0", "1")]


def test_a_mig_device_has_its_own_pod(driver: FakeDriver, run: Run, kubelet: FakeKubelet) -> None:
    driver.say(*nvml.CUT)
    kubelet.answer = pods(
        pod("ollama-0", container("ollama", MIG_UUID.format(2))),
        pod("vllm-0", container("vllm", f"{MIG_UUID.format(9)}::0")),
    )
    with run(f"--kubelet-socket={kubelet.socket}") as agent:
        said = waiting.until(lambda: _with_pods(agent.metrics()), "a pod in a line")

    assert pods_of(said) == [{OLLAMA}, {VLLM}]


def test_a_kubelet_that_hangs_holds_up_no_answer(driver: FakeDriver, run: Run, kubelet: FakeKubelet) -> None:
    driver.say(nvml.gpu())
    kubelet.may_answer.clear()
    with run(f"--kubelet-socket={kubelet.socket}") as agent:
        said = agent.wait_for("GPU_UTIL", {"0": 83})

    assert pods_of(said) == [frozenset()]


def test_what_the_kubelet_refuses_is_told_with_its_status(kubelet: FakeKubelet) -> None:
    kubelet.status = grpc.StatusCode.UNIMPLEMENTED

    assert _problem(kubelet.socket) == "gRPC status 12, HTTP status 200"


def test_an_answer_of_many_frames_is_read_whole(kubelet: FakeKubelet) -> None:
    kubelet.answer = pods(*(pod(f"pod-{n}", container("c", UUID.format(n))) for n in range(5_000)))
    assert len(kubelet.answer) > 250_000

    found = Kubelet(str(kubelet.socket)).holders()
    assert len(found) == 5_000
    assert found[UUID.format(4_999)] == (Holder("models", "pod-4999", "c"),)


def test_an_answer_that_is_too_long_is_refused(kubelet: FakeKubelet) -> None:
    kubelet.answer = bytes(MOST_ANSWER_BYTES + 1)

    assert _problem(kubelet.socket) == f"the answer is longer than {MOST_ANSWER_BYTES} bytes"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x08\x07" + bytes(13),
    ],
    ids=["nothing", "HTTP/1.1", "settings and a GOAWAY"],
)
def test_a_server_that_is_no_kubelet_is_told_in_a_sentence(said: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = Path(folder) / "kubelet.sock"
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(65_536)
                client.sendall(said)

        serving = threading.Thread(target=serve)
        serving.start()
        assert _problem(path)
        serving.join()


def _with_pods(said: Series) -> Series | None:
    """The exposition, if it names a pod."""
    return said if any(pods_of(said)) else None


def _problem(path: Path) -> str:
    """Why this kubelet cannot be asked, without the words before it."""
    with pytest.raises(KubeletUnavailable) as refused:
        Kubelet(str(path)).holders()
    before, colon, reason = str(refused.value).partition(f"{path}: ")
    assert (before, bool(colon)) == ("The kubelet does not answer at ", True)
    return reason.removesuffix(".")
