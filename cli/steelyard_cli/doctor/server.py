"""The API server: whether it answers, how old it is, and whether its clock is ours. Pure."""

import re
from collections.abc import Iterator
from datetime import datetime

from steelyard.kube import errors
from steelyard.kube.client import Server
from steelyard_cli.doctor.findings import Finding, ok, problem, warning

OLDEST = (1, 30)
"""The oldest Kubernetes that is supported, as the chart says in kubeVersion."""

MOST_DRIFT_SECONDS = 5.0
"""A Lease is held for 15 s and given up after 10 s without renewal: clocks must differ by less than that."""

_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def unreachable(error: errors.KubeError) -> Finding:
    """It did not answer, or refused."""
    remedy = "check KUBECONFIG and its context: kubectl version asks the same server"
    return problem("API server", str(error), remedy)


def findings(told: Server, now: datetime) -> Iterator[Finding]:
    """Its version and its clock."""
    known = _VERSION.match(told.version)
    if known is None:
        yield warning("API server", f"answers, and its version {told.version!r} is none that is known")
    elif (int(known[1]), int(known[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield problem("API server", f"is {told.version}", f"Steelyard needs Kubernetes {oldest} or newer")
    else:
        yield ok("API server", f"answers, {told.version}")
    if told.clock is None:
        yield warning("clock", "the API server does not tell its time")
        return
    ahead = (told.clock - now).total_seconds()
    if abs(ahead) > MOST_DRIFT_SECONDS:
        direction = "ahead of" if ahead > 0 else "behind"
        remedy = "set the clock of this machine, or of the control plane, by NTP"
        yield warning("clock", f"the API server's is {abs(ahead):.0f} s {direction} this machine's", remedy)
    else:
        yield ok("clock", f"within {MOST_DRIFT_SECONDS:.0f} s of the API server's")
