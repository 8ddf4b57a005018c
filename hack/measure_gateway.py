"""What the gateway holds in memory with many backends and profiles, before and after all is listed anew.

A fake API server of the tests; the gateway runs as in a pod, without the `kubernetes` package. Exit status 1
where the bound is missed.
"""

import argparse
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fakes import cluster_gateway, kubernetes_api  # noqa: E402 - the tests' fakes are no package
from fakes.kubernetes_api import FakeApiServer  # noqa: E402
from fakes.program import Gateway  # noqa: E402
from kube import reports, waiting  # noqa: E402
from steelyard_profiler import report  # noqa: E402

MOST_MIB = 120.0
"""The most memory that it may take with `BOUND_BACKENDS`."""

BOUND_BACKENDS = 500
"""With their profiles a thousand resources; of more nothing was promised."""

SETTLE_SECONDS = 3.0
"""After this nothing is under way any more."""

_GATEWAY = """
import os, ssl, sys
import uvloop
from steelyard.kube.configuration import Configuration, Credentials
from steelyard_gateway import app, logs, settings
logs.set_up()
url, namespace, *words = sys.argv[1:]
cluster = Configuration(url, ssl.create_default_context(), Credentials(lambda: ""), namespace)
uvloop.run(app.run(settings.parse(words, os.environ), cluster))
"""


def main() -> int:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--backends", type=int, default=BOUND_BACKENDS, help="as many backends, each with a profile"
    )
    count = parser.parse_args().backends
    with kubernetes_api.fake_api_server() as (url, api):
        for number in range(count):
            _fill(api, f"engine-{number:04}")
        words = ("--source=kubernetes", "--port=0", "--admin-port=0", "--drain-seconds=1")
        with subprocess.Popen(
            [sys.executable, "-c", _GATEWAY, url, cluster_gateway.NAMESPACE, *words], stderr=subprocess.PIPE
        ) as process:
            try:
                with closing(Gateway(process)) as gateway:
                    return _measured(gateway, api, count)
            finally:
                process.kill()


def _fill(api: FakeApiServer, name: str) -> None:
    """A backend that has told its model, and the profile of that."""
    model = f"model-{name}"
    told = {"models": [{"name": model, "contextTokens": 8192}]}
    backend = cluster_gateway.backend(name, status=told, url=f"http://{name}.models.svc:8000/v1")
    quality = report.decode(reports.line()).quality
    assert quality is not None
    profile: dict[str, Any] = {
        **backend,
        "kind": "ModelProfile",
        "spec": {"backendRef": {"name": name}, "model": model},
        "status": {"quality": quality.model_dump(mode="json", by_alias=True, exclude_none=True)},
    }
    cluster_gateway.put(api, backend)
    cluster_gateway.put(api, profile)


def _measured(gateway: Gateway, api: FakeApiServer, count: int) -> int:
    waiting.until(lambda: gateway.admin.get("/readyz").status_code == 200, "readiness")
    pairs = gateway.admin.get("/admin/table").json()["candidates"]
    assert len([pair for pair in pairs if pair["measured"]]) == count
    time.sleep(SETTLE_SECONDS)
    before, begun = _rss_mib(gateway), api.watches
    api.compact()
    api.cut_watches()
    api.wait_for(lambda: api.watches >= 2 * begun, waiting.SECONDS)
    time.sleep(SETTLE_SECONDS)
    after = _rss_mib(gateway)
    print(f"{count} backends, {count} profiles")
    print(f"memory                  {before:6.1f} MiB")
    print(f"after all listed anew   {after:6.1f} MiB, at most {MOST_MIB:.0f} with {BOUND_BACKENDS} backends")
    return int(count <= BOUND_BACKENDS and max(before, after) > MOST_MIB)


def _rss_mib(gateway: Gateway) -> float:
    pages = int(Path("/proc", str(gateway.process.pid), "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
