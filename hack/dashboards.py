"""The Grafana dashboards of the chart, charts/steelyard/files/dashboards: what runs, and what is chosen.

Run it to write them anew. Each metric of docs/metrics.md is on one of them.
"""

import json
from pathlib import Path

import helm_binary
from panels import RATE_WINDOW, Dashboard, Panel, Query, Row, json_model, quantile, rate, series

FOLDER: Path = helm_binary.CHART / "files" / "dashboards"

_OF_ENDPOINT = "{{backend}} {{endpoint}}"
_REQUESTS = "steelyard_requests_total"
_FAILED = 'status=~"5.."'
_COUNTED = "steelyard_tokens_total"
_OF_PROMPTS, _OF_ANSWERS, _OF_CACHES = (f'direction="{word}"' for word in ("prompt", "completion", "cached"))
_OWN = 'own="true"'
_PHASES = "model, backend, phase"
_TIMES = ((0.5, "p50"), (0.95, "p95"))


def _told(name: str) -> Query:
    """What an endpoint tells: every gateway hears the same, some later."""
    return Query(f"max by (backend, endpoint) ({series(name)})", _OF_ENDPOINT)


def _quantiles(name: str, by: str) -> tuple[Query, ...]:
    return tuple(Query(quantile(share, name, by), f"{word} {{{{{by}}}}}") for share, word in _TIMES)


def _share(part: str, whole: str) -> str:
    """Of two sums without labels; none of the part is 0."""
    return f"({part} or vector(0)) / {whole}"


_NOW = Row(
    "Now",
    (
        Panel("Gateways", (Query(f"sum({series('steelyard_gateway_info', _OWN)})"),), kind="stat"),
        Panel(
            "Active operators",
            (Query(f"sum({series('steelyard_operator_active')})"),),
            kind="stat",
            description="One, however many replicas there are.",
        ),
        Panel("Requests per second", (Query(rate(_REQUESTS)),), "reqps", kind="stat"),
        Panel(
            "Failed requests",
            (Query(_share(rate(_REQUESTS, _FAILED), rate(_REQUESTS))),),
            "percentunit",
            "Answers of 500 and above.",
            kind="stat",
        ),
        Panel("Requests under way", (Query(f"sum({series('steelyard_in_flight_requests')})"),), kind="stat"),
        Panel(
            "Endpoints",
            (Query(f"count(max by (backend, endpoint) ({series('steelyard_endpoint_resting')}))"),),
            kind="stat",
        ),
        Panel(
            "Endpoints at rest",
            (Query(f"sum(max by (backend, endpoint) ({series('steelyard_endpoint_resting')}))"),),
            kind="stat",
            description="After failures, or at their own request.",
        ),
        Panel(
            "Excluded resources",
            (Query(f"max({series('steelyard_excluded_resources')})"),),
            kind="stat",
            description="`/admin/resources` of a gateway says which, and why.",
        ),
    ),
    width=3,
    height=4,
)

_ENGINES = Row(
    "Engines",
    (
        Panel(
            "Requests under way",
            (Query(f"sum by (backend) ({series('steelyard_in_flight_requests')})", "{{backend}}"),),
            stacked=True,
            description="Of the gateways; engines may have others, too.",
        ),
        Panel("Requests in work, as engines tell", (_told("steelyard_engine_running"),)),
        Panel("Requests waiting in engines", (_told("steelyard_engine_waiting"),)),
        Panel("Key-value cache in use", (_told("steelyard_engine_cache_use_ratio"),), "percentunit", most=1),
        Panel("Tokens made per second", (_told("steelyard_engine_output_tokens_per_second"),)),
        Panel("Models in memory", (_told("steelyard_engine_loaded_models"),)),
        Panel(
            "Endpoints at rest",
            (_told("steelyard_endpoint_resting"),),
            most=1,
            description="1 where a gateway lets an endpoint rest.",
        ),
        Panel("Since engines told", (_told("steelyard_engine_sample_age_seconds"),), "s"),
    ),
    width=6,
)

_GPUS = Row(
    "GPUs behind the endpoints",
    (
        Panel("At work", (_told("steelyard_gpu_utilization_ratio"),), "percentunit", most=1),
        Panel("Memory in use", (_told("steelyard_gpu_memory_used_bytes"),), "bytes"),
        Panel("Since exporters told", (_told("steelyard_gpu_sample_age_seconds"),), "s"),
    ),
)

_QUEUES = Row(
    "Queues before maxConcurrency",
    (
        Panel(
            "Waiting now",
            (Query(f"sum by (backend) ({series('steelyard_queued_requests')})", "{{backend}}"),),
            stacked=True,
        ),
        Panel(
            "Began to wait per second",
            (Query(rate("steelyard_queue_waits_total", by="backend"), "{{backend}}"),),
            "reqps",
        ),
        Panel(
            "Got no slot per second",
            (
                Query(
                    rate("steelyard_queue_refusals_total", by="backend, reason"),
                    "{{backend}} {{reason}}",
                ),
            ),
            "reqps",
        ),
    ),
)

_GATEWAYS = Row(
    "Gateways",
    (
        Panel(
            "Parsing and deciding",
            (
                Query(quantile(0.5, "steelyard_overhead_seconds"), "p50"),
                Query(quantile(0.99, "steelyard_overhead_seconds"), "p99"),
            ),
            "s",
        ),
        Panel(
            "Since the table was compiled",
            (Query(series("steelyard_table_age_seconds"), "{{pod}}"),),
            "s",
        ),
        Panel(
            "Since the API server was heard",
            (Query(series("steelyard_gateway_resources_age_seconds"), "{{pod}}"),),
            "s",
            "With resources from Kubernetes.",
        ),
        Panel(
            "Hears all changes",
            (Query(series("steelyard_gateway_source_connected"), "{{pod}}"),),
            most=1,
            description="1 where it does; with resources from Kubernetes.",
        ),
        Panel(
            "Refused and lost",
            (
                Query(
                    f"sum(increase({series('steelyard_reload_failures_total')}[{RATE_WINDOW}]))",
                    "changes of files",
                ),
                Query(
                    f"sum(increase({series('steelyard_lost_log_lines_total')}[{RATE_WINDOW}]))", "log lines"
                ),
            ),
        ),
    ),
)

_OPERATOR = Row(
    "Operator",
    (
        Panel(
            "Time of a look, p95",
            (Query(quantile(0.95, "steelyard_operator_reconcile_seconds", "kind"), "{{kind}}"),),
            "s",
        ),
        Panel(
            "Objects due for a look", (Query(f"sum({series('steelyard_operator_queue_depth')})", "objects"),)
        ),
        Panel(
            "Statuses written per second",
            (Query(rate("steelyard_operator_status_writes_total", by="kind"), "{{kind}}"),),
        ),
        Panel(
            "Failed requests to the API server",
            (Query(rate("steelyard_operator_api_failures_total", by="kind"), "{{kind}}"),),
        ),
        Panel(
            "Probes of engines per second",
            (Query(rate("steelyard_operator_probes_total", by="result"), "{{result}}"),),
            stacked=True,
        ),
        Panel(
            "Profiling",
            (
                Query(f"sum({series('steelyard_operator_profiling_jobs')})", "Jobs under way"),
                Query(
                    f"sum by (result) ({series('steelyard_operator_profiling_runs_total')})",
                    "runs {{result}}",
                ),
            ),
        ),
    ),
)

FLEET = Dashboard(
    "fleet",
    "Steelyard: fleet",
    "Whether gateways, operator, engines and GPUs are well, and how much they have to do.",
    (_NOW, _ENGINES, _GPUS, _QUEUES, _GATEWAYS, _OPERATOR),
)

_TRAFFIC = Row(
    "Requests",
    (
        Panel(
            "By policy, per second",
            (Query(rate(_REQUESTS, by="policy"), "{{policy}}"),),
            "reqps",
            "Without a name: of a model by its name.",
            stacked=True,
        ),
        Panel(
            "By model, per second", (Query(rate(_REQUESTS, by="model"), "{{model}}"),), "reqps", stacked=True
        ),
        Panel("By path, per second", (Query(rate(_REQUESTS, by="path"), "{{path}}"),), "reqps", stacked=True),
        Panel(
            "By status, per second",
            (Query(rate(_REQUESTS, by="status"), "{{status}}"),),
            "reqps",
            stacked=True,
        ),
        Panel(
            "Errors by code, per second",
            (Query(rate(_REQUESTS, 'code!=""', by="code"), "{{code}}"),),
            "reqps",
            "docs/gateway.md says what each code means.",
            stacked=True,
        ),
        Panel(
            "Failed, by policy",
            (
                Query(
                    f"{rate(_REQUESTS, _FAILED, by='policy')} / {rate(_REQUESTS, by='policy')}",
                    "{{policy}}",
                ),
            ),
            "percentunit",
            "Answers of 500 and above; no line: none.",
        ),
    ),
)

_CHOICE = Row(
    "Choice",
    (
        Panel(
            "Who answers for a policy",
            (
                Query(
                    f"{rate(_REQUESTS, by='policy, model')} "
                    f"/ on (policy) group_left {rate(_REQUESTS, by='policy')}",
                    "{{policy}}: {{model}}",
                ),
            ),
            "percentunit",
            "Share of each model.",
            most=1,
        ),
        Panel(
            "Endpoints tried for a request",
            (
                Query(
                    f"{rate('steelyard_attempts_total', by='model')} "
                    f"/ {rate('steelyard_request_duration_seconds_count', by='model')}",
                    "{{model}}",
                ),
            ),
            description="1 where the first one answers.",
        ),
        Panel(
            "Not sent again, per second",
            (Query(rate("steelyard_retries_refused_total"), "requests"),),
            "reqps",
            "Failed, and the retry budget was spent.",
        ),
    ),
)

_HOW_LONG = Row(
    "Times",
    (
        Panel(
            "To the end, by policy", _quantiles("steelyard_policy_request_duration_seconds", "policy"), "s"
        ),
        Panel("To the end, by model", _quantiles("steelyard_request_duration_seconds", "model"), "s"),
        Panel(
            "To the first byte, by model", _quantiles("steelyard_time_to_first_byte_seconds", "model"), "s"
        ),
        Panel(
            "Streams beside their profile",
            (
                Query(
                    f"{rate('steelyard_compared_actual_seconds_total', by=_PHASES)} "
                    f"/ {rate('steelyard_compared_expected_seconds_total', by=_PHASES)}",
                    "{{model}} {{backend}} {{phase}}",
                ),
            ),
            description="1: as fast as measured, 2: half as fast.",
        ),
        Panel(
            "Streams that can be compared, per second",
            (
                Query(
                    rate("steelyard_compared_requests_total", by=_PHASES), "{{model}} {{backend}} {{phase}}"
                ),
            ),
            "reqps",
        ),
    ),
)

_TOKENS = Row(
    "Tokens",
    (
        Panel(
            "Of prompts, per second",
            (Query(rate(_COUNTED, _OF_PROMPTS, by="model"), "{{model}}"),),
            stacked=True,
        ),
        Panel(
            "Of answers, per second",
            (Query(rate(_COUNTED, _OF_ANSWERS, by="model"), "{{model}}"),),
            stacked=True,
        ),
        Panel(
            "Of answers, by policy, per second",
            (Query(rate(_COUNTED, _OF_ANSWERS, by="policy"), "{{policy}}"),),
            stacked=True,
        ),
        Panel(
            "Of prompts from engines' caches",
            (
                Query(
                    f"{rate(_COUNTED, _OF_CACHES, by='model')} / {rate(_COUNTED, _OF_PROMPTS, by='model')}",
                    "{{model}}",
                ),
            ),
            "percentunit",
            most=1,
        ),
        Panel(
            "Estimated",
            (Query(_share(rate(_COUNTED, 'source="estimated"'), rate(_COUNTED)), "share"),),
            "percentunit",
            "Of engines that tell no usage.",
            most=1,
        ),
    ),
)

ROUTING = Dashboard(
    "routing",
    "Steelyard: routing",
    "Who asks for what, which model answers, how well and how fast.",
    (_TRAFFIC, _CHOICE, _HOW_LONG, _TOKENS),
)

ALL = (FLEET, ROUTING)


def text(dashboard: Dashboard) -> str:
    """The file of a dashboard."""
    return json.dumps(json_model(dashboard), indent=1) + "\n"


def path(dashboard: Dashboard) -> Path:
    """Where it is."""
    return FOLDER / f"{dashboard.name}.json"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for dashboard in ALL:
        path(dashboard).write_text(text(dashboard))
