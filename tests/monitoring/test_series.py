"""What the gateway's metrics cost a Prometheus, and what promtool says of them."""

import subprocess
from collections import Counter
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from fakes import watched
from prometheus_programs import Programs

MOST_SERIES = 60
"""Of a model on one endpoint."""


def test_a_model_costs_at_most_60_series(tmp_path: Path) -> None:
    with watched.watched(tmp_path) as seen:
        seen.traffic()
        text = seen.metrics()

    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    costs = Counter(one.labels["backend"] for one in samples if one.labels.get("backend"))
    policies = {one.labels.get("policy") for one in samples if one.labels.get("model") == watched.BIG}
    assert policies >= {"", watched.AUTO}, "it was asked by name and by a policy"
    assert costs.keys() == {"big", "small", "broken"}
    assert 40 < max(costs.values()) <= MOST_SERIES, costs


def test_promtool_finds_nothing_in_the_gateways_metrics(programs: Programs, tmp_path: Path) -> None:
    with watched.watched(tmp_path) as seen:
        seen.traffic()
        text = seen.metrics()
    ran = subprocess.run([programs.promtool, "check", "metrics"], input=text, capture_output=True, text=True)

    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")
