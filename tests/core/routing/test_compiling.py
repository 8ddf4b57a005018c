from datetime import UTC, datetime
from typing import Any

import pytest

from fakes.resources import backend, measured, policy, profile, resource_set, secret
from steelyard.api.backend import LLMBackend, Location
from steelyard.api.policy import RoutingPolicy
from steelyard.api.resources import AnyResource, ConfigMap
from steelyard.routing import endpoints
from steelyard.routing.compiling import compile_table

CA: dict[str, str] = {"ca.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}
KEY: dict[str, Any] = {"credentialsRef": {"name": "key", "key": "api-key"}}
TLS: dict[str, Any] = {"tls": {"caRef": {"name": "ca", "key": "ca.crt"}}}


def leaving(resource: LLMBackend | RoutingPolicy) -> AnyResource:
    """The same, being deleted."""
    metadata = resource.metadata.model_copy(update={"deletion_timestamp": datetime(2026, 11, 21, tzinfo=UTC)})
    return resource.model_copy(update={"metadata": metadata})


EXCLUDED: dict[str, tuple[list[AnyResource], str, str, str]] = {
    "a credential that is not there": (
        [backend("b", "m", **KEY)],
        "ResolvedRefs",
        "SecretNotFound",
        "spec.credentialsRef names Secret default/key, which does not exist or lacks the label "
        "steelyard.dev/kind=backend-credential: create it or set the label.",
    ),
    "a credential without the label": (
        [backend("b", "m", **KEY), secret("key", {"api-key": "k"}, labels={})],
        "ResolvedRefs",
        "SecretNotLabelled",
        "lacks the label steelyard.dev/kind=backend-credential",
    ),
    "a credential without the key": (
        [backend("b", "m", **KEY), secret("key", {"other": "k"})],
        "ResolvedRefs",
        "SecretKeyNotFound",
        "names key api-key, which Secret key does not hold",
    ),
    "a credential that would break the head of a request": (
        [backend("b", "m", **KEY), secret("key", {"api-key": "k\r\nx-evil: 1"})],
        "ResolvedRefs",
        "SecretKeyInvalid",
        "is no API key",
    ),
    "an authority that is not there": (
        [backend("b", "m", url="https://b:1", **TLS)],
        "ResolvedRefs",
        "CaNotFound",
        "there is no ConfigMap or Secret of that name",
    ),
    "an authority that is no certificate": (
        [backend("b", "m", url="https://b:1", **TLS), secret("ca", {"ca.crt": "hello"})],
        "ResolvedRefs",
        "CaInvalid",
        "holds no PEM certificate",
    ),
    "the address of a cloud's metadata": (
        [backend("b", "m", url="http://169.254.169.254/latest")],
        "Accepted",
        "UrlForbidden",
        "a link-local or metadata address",
    ),
    "an External backend without models": (
        [backend("b", url="https://api.example.com")],
        "Accepted",
        "ModelsRequired",
        "list the models",
    ),
    "a profile of no backend": (
        [backend("b", "m"), profile("p", "gone", "m")],
        "ResolvedRefs",
        "BackendNotFound",
        "spec.backendRef names LLMBackend default/gone, which does not exist",
    ),
    "the younger of two profiles of a pair": (
        [backend("b", "m"), profile("p", "b", "m"), profile("q", "b", "m")],
        "Accepted",
        "Duplicate",
        "ModelProfile p is older",
    ),
    "a policy that selects nothing": (
        [backend("b", "m"), policy("auto", "auto", candidates=[{"models": ["x"]}])],
        "ResolvedRefs",
        "NoCandidates",
        "spec.candidates[0] selects no model",
    ),
    "a backend that is being deleted": (
        [leaving(backend("b", "m"))],
        "Accepted",
        "Deleting",
        "what it answers is finished, new requests go elsewhere",
    ),
    "a policy that is being deleted": (
        [backend("b", "m"), leaving(policy("auto", "auto"))],
        "Accepted",
        "Deleting",
        "what it answers is finished, new requests pass it by",
    ),
}


@pytest.mark.parametrize("case", EXCLUDED)
def test_what_is_wrong_excludes_one_resource_with_reason_and_remedy(case: str) -> None:
    resources, condition, reason, words = EXCLUDED[case]
    table, problems = compile_table(resource_set(*resources, backend("good", "other")), "default")
    (problem,) = [one for one in problems if one.excludes]
    assert (problem.condition, problem.reason) == (condition, reason)
    assert words in problem.message
    assert "other" in table.models


def test_a_backend_that_is_being_deleted_leaves_its_requests_to_the_others() -> None:
    fleet = [leaving(backend("b", "m", "own")), backend("c", "m"), policy("auto", "auto")]
    table, _ = compile_table(resource_set(*fleet), "default")
    assert [pair.backend for pair in table.pools["m"].open] == ["c"]
    assert [pair.backend for pair in table.policies["auto"][0].entries[0].candidates] == ["c"]
    assert table.unusable["own"] == "backend 'b'"


def test_a_policy_that_is_being_deleted_leaves_its_name_to_the_next() -> None:
    first, second = policy("first", "auto", priority=1), policy("second", "auto")
    table, _ = compile_table(resource_set(backend("b", "m"), leaving(first), second), "default")
    assert [one.name for one in table.policies["auto"]] == ["second"]


def test_a_credential_goes_into_the_endpoint_and_into_no_text() -> None:
    table, problems = compile_table(
        resource_set(backend("b", "m", **KEY), secret("key", {"api-key": "sk-topsecret\n"})), "default"
    )
    endpoint = table.models["m"][0].endpoints[0]
    assert not problems
    assert endpoint.authorization == "Bearer sk-topsecret"
    assert "sk-topsecret" not in repr(table)


def test_an_emptied_credential_resolves_and_sends_none() -> None:
    table, problems = compile_table(
        resource_set(backend("b", "m", **KEY), secret("key", {"api-key": ""})), "default"
    )
    assert [(one.reason, one.excludes) for one in problems] == [("SecretKeyEmpty", False)]
    assert table.models["m"][0].endpoints[0].authorization is None


def test_an_authority_may_stand_in_a_config_map() -> None:
    config_map = ConfigMap.model_validate({"metadata": {"name": "ca"}, "data": CA})
    table, problems = compile_table(
        resource_set(backend("b", "m", url="https://b:1", **TLS), config_map), "default"
    )
    assert not problems
    assert table.models["m"][0].endpoints[0].ca_pem == CA["ca.crt"]


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://127.0.0.1:1", Location.LOCAL),
        ("http://[::1]:1", Location.LOCAL),
        ("http://localhost:1", Location.LOCAL),
        ("http://10.1.2.3:1", Location.LOCAL),
        ("http://192.168.1.9:1", Location.LOCAL),
        ("http://vllm:1", Location.LOCAL),
        ("http://vllm.llm.svc:1", Location.LOCAL),
        ("http://vllm.llm.svc.cluster.local:1", Location.LOCAL),
        ("http://box.local:1", Location.LOCAL),
        ("https://openrouter.ai/api/v1", Location.EXTERNAL),
        ("http://8.8.8.8:1", Location.EXTERNAL),
    ],
)
def test_the_host_says_where_a_backend_runs(url: str, where: Location) -> None:
    assert endpoints.location(backend("b", "m", url=url)) is where


def test_a_stated_location_wins_over_the_host() -> None:
    assert endpoints.location(backend("b", "m", location="External")) is Location.EXTERNAL


@pytest.mark.parametrize(
    ("url", "port", "path"),
    [
        ("http://h", 80, "/v1"),
        ("https://h/", 443, "/v1"),
        ("http://h:8000/api/v1/", 8000, "/api/v1"),
    ],
)
def test_a_url_without_a_path_means_v1(url: str, port: int, path: str) -> None:
    [endpoint] = endpoints.resolve(backend("b", "m", url=url), resource_set())
    assert (endpoint.port, endpoint.base_path) == (port, path)


def test_models_that_the_engine_reported_count_where_none_is_listed() -> None:
    reported = {"models": [{"name": "m", "contextTokens": 2048}]}
    table, _ = compile_table(resource_set(backend("b", status=reported)), "default")
    assert table.models["m"][0].context_tokens == 2048


def test_a_backend_that_told_no_models_is_noted_and_plays_no_part() -> None:
    table, problems = compile_table(resource_set(backend("b")), "default")
    assert not table.candidates
    assert [(one.reason, one.excludes) for one in problems] == [("ModelsUnknown", False)]


def test_what_the_owner_states_overrides_what_was_measured() -> None:
    stated = [{"name": "m", "capabilities": {"tools": False}, "contextTokens": 100}]
    found = measured("b", "m", 50, capabilities={"tools": True, "chat": True})
    table, _ = compile_table(resource_set(backend("b", models=stated), found), "default")
    assert table.models["m"][0].capabilities == {"tools": False, "chat": True}


def test_other_namespaces_are_not_seen() -> None:
    table, problems = compile_table(resource_set(backend("b", "m")), "elsewhere")
    assert (table.candidates, problems) == ((), ())


def test_policies_of_one_name_are_tried_by_priority_then_age_then_name() -> None:
    made = [
        policy("c", "auto"),
        policy("b", "auto", created="2026-01-02T00:00:00Z"),
        policy("a", "auto", created="2026-01-03T00:00:00Z"),
        policy("z", "auto", priority=1),
    ]
    table, problems = compile_table(resource_set(backend("b", "m"), *made), "default")
    assert [one.name for one in table.policies["auto"]] == ["z", "b", "a", "c"]
    assert {one.name for one in problems if one.reason == "Shadowed" and not one.excludes} == {"a", "b", "c"}


def test_candidates_are_selected_by_labels_names_aliases_and_backends() -> None:
    backends = [
        backend("a", models=[{"name": "llama-8b", "aliases": ["small"]}], labels={"tier": "gpu"}),
        backend("b", "llama-70b", labels={"tier": "gpu"}),
        backend("c", "llama-8b", labels={"tier": "cpu"}),
    ]

    def selected(*entries: dict[str, object]) -> list[tuple[str, str]]:
        made = policy("p", "auto", candidates=list(entries))
        table, _ = compile_table(resource_set(*backends, made), "default")
        return [
            (pair.model, pair.backend) for one in table.policies["auto"][0].entries for pair in one.candidates
        ]

    gpu = {"matchLabels": {"tier": "gpu"}}
    assert selected({"selector": gpu}) == [("llama-70b", "b"), ("llama-8b", "a")]
    assert selected({"selector": gpu, "models": ["*8b"]}) == [("llama-8b", "a")]
    assert selected({"models": ["small"]}) == [("llama-8b", "a")]
    assert selected({"models": ["llama-8b@c"]}) == [("llama-8b", "c")]
    assert len(selected({"selector": {}})) == 3
