"""Where the API server is and how to sign in, read once at start from the environment.

Rule 1. KUBECONFIG, where it is set, was set on purpose and comes first; then the pod's own service account;
        then ~/.kube/config.
Rule 2. Credentials are not kept: service-account tokens are read anew each minute, since they rotate, and
        every kind of token after it was refused.
Rule 3. The `kubernetes` package is imported for kubeconfig files only: it costs 50 MB.
"""

import asyncio
import logging
import math
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import yaml

from steelyard.kube.errors import NotConfigured

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its service account. https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/"""

TOKEN_SECONDS = 60.0
"""How long a service-account token is used before its file is read again; the kubelet rotates it hourly."""

_INSTALL = "reading a kubeconfig file needs the kubernetes package: pip install 'steelyard[kubernetes]'"

logger = logging.getLogger(__name__)


class Credentials:
    """The value of the Authorization header, as it is now; empty where none is needed."""

    def __init__(
        self,
        read: Callable[[], str],
        keep_seconds: float = math.inf,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._keep_seconds = keep_seconds
        self._now = now
        self._value, self._read_at = read(), now()

    async def current(self) -> str:
        """The value to send."""
        if self._now() - self._read_at >= self._keep_seconds:
            await self._read_anew()
        return self._value

    async def renewed(self, refused: str) -> str:
        """The value to send after this one was refused."""
        if self._value == refused:
            await self._read_anew()
        return self._value

    async def _read_anew(self) -> None:
        self._read_at = self._now()
        try:
            self._value = await asyncio.to_thread(self._read)
        except (OSError, NotConfigured) as error:
            logger.warning("credentials cannot be read, the last ones stay", extra={"detail": str(error)})


@dataclass(frozen=True, slots=True)
class Configuration:
    """One API server and who we are to it."""

    server: str
    """Its base URL."""
    tls: ssl.SSLContext = field(repr=False)
    """Whom to trust, and our certificate where we have one."""
    credentials: Credentials = field(repr=False)
    """What to send with each request."""
    namespace: str
    """The namespace meant where none is named."""
    server_name: str = ""
    """The name that its certificate must carry; empty: the URL's host."""
    proxy: str | None = None
    """URL of the proxy to go through."""


def load(environment: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> Configuration:
    """The configuration that this environment tells; raises NotConfigured with what to do."""
    if environment.get("KUBECONFIG"):
        return _kubeconfig(environment["KUBECONFIG"])
    if environment.get("KUBERNETES_SERVICE_HOST") and service_account.is_dir():
        return _in_cluster(environment, service_account)
    if environment.get("HOME") and (default := Path(environment["HOME"], ".kube", "config")).is_file():
        return _kubeconfig(str(default))
    raise NotConfigured(
        "there is no Kubernetes to talk to: set KUBECONFIG to a kubeconfig file, or run in a pod"
        " with a service account (automountServiceAccountToken)"
    )


def _in_cluster(environment: Mapping[str, str], folder: Path) -> Configuration:
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        return Configuration(
            server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            tls=_trusting(str(folder / "ca.crt")),
            credentials=Credentials(
                lambda: f"Bearer {(folder / 'token').read_text().strip()}", keep_seconds=TOKEN_SECONDS
            ),
            namespace=(folder / "namespace").read_text().strip(),
        )
    except OSError as error:
        raise NotConfigured(f"the pod's service account in {folder} cannot be read: {error}") from error


def _kubeconfig(paths: str) -> Configuration:
    settings, namespace = _read_kubeconfig(paths)
    try:
        tls = _trusting(settings.ssl_ca_cert)
        if not settings.verify_ssl:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        if settings.cert_file:
            tls.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        raise NotConfigured(f"a certificate that {paths} names cannot be used: {error}") from error
    return Configuration(
        server=settings.host,
        tls=tls,
        credentials=Credentials(lambda: _authorization(_read_kubeconfig(paths)[0])),
        namespace=namespace,
        server_name=settings.tls_server_name or "",
        proxy=None if proxy_bypass(urlsplit(settings.host).netloc) else settings.proxy,
    )


def _read_kubeconfig(paths: str) -> tuple[Any, str]:
    """The kubernetes package's own settings, plugins run, and the context's namespace."""
    try:
        from kubernetes import client, config  # an optional extra that costs 50 MB
    except ImportError as error:
        raise NotConfigured(_INSTALL) from error
    settings, loading = client.Configuration(), vars(config)
    try:
        loading["load_kube_config"](paths, client_configuration=settings)
        _, context = loading["list_kube_config_contexts"](paths)
    except (config.ConfigException, OSError, ValueError, yaml.YAMLError) as error:
        raise NotConfigured(f"KUBECONFIG {paths} cannot be used: {error}") from error
    return settings, context["context"].get("namespace") or "default"


def _authorization(settings: Any) -> str:
    """The header's value; the package's name for it differs between its versions."""
    return settings.api_key.get("BearerToken") or settings.api_key.get("authorization") or ""


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """A context that trusts this authority, or the system's; those of clusters are often not strict."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
