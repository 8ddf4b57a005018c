"""The rules for Prometheus, by promtool: each alert fires when it should, in words that its page explains."""

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import helm_binary
import metric_docs
from prometheus_programs import Programs

RULES = helm_binary.CHART / "files" / "alerts.yaml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule
}
PAGE = metric_docs.PAGE.read_text()

POD = 'namespace="llm",pod="steelyard-gateway-0"'
ENDPOINT = f'{POD},backend="a",endpoint="a@10.0.0.1:8000"'
REQUESTS = f'steelyard_requests_total{{{POD},policy="auto",model="m",backend="a",status="%s"}}'

WELL = {
    f"steelyard_table_age_seconds{{{POD}}}": "0+60x60",
    REQUESTS % "200": "0+600x60",
    REQUESTS % "502": "0+6x60",
    f"steelyard_endpoint_resting{{{ENDPOINT}}}": "0 0 1 0 0 0 0 0 0 0 0 0 0 1 0x50",
    f'steelyard_queue_refusals_total{{{POD},backend="a",reason="late"}}': "0+1x60",
    f"steelyard_retries_refused_total{{{POD}}}": "0x60",
    f'steelyard_overhead_seconds_bucket{{{POD},le="0.0005"}}': "0+600x60",
    f'steelyard_overhead_seconds_bucket{{{POD},le="+Inf"}}': "0+600x60",
    f"steelyard_gateway_source_connected{{{POD}}}": "1 1 0 1x57",
    f"steelyard_excluded_resources{{{POD}}}": "0 0 2 2 0x56",
    f"steelyard_reload_failures_total{{{POD}}}": "0x60",
    f"steelyard_lost_log_lines_total{{{POD}}}": "0x60",
    'steelyard_operator_active{namespace="llm",pod="one"}': "1x30 0x30",
    'steelyard_operator_active{namespace="llm",pod="two"}': "0x30 1x30",
    'steelyard_operator_api_failures_total{namespace="llm",pod="one",kind="LLMBackend"}': "0+0.5x60",
    'steelyard_operator_queue_depth{namespace="llm",pod="one"}': "400 400 200 0x57",
    'steelyard_operator_probes_total{namespace="llm",pod="one",result="failed"}': "0+1x60",
    'steelyard_operator_probes_total{namespace="llm",pod="one",result="ok"}': "0+9x60",
    'steelyard_operator_profiling_runs_total{namespace="llm",pod="one",result="failed"}': "0x30 1x30",
}
"""An hour, by the minute, in which nothing happens that somebody should be told."""


@dataclass(frozen=True)
class Case:
    """What goes wrong for an hour, and what is said of it."""

    wrong: dict[str, str]
    """Series in place of those of WELL; no values: it is not there."""
    labels: dict[str, str] = field(default_factory=dict)
    """Of the alert, besides its severity."""
    said: dict[str, str] = field(default_factory=dict)
    """Annotations that the rule writes with values."""


def of(name: str, labels: str = POD) -> str:
    """A series of the gateway."""
    return f"steelyard_{name}{{{labels}}}"


def of_operator(name: str, labels: str = "") -> str:
    """A series of the operator."""
    return f'steelyard_operator_{name}{{namespace="llm",pod="one"{labels}}}'


LLM = {"namespace": "llm"}
CASES = {
    "SteelyardGatewayAbsent": Case({of("table_age_seconds"): ""}),
    "SteelyardRequestsFail": Case(
        {REQUESTS % "502": "0+150x60"},
        LLM | {"policy": "auto"},
        {
            "summary": "Requests for policy 'auto' fail.",
            "description": "20% of the answers in llm are of status 500 and above.",
        },
    ),
    "SteelyardBackendRests": Case(
        {of("endpoint_resting", ENDPOINT): "1x60"},
        LLM | {"backend": "a"},
        {
            "summary": "Backend a is not used.",
            "description": "All its endpoints have rested after failures for most of 5 minutes, "
            "at each gateway of llm.",
        },
    ),
    "SteelyardEndpointRests": Case(
        {of("endpoint_resting", ENDPOINT): "1x60"},
        LLM | {"backend": "a", "endpoint": "a@10.0.0.1:8000"},
        {
            "summary": "Endpoint a@10.0.0.1:8000 fails again and again.",
            "description": "It rested 100% of the last 10 minutes, at each gateway of llm.",
        },
    ),
    "SteelyardRequestsTurnedAway": Case(
        {of("queue_refusals_total", f'{POD},backend="a",reason="late"'): "0+30x60"},
        LLM | {"backend": "a"},
        {
            "summary": "Backend a has too few slots.",
            "description": "500m requests a second get none in llm.",
        },
    ),
    "SteelyardRetriesRefused": Case(
        {of("retries_refused_total"): "0+1x60"},
        LLM,
        {"description": "The retry budget of gateways in llm is spent."},
    ),
    "SteelyardGatewaySlow": Case(
        {
            of("overhead_seconds_bucket", f'{POD},le="0.0005"'): "0x60",
            of("overhead_seconds_bucket", f'{POD},le="0.05"'): "0+600x60",
        },
        LLM,
        {"description": "Parsing and deciding takes 49.51ms of one request in 100 in llm."},
    ),
    "SteelyardGatewayBlind": Case(
        {of("gateway_source_connected"): "0x60"},
        LLM | {"pod": "steelyard-gateway-0"},
        {
            "description": "For 10 minutes steelyard-gateway-0 in llm has served with the last state "
            "that it heard of the API server."
        },
    ),
    "SteelyardResourcesExcluded": Case(
        {of("excluded_resources"): "2x60"},
        LLM,
        {"description": "2 in llm are excluded from routing by what is wrong with them."},
    ),
    "SteelyardChangesRefused": Case(
        {of("reload_failures_total"): "0+1x60"}, LLM | {"pod": "steelyard-gateway-0"}
    ),
    "SteelyardLogLinesLost": Case(
        {of("lost_log_lines_total"): "0+1x60"},
        LLM | {"pod": "steelyard-gateway-0"},
        {"description": "steelyard-gateway-0 in llm lost lines in the last 10 minutes."},
    ),
    "SteelyardOperatorAbsent": Case(
        {of_operator("active"): "0x60", 'steelyard_operator_active{namespace="llm",pod="two"}': ""}
    ),
    "SteelyardOperatorRefused": Case(
        {of_operator("api_failures_total", ',kind="LLMBackend"'): "0+6x60"},
        LLM | {"kind": "LLMBackend"},
        {"description": "100m a second for objects of kind LLMBackend."},
    ),
    "SteelyardOperatorBehind": Case(
        {of_operator("queue_depth"): "400x60"}, LLM, {"description": "400 objects are due for a look."}
    ),
    "SteelyardProbesFail": Case(
        {of_operator("probes_total", ',result="failed"'): "0+27x60"},
        LLM,
        {"description": "75% of them, for 10 minutes."},
    ),
    "SteelyardProfilingFails": Case(
        {of_operator("profiling_runs_total", ',result="failed"'): "0+0.1x60"},
        LLM,
        {"description": "6 profiling runs failed within an hour."},
    ),
}


def promtool(programs: Programs, folder: Path, *tests: dict[str, Any]) -> None:
    """Have these tests of the rules pass."""
    whole = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": list(tests)}
    (file := folder / "tests.json").write_text(json.dumps(whole))
    ran = subprocess.run([programs.promtool, "test", "rules", file], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def of_series(series: dict[str, str], **more: Any) -> dict[str, Any]:
    """A test over these."""
    given = [{"series": name, "values": values} for name, values in series.items() if values]
    return {"interval": "1m", "input_series": given, **more}


def test_the_rules_are_sound(programs: Programs) -> None:
    ran = subprocess.run([programs.promtool, "check", "rules", RULES], capture_output=True, text=True)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_nothing_fires_while_all_is_well(programs: Programs, tmp_path: Path) -> None:
    silent = [
        {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": []}
        for name in ALERTS
        for minute in (6, 20, 35, 60)
    ]
    promtool(programs, tmp_path, of_series(WELL, alert_rule_test=silent))


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_and_says_what_is_wrong(programs: Programs, tmp_path: Path, name: str) -> None:
    case, rule = CASES[name], ALERTS[name]
    unsaid = {key for key, text in rule["annotations"].items() if "{{" in text} - case.said.keys()
    assert unsaid == set()
    expected = {
        "exp_labels": case.labels | rule["labels"],
        "exp_annotations": rule["annotations"] | case.said,
    }
    fires = [{"eval_time": "59m", "alertname": name, "exp_alerts": [expected]}]
    promtool(programs, tmp_path, of_series(WELL | case.wrong, alert_rule_test=fires))


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_leads_to_what_is_to_be_done(name: str) -> None:
    rule = ALERTS[name]

    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/metrics.md#{name.lower()}"
    assert rule["labels"]["severity"] in ("critical", "warning")
    [said] = [part for part in PAGE.split("\n### ") if part.startswith(f"{name}\n")]
    assert len(said.split()) > 15


def test_the_page_tells_of_no_other_alert() -> None:
    headings = {part.split("\n")[0] for part in PAGE.split("\n### ")[1:]}

    assert headings == ALERTS.keys()


def test_rules_ask_for_metrics_that_there_are() -> None:
    asked = {
        name
        for group in GROUPS
        for rule in group["rules"]
        for name in re.findall(r"steelyard_\w+", rule["expr"])
    }
    told = {row.name for rows in metric_docs.PROGRAMS.values() for row in rows()}

    assert {name for name in asked if re.sub(r"_(bucket|sum|count)$", "", name) not in told} == set()


def test_times_and_tokens_are_told_in_opentelemetrys_names(programs: Programs, tmp_path: Path) -> None:
    one = 'pod="one",model="m",backend="a"'
    series = {
        f'steelyard_request_duration_seconds_bucket{{{one},le="0.5"}}': "0+3x10",
        f"steelyard_time_to_first_byte_seconds_count{{{one}}}": "0+4x10",
        f'steelyard_tokens_total{{{one},policy="auto",direction="prompt",source="told"}}': "0+5x10",
        f'steelyard_tokens_total{{{one},policy="",direction="prompt",source="told"}}': "0+1x10",
        f'steelyard_tokens_total{{{one},policy="auto",direction="completion",source="told"}}': "0+7x10",
    }
    named = 'gen_ai_provider_name="a",gen_ai_response_model="m",pod="one"'
    recorded = {
        f'gen_ai_server_request_duration_seconds_bucket{{{named},le="0.5"}}': 30,
        f"gen_ai_server_time_to_first_token_seconds_count{{{named}}}": 40,
        f'gen_ai_client_token_usage_sum{{{named},gen_ai_token_type="input"}}': 60,
        f'gen_ai_client_token_usage_sum{{{named},gen_ai_token_type="output"}}': 70,
    }
    asked = [
        {"expr": name, "eval_time": "10m", "exp_samples": [{"labels": name, "value": value}]}
        for name, value in recorded.items()
    ]
    promtool(programs, tmp_path, of_series(series, promql_expr_test=asked))
