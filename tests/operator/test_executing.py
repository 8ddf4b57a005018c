"""Plans are carried out over a real HTTP API that refuses, forgets, and is faster than its answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from fakes import profiled
from fakes.kubernetes_api import FakeApiServer, Object, fake_cluster, status_object
from fakes.profiled import GOOD, MODEL, NOW
from steelyard.api import conditions
from steelyard.api.backend import LLMBackend, LLMBackendStatus
from steelyard.api.profile import ModelProfile
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind
from steelyard_operator import executing, jobs, profiles, runs
from steelyard_operator.executing import Executor
from steelyard_operator.metrics import Metrics
from steelyard_operator.plans import DONE, Deletion, Note, NoteType, Plan
from steelyard_operator.queue import Outcome, Wait
from steelyard_operator.world import World

VERSIONED = LLMBackendStatus(engine_version="2.0")
AGAIN = Wait(executing.AGAIN_SECONDS, "the object moved on")
BUSY = Wait(executing.AWAY_SECONDS, "the API server is busy")
FORBIDDEN = Wait(executing.FORBIDDEN_SECONDS, "the API server refused")
REFUSED = Wait(executing.REFUSED_SECONDS, "the API server refused")


@dataclass
class Scene:
    """An API server, what the operator knows of it, and who writes."""

    api: FakeApiServer
    world: World
    executor: Executor
    metrics: Metrics

    def put(self, kind: Kind, value: Object) -> Object:
        """An object that the operator was told of."""
        made = self.api.put(kind.plural, {"apiVersion": kind.api_version, "kind": kind.kind} | value)
        self.world.put(made)
        return made

    def backend(self) -> LLMBackend:
        """A backend, as it is known."""
        metadata = {"name": "engine", "namespace": "llm"}
        self.put(kinds.LLM_BACKEND, {"metadata": metadata, "spec": {"engine": "VLLM", "url": "http://a.svc"}})
        return self.known()

    def known(self) -> LLMBackend:
        """The backend as the operator knows it."""
        return self.world.resources.backends["llm", "engine"]

    def profile(self) -> ModelProfile:
        """A profile, as it is known."""
        metadata = {"name": "one", "namespace": "llm", "generation": 1}
        self.put(
            kinds.MODEL_PROFILE,
            {"metadata": metadata, "spec": {"backendRef": {"name": "engine"}, "model": MODEL}},
        )
        return self.world.resources.profiles["llm", "one"]

    def plan(self, profile: ModelProfile) -> Plan:
        """What is to be done for it, with the Job and pod that are known."""
        name = (profile.status.run and profile.status.run.job_name) or jobs.next_name(profile)
        job, pod = self.world.jobs.get(("llm", name)), self.world.pods.get(("llm", name))
        site = profiled.site()
        seen = runs.Seen(profile, NOW, profiled.backend(), site=site, job=job, pod=pod)
        return profiles.plan(seen, (), "profiler:1")

    def end_well(self, job: jobs.Job) -> None:
        """The Job's pod has left a good report."""
        over = {"conditions": [{"type": "Complete", "status": "True"}]}
        self.world.put_job(self.stored(kinds.JOB, job.name) | {"status": over})
        labels = {"batch.kubernetes.io/job-name": job.name}
        state = {"terminated": {"exitCode": 0, "reason": "Completed", "message": GOOD}}
        metadata = {"name": "p", "namespace": "llm", "labels": labels}
        self.world.put_pod({"metadata": metadata, "status": {"containerStatuses": [{"state": state}]}})

    async def execute(self, of: LLMBackend | ModelProfile, plan: Plan) -> Outcome:
        """Carry it out."""
        return await self.executor.execute(of, plan)

    def stored(self, kind: Kind, name: str) -> Object:
        """An object of the API server; empty where there is none."""
        return self.api.objects.get((kind.plural, "llm", name), {})

    def events(self) -> list[str]:
        """Reasons of what people were told."""
        return [value["reason"] for (plural, _, _), value in self.api.objects.items() if plural == "events"]


def tell(story: Callable[[Scene], Awaitable[None]]) -> None:
    async def told() -> None:
        async with fake_cluster() as (api, client):
            world = World()
            metrics = Metrics()
            await story(Scene(api, world, Executor(client, world, metrics, "one"), metrics))

    asyncio.run(told())


def test_a_status_is_written_told_and_known_at_once() -> None:
    async def story(scene: Scene) -> None:
        of = scene.backend()
        plan = Plan(status=VERSIONED, notes=(Note(NoteType.WARNING, "Odd", "Look."),), outcome=Wait(7, "x"))
        assert await scene.execute(of, plan) == Wait(7, "x")
        assert scene.stored(kinds.LLM_BACKEND, "engine")["status"]["engineVersion"] == "2.0"
        assert scene.known().status == VERSIONED
        (event,) = [value for (plural, _, _), value in scene.api.objects.items() if plural == "events"]
        assert (event["type"], event["reason"], event["note"]) == ("Warning", "Odd", "Look.")
        assert event["regarding"]["uid"] == of.metadata.uid

    tell(story)


def test_a_status_over_a_newer_state_is_not_written_and_that_state_is_learnt() -> None:
    async def story(scene: Scene) -> None:
        of = scene.backend()
        newer = scene.stored(kinds.LLM_BACKEND, "engine")
        spec = newer["spec"] | {"url": "http://b.svc"}
        scene.api.put("llmbackends", newer | {"spec": spec})
        note = Note(NoteType.NORMAL, "Ready", "It is.")
        assert await scene.execute(of, Plan(status=VERSIONED, notes=(note,))) == AGAIN
        assert "status" not in scene.stored(kinds.LLM_BACKEND, "engine")
        assert scene.events() == []
        assert scene.known().spec.url == "http://b.svc"
        assert await scene.execute(scene.known(), Plan(status=VERSIONED)) == DONE

    tell(story)


def test_an_object_that_went_away_untold_is_forgotten() -> None:
    async def story(scene: Scene) -> None:
        of = scene.backend()
        scene.api.remove("llmbackends", "llm", "engine")
        assert await scene.execute(of, Plan(status=VERSIONED)) == AGAIN
        assert scene.world.resources.backends == {}

    tell(story)


def test_an_answer_does_not_bring_back_what_a_watch_told_is_gone() -> None:
    async def story(scene: Scene) -> None:
        of = scene.backend()
        scene.world.remove(kinds.LLM_BACKEND, ("llm", "engine"))  # the watch is faster than the answer
        await scene.execute(of, Plan(status=VERSIONED))
        assert scene.world.resources.backends == {}

    tell(story)


def test_an_answer_does_not_hide_an_edit_that_a_watch_told_meanwhile() -> None:
    async def story(scene: Scene) -> None:
        of = scene.backend()
        edited = scene.stored(kinds.LLM_BACKEND, "engine")
        metadata = edited["metadata"] | {"resourceVersion": "999999"}
        scene.world.put(
            edited | {"metadata": metadata, "spec": edited["spec"] | {"url": "http://edited.svc"}}
        )
        await scene.execute(of, Plan(status=VERSIONED))
        assert scene.known().spec.url == "http://edited.svc"

    tell(story)


@pytest.mark.parametrize(
    ("status", "outcome"), [(503, BUSY), (429, BUSY), (500, BUSY), (403, FORBIDDEN), (422, REFUSED)]
)
def test_an_api_server_that_is_busy_or_refuses_is_asked_again_later(status: int, outcome: Wait) -> None:
    async def story(scene: Scene) -> None:
        of = scene.backend()
        scene.api.refuse(status, times=10)
        assert await scene.execute(of, Plan(status=VERSIONED)) == outcome
        assert scene.known() is of

    tell(story)


def test_profiles_that_are_refused_do_not_keep_the_status_from_people() -> None:
    async def story(scene: Scene) -> None:
        scene.api.refuse(403, times=10, part="/modelprofiles/")
        manifest = {"metadata": {"name": "auto", "namespace": "llm"}, "spec": {}}
        for _ in range(3):
            assert await scene.execute(scene.backend(), Plan(applies=(manifest,), status=VERSIONED)) == DONE
        asked = [one for one in scene.api.requests if "/modelprofiles/" in one.path]
        assert len(asked) == 1, "it is not tried again at every look"
        assert scene.stored(kinds.LLM_BACKEND, "engine")["status"]["engineVersion"] == "2.0"

    tell(story)


def test_a_run_has_its_job_before_its_status() -> None:
    async def story(scene: Scene) -> None:
        of = scene.profile()
        await scene.execute(of, scene.plan(of))
        made = [asked.path.rsplit("/", 1)[1] for asked in scene.api.requests if asked.method != "GET"]
        assert made[:2] == ["jobs", "status"]
        (job,) = scene.world.running()
        assert job.uid and job.profile == "one"
        assert scene.stored(kinds.MODEL_PROFILE, "one")["status"]["run"]["jobName"] == job.name

    tell(story)


def test_a_job_is_counted_before_the_api_server_has_answered() -> None:
    async def story(scene: Scene) -> None:
        of = scene.profile()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(scene.execute(of, scene.plan(of)))
            await asyncio.sleep(0)
            assert len(scene.world.running()) == 1

    tell(story)


def test_a_job_that_is_there_already_is_taken_over() -> None:
    async def story(scene: Scene) -> None:
        of = scene.profile()
        plan = scene.plan(of)
        assert plan.job is not None
        uid = scene.api.put("jobs", plan.job)["metadata"]["uid"]
        await scene.execute(of, plan)
        assert [job.uid for job in scene.world.running()] == [uid]
        assert runs.is_under_way(scene.world.resources.profiles["llm", "one"].status)

    tell(story)


def test_a_refused_job_is_a_failed_run_that_takes_no_room() -> None:
    async def story(scene: Scene) -> None:
        of = scene.profile()
        said = json.dumps(status_object(422, "Invalid", "memory: must be more than requests")).encode()
        scene.api.refuse(422, said, part="/jobs")
        await scene.execute(of, scene.plan(of))
        status = scene.world.resources.profiles["llm", "one"].status
        failed = conditions.find(status.conditions, "Succeeded")
        assert failed is not None and failed.reason == "JobRefused"
        assert "memory: must be more than requests" in failed.message
        assert status.run is not None and status.run.attempts == 1
        assert not runs.is_under_way(status)
        assert scene.world.running() == []
        assert scene.events() == ["JobRefused"]
        again = scene.plan(scene.world.resources.profiles["llm", "one"])
        assert again.job is None and isinstance(again.outcome, Wait)

    tell(story)


def test_a_job_that_could_not_be_made_takes_no_room() -> None:
    async def story(scene: Scene) -> None:
        of = scene.profile()
        scene.api.refuse(500, part="/jobs")
        assert await scene.execute(of, scene.plan(of)) == BUSY
        assert scene.world.running() == []
        assert "status" not in scene.stored(kinds.MODEL_PROFILE, "one")

    tell(story)


def test_a_job_that_is_there_and_gone_again_takes_no_room() -> None:
    async def story(scene: Scene) -> None:
        of = scene.profile()
        said = json.dumps(status_object(409, "AlreadyExists", "exists")).encode()
        scene.api.refuse(409, said, part="/jobs")
        assert await scene.execute(of, scene.plan(of)) == AGAIN
        assert scene.world.running() == []

    tell(story)


def test_a_result_is_kept_although_its_job_was_deleted_meanwhile() -> None:
    async def story(scene: Scene) -> None:
        of = scene.profile()
        await scene.execute(of, scene.plan(of))
        (job,) = scene.world.running()
        scene.end_well(job)
        scene.api.remove("jobs", "llm", job.name)

        of = scene.world.resources.profiles["llm", "one"]
        plan = scene.plan(of)
        assert plan.kept_jobs == (job.name,)
        await scene.execute(of, plan)
        assert scene.stored(kinds.MODEL_PROFILE, "one")["status"]["quality"]["overall"]["scorePercent"] == 75

    tell(story)


def test_a_run_that_ended_is_counted_once_whatever_else_is_refused() -> None:
    async def story(scene: Scene) -> None:
        of = scene.profile()
        await scene.execute(of, scene.plan(of))
        (job,) = scene.world.running()
        scene.end_well(job)
        scene.api.refuse(500, part=f"/jobs/{job.name}")
        of = scene.world.resources.profiles["llm", "one"]
        assert await scene.execute(of, scene.plan(of)) == BUSY
        of = scene.world.resources.profiles["llm", "one"]
        assert not runs.is_under_way(of.status)
        await scene.execute(of, scene.plan(of))
        counts = [line for line in scene.metrics.text().decode().splitlines() if "runs_total{" in line]
        assert counts == ['steelyard_operator_profiling_runs_total{result="succeeded"} 1.0']

    tell(story)


def test_a_run_whose_end_could_not_be_written_is_not_counted_yet() -> None:
    async def story(scene: Scene) -> None:
        of = scene.profile()
        await scene.execute(of, scene.plan(of))
        (job,) = scene.world.running()
        scene.end_well(job)
        scene.api.refuse(500, part="/status")
        of = scene.world.resources.profiles["llm", "one"]
        assert await scene.execute(of, scene.plan(of)) == BUSY
        assert b"profiling_runs_total{" not in scene.metrics.text()
        await scene.execute(of, scene.plan(of))
        assert b'profiling_runs_total{result="succeeded"} 1.0' in scene.metrics.text()

    tell(story)


def test_only_the_very_object_is_deleted() -> None:
    async def story(scene: Scene) -> None:
        of = scene.backend()
        kept = scene.put(kinds.MODEL_PROFILE, {"metadata": {"name": "new", "namespace": "llm"}, "spec": {}})
        old = Deletion(kinds.MODEL_PROFILE, "new", "uid-of-the-earlier")
        gone = Deletion(kinds.MODEL_PROFILE, "never", "uid")
        assert await scene.execute(of, Plan(deletions=(old, gone), outcome=Wait(5, "x"))) == Wait(5, "x")
        assert scene.stored(kinds.MODEL_PROFILE, "new") == kept

    tell(story)


def test_an_event_that_cannot_be_posted_stops_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.api.refuse(403, times=10, part="/events")
        note = Note(NoteType.NORMAL, "Ready", "It is.")
        assert await scene.execute(scene.backend(), Plan(status=VERSIONED, notes=(note,))) == DONE

    tell(story)


def test_pods_are_forgotten_with_the_next_job_that_goes() -> None:
    world = World()
    for name in ("first", "second"):
        world.put_job({"metadata": {"name": name, "namespace": "llm"}})
        world.remove_job(("llm", name))
        labels = {"batch.kubernetes.io/job-name": name}
        world.put_pod({"metadata": {"name": f"{name}-pod", "namespace": "llm", "labels": labels}})
    assert list(world.pods) == [("llm", "second")]
