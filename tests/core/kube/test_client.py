import asyncio
import json
import socket
from collections.abc import Awaitable, Callable

import pytest

from fakes.kubernetes_api import FakeApiServer, configuration, fake_cluster, status_object
from steelyard.kube import errors, kinds
from steelyard.kube.client import PAGE_OBJECTS, Client
from steelyard.kube.kinds import Object

Story = Callable[[FakeApiServer, Client], Awaitable[None]]


class LeadershipLost(Exception):
    """What the guard of a test raises."""


def config_map(name: str = "one", namespace: str = "team", **data: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def tell(story: Story, read_token: Callable[[], str] = lambda: "") -> None:
    async def told() -> None:
        async with fake_cluster(read_token) as (api, client):
            await story(api, client)

    asyncio.run(told())


def test_paths_are_those_of_the_api_server() -> None:
    assert kinds.POD.path() == "/api/v1/pods"
    assert kinds.JOB.path("team") == "/apis/batch/v1/namespaces/team/jobs"
    status = kinds.LLM_BACKEND.path("team", "a", "status")
    assert status == "/apis/steelyard.dev/v1alpha1/namespaces/team/llmbackends/a/status"


def test_a_name_cannot_leave_its_place_in_a_path() -> None:
    assert kinds.POD.path("a/b", "../c?d") == "/api/v1/namespaces/a%2Fb/pods/..%2Fc%3Fd"


def test_an_object_without_its_namespace_has_no_path() -> None:
    with pytest.raises(ValueError, match="Pod x needs a namespace"):
        kinds.POD.path(None, "x")


def test_a_created_object_can_be_read() -> None:
    async def story(_: FakeApiServer, client: Client) -> None:
        created = await client.create(kinds.CONFIG_MAP, config_map(a="1"))
        assert created["metadata"]["uid"]
        assert await client.get(kinds.CONFIG_MAP, "team", "one") == created

    tell(story)


def test_items_of_a_list_say_their_kind() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        api.put("configmaps", config_map())
        item = (await client.list(kinds.CONFIG_MAP, "team")).items[0]
        assert (item["apiVersion"], item["kind"]) == ("v1", "ConfigMap")

    tell(story)


def test_a_long_list_comes_in_pages() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        for number in range(2 * PAGE_OBJECTS + 1):
            last = api.put("configmaps", config_map(f"n{number:05}"))
        listing = await client.list(kinds.CONFIG_MAP, None)
        assert [item["metadata"]["name"] for item in listing.items] == [
            f"n{number:05}" for number in range(2 * PAGE_OBJECTS + 1)
        ]
        assert listing.resource_version == last["metadata"]["resourceVersion"]
        assert len(api.requests) == 3

    tell(story)


def test_a_list_without_objects_is_empty() -> None:
    async def story(_: FakeApiServer, client: Client) -> None:
        assert (await client.list(kinds.CONFIG_MAP, "team")).items == ()

    tell(story)


def test_selectors_are_left_to_the_api_server() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        await client.list(kinds.SECRET, "team", "a=b", "type=Opaque")
        assert api.requests[0].query["labelSelector"] == "a=b"
        assert api.requests[0].query["fieldSelector"] == "type=Opaque"

    tell(story)


def test_apply_makes_what_is_not_there_and_names_its_manager() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        manifest: Object = {"metadata": {"name": "one", "namespace": "team"}, "data": {"a": "1"}}
        applied = await client.apply(kinds.CONFIG_MAP, manifest, "tester")
        assert applied["data"] == {"a": "1"}
        asked = api.requests[0]
        assert asked.query == {"fieldManager": "tester", "force": "true"}
        assert asked.headers["content-type"] == "application/apply-patch+yaml"
        assert (asked.body["apiVersion"], asked.body["kind"]) == ("v1", "ConfigMap")

    tell(story)


def test_replacing_an_object_that_moved_on_is_a_conflict() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        old = api.put("configmaps", config_map(a="1"))
        new = await client.replace(kinds.CONFIG_MAP, old | {"data": {"a": "2"}})
        assert new["data"] == {"a": "2"}
        with pytest.raises(errors.Conflict, match="has been modified"):
            await client.replace(kinds.CONFIG_MAP, old)

    tell(story)


def test_a_patch_merges_and_none_removes() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        api.put("configmaps", config_map(a="1", b="2"))
        patched = await client.patch(kinds.CONFIG_MAP, "team", "one", {"data": {"a": None, "c": "3"}})
        assert patched["data"] == {"b": "2", "c": "3"}

    tell(story)


def test_a_status_is_replaced_whole() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        before = api.put("llmbackends", config_map() | {"status": {"old": 1}})
        version = before["metadata"]["resourceVersion"]
        after = await client.patch_status(kinds.LLM_BACKEND, "team", "one", {"new": 2}, version)
        assert after["status"] == {"new": 2}
        assert api.requests[0].path.endswith("/llmbackends/one/status")

    tell(story)


def test_a_status_for_an_older_version_is_a_conflict() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        before = api.put("llmbackends", config_map())
        api.put("llmbackends", config_map(a="moved on"))
        version = before["metadata"]["resourceVersion"]
        with pytest.raises(errors.Conflict):
            await client.patch_status(kinds.LLM_BACKEND, "team", "one", {"late": True}, version)
        assert "status" not in api.objects["llmbackends", "team", "one"]

    tell(story)


def test_deleting_says_whether_there_was_something() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        api.put("configmaps", config_map())
        assert await client.delete(kinds.CONFIG_MAP, "team", "one")
        assert api.requests[0].body == {"propagationPolicy": "Background"}
        assert not await client.delete(kinds.CONFIG_MAP, "team", "one")

    tell(story)


def test_only_the_object_that_was_meant_is_deleted() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        meant = api.put("configmaps", config_map())["metadata"]["uid"]
        api.remove("configmaps", "team", "one")
        api.put("configmaps", config_map())
        assert not await client.delete(kinds.CONFIG_MAP, "team", "one", uid=meant)
        assert ("configmaps", "team", "one") in api.objects

    tell(story)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", errors.Invalid),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "Conflict", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (410, "Expired", errors.Gone),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.TooMany),
        (500, "InternalError", errors.ServerFault),
        (504, "Timeout", errors.ServerFault),
        (302, "", errors.Refused),
    ],
)
def test_a_refusal_says_what_the_api_server_said(
    status: int, reason: str, kind: type[errors.Refused]
) -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        api.refuse(status, json.dumps(status_object(status, reason, "the sentence")).encode())
        with pytest.raises(errors.Refused, match="the sentence") as caught:
            await client.get(kinds.POD, "team", "one")
        assert type(caught.value) is kind
        assert (caught.value.status, caught.value.reason) == (status, reason)

    tell(story)


@pytest.mark.parametrize("body", [b"404 page not found", b'["list"]', b"", b"\xff"])
def test_a_refusal_without_a_status_object_is_one_too(body: bytes) -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        api.refuse(404, body)
        with pytest.raises(errors.NotFound):
            await client.get(kinds.POD, "team", "one")

    tell(story)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_a_success_that_is_no_object_is_no_answer_of_an_api_server(body: bytes) -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        api.refuse(200, body)
        with pytest.raises(errors.Unreachable, match="not an API server's"):
            await client.get(kinds.POD, "team", "one")

    tell(story)


def test_where_nobody_listens_the_api_server_is_unreachable() -> None:
    async def story() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            async with Client(configuration(url)) as client:
                with pytest.raises(errors.Unreachable, match="cannot be reached"):
                    await client.get(kinds.POD, "team", "one")

    asyncio.run(story())


def test_a_rotated_token_is_read_anew_and_the_request_sent_again() -> None:
    tokens = ["old"]

    async def story(api: FakeApiServer, client: Client) -> None:
        api.tokens = {"new"}
        tokens[0] = "new"
        await client.create(kinds.CONFIG_MAP, config_map())
        sent = [asked.headers["authorization"] for asked in api.requests]
        assert sent == ["Bearer old", "Bearer new"]

    tell(story, read_token=lambda: tokens[0])


def test_a_token_that_stays_refused_is_sent_once() -> None:
    async def story(api: FakeApiServer, client: Client) -> None:
        api.tokens = set()
        with pytest.raises(errors.Unauthorized):
            await client.get(kinds.CONFIG_MAP, "team", "one")
        assert len(api.requests) == 1

    tell(story, read_token=lambda: "refused")


def test_the_guard_stops_writing_and_leaves_reading() -> None:
    def guard() -> None:
        raise LeadershipLost

    async def story() -> None:
        async with fake_cluster(guard=guard) as (api, client):
            await client.list(kinds.CONFIG_MAP, "team")
            for writing in (
                client.create(kinds.CONFIG_MAP, config_map()),
                client.apply(kinds.CONFIG_MAP, config_map(), "tester"),
                client.replace(kinds.CONFIG_MAP, config_map()),
                client.patch(kinds.CONFIG_MAP, "team", "one", {}),
                client.patch_status(kinds.CONFIG_MAP, "team", "one", {}, "1"),
                client.delete(kinds.CONFIG_MAP, "team", "one"),
            ):
                with pytest.raises(LeadershipLost):
                    await writing
            assert [asked.method for asked in api.requests] == ["GET"]

    asyncio.run(story())


def test_the_guard_is_asked_again_after_connecting() -> None:
    """Connecting takes time, in which leadership may go."""
    asked: list[None] = []

    def guard() -> None:
        asked.append(None)
        if len(asked) > 1:
            raise LeadershipLost

    async def story() -> None:
        async with fake_cluster(guard=guard) as (api, client):
            with pytest.raises(LeadershipLost):
                await client.create(kinds.CONFIG_MAP, config_map())
            assert api.requests == []

    asyncio.run(story())
