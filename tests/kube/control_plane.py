"""ControlPlane: a real Kubernetes API server on loopback, with etcd and the controllers that the tests need.

There are no nodes: pods stay Pending until a FakeKubelet runs them. RBAC is on; the test itself is `admin`,
and programs under test get the kubeconfig of a service account.

Invariant: every process that is started here is ended here, by its id.
"""

import base64
import itertools
import json
import secrets
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from kube import waiting
from kube_binaries import KubeBinaries

SECONDS = 60.0
"""No request and no command here takes longer, unless it hangs."""

ADMIN = "admin"
"""Name of the user who may do everything."""

CONTROLLERS = (
    "deployment-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "serviceaccount-controller",
    "ttl-after-finished-controller",
)
"""What runs in kube-controller-manager."""

_HOST = "127.0.0.1"
_TAIL_LINES = 15
"""How much of a log is shown when a program does not start."""

_EC_KEY_HEAD = bytes.fromhex("30310201010420")
_EC_KEY_TAIL = bytes.fromhex("a00a06082a8648ce3d030107")
"""RFC 5915: ECPrivateKey is a version, 32 bytes of secret, and the curve's name, here P-256."""


@dataclass
class Program:
    """One process of the control plane, which can be started again with the same words."""

    words: list[str]
    """Its command line."""
    log: Path
    """Where its output goes; a second start goes on in the same file."""
    process: subprocess.Popen[bytes] | None = None
    """None: it was not started, or it was ended."""

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process is None:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(self.words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(SECONDS)
            self.process = None

    def wait_for(self, look: Callable[[], bool]) -> None:
        """Wait until `look` is true; a program that ends instead is an error that shows its log."""

        def ready() -> bool:
            assert self.process is not None
            ended = self.process.poll()
            assert ended is None, f"{self.log.stem} ended with {ended}:\n{self._tail()}"
            return look()

        waiting.until(ready, f"{self.log.stem}, whose log is {self.log},", SECONDS)

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])


@dataclass
class ControlPlane:
    """An API server that is up; `running` makes one."""

    binaries: KubeBinaries
    """The programs."""
    folder: Path
    """Where data, logs, keys and kubeconfigs are."""
    url: str = field(init=False)
    """Address of the API server; it stays the same over a restart."""
    admin_token: str = field(init=False)
    """What `admin` shows."""
    admin: httpx.Client = field(init=False)
    """The API, for someone who may do everything."""

    def __post_init__(self) -> None:
        etcd_port, peer_port, api_port = _free_ports(3)
        self.url = f"https://{_HOST}:{api_port}"
        self.admin_token = secrets.token_hex(16)
        self._etcd_url = f"http://{_HOST}:{etcd_port}"
        self._serial = itertools.count(1)
        tokens = self._keep("tokens.csv", f"{self.admin_token},{ADMIN},{ADMIN},system:masters\n")
        key = self._keep("service-accounts.key", _new_key())
        self._etcd = self._program(self._etcd_words(f"http://{_HOST}:{peer_port}"))
        self._api_server = self._program(self._api_server_words(api_port, tokens, key))
        self._controllers: Program | None = None

    def start_api_server(self) -> None:
        """Start the API server and its controllers, unless they run, and wait until it is ready."""
        self._api_server.start()
        self._api_server.wait_for(self._is_ready)
        if self._controllers is not None:
            self._controllers.start()

    def stop_api_server(self) -> None:
        """Kill the API server; what it knew stays in etcd.

        Its controllers go with it: left without it they look for it ever more rarely, up to a minute apart.
        """
        if self._controllers is not None:
            self._controllers.kill()
        self._api_server.kill()

    def expire_watches(self) -> None:
        """Restart the API server so that a watch that goes on where it was is answered 410.

        A revision passes that no watcher saw, etcd forgets its history, and the API server its memory of it.
        """
        unseen = {"metadata": {"generateName": "unseen-"}}
        self.admin.post("/api/v1/namespaces/default/configmaps", json=unseen).raise_for_status()
        self.stop_api_server()
        with httpx.Client(base_url=self._etcd_url, timeout=SECONDS, trust_env=False) as etcd:
            any_key = base64.b64encode(b"\0").decode()
            seen = etcd.post("/v3/kv/range", json={"key": any_key}).raise_for_status()
            compaction = {"revision": seen.json()["header"]["revision"], "physical": True}
            etcd.post("/v3/kv/compaction", json=compaction).raise_for_status()
        self.start_api_server()

    def kubectl(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl as admin to its end."""
        return subprocess.run(
            [str(self.binaries.kubectl), "--kubeconfig", str(self.kubeconfig()), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={"HOME": str(self.folder)},
        )

    def token(self, namespace: str, service_account: str, seconds: int = 3600) -> str:
        """A new token of this service account, good for `seconds` (at least 600)."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        asked = self.admin.post(path, json={"spec": {"expirationSeconds": seconds}}).raise_for_status()
        token: str = asked.json()["status"]["token"]
        return token

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with which a program is this service account and nothing more."""
        return self.kubeconfig(self.token(namespace, name), namespace)

    def kubeconfig(self, token: str = "", namespace: str = "default") -> Path:
        """A new kubeconfig file for whoever has this token; without one, for admin."""
        name = "steelyard"
        cluster = {
            "server": self.url,
            "certificate-authority-data": base64.b64encode(self.authority.read_bytes()).decode(),
        }
        configuration = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token or self.admin_token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        }
        return self._keep(f"kubeconfig-{next(self._serial)}", json.dumps(configuration))

    def create_namespace(self, labels: dict[str, str] | None = None) -> str:
        """A fresh namespace with a default service account."""
        metadata = {"generateName": "test-", "labels": labels or {}}
        made = self.admin.post("/api/v1/namespaces", json={"metadata": metadata}).raise_for_status()
        namespace: str = made.json()["metadata"]["name"]
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        waiting.until(lambda: self.admin.get(account).status_code == 200, "a default service account")
        return namespace

    def delete_namespace(self, name: str) -> None:
        """Have a namespace and all in it deleted, some time after this returns."""
        self.admin.delete(f"/api/v1/namespaces/{name}").raise_for_status()

    def open(self, definitions: Path | None) -> None:
        """Start everything, with the CRDs in this folder known before the controllers start."""
        self._etcd.start()
        self._etcd.wait_for(lambda: _answers(f"{self._etcd_url}/health"))
        self._api_server.start()
        self._api_server.wait_for(self.authority.exists)
        self.admin = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {self.admin_token}"},
            verify=ssl.create_default_context(cafile=str(self.authority)),
            timeout=SECONDS,
            trust_env=False,
        )
        self.start_api_server()
        if definitions is not None:
            # The garbage collector learns of later kinds only every 30 s.
            applied = self.kubectl("apply", "--server-side", "-f", str(definitions))
            assert applied.returncode == 0, applied.stderr
        self._controllers = self._program(self._controllers_words())
        self._controllers.start()

    def close(self) -> None:
        """End every process."""
        if hasattr(self, "admin"):
            self.admin.close()
        for program in (self._controllers, self._api_server, self._etcd):
            if program is not None:
                program.kill()

    @property
    def authority(self) -> Path:
        """The API server's own certificate and its issuer's, which it writes when it first starts."""
        return self.folder / "certificates" / "apiserver.crt"

    def _is_ready(self) -> bool:
        try:
            return self.admin.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _etcd_words(self, peer_url: str) -> list[str]:
        return [
            str(self.binaries.etcd),
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
        ]

    def _api_server_words(self, port: int, tokens: Path, key: Path) -> list[str]:
        return [
            str(self.binaries.kube_apiserver),
            f"--etcd-servers={self._etcd_url}",
            f"--bind-address={_HOST}",
            f"--secure-port={port}",
            f"--advertise-address={_HOST}",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self.authority.parent}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={tokens}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.96.0.0/16",
        ]

    def _controllers_words(self) -> list[str]:
        return [
            str(self.binaries.kube_controller_manager),
            f"--kubeconfig={self.kubeconfig()}",
            f"--controllers={','.join(CONTROLLERS)}",
            "--leader-elect=false",
            "--secure-port=0",
        ]

    def _program(self, words: list[str]) -> Program:
        return Program(words, self.folder / f"{Path(words[0]).name}.log")

    def _keep(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path


@contextmanager
def running(binaries: KubeBinaries, folder: Path, definitions: Path | None = None) -> Iterator[ControlPlane]:
    """A control plane with its files in this empty folder; `definitions`: a folder of CRDs to begin with."""
    control_plane = ControlPlane(binaries, folder)
    try:
        control_plane.open(definitions)
        yield control_plane
    finally:
        control_plane.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on now."""
    sockets = [socket.create_server((_HOST, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _new_key() -> str:
    """A private key for P-256 in PEM; with its first bit clear, the number is below the curve's order."""
    number = secrets.randbits(255).to_bytes(32)
    encoded = base64.b64encode(_EC_KEY_HEAD + number + _EC_KEY_TAIL).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{encoded}\n-----END EC PRIVATE KEY-----\n"
