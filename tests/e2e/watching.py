"""What someone sees who watches the profiles: kubectl's rows, one for each change."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.clusters import Cluster

_COLUMNS = "NAME:.metadata.name,QUALITY:.status.quality.overall.scorePercent"
NOTHING = "<none>"
"""In a column without a value."""


@contextmanager
def profiles(cluster: Cluster, namespace: str, path: Path) -> Iterator[None]:
    """Have `kubectl get modelprofiles --watch` write into this file."""
    chosen = ("-n", namespace, "get", "modelprofiles")
    cluster.kubectl(*chosen)  # the kind is served
    words = (*chosen, "--watch", "--no-headers", "-o", f"custom-columns={_COLUMNS}")
    with cluster.followed(path, *words):
        yield


def qualities(printed: str) -> dict[str, list[str]]:
    """By profile, what stood in its column of quality, first to last; no row that is half written."""
    seen: dict[str, list[str]] = defaultdict(list)
    for row in printed.splitlines(keepends=True):
        name, *cells = row.split()
        if row.endswith("\n") and len(cells) == 1:
            seen[name].append(cells[0])
    return dict(seen)
