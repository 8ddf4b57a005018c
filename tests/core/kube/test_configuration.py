import asyncio
import json
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from steelyard.kube import configuration
from steelyard.kube.configuration import TOKEN_SECONDS, Credentials
from steelyard.kube.errors import NotConfigured

IN_CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
CERTIFICATE = Path(__file__).parents[2] / "gateway" / "upstream" / "certificates" / "engine.crt"


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class TokenFile:
    """A file that is rewritten, and counts how often it is read."""

    def __init__(self) -> None:
        self.text = "first"
        self.reads = 0

    def __call__(self) -> str:
        self.reads += 1
        if not self.text:
            raise FileNotFoundError("the token is gone")
        return self.text


@pytest.fixture
def service_account(tmp_path: Path) -> Path:
    """The folder that a pod finds."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("a-token\n")
    (folder / "namespace").write_text("team")
    (folder / "ca.crt").write_bytes(CERTIFICATE.read_bytes())
    return folder


def kubeconfig(folder: Path, user: Mapping[str, Any], cluster: Mapping[str, Any] | None = None) -> Path:
    path = folder / "kubeconfig"
    about = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "mine"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://cluster.example:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(about))
    return path


def current(credentials: Credentials) -> str:
    return asyncio.run(credentials.current())


def test_a_pod_uses_its_service_account(service_account: Path) -> None:
    found = configuration.load(IN_CLUSTER, service_account)
    assert (found.server, found.namespace) == ("https://10.96.0.1:443", "team")
    assert current(found.credentials) == "Bearer a-token"
    assert found.tls.verify_mode is ssl.CERT_REQUIRED
    assert found.tls.cert_store_stats()["x509"] == 1


def test_an_ipv6_address_stands_in_brackets(service_account: Path) -> None:
    found = configuration.load(IN_CLUSTER | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, service_account)
    assert found.server == "https://[fd00::1]:443"


@pytest.mark.parametrize("missing", ["token", "namespace", "ca.crt"])
def test_a_service_account_with_a_part_missing_is_told(service_account: Path, missing: str) -> None:
    (service_account / missing).unlink()
    with pytest.raises(NotConfigured, match="the pod's service account in"):
        configuration.load(IN_CLUSTER, service_account)


def test_without_anything_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="set KUBECONFIG to a kubeconfig file, or run in a pod"):
        configuration.load({"HOME": str(tmp_path)}, tmp_path / "none")


def test_a_kubeconfig_that_is_named_comes_first(service_account: Path, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "t"})
    found = configuration.load(IN_CLUSTER | {"KUBECONFIG": str(path)}, service_account)
    assert (found.server, found.namespace) == ("https://cluster.example:6443", "mine")
    assert current(found.credentials) == "Bearer t"


def test_the_kubeconfig_at_home_is_found(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path, {"token": "t"}).rename(tmp_path / ".kube" / "config")
    assert configuration.load({"HOME": str(tmp_path)}, tmp_path / "none").namespace == "mine"


def test_a_plugin_of_a_kubeconfig_is_run_and_run_again_after_its_token_was_refused(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("one")
    plugin = (
        "import json, pathlib; print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1',"
        f"'kind': 'ExecCredential', 'status': {{'token': pathlib.Path({str(tokens)!r}).read_text()}}}}))"
    )
    run = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", plugin],
        "interactiveMode": "Never",
    }
    found = configuration.load({"KUBECONFIG": str(kubeconfig(tmp_path, {"exec": run}))})
    tokens.write_text("two")
    assert current(found.credentials) == "Bearer one"
    assert asyncio.run(found.credentials.renewed("Bearer one")) == "Bearer two"


def test_what_a_kubeconfig_says_of_tls_counts(tmp_path: Path) -> None:
    said = {"insecure-skip-tls-verify": True, "tls-server-name": "other.example"}
    found = configuration.load({"KUBECONFIG": str(kubeconfig(tmp_path, {"token": "t"}, said))})
    assert found.tls.verify_mode is ssl.CERT_NONE
    assert found.server_name == "other.example"


def test_the_proxy_of_a_kubeconfig_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    path = kubeconfig(tmp_path, {"token": "t"}, {"proxy-url": "http://proxy.example:3128"})
    assert configuration.load({"KUBECONFIG": str(path)}).proxy == "http://proxy.example:3128"


@pytest.mark.parametrize(
    "text", ["", "kind: [", "current-context: nowhere", '{"contexts": [], "current-context": "x"}']
)
def test_a_broken_kubeconfig_is_told_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken"
    path.write_text(text)
    with pytest.raises(NotConfigured, match="broken cannot be used"):
        configuration.load({"KUBECONFIG": str(path)})


def test_a_kubeconfig_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="gone cannot be used"):
        configuration.load({"KUBECONFIG": str(tmp_path / "gone")})


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    authority = tmp_path / "ca"
    authority.write_text("no certificate")
    path = kubeconfig(tmp_path, {"token": "t"}, {"certificate-authority": str(authority)})
    with pytest.raises(NotConfigured, match="certificate"):
        configuration.load({"KUBECONFIG": str(path)})


def test_without_the_kubernetes_package_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(NotConfigured, match=r"pip install 'steelyard\[kubernetes\]'"):
        configuration.load({"KUBECONFIG": str(kubeconfig(tmp_path, {"token": "t"}))})


def test_neither_a_token_nor_a_certificate_is_shown(service_account: Path) -> None:
    assert "a-token" not in repr(configuration.load(IN_CLUSTER, service_account))


def test_a_token_is_read_again_after_a_minute_and_not_before() -> None:
    token, clock = TokenFile(), Clock()
    credentials = Credentials(token, TOKEN_SECONDS, clock)
    token.text = "second"
    clock.seconds += TOKEN_SECONDS - 1
    assert current(credentials) == "first"
    clock.seconds += 1
    assert current(credentials) == "second"
    assert current(credentials) == "second"
    assert token.reads == 2


def test_a_token_that_another_request_renewed_is_not_read_again() -> None:
    token = TokenFile()
    credentials = Credentials(token)
    token.text = "second"
    assert asyncio.run(credentials.renewed("first")) == "second"
    assert asyncio.run(credentials.renewed("first")) == "second"
    assert token.reads == 2


def test_a_token_that_cannot_be_read_for_a_while_stays(caplog: pytest.LogCaptureFixture) -> None:
    token, clock = TokenFile(), Clock()
    credentials = Credentials(token, TOKEN_SECONDS, clock)
    token.text = ""
    clock.seconds += TOKEN_SECONDS
    assert current(credentials) == "first"
    assert [record.message for record in caplog.records] == ["credentials cannot be read, the last ones stay"]
