"""The whole operator in this process: a run disturbs nobody, and drift that gateways see begins one."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

from fakes import engines
from fakes.engines import Ask
from fakes.operated import NAMESPACE, DiscoverableApiServer, Operated, vllm
from fakes.profiled import GOOD
from kube import waiting
from steelyard.api.profile import automatic_name
from steelyard.kube import kinds
from steelyard.kube.kinds import Object

Run = Callable[..., DiscoverableApiServer]


def busy(*models: str) -> Callable[[Ask], None]:
    """An engine that always has a request of somebody."""
    idle = vllm(*models)

    def answer(ask: Ask) -> None:
        if ask.line.split()[1] == b"/metrics":
            ask.send(engines.answer(b"vllm:num_requests_running 1\nvllm:num_requests_waiting 0\n"))
        else:
            idle(ask)

    return answer


def put_backend(world: Operated, port: int, name: str, limits: Object | None = None) -> None:
    spec = {"engine": "VLLM", "url": f"http://127.0.0.1:{port}", "probe": {"intervalSeconds": 1}}
    template = {"template": {"limits": limits or {}}}
    world.put(kinds.LLM_BACKEND, name, spec=spec | {"profiling": template})


def running(world: Operated) -> list[str]:
    """The profiles whose Jobs are not over."""
    return [
        job["metadata"]["ownerReferences"][0]["name"] for job in world.all(kinds.JOB) if "status" not in job
    ]


def is_waiting(world: Operated, profile: str, words: str) -> bool:
    """Whether this profile says that it waits for this."""
    found = world.get(kinds.MODEL_PROFILE, profile).get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and words in one["message"] for one in found)


async def end(world: Operated, profile: str) -> None:
    """The profile's run ends well."""

    def run() -> Object:
        found: Object = world.get(kinds.MODEL_PROFILE, profile).get("status", {}).get("run", {})
        return found

    await world.until(lambda: run().get("jobName"))
    world.end_job(run()["jobName"], GOOD)


def test_a_backend_has_one_run_at_a_time_however_many_are_allowed(run: Run) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, engine.port, "engine")
        await world.until(lambda: len(running(world)) == 1)
        [first] = running(world)
        other = next(name for name in names if name != first)
        await world.until(lambda: is_waiting(world, other, "another run on LLMBackend engine"))
        assert running(world) == [first]
        await end(world, first)
        await world.until(lambda: running(world) == [other])

    names = [automatic_name("engine", model) for model in ("one", "two")]
    with engines.engine(vllm("one", "two")) as engine:
        run(tale, concurrent_profiles=4)


def test_all_backends_together_have_no_more_runs_than_are_allowed(run: Run) -> None:
    async def tale(world: Operated) -> None:
        for name, one in backends.items():
            put_backend(world, one.port, name)
        await world.until(lambda: len(running(world)) == 2)
        first = set(running(world))
        [other] = names - first
        await world.until(lambda: is_waiting(world, other, "fewer than 2 runs"))
        assert set(running(world)) == first
        await end(world, sorted(first)[0])
        await world.until(lambda: other in running(world))
        assert len(running(world)) == 2

    names = {automatic_name(name, "m") for name in "abc"}
    with ExitStack() as stack:
        backends = {name: stack.enter_context(engines.engine(vllm("m"))) for name in "abc"}
        run(tale, concurrent_profiles=2)


def test_a_busy_engine_is_waited_for(run: Run) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, engine.port, "engine")
        await world.until(lambda: is_waiting(world, name, "has no request under way"))
        assert running(world) == []
        await world.until(lambda: "WaitingForIdle" in [event["reason"] for event in world.all(kinds.EVENT)])

    name = automatic_name("engine", "m")
    with engines.engine(busy("m")) as engine:
        run(tale)


def test_an_engine_that_was_waited_for_in_vain_is_asked_for_quality_alone(run: Run) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, engine.port, "engine", {"maxIdleWaitSeconds": 0})
        await world.until(lambda: running(world))
        [job] = world.all(kinds.JOB)
        assert "--quality-only=true" in job["spec"]["template"]["spec"]["containers"][0]["args"]
        await end(world, name)
        await world.until(lambda: world.said(kinds.MODEL_PROFILE, name, "Succeeded") == ("True", "Measured"))
        conditions = world.get(kinds.MODEL_PROFILE, name)["status"]["conditions"]
        [said] = (one["message"] for one in conditions if one["type"] == "Succeeded")
        assert said.startswith("Only quality was measured")

    name = automatic_name("engine", "m")
    with engines.engine(busy("m")) as engine:
        run(tale)


def test_an_idle_engine_is_asked_for_everything(run: Run) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, engine.port, "engine", {"maxIdleWaitSeconds": 0})
        await world.until(lambda: running(world))
        [job] = world.all(kinds.JOB)
        assert not [
            word
            for word in job["spec"]["template"]["spec"]["containers"][0]["args"]
            if "quality-only" in word
        ]

    with engines.engine(vllm("m")) as engine:
        run(tale)


def test_gateways_are_asked_where_their_pods_say(run: Run) -> None:
    async def before(world: Operated) -> None:
        ports = [{"name": "admin", "containerPort": gateway.port}]
        world.put(
            kinds.POD,
            "gateway-0",
            metadata={"labels": {"steelyard.dev/kind": "gateway"}, "uid": "uid-gateway"},
            spec={"containers": [{"name": "gateway", "ports": ports}]},
            status={"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
        )

    async def tale(world: Operated) -> None:
        await world.until(lambda: world.api.asked("labelSelector=steelyard.dev"))
        await asyncio.to_thread(waiting.until, lambda: bool(gateway.asks), "the gateway to be asked")

    info = f'steelyard_gateway_info{{serves="{NAMESPACE}",own="true"}} 1.0\n'.encode()
    with engines.engine(lambda ask: ask.send(engines.answer(info))) as gateway:
        run(before, tale)
    assert gateway.asks[0].line.split()[1] == b"/metrics"
