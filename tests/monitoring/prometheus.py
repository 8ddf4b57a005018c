"""A real Prometheus that scrapes what a test tells it to, as the chart's ServiceMonitors have it done."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from fakes.engines import refusing_port
from kube import waiting
from prometheus_programs import Programs

NAMESPACE = "models"
"""The namespace of all that is scraped."""

SCRAPE_SECONDS = 0.25
"""From scrape to scrape."""

Object = dict[str, Any]


class Prometheus:
    """One that is up."""

    def __init__(self, client: httpx.Client, targets: int) -> None:
        self._client = client
        self._targets = targets

    def query(self, expression: str) -> list[Object]:
        """What an expression gives now. Raises AssertionError where Prometheus refuses it."""
        answer = self._client.get("/api/v1/query", params={"query": expression})
        assert answer.is_success, answer.text
        found: list[Object] = answer.json()["data"]["result"]
        return found

    def values(self, expression: str) -> list[float]:
        """The values of that which are numbers, in no order."""
        found = (float(one["value"][1]) for one in self.query(expression))
        return [value for value in found if value == value]

    def label_values(self, selector: str, label: str) -> list[str]:
        """The values of a label of these series."""
        answer = self._client.get(f"/api/v1/label/{label}/values", params={"match[]": selector})
        found: list[str] = answer.raise_for_status().json()["data"]
        return found

    def wait_for_scrapes(self, number: int) -> None:
        """Return once every target was scraped so many times more."""
        began = self._scrapes()
        waiting.until(lambda: min(self._scrapes()) >= max(began) + number, "scrapes")

    def _scrapes(self) -> list[float]:
        """How often each target was scraped well; 0 for each that was not."""
        found = self.values("sum_over_time(up[1h])")
        return [*found, *[0.0] * (self._targets - len(found))]


@contextmanager
def prometheus(
    programs: Programs, folder: Path, targets: Mapping[str, Sequence[str]], rules: Path | None = None
) -> Iterator[Prometheus]:
    """A Prometheus over these addresses, by component, and with these rules; its data is in this folder."""
    (configuration := folder / "prometheus.json").write_text(json.dumps(_configuration(targets, rules)))
    with refusing_port() as port:  # held until here: another program would have to be quick to take it
        pass
    words = [
        str(programs.prometheus),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            base = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=base, timeout=waiting.SECONDS, trust_env=False) as client:

                def ready() -> bool:
                    assert process.poll() is None, (folder / "log").read_text()
                    try:
                        return client.get("/-/ready").is_success
                    except httpx.TransportError:
                        return False

                waiting.until(ready, "Prometheus")
                yield Prometheus(client, sum(map(len, targets.values())))
        finally:
            process.terminate()
            process.wait(waiting.SECONDS)


def _configuration(targets: Mapping[str, Sequence[str]], rules: Path | None) -> Object:
    jobs = [
        {
            "job_name": f"steelyard-{component}-metrics",
            "honor_labels": True,
            "static_configs": [
                {
                    "targets": [urlsplit(url).netloc],
                    "labels": {
                        "namespace": NAMESPACE,
                        "pod": f"steelyard-{component}-{number}",
                        "endpoint": "metrics",
                        "container": component,
                    },
                }
                for number, url in enumerate(urls)
            ],
        }
        for component, urls in targets.items()
    ]
    every = f"{round(SCRAPE_SECONDS * 1000)}ms"
    times = {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": "1s"}
    files = {"rule_files": [str(rules)]} if rules is not None else {}
    return {"global": times, "scrape_configs": jobs, **files}
