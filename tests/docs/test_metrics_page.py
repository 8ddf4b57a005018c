"""docs/metrics.md has the metrics that the programs expose, and these are named as Prometheus wants it."""

import re
from itertools import chain

import pytest

import metric_docs
from metric_docs import Row

PAGE = metric_docs.PAGE.read_text()
ROWS = list(chain.from_iterable(rows() for rows in metric_docs.PROGRAMS.values()))
UNITS_NOT_OF_THE_BASE = re.compile(
    r"_(ms|millis\w*|us|micros\w*|minutes|hours|mib|mb|kb|gib|percent|pct)(_|$)"
)


def test_the_tables_of_metrics_are_those_of_the_collectors() -> None:
    assert metric_docs.renewed(PAGE) == PAGE, "run: make docs"
    assert set(re.findall(r"<!-- metrics: (\w+) -->", PAGE)) == set(metric_docs.PROGRAMS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_metric_is_named_by_the_conventions_of_prometheus(row: Row) -> None:
    assert re.fullmatch(r"steelyard_[a-z]+(_[a-z]+)*", row.name)
    assert row.name.endswith("_total") == (row.type == "counter")
    assert not UNITS_NOT_OF_THE_BASE.search(row.name)
    assert not row.name.endswith(("_bucket", "_count", "_sum", "_created"))
    assert row.type != "histogram" or row.unit == "seconds"
    assert row.unit
    assert row.text.endswith(".")
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) for label in row.labels)
    assert not {"le", "quantile", "instance", "job"} & set(row.labels)


def test_a_time_or_a_share_says_its_unit_in_its_name() -> None:
    told = {
        row.name for row in ROWS if re.match(r"(Since|From|Time|What the gateway itself takes)\b", row.text)
    }
    shares = {row.name for row in ROWS if row.text.startswith("Share")}

    assert told and {name for name in told if not name.endswith("_seconds")} == set()
    assert shares and {name for name in shares if not name.endswith("_ratio")} == set()
