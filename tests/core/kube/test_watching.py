import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

from fakes.kubernetes_api import FakeApiServer, fake_cluster, status_object
from steelyard.kube import kinds, watching
from steelyard.kube.client import Client
from steelyard.kube.kinds import Object
from steelyard.kube.watching import Change, Freshness, Pace, Put, Removed, Replaced

SECONDS = 10.0
"""Nothing here takes longer, unless it hangs."""

QUICK = Pace(watch_seconds=30, margin_seconds=1, first_pause_seconds=0.01, longest_pause_seconds=0.02)

Following = AsyncGenerator[Change, None]
Story = Callable[[FakeApiServer, Following], Awaitable[None]]


def config_map(name: str = "one", namespace: str = "team", **data: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def tell(story: Story, read_token: Callable[[], str] = lambda: "", **options: Any) -> None:
    """Tell a story of one follow of the ConfigMaps of a namespace."""

    async def told() -> None:
        async with fake_cluster(read_token) as (api, client), aclosing(follow(client, **options)) as changes:
            await story(api, changes)

    asyncio.run(told())


def follow(client: Client, namespace: str | None = "team", pace: Pace = QUICK, **options: Any) -> Following:
    return watching.follow(client, kinds.CONFIG_MAP, namespace, pace=pace, **options)


async def next_of(changes: Following) -> Change:
    async with asyncio.timeout(SECONDS):
        return await anext(changes)


async def named(changes: Following) -> tuple[type[Change], list[str]]:
    """The next change in short: what it is and whom it names."""
    change = await next_of(changes)
    objects = change.objects if isinstance(change, Replaced) else (change.object,)
    return type(change), [value["metadata"]["name"] for value in objects]


async def watched(api: FakeApiServer, times: int = 1) -> None:
    """Wait until so many watches have begun."""
    await asyncio.to_thread(api.wait_for, lambda: api.watches >= times, SECONDS)


def test_everything_comes_first_and_then_each_change() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        api.put("configmaps", config_map("one"))
        assert await named(changes) == (Replaced, ["one"])
        api.put("configmaps", config_map("two"))
        assert await named(changes) == (Put, ["two"])
        api.put("configmaps", config_map("one", a="changed"))
        change = await next_of(changes)
        assert isinstance(change, Put)
        assert change.object["data"] == {"a": "changed"}
        api.remove("configmaps", "team", "two")
        assert await named(changes) == (Removed, ["two"])

    tell(story)


def test_other_namespaces_and_kinds_are_left_out() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        assert await named(changes) == (Replaced, [])
        api.put("configmaps", config_map("elsewhere", "other"))
        api.put("secrets", config_map("secret"))
        api.put("configmaps", config_map("here"))
        assert await named(changes) == (Put, ["here"])

    tell(story)


def test_all_namespaces_can_be_followed_at_once() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        assert await named(changes) == (Replaced, [])
        for namespace in ("a", "b"):
            api.put("configmaps", config_map(namespace, namespace))
            assert await named(changes) == (Put, [namespace])

    tell(story, namespace=None)


def test_only_what_the_label_selector_selects_is_told() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        labelled = config_map("labelled")
        labelled["metadata"]["labels"] = {"a": "b"}
        assert await named(changes) == (Replaced, [])
        api.put("configmaps", config_map("other"))
        api.put("configmaps", labelled)
        assert await named(changes) == (Put, ["labelled"])
        api.put("configmaps", config_map("labelled"))
        assert await named(changes) == (Removed, ["labelled"])
        assert [asked.query["labelSelector"] for asked in api.requests] == ["a=b", "a=b"]

    tell(story, label_selector="a=b")


def test_only_what_the_field_selector_selects_is_told() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        api.put("configmaps", config_map("one"))
        api.put("configmaps", config_map("two"))
        assert await named(changes) == (Replaced, ["two"])
        api.put("configmaps", config_map("one", a="changed"))
        api.put("configmaps", config_map("two", a="changed"))
        assert await named(changes) == (Put, ["two"])

    tell(story, field_selector="metadata.name=two")


def test_why_nothing_is_told_can_be_read_while_it_lasts() -> None:
    freshness = Freshness()

    async def story(api: FakeApiServer, changes: Following) -> None:
        body = json.dumps(status_object(403, "Forbidden", "not for you")).encode()
        api.refuse(403, body, times=1)
        following = asyncio.create_task(next_of(changes), name="next change")
        await asyncio.to_thread(api.wait_for, lambda: len(api.requests) >= 2, SECONDS)
        assert freshness.failure == "403 Forbidden: not for you"
        await following
        api.put("configmaps", config_map())
        await next_of(changes)
        assert freshness.failure == ""

    tell(story, freshness=freshness)


def test_a_change_between_list_and_watch_is_told() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        assert await named(changes) == (Replaced, [])
        assert not api.asked("watch=true")
        api.put("configmaps", config_map())
        assert await named(changes) == (Put, ["one"])

    tell(story)


def test_a_cut_watch_goes_on_where_it_was(caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        await next_of(changes)
        last = api.put("configmaps", config_map("one"))
        assert await named(changes) == (Put, ["one"])
        api.cut_watches()
        api.put("configmaps", config_map("two"))
        assert await named(changes) == (Put, ["two"])
        assert len(api.asked("limit=")) == 1
        resumed = api.asked("watch=true")[-1]
        assert resumed.query["resourceVersion"] == last["metadata"]["resourceVersion"]

    tell(story)
    assert not caplog.records


def test_a_bookmark_moves_the_place_to_go_on_from() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        await next_of(changes)
        api.put("configmaps", config_map("one"))
        await next_of(changes)
        marked = api.bookmark("configmaps")
        api.cut_watches()
        following = asyncio.create_task(next_of(changes), name="next change")
        await watched(api, times=2)
        assert api.asked("watch=true")[-1].query["resourceVersion"] == marked
        api.put("configmaps", config_map("two"))
        assert isinstance(await following, Put)

    tell(story)


@pytest.mark.parametrize("by_event", [False, True])
def test_what_is_no_longer_known_is_listed_anew(by_event: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        api.gone_by_event = by_event
        api.put("configmaps", config_map("one"))
        assert await named(changes) == (Replaced, ["one"])
        api.remove("configmaps", "team", "one")
        api.put("configmaps", config_map("two"))
        api.compact()
        assert await named(changes) == (Replaced, ["two"])
        api.put("configmaps", config_map("three"))
        assert await named(changes) == (Put, ["three"])

    tell(story)
    assert not caplog.records


def test_an_error_in_the_watch_lists_anew() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        await next_of(changes)
        api.put("configmaps", config_map())
        await next_of(changes)
        api.say("configmaps", "ERROR", status_object(500, "InternalError", "unable to decode"))
        assert await named(changes) == (Replaced, ["one"])

    tell(story)


def test_a_list_whose_watch_is_always_refused_is_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        api.refuse(410, times=3, part="watch=true")
        for _ in range(4):
            assert await named(changes) == (Replaced, [])
        api.put("configmaps", config_map())
        assert await named(changes) == (Put, ["one"])

    tell(story)
    assert [record.message for record in caplog.records] == ["kind cannot be followed"]


def test_a_watch_that_ends_in_time_is_followed_by_the_next(caplog: pytest.LogCaptureFixture) -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        await next_of(changes)
        following = asyncio.create_task(next_of(changes), name="next change")
        await watched(api, times=2)
        api.put("configmaps", config_map())
        assert isinstance(await following, Put)
        assert len(api.asked("limit=")) == 1

    tell(story, pace=Pace(watch_seconds=1, margin_seconds=5))
    assert not caplog.records


def test_silence_beyond_the_watchs_own_end_is_a_cut() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        await next_of(changes)
        following = asyncio.create_task(next_of(changes), name="next change")
        await watched(api)
        api.fall_silent()
        await watched(api, times=2)
        api.put("configmaps", config_map())
        assert isinstance(await following, Put)

    tell(story, pace=Pace(watch_seconds=0.1, margin_seconds=0.1, first_pause_seconds=0.01))


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_outage_is_one_line_and_its_end_another(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def story(api: FakeApiServer, changes: Following) -> None:
        api.refuse(status, b"not now", times=4)
        api.put("configmaps", config_map("one"))
        assert await named(changes) == (Replaced, ["one"])
        api.put("configmaps", config_map("two"))
        assert await named(changes) == (Put, ["two"])

    tell(story)
    lines = [record for record in caplog.records if record.name == watching.__name__]
    assert [record.message for record in lines] == ["kind cannot be followed", "kind is followed again"]
    assert vars(lines[0])["detail"] == f"{status}: not now"
    assert vars(lines[0])["kind"] == "ConfigMap"


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_refusal_that_passes_keeps_the_place(status: int) -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        assert await named(changes) == (Replaced, [])
        api.refuse(status, times=3, part="watch=true")
        api.put("configmaps", config_map())
        assert await named(changes) == (Put, ["one"])

    tell(story)


def test_a_kind_that_went_away_and_came_back_is_listed_anew() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        assert await named(changes) == (Replaced, [])
        api.refuse(404, b"404 page not found", part="watch=true")
        assert await named(changes) == (Replaced, [])

    tell(story)


def test_a_rotated_token_does_not_disturb() -> None:
    tokens = ["old"]

    async def story(api: FakeApiServer, changes: Following) -> None:
        await next_of(changes)
        api.tokens = {"new"}
        tokens[0] = "new"
        api.put("configmaps", config_map())
        assert await named(changes) == (Put, ["one"])
        assert api.requests[-1].headers["authorization"] == "Bearer new"

    tell(story, read_token=lambda: tokens[0])


def test_a_line_of_megabytes_is_one_change() -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        await next_of(changes)
        api.put("configmaps", config_map("big", a="x" * 3_000_000))
        api.put("configmaps", config_map("next"))
        change = await next_of(changes)
        assert isinstance(change, Put)
        assert len(change.object["data"]["a"]) == 3_000_000
        assert await named(changes) == (Put, ["next"])

    tell(story)


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\r", "\x0c"])
def test_only_a_line_feed_ends_a_line(separator: str) -> None:
    async def story(api: FakeApiServer, changes: Following) -> None:
        await next_of(changes)
        api.put("configmaps", config_map("one", a=separator))
        change = await next_of(changes)
        assert isinstance(change, Put)
        assert change.object["data"]["a"] == separator

    tell(story)


def test_freshness_tells_whether_changes_are_being_told() -> None:
    freshness = Freshness()

    async def story(api: FakeApiServer, changes: Following) -> None:
        assert (freshness.connected, freshness.age_seconds(5.0)) == (False, None)
        await next_of(changes)
        assert not freshness.connected
        api.put("configmaps", config_map())
        await next_of(changes)
        assert freshness.connected
        assert freshness.heard_at is not None
        assert freshness.age_seconds(freshness.heard_at + 7) == 7
        api.refuse(503, times=1_000_000)
        following = asyncio.create_task(next_of(changes), name="next change")
        api.cut_watches()
        await asyncio.to_thread(api.wait_for, lambda: len(api.asked("watch=true")) == 2, SECONDS)
        assert not freshness.connected
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    tell(story, freshness=freshness)


def test_pauses_grow_with_failures_in_a_row_up_to_a_bound() -> None:
    pace = Pace(first_pause_seconds=1, longest_pause_seconds=8)
    for failures, longest in ((0, 0), (1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (1_000_000, 8)):
        pauses = [pace.pause_seconds(failures) for _ in range(50)]
        assert all(longest / 2 <= pause <= longest for pause in pauses)
