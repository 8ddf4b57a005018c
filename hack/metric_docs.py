"""The tables of metrics in docs/metrics.md, made from the collectors of gateway and operator.

Run it to write them anew. A table stands between `<!-- metrics: PROGRAM -->` and `<!-- end -->`; the rest of
the page is prose and is left alone.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from steelyard.api.backend import LLMBackend
from steelyard_gateway import metrics as gateway_metrics
from steelyard_gateway.admission import Admission
from steelyard_gateway.budget import RetryBudget
from steelyard_gateway.current import Current
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.recording import Recorder
from steelyard_gateway.shares import Fleet
from steelyard_gateway.space import Space
from steelyard_operator import metrics as operator_metrics

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"

UNITS = {"seconds": "seconds", "bytes": "bytes", "ratio": "0 to 1"}
"""Units by the last word of a metric's name."""

SWITCH = "1 while "
"""So begins the text of what is 1 or 0."""

_BLOCK = re.compile(r"(<!-- metrics: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEADING = ("| metric | type | labels | unit | |", "|---|---|---|---|---|")


@dataclass(frozen=True, slots=True)
class Row:
    """A metric, as a page tells it."""

    name: str
    """As it is queried; of a histogram without _bucket, _sum and _count."""
    type: str
    """counter, gauge or histogram."""
    labels: tuple[str, ...]
    """Their names, without a histogram's `le`."""
    text: str
    """What it tells."""

    @property
    def unit(self) -> str:
        """Of its values."""
        if self.text.startswith(SWITCH):
            return "1 or 0"
        if self.name.endswith("_per_second"):
            return f"{self.name.split('_')[-3]} per second"
        return UNITS.get(self.name.rsplit("_", 1)[1], "count")


def renewed(page: str) -> str:
    """The page with every table as the collectors have it now."""
    return _BLOCK.sub(lambda block: block[1] + table(PROGRAMS[block[2]]()) + block[3], page)


def table(rows: Iterable[Row]) -> str:
    """Metrics as a Markdown table."""
    lines = (
        f"| `{row.name}` | {row.type} | {', '.join(row.labels)} | {row.unit} | {row.text} |" for row in rows
    )
    return "\n".join([*_HEADING, *lines]) + "\n"


def of_gateway() -> Iterator[Row]:
    """What a gateway exposes; it exposes all of it from its start."""
    admission = Admission(Deadlines(), lambda: 0.0, Fleet())
    live = LiveEndpoints(lambda: 0.0)
    space = Space("default", Current(), live, Recorder(BytesIO()), admission, RetryBudget())
    metrics = gateway_metrics.Metrics(lambda: [space])
    for family in metrics.collect():
        yield _row(family, family._labelnames)  # type: ignore[attr-defined]


def of_operator() -> Iterator[Row]:
    """What an operator exposes once each of its counts was made.

    Raises ValueError where a count is not made here: its labels would be unknown.
    """
    metrics = operator_metrics.Metrics()
    metrics.reconciled(LLMBackend.__name__, 0.1)
    metrics.status_written(LLMBackend.__name__)
    metrics.api_failed(LLMBackend.__name__)
    metrics.probed(ok=True)
    metrics.run_ended(ok=True)
    for family in text_string_to_metric_families(metrics.text().decode()):
        if family.name.endswith("_created"):  # when a count began, which the library adds
            continue
        if not family.samples:
            raise ValueError(f"{family.name} has no sample: make one here")
        yield _row(family, [name for name in family.samples[0].labels if name != "le"])


PROGRAMS: Mapping[str, Callable[[], Iterator[Row]]] = {"gateway": of_gateway, "operator": of_operator}
"""What each program exposes."""


def _row(family: Metric, labels: Iterable[str]) -> Row:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return Row(name, family.type, tuple(labels), family.documentation)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
