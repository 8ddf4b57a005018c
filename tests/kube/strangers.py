"""Definitions of other projects' kinds that the chart can make, as their Go modules hold them."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition in a Go module."""

    module: str
    """Its path and version."""
    checksum: str
    """Of the module, as go.sum has it."""
    file: str
    """Where it is in the module."""

    def text(self) -> str:
        """What is in the file. Raises LookupError where Go cannot fetch the module."""
        go = shutil.which("go")
        if go is None:
            raise LookupError(f"There is no Go to fetch {self.module} with.")
        ran = subprocess.run([go, "mod", "download", "-json", self.module], capture_output=True, text=True)
        told = json.loads(ran.stdout) if ran.stdout else {"Error": ran.stderr}
        if "Error" in told:
            raise LookupError(f"{self.module} cannot be fetched: {told['Error']}")
        assert told["Sum"] == self.checksum, f"{self.module} is not what it was"
        return (Path(told["Dir"]) / self.file).read_text()


_PROMETHEUS = (
    "github.com/prometheus-operator/prometheus-operator@v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
)
_MONITORING = "example/prometheus-operator-crd/monitoring.coreos.com_"

SERVICE_MONITOR = Definition(*_PROMETHEUS, f"{_MONITORING}servicemonitors.yaml")
PROMETHEUS_RULE = Definition(*_PROMETHEUS, f"{_MONITORING}prometheusrules.yaml")
HTTP_ROUTE = Definition(
    "sigs.k8s.io/gateway-api@v1.4.1",
    "h1:NPxFutNkKNa8UfLd2CMlEuhIPMQgDQ6DXNKG9sHbJU8=",
    "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
)
