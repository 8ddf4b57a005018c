"""Traefik as an Ingress controller of the tests' API server, as a process on loopback.

Invariant: the process that is started here has ended when its `with` is left.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.processes import free_port
from kube import waiting
from kube.control_plane import ControlPlane

CONTROLLER = "traefik.io/ingress-controller"
"""What the IngressClass names whose Ingresses it serves."""

ENTRY_POINT = "web"
"""The entry point of plain HTTP."""

_STOP_SECONDS = 20.0
_TAIL_CHARACTERS = 3_000


@contextmanager
def running(
    program: Path, control_plane: ControlPlane, namespace: str, folder: Path, flags: Sequence[str] = ()
) -> Iterator[str]:
    """The address of a Traefik that serves this namespace's Ingresses, started with these flags, too."""
    address = f"127.0.0.1:{free_port()}"
    words = (
        f"--entryPoints.{ENTRY_POINT}.address={address}",
        f"--ping.entryPoint={ENTRY_POINT}",
        "--global.checkNewVersion=false",
        "--providers.providersThrottleDuration=0s",
        f"--providers.kubernetesIngress.endpoint={control_plane.url}",
        f"--providers.kubernetesIngress.token={control_plane.admin_token}",
        f"--providers.kubernetesIngress.certAuthFilePath={control_plane.authority}",
        f"--providers.kubernetesIngress.namespaces={namespace}",
    )
    log = folder / "traefik.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [program, *words, *flags],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"HOME": str(folder)},
            cwd=folder,
        ) as process,
    ):

        def answers() -> bool:
            assert process.poll() is None, f"Traefik ended:\n{log.read_text()[-_TAIL_CHARACTERS:]}"
            try:
                return httpx.get(f"http://{address}/ping", trust_env=False).is_success
            except httpx.TransportError:
                return False

        try:
            waiting.until(answers, f"Traefik, whose log is {log},")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            finally:
                process.kill()
