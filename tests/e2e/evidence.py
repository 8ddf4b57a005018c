"""What pods tell of themselves: errors in their logs, restarts, and the story of those that are gone."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from e2e.clusters import Cluster

_STATES = ",".join(
    (
        "NAME:.metadata.name",
        "DELETED:.metadata.deletionTimestamp",
        "IP:.status.podIP",
        "READY:.status.containerStatuses[0].ready",
        "RESTARTS:.status.containerStatuses[0].restartCount",
        "STATE:.status.containerStatuses[0].state",
        "LAST:.status.containerStatuses[0].lastState",
    )
)


def errors(cluster: Cluster, namespace: str, selector: str) -> list[dict[str, Any]]:
    """The lines of these pods' logs that are worse than a warning; AssertionError without any line."""
    logged = cluster.kubectl("-n", namespace, "logs", "-l", selector, "--tail=-1")
    lines = [json.loads(line) for line in logged.splitlines()]
    assert lines, f"nothing in the logs of {selector}"
    return [line for line in lines if line["level"] not in ("INFO", "WARNING")]


def restarts(cluster: Cluster, namespace: str, selector: str) -> list[int]:
    """How often each container of these pods was started again."""
    counted = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    chosen = ("-n", namespace, "get", "pods", "-l", selector)
    return [int(count) for count in cluster.kubectl(*chosen, "-o", counted).split()]


@contextmanager
def followed(
    cluster: Cluster, namespace: str, selector: str, beside: str, folder: Path
) -> Iterator[Callable[[], str]]:
    """Follow the logs and the states of the pods that are there now, and are about to go.

    Yields what waits until they are gone, and then tells all of it as a text. `beside`: what stays,
    as deployment/NAME; its log of the same time is told, too.
    """
    chosen, begun = ("-n", namespace), time.monotonic()
    pods = cluster.kubectl(*chosen, "get", "pods", "-l", selector, "-o", "name").split()
    states = folder / "states"
    logs = {pod: folder / f"{pod.replace('/', '-')}.log" for pod in pods}
    with ExitStack() as following:
        watched = ("get", "pods", "-l", selector, "--watch", "-o", f"custom-columns={_STATES}")
        following.enter_context(cluster.followed(states, *chosen, *watched))
        for pod, path in logs.items():
            words = ("logs", "--follow", "--timestamps", pod)
            following.enter_context(cluster.followed(path, *chosen, *words))

        def told() -> str:
            cluster.kubectl(*chosen, "wait", *pods, "--for=delete", "--timeout=100s", check=False)
            since = f"--since={time.monotonic() - begun:.0f}s"
            parts = {
                **{f"log of {pod}, there before": path.read_text() for pod, path in logs.items()},
                f"states of {selector}": states.read_text(),
                "events": cluster.kubectl(*chosen, "get", "events", "--sort-by=.lastTimestamp", check=False),
                f"log of {beside}": cluster.kubectl(*chosen, "logs", beside, since, check=False),
            }
            return "\n".join(f"--- {title}\n{text}" for title, text in parts.items())

        yield told
