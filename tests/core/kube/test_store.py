from dataclasses import fields
from typing import Any

import pytest

from steelyard.api.resources import ResourceSet
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind, Object
from steelyard.kube.store import KINDS, Store
from steelyard.kube.watching import Put, Removed, Replaced


def backend(name: str = "a", version: str = "1", namespace: str = "team", **spec: Any) -> Object:
    return {
        "apiVersion": "steelyard.dev/v1alpha1",
        "kind": "LLMBackend",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "resourceVersion": version,
            "managedFields": [{"manager": "kubectl"}],
            "somethingNew": True,
        },
        "spec": {"engine": "VLLM", "url": "http://engine:8000"} | spec,
    }


def names(store: Store) -> list[str]:
    return [name for _, name in store.resources.backends]


def test_every_kind_of_the_set_has_its_place() -> None:
    held = sorted(one.name for one in fields(ResourceSet) if one.init)

    assert sorted(field for _, field in KINDS.values()) == held
    known = {kind.kind: kind.api_version for kind in vars(kinds).values() if isinstance(kind, Kind)}
    for kind, (of_type, _) in KINDS.items():
        assert of_type.model_fields["kind"].default == kind
        assert of_type.model_fields["api_version"].default == known[kind]


def test_what_was_put_is_there_until_it_is_removed() -> None:
    store = Store()
    assert store.put(backend("a"))
    assert store.resources.backends["team", "a"].spec.url == "http://engine:8000"
    assert store.remove(kinds.LLM_BACKEND, ("team", "a"))
    assert not store.remove(kinds.LLM_BACKEND, ("team", "a"))
    assert names(store) == []


def test_objects_of_all_kinds_are_held() -> None:
    store = Store()
    for kind, more in (
        (kinds.SECRET, {"data": {"key": "dmFsdWU="}}),
        (kinds.CONFIG_MAP, {"data": {"key": "value"}}),
        (kinds.SERVICE, {"spec": {"ports": [{"port": 80, "targetPort": "http"}], "clusterIP": "10.0.0.1"}}),
        (
            kinds.ENDPOINT_SLICE,
            {
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": True, "serving": True}}],
                "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
            },
        ),
    ):
        metadata = {"name": "one", "namespace": "team", "resourceVersion": "1"}
        assert store.put({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata} | more)
    assert store.invalid == ()
    held = store.resources
    assert all((held.secrets, held.config_maps, held.services, held.endpoint_slices))


def test_a_set_does_not_change_once_it_was_read() -> None:
    store = Store()
    store.put(backend("a"))
    before = store.resources
    store.put(backend("b"))
    assert list(before.backends) == [("team", "a")]
    assert names(store) == ["a", "b"]


def test_a_change_leaves_other_kinds_as_they_are() -> None:
    store = Store()
    store.put(backend("a"))
    before = store.resources.backends
    store.put(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "team"}, "data": {}}
    )
    assert store.resources.backends is before


def test_the_same_object_again_is_no_change_and_the_set_stays() -> None:
    store = Store()
    store.put(backend("a"))
    before = store.resources
    assert not store.put(backend("a"))
    assert store.resources is before


def test_a_new_resource_version_alone_is_no_change_but_is_held() -> None:
    store = Store()
    store.put(backend("a", version="1"))
    assert not store.put(backend("a", version="2"))
    assert store.resources.backends["team", "a"].metadata.resource_version == "2"


def test_an_object_made_anew_with_the_same_words_is_a_change() -> None:
    store = Store()
    store.put(backend("a"))
    again = backend("a", version="9")
    again["metadata"]["uid"] = "another"
    assert store.put(again)


def test_replacing_drops_what_is_gone_in_that_namespace_only() -> None:
    store = Store()
    store.replace(
        kinds.LLM_BACKEND, None, [backend("a"), backend("b"), backend("elsewhere", namespace="other")]
    )
    assert store.replace(kinds.LLM_BACKEND, "team", [backend("b"), backend("c")])
    assert sorted(names(store)) == ["b", "c", "elsewhere"]
    assert store.replace(kinds.LLM_BACKEND, None, [backend("c")])
    assert names(store) == ["c"]


def test_replacing_with_the_same_is_no_change() -> None:
    store = Store()
    store.replace(kinds.LLM_BACKEND, None, [backend("a"), backend("b")])
    before = store.resources
    assert not store.replace(kinds.LLM_BACKEND, None, [backend("b"), backend("a")])
    assert store.resources is before


def test_fields_that_are_not_known_are_ignored_at_any_depth() -> None:
    store = Store()
    models = [{"name": "m", "capabilities": {"chat": True, "telepathy": True}, "flavour": "mint"}]
    newer = backend("a", models=models, newInSpec={"x": 1}) | {"status": {"newInStatus": 1}, "extra": []}
    assert store.put(newer)
    assert store.invalid == ()
    assert store.resources.backends["team", "a"].spec.models[0].name == "m"


def test_an_object_that_does_not_fit_is_kept_out_and_told() -> None:
    store = Store()
    store.put(backend("good"))
    assert store.put(backend("bad", engine="Steam"))
    assert names(store) == ["good"]
    (invalid,) = store.invalid
    assert (invalid.kind, invalid.namespace, invalid.name) == ("LLMBackend", "team", "bad")
    assert invalid.message.startswith("spec.engine: ")


def test_an_object_that_stops_fitting_goes_and_comes_back_when_it_fits() -> None:
    store = Store()
    store.put(backend("a", version="1"))
    assert store.put(backend("a", version="2", engine="Steam"))
    assert names(store) == []
    assert not store.put(backend("a", version="3", engine="Steam"))
    assert store.put(backend("a", version="4"))
    assert (names(store), store.invalid) == (["a"], ())


def test_an_object_that_does_not_fit_is_forgotten_when_it_is_removed() -> None:
    store = Store()
    store.put(backend("bad", engine="Steam"))
    assert store.remove(kinds.LLM_BACKEND, ("team", "bad"))
    assert store.invalid == ()


def test_what_is_told_of_a_secret_does_not_quote_it() -> None:
    store = Store()
    metadata = {"name": "s", "namespace": "team"}
    store.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"k": ["hunter2"]}})
    assert store.invalid[0].message.startswith("data.k: ")
    assert "hunter2" not in str(store.invalid)


@pytest.mark.parametrize("namespace", [None, "team"])
def test_changes_of_a_follow_are_taken(namespace: str | None) -> None:
    store = Store()
    assert store.take(kinds.LLM_BACKEND, namespace, Replaced((backend("a"), backend("b"))))
    assert store.take(kinds.LLM_BACKEND, namespace, Put(backend("c")))
    assert store.take(kinds.LLM_BACKEND, namespace, Removed(backend("a")))
    assert names(store) == ["b", "c"]
