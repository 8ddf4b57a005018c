"""Parts of Grafana dashboards as values, and the JSON that Grafana reads.

Source: Grafana's JSON model (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/).
Invariant: all panels of a dashboard query the data source and the namespaces that its reader chose.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

RATE_WINDOW = "$__rate_interval"
"""Grafana's: four scrapes at least."""

NAMESPACE = "$namespace"
"""The variable of the dashboards: what its reader chose, as a regular expression."""

_COLUMNS = 24
"""Width of a dashboard."""

_SCHEMA_VERSION = 39
"""Of Grafana 11; later ones migrate it."""

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """A line, or a set of lines, of a panel."""

    expression: str
    """In PromQL, with Grafana's variables."""
    legend: str = ""
    """What a line is called, with labels as {{backend}}."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    title: str
    """Its heading."""
    queries: tuple[Query, ...]
    """What it shows."""
    unit: str = "short"
    """Grafana's name of the unit."""
    description: str = ""
    """What a reader may want to know."""
    kind: str = "timeseries"
    """timeseries or stat."""
    most: float | None = None
    """The end of the scale; None: what there is."""
    stacked: bool = False
    """Whether the lines add up."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    """The heading."""
    panels: tuple[Panel, ...]
    """From left to right."""
    width: int = 8
    """Of each panel."""
    height: int = 7
    """Of each panel."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page."""

    name: str
    """Of its file."""
    title: str
    """Its heading."""
    description: str
    """What it answers."""
    rows: tuple[Row, ...]
    """From top to bottom."""

    @property
    def panels(self) -> Iterator[Panel]:
        """All panels."""
        return (panel for row in self.rows for panel in row.panels)


def series(name: str, *matchers: str) -> str:
    """A selector of a metric in the chosen namespaces."""
    chosen = f'namespace=~"{NAMESPACE}"'
    return f"{name}{{{','.join([chosen, *matchers])}}}"


def rate(name: str, *matchers: str, by: str = "") -> str:
    """How fast a counter grows, in all or by these labels."""
    grows = f"(rate({series(name, *matchers)}[{RATE_WINDOW}]))"
    return f"sum by ({by}) {grows}" if by else f"sum{grows}"


def quantile(share: float, name: str, by: str = "") -> str:
    """A quantile of a histogram, in all or by these labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{name}_bucket', by=labels)})"


def json_model(dashboard: Dashboard) -> Object:
    """The dashboard as Grafana reads it."""
    return {
        "uid": f"steelyard-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["steelyard"],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "links": [
            {
                "type": "dashboards",
                "title": "Steelyard",
                "tags": ["steelyard"],
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": [_source_variable(), _namespace_variable()]},
        "panels": list(_laid_out(dashboard.rows)),
    }


def _source_variable() -> Object:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _namespace_variable() -> Object:
    asked = 'label_values({__name__=~"steelyard_table_age_seconds|steelyard_operator_active"}, namespace)'
    return {
        "name": NAMESPACE.removeprefix("$"),
        "label": "Namespace",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": asked, "refId": "namespaces"},
        "refresh": 2,  # as the time range changes
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",  # where nothing gives a namespace, too
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _laid_out(rows: Sequence[Row]) -> Iterator[Object]:
    number, top = 0, 0
    for row in rows:
        number += 1
        place = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": place,
            "panels": [],
        }
        top += 1
        for index, panel in enumerate(row.panels):
            number += 1
            each = _COLUMNS // row.width
            place = {
                "x": index % each * row.width,
                "y": top + index // each * row.height,
                "w": row.width,
                "h": row.height,
            }
            yield {"id": number, "gridPos": place, **_panel(panel)}
        top += -(-len(row.panels) // (_COLUMNS // row.width)) * row.height


def _panel(panel: Panel) -> Object:
    defaults: Object = {"unit": panel.unit, "min": 0}
    if panel.most is not None:
        defaults["max"] = panel.most
    options: Object
    if panel.kind == "stat":
        reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        options = {"reduceOptions": reduced, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
    else:
        defaults["custom"] = {
            "fillOpacity": 20 if panel.stacked else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }
        options = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [_target(letter, query) for letter, query in zip("ABCDEF", panel.queries, strict=False)],
    }


def _target(letter: str, query: Query) -> Object:
    return {
        "refId": letter,
        "datasource": _SOURCE,
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "range": True,
    }
