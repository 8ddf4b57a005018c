"""Operator, gateway and engines as users run them: processes of their own, none of them as admin.

The service accounts and their roles are those of manifests/install.yaml, in the test's namespace.

Invariant: every process that is started here has ended when its `with` is left.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from fakes.program import Gateway
from kube import waiting
from kube.control_plane import ControlPlane

SECONDS = 30.0
"""No program takes longer to start or to stop, unless it hangs."""

OPERATOR = "steelyard-operator"
"""The operator's service account."""

GATEWAY = "steelyard-gateway"
"""The gateway's service account."""

_REPOSITORY = Path(__file__).parents[2]
_SHIPPED_NAMESPACE = "steelyard"
_KINDS_OF_RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")

_ENGINE = """
import signal, sys
from fakes.profiled_engine import ProfiledEngine
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
with ProfiledEngine(host=sys.argv[1], models=sys.argv[2:]).running() as engine:
    print(engine.port, flush=True)
    signal.sigwait({signal.SIGTERM})
"""


def grant(
    control_plane: ControlPlane, namespace: str, *, everywhere: bool = False, accounts_in: str = ""
) -> None:
    """Give the programs the shipped rights over this namespace, which is theirs.

    `everywhere`: the operator's reach over all namespaces, as shipped. Otherwise over this one: its
    ClusterRole becomes a Role, as the manifest says how. `accounts_in`: the namespace that is theirs instead.
    """
    documents = yaml.safe_load_all((_REPOSITORY / "manifests" / "install.yaml").read_text())
    rights = [_moved(one, namespace, everywhere) for one in documents if one["kind"] in _KINDS_OF_RIGHTS]
    for subject in (subject for one in rights for subject in one.get("subjects", [])):
        subject["namespace"] = accounts_in or namespace
    listed = {"apiVersion": "v1", "kind": "List", "items": rights}
    applied = control_plane.kubectl("apply", "--namespace", namespace, "-f", "-", stdin=json.dumps(listed))
    assert applied.returncode == 0, applied.stderr


def _moved(document: dict[str, Any], namespace: str, everywhere: bool) -> dict[str, Any]:
    """The document in another namespace."""
    moved: dict[str, Any] = json.loads(json.dumps(document))
    metadata = moved["metadata"]
    if metadata.get("namespace") == _SHIPPED_NAMESPACE:
        metadata["namespace"] = namespace
    if everywhere and moved["kind"] == "ClusterRoleBinding":
        metadata["name"] = f"{metadata['name']}-{namespace}"
    elif not everywhere:
        moved["kind"] = moved["kind"].removeprefix("Cluster")
        if "roleRef" in moved:
            moved["roleRef"]["kind"] = "Role"
    return moved


class Operator:
    """An operator that listens; it need not be the active one."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        self.url = f"http://127.0.0.1:{self.wait_for('listening')['port']}"

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        whole, _, _ = self.log.read_text(errors="replace").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first log line of this event."""

        def look() -> dict[str, Any] | None:
            found = next((line for line in self.lines if line["event"] == event), None)
            assert found or self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            return found

        return waiting.until(look, f"log line {event!r}", SECONDS)

    def wait_until_active(self) -> "Operator":
        """Itself, once it holds the lease."""
        self.wait_for("active")
        return self

    def get(self, path: str) -> httpx.Response:
        """What its HTTP port answers."""
        return httpx.get(f"{self.url}{path}", timeout=SECONDS, trust_env=False)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of its samples of this name with these labels."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(one.value for one in samples if labels.items() <= one.labels.items())

    def wait_for_probes(self, more: int) -> None:
        """Wait until so many more probes were made."""
        name = "steelyard_operator_probes_total"
        enough = self.metric(name) + more
        waiting.until(lambda: self.metric(name) >= enough, f"{more} more probes")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(seconds)

    def stop(self) -> int:
        """End it as Kubernetes does; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.wait()


class Programs:
    """Starts programs on one control plane, in one namespace."""

    def __init__(self, control_plane: ControlPlane, namespace: str, folder: Path) -> None:
        self._control_plane = control_plane
        self._namespace = namespace
        self._folder = folder
        self._started = 0

    @contextmanager
    def operator(self, *flags: str, everywhere: bool = False, identity: str = "one") -> Iterator[Operator]:
        """An operator; it may end or be ended meanwhile. An exception in its log is an error."""
        reach = () if everywhere else (f"--namespace={self._namespace}",)
        places = (f"--lease-namespace={self._namespace}", "--host=127.0.0.1", "--port=0")
        words = ("-m", "steelyard_operator", *reach, *places, "--profiler-image=none")
        self._started += 1
        log = self._folder / f"operator-{self._started}.log"
        with (
            log.open("wb") as output,
            self._process(OPERATOR, *words, f"--identity={identity}", *flags, stderr=output) as process,
        ):
            try:
                yield Operator(process, log)
            finally:
                process.kill()
                text = log.read_text(errors="replace")
                sys.stdout.write(f"{log.name}:\n{text}")  # shown where the test fails
        assert '"exception"' not in text and "Traceback" not in text, text

    @contextmanager
    def gateway(self, *flags: str) -> Iterator[Gateway]:
        """A gateway on free ports over the namespace."""
        source = ("--source=kubernetes", f"--namespace={self._namespace}", "--port=0", "--admin-port=0")
        words = ("-m", "steelyard_gateway", *source, "--grace-seconds=0", *flags)
        with self._process(GATEWAY, *words, stderr=subprocess.PIPE) as process:
            with closing(Gateway(process)) as up:
                yield up
            assert process.returncode == 0

    @contextmanager
    def _process(self, account: str, *words: str, stderr: Any) -> Iterator[subprocess.Popen[bytes]]:
        """A Python process that is this service account to the API server."""
        kubeconfig = self._control_plane.service_account_kubeconfig(self._namespace, account)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STEELYARD_")}
        environment = {**inherited, "KUBECONFIG": str(kubeconfig)}
        with subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            env=environment,
            cwd=_REPOSITORY,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def engine(*models: str, host: str = "127.0.0.1") -> Iterator[int]:
    """The port of an engine that is up and serves these models on this address."""
    with subprocess.Popen(
        [sys.executable, "-c", _ENGINE, host, *models],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_REPOSITORY / "tests")},
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()
