"""Each query of the dashboards gives numbers, of a real Prometheus over what real programs tell."""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

import dashboards
import helm_binary
import metric_docs
from fakes import cluster_gateway, engines, operated, watched
from fakes.operated import Operated
from fakes.profiled import GOOD
from kube import waiting
from monitoring import prometheus
from monitoring.prometheus import Prometheus
from panels import NAMESPACE, RATE_WINDOW, Dashboard, json_model
from prometheus_programs import Programs
from steelyard.api.profile import automatic_name
from steelyard.kube import kinds
from steelyard_operator.serving import Serving

QUERIES = {
    (dashboard.name, panel.title, index): query
    for dashboard in dashboards.ALL
    for panel in dashboard.panels
    for index, query in enumerate(panel.queries)
}
MODEL = "tiny"
RULES = helm_binary.CHART / "files" / "alerts.yaml"


@dataclass
class Seen:
    """What Prometheus said."""

    values: dict[str, list[float]] = field(default_factory=dict)
    """The numbers that each expression gave."""
    namespaces: list[str] = field(default_factory=list)
    """What the variable of that name could be."""
    models: list[str] = field(default_factory=list)
    """Of which there are times in OpenTelemetry's names."""

    def ask(self, up: Prometheus) -> None:
        """Ask all that dashboards ask."""
        self.values = {query.expression: up.values(_filled(query.expression)) for query in QUERIES.values()}
        [variable] = [one for one in _variables(dashboards.FLEET) if one["name"] == "namespace"]
        asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
        assert asked
        self.namespaces = up.label_values(*asked.groups())
        self.models = up.label_values(
            "gen_ai_server_request_duration_seconds_bucket", "gen_ai_response_model"
        )


@pytest.fixture(scope="module")
def seen(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What the queries give while gateways answer and an operator measures."""
    folder = tmp_path_factory.mktemp("seen")
    (resources := folder / "resources").mkdir()
    given = Seen()

    async def tale(world: Operated) -> None:
        async with Serving(world.metrics, "127.0.0.1", 0) as serving:
            targets = {
                "gateway": [fleet.gateway.admin_url, str(other.admin.base_url)],
                "operator": [f"http://127.0.0.1:{serving.port}"],
            }
            await _work(world, engine.port, 1)
            await asyncio.to_thread(fleet.traffic)
            with prometheus.prometheus(programs, folder, targets, RULES) as up:
                await asyncio.to_thread(up.wait_for_scrapes, 2)
                await _work(world, engine.port, 2)
                await asyncio.to_thread(fleet.traffic)
                await asyncio.to_thread(up.wait_for_scrapes, 2)
                await asyncio.to_thread(given.ask, up)

    with (
        pytest.MonkeyPatch.context() as patch,
        watched.watched(resources) as fleet,
        cluster_gateway.gateway() as other,
        engines.engine(operated.vllm(MODEL)) as engine,
    ):
        operated.operate(tale, folder=folder, patch=patch)
    return given


async def _work(world: Operated, port: int, generation: int) -> None:
    """Have the operator look at everything, measure a model and be refused once."""
    name = f"engine-{generation}"
    spec = {"engine": "VLLM", "url": f"http://127.0.0.1:{port}", "probe": {"intervalSeconds": 1}}
    world.put(kinds.LLM_BACKEND, name, spec=spec)
    world.put(kinds.ROUTING_POLICY, "auto", generation, spec={"models": [{"name": f"auto-{generation}"}]})
    profile = automatic_name(name, MODEL)
    await world.until(lambda: _job(world, profile))
    world.end_job(_job(world, profile), GOOD)
    await _counted(world, "profiling_runs_total", generation)
    world.api.over_quota = "/llmbackends"
    world.put(kinds.LLM_BACKEND, name, 2, spec=spec)
    await _counted(world, "api_failures_total", generation)
    world.api.over_quota = ""


async def _counted(world: Operated, name: str, least: int) -> None:
    """Return once the operator counted so many of these."""
    counts = re.compile(rf"^steelyard_operator_{name}\S* (\S+)$", re.MULTILINE)

    def look() -> bool:
        return sum(map(float, counts.findall(world.metrics.text().decode()))) >= least

    await asyncio.to_thread(waiting.until, look, name)


def _job(world: Operated, profile: str) -> str:
    run = world.get(kinds.MODEL_PROFILE, profile).get("status", {}).get("run", {})
    return "" if "completionTime" in run else run.get("jobName", "")


def _variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json_model(dashboard)["templating"]["list"]
    return found


def _filled(expression: str) -> str:
    """As Grafana would ask."""
    asked = expression.replace(RATE_WINDOW, "1m").replace(NAMESPACE, prometheus.NAMESPACE)
    assert "$" not in asked
    return asked


@pytest.mark.parametrize("where", QUERIES, ids=lambda where: "/".join(map(str, where)))
def test_a_query_gives_numbers(seen: Seen, where: tuple[str, str, int]) -> None:
    assert seen.values[QUERIES[where].expression]


def test_every_metric_is_on_a_dashboard() -> None:
    asked = " ".join(query.expression for query in QUERIES.values())
    names = {row.name for rows in metric_docs.PROGRAMS.values() for row in rows()}

    assert {name for name in names if not re.search(rf"\b{name}(_bucket)?\b", asked)} == set()


@pytest.mark.parametrize("dashboard", dashboards.ALL, ids=lambda one: one.name)
def test_the_file_of_a_dashboard_is_that_of_the_code(dashboard: Dashboard) -> None:
    assert dashboards.path(dashboard).read_text() == dashboards.text(dashboard), "run: make manifests"


@pytest.mark.parametrize("dashboard", dashboards.ALL, ids=lambda one: one.name)
def test_panels_have_ids_of_their_own_and_do_not_overlap(dashboard: Dashboard) -> None:
    panels = json.loads(dashboards.text(dashboard))["panels"]
    cells = [
        (column, row)
        for place in (one["gridPos"] for one in panels)
        for column in range(place["x"], place["x"] + place["w"])
        for row in range(place["y"], place["y"] + place["h"])
    ]

    assert len({one["id"] for one in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) < 24


def test_the_variable_of_namespaces_finds_them(seen: Seen) -> None:
    assert seen.namespaces == [prometheus.NAMESPACE]


def test_times_are_recorded_in_opentelemetrys_names(seen: Seen) -> None:
    assert {watched.BIG, watched.SMALL} <= set(seen.models)
