"""A model that became slow: gateways see it, its profile says so and serves on, and it is measured anew."""

import time

import pytest

from e2e import client, installation, pods
from e2e.clusters import Cluster
from e2e.installation import HELLO, LASTING, NAMESPACE, RUN_SECONDS, Record

pytestmark = [pytest.mark.slow, pytest.mark.full]

SLOW_CPU = "200m"
"""For an engine that was measured with all of a core."""

TOKENS = 24
"""Of a stream: enough for its speed to count."""

DRIFT_SECONDS = 1500.0
"""What is slow for ten minutes has drifted; gateways are asked once a minute."""


def test_a_model_that_became_slow_has_drifted_serves_on_and_is_measured_again(
    measured: Cluster, record: Record
) -> None:
    profile, before = f"mprof/{installation.profile_name(LASTING)}", installation.run_of(measured, LASTING)
    words = ("-n", NAMESPACE, "set", "resources", f"deployment/{LASTING}")
    measured.kubectl(*words, f"--limits=cpu={SLOW_CPU},memory=1Gi")
    pods.wait_until_available(measured, NAMESPACE, LASTING)

    begun = time.monotonic()
    load = installation.begin_streams(measured, LASTING, TOKENS)
    measured.wait(NAMESPACE, profile, "condition=Fresh=false", DRIFT_SECONDS)
    minutes = (time.monotonic() - begun) / 60
    fresh = _condition(measured, "Fresh")
    (auto,) = installation.ask(
        measured, {"path": "/v1/chat/completions", "body": HELLO | {"model": f"{pods.MODEL}@{LASTING}"}}
    )
    measured.kubectl("-n", NAMESPACE, "rollout", "undo", f"deployment/{LASTING}")
    pods.wait_until_available(measured, NAMESPACE, LASTING)
    tally = installation.end_load(measured, load)
    measured.wait(NAMESPACE, profile, "condition=Fresh=true", 2 * RUN_SECONDS)
    after = installation.run_of(measured, LASTING)

    assert fresh["reason"] == "Drifted"
    assert "of the measured speed" in fresh["message"]
    assert auto["status"] == 200
    assert set(tally) == {client.WHOLE}, tally
    assert after["startTime"] > before["startTime"]
    record(f"until a model with {SLOW_CPU} of CPU in place of a core has drifted", f"{minutes:.0f} min", "")


def _condition(cluster: Cluster, kind: str) -> dict[str, str]:
    status = installation.get(cluster, "mprof", installation.profile_name(LASTING))["status"]
    found: dict[str, str] = next(one for one in status["conditions"] if one["type"] == kind)
    return found
