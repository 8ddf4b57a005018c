"""The whole operator in this process: what people do to resources, and what it writes to the API server."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from fakes import engines
from fakes.engines import Engine
from fakes.operated import NAMESPACE, DiscoverableApiServer, Operated, vllm
from fakes.profiled import BAD, GOOD
from steelyard.api.profile import automatic_name
from steelyard.kube import kinds
from steelyard.kube.kinds import Object

AUTOMATIC = automatic_name("engine", "tiny")
Run = Callable[..., DiscoverableApiServer]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine with one model."""
    with engines.engine(vllm("tiny")) as up:
        yield up


def put_backend(world: Operated, engine: Engine, name: str = "engine", **spec: Any) -> Object:
    whole = {"engine": "VLLM", "url": f"http://127.0.0.1:{engine.port}", "probe": {"intervalSeconds": 1}}
    return world.put(kinds.LLM_BACKEND, name, spec=whole | spec)


def put_profile(
    world: Operated, name: str, created: str = "2026-11-21T11:00:00Z", model: str = "tiny"
) -> None:
    spec = {"backendRef": {"name": "engine"}, "model": model}
    world.put(kinds.MODEL_PROFILE, name, metadata={"creationTimestamp": created}, spec=spec)


def has_seen(world: Operated, generation: int) -> bool:
    seen: int = world.get(kinds.MODEL_PROFILE, AUTOMATIC)["status"]["observedGeneration"]
    return seen >= generation


def job_of(world: Operated, profile: str = AUTOMATIC) -> str:
    """The Job of the run under way; empty where there is none."""
    run = world.get(kinds.MODEL_PROFILE, profile).get("status", {}).get("run", {})
    return "" if "completionTime" in run else run.get("jobName", "")


async def measure(world: Operated, profile: str = AUTOMATIC) -> None:
    """Have the run under way end well."""
    await world.until(lambda: job_of(world, profile))
    world.end_job(job_of(world, profile), GOOD)
    await world.until(lambda: world.said(kinds.MODEL_PROFILE, profile, "Succeeded") == ("True", "Measured"))


def test_a_backend_that_appears_is_probed_and_its_model_measured(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, engine)
        await world.until(lambda: world.said(kinds.LLM_BACKEND, "engine", "Ready") == ("True", "Ready"))
        await measure(world)
        assert world.get(kinds.LLM_BACKEND, "engine")["status"]["summary"] == {
            "models": 1,
            "endpoints": "1/1",
        }
        status = world.get(kinds.MODEL_PROFILE, AUTOMATIC)["status"]
        assert status["quality"]["overall"]["scorePercent"] == 75
        assert status["fingerprint"]["endpoint"] == f"127.0.0.1:{engine.port}"
        await world.until(lambda: "ttlSecondsAfterFinished" in world.all(kinds.JOB)[0]["spec"])
        await world.until(lambda: len(world.all(kinds.EVENT)) == 3)
        told = {event["reason"]: event["regarding"]["name"] for event in world.all(kinds.EVENT)}
        assert told == {"Ready": "engine", "RunBegan": AUTOMATIC, "Measured": AUTOMATIC}

    run(tale)


def test_a_policy_follows_what_its_candidates_become(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        spec = {"models": [{"name": "auto"}], "require": {"minQualityPercent": 10}}
        world.put(kinds.ROUTING_POLICY, "auto", spec=spec)
        await world.until(
            lambda: world.said(kinds.ROUTING_POLICY, "auto", "Ready") == ("False", "NoCandidates")
        )
        put_backend(world, engine)
        await world.until(
            lambda: world.said(kinds.ROUTING_POLICY, "auto", "Ready") == ("False", "NoneEligible")
        )
        await measure(world)
        await world.until(lambda: world.said(kinds.ROUTING_POLICY, "auto", "Ready") == ("True", "Ready"))

    run(tale)


def test_nothing_is_written_when_nothing_changes(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, engine)
        world.put(kinds.ROUTING_POLICY, "auto", spec={"models": [{"name": "auto"}]})
        await measure(world)
        await world.until(lambda: world.said(kinds.ROUTING_POLICY, "auto", "Ready") == ("True", "Ready"))
        await settled(world, engine)
        before = len(world.written())
        await probes(engine, 3)
        assert world.written()[before:] == []

    run(tale)


def test_a_restart_writes_nothing_where_nothing_changed(run: Run, engine: Engine) -> None:
    seen: list[int] = []

    async def first(world: Operated) -> None:
        put_backend(world, engine)
        await measure(world)
        await settled(world, engine)
        seen.append(len(world.written()))

    async def second(world: Operated) -> None:
        await probes(engine, 3)
        assert world.written()[seen[0] :] == []

    run(first, second)


async def probes(engine: Engine, number: int) -> None:
    """Wait until the engine was asked so often how it is."""
    await asyncio.to_thread(engine.wait_for_asks, len(engine.asks) + number)


async def settled(world: Operated, engine: Engine) -> None:
    """Wait until a probe has passed after which nothing was written."""
    before = -1
    while before != len(world.written()):
        before = len(world.written())
        await probes(engine, 1)


def test_no_object_ever_carries_a_finalizer_or_an_annotation_of_kopf(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, engine)
        world.put(kinds.ROUTING_POLICY, "auto", spec={"models": [{"name": "auto"}]})
        put_profile(world, "by-hand", model="nobody's")
        await measure(world)
        put_backend(world, engine, profiling={"template": {"seed": 7}})
        await world.until(lambda: world.get(kinds.MODEL_PROFILE, AUTOMATIC)["spec"].get("seed") == 7)
        world.api.remove("llmbackends", NAMESPACE, "engine")
        await world.until(
            lambda: world.said(kinds.MODEL_PROFILE, AUTOMATIC, "Ready") == ("False", "BackendNotFound")
        )
        world.api.remove("modelprofiles", NAMESPACE, AUTOMATIC)
        await world.until(
            lambda: world.said(kinds.ROUTING_POLICY, "auto", "Ready") == ("False", "NoCandidates")
        )

    api = run(tale)
    every = [happened.object for happened in api._history]
    assert len(every) > 10
    for value in every:
        metadata = value["metadata"]
        assert "finalizers" not in metadata, value
        assert not [name for name in metadata.get("annotations", {}) if "kopf" in name or "zalando" in name]
    assert not [asked for asked in api.writes if "kopf" in str(asked.body)]
    assert {asked.headers["user-agent"] for asked in api.writes} == {"steelyard"}, "kopf writes nothing"


def test_of_two_models_one_is_measured_at_a_time(run: Run, engine: Engine) -> None:
    with engines.engine(vllm("other")) as second:

        async def tale(world: Operated) -> None:
            put_backend(world, engine)
            put_backend(world, second, "second")
            other = automatic_name("second", "other")
            await world.until(lambda: job_of(world) or job_of(world, other))
            first, then = (AUTOMATIC, other) if job_of(world) else (other, AUTOMATIC)
            await world.until(lambda: world.said(kinds.MODEL_PROFILE, then, "Ready") == ("False", "Waiting"))
            assert len(world.all(kinds.JOB)) == 1
            await measure(world, first)
            await measure(world, then)
            assert len(world.all(kinds.JOB)) == 2

        run(tale)


def test_a_deleted_job_makes_room_for_the_next(run: Run, engine: Engine) -> None:
    with engines.engine(vllm("other")) as second:

        async def tale(world: Operated) -> None:
            put_backend(world, engine)
            await world.until(lambda: job_of(world))
            put_backend(world, second, "second")
            other = automatic_name("second", "other")
            await world.until(lambda: world.said(kinds.MODEL_PROFILE, other, "Ready") == ("False", "Waiting"))
            world.api.remove("jobs", NAMESPACE, job_of(world))
            await world.until(lambda: job_of(world, other))
            assert world.said(kinds.MODEL_PROFILE, AUTOMATIC, "Succeeded") == ("False", "JobDeleted")

        run(tale)


def test_a_restart_in_mid_run_goes_on_with_the_job(run: Run, engine: Engine) -> None:
    async def first(world: Operated) -> None:
        put_backend(world, engine)
        await world.until(lambda: job_of(world))

    async def second(world: Operated) -> None:
        world.end_job(job_of(world), GOOD)
        await world.until(lambda: world.said(kinds.MODEL_PROFILE, AUTOMATIC, "Ready") == ("True", "Measured"))
        assert len(world.all(kinds.JOB)) == 1

    run(first, second)


def test_a_job_that_ended_while_no_operator_was_there_is_read(run: Run, engine: Engine) -> None:
    async def first(world: Operated) -> None:
        put_backend(world, engine)
        await world.until(lambda: job_of(world))
        world.stop.set()

    async def second(world: Operated) -> None:
        await world.until(
            lambda: world.said(kinds.MODEL_PROFILE, AUTOMATIC, "Succeeded") == ("False", "Timeout")
        )
        assert len(world.all(kinds.JOB)) == 1

    async def between(world: Operated) -> None:
        world.stop.set()
        world.end_job(job_of(world), BAD, 1)

    run(first, between, second)


def test_a_duplicate_counts_when_the_older_profile_is_deleted(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        put_profile(world, "older", "2026-11-20T10:00:00Z")
        put_profile(world, "newer")
        put_backend(world, engine)
        await world.until(
            lambda: world.said(kinds.MODEL_PROFILE, "newer", "Accepted") == ("False", "Duplicate")
        )
        await measure(world, "older")
        world.api.remove("modelprofiles", NAMESPACE, "older")
        await measure(world, "newer")
        assert world.said(kinds.MODEL_PROFILE, "newer", "Accepted") == ("True", "Accepted")

    run(tale)


def test_the_deletion_of_an_earlier_object_that_is_told_late_leaves_the_new_one(
    run: Run, engine: Engine
) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, engine)
        await world.until(lambda: job_of(world))
        earlier = {"name": "engine", "namespace": NAMESPACE, "uid": "uid-of-the-earlier"}
        world.api.say(
            "llmbackends", "DELETED", world.get(kinds.LLM_BACKEND, "engine") | {"metadata": earlier}
        )
        await measure(world)
        assert world.said(kinds.MODEL_PROFILE, AUTOMATIC, "ResolvedRefs") == ("True", "Resolved")

    run(tale)


def test_a_job_that_is_refused_is_a_failed_run_and_tried_again_later(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        world.api.over_quota = "/jobs"
        put_backend(world, engine)
        await world.until(
            lambda: world.said(kinds.MODEL_PROFILE, AUTOMATIC, "Ready") == ("False", "NotMeasured")
        )
        await settled(world, engine)
        assert world.said(kinds.MODEL_PROFILE, AUTOMATIC, "Succeeded") == ("False", "JobRefused")
        run = world.get(kinds.MODEL_PROFILE, AUTOMATIC)["status"]["run"]
        assert run["message"] == "Attempt 2 follows after a pause."
        tries = [asked for asked in world.api.writes if asked.method == "POST" and "/jobs" in asked.path]
        assert len(tries) == 1, "no retry storm"

    run(tale)


def test_a_refused_profile_hides_no_status(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        world.api.over_quota = f"/modelprofiles/{AUTOMATIC}"
        put_backend(world, engine)
        await world.until(lambda: world.said(kinds.LLM_BACKEND, "engine", "Ready") == ("True", "Ready"))

    run(tale)


def test_the_last_of_many_edits_counts(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, engine)
        await world.until(lambda: job_of(world))
        spec = world.get(kinds.MODEL_PROFILE, AUTOMATIC)["spec"]
        for generation in range(2, 43):
            world.put(
                kinds.MODEL_PROFILE, AUTOMATIC, generation, spec=spec | {"suspend": generation % 2 == 0}
            )
            if generation % 10 == 2:
                await world.until(partial(has_seen, world, generation - 9))
        await world.until(partial(has_seen, world, 42))
        await settled(world, engine)
        assert world.said(kinds.MODEL_PROFILE, AUTOMATIC, "Ready") == ("False", "Suspended")
        assert not job_of(world)

    run(tale)


def test_an_object_that_is_being_deleted_is_left_alone(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        metadata = {"deletionTimestamp": "2026-11-21T12:00:00Z", "finalizers": ["somebody.else/waits"]}
        spec = {"backendRef": {"name": "engine"}, "model": "tiny"}
        world.put(kinds.MODEL_PROFILE, "going", metadata=metadata, spec=spec)
        put_backend(world, engine)
        await world.until(lambda: world.said(kinds.LLM_BACKEND, "engine", "Ready") == ("True", "Ready"))
        await settled(world, engine)
        assert world.written(kinds.MODEL_PROFILE) == world.written(kinds.JOB) == []

    run(tale)
