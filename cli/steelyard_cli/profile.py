"""`steelyard profile`: measure the models of a folder of resources and write what was found into its files.

Local backends are measured model by model, one after another. An External one costs money: it is measured
only when `--model` names its model. Invariant: after each model its status is on disk, whatever comes later.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from steelyard import loops, settings
from steelyard.api.backend import LLMBackend, Location, ObservedModel
from steelyard.api.conditions import Fact
from steelyard.api.measuring import Suite
from steelyard.api.meta import LocalObjectRef, ObjectMeta
from steelyard.api.profile import ModelProfile, ModelProfileSpec, ModelProfileStatus, automatic_name
from steelyard.api.resources import ResourceSet
from steelyard.egress import flags
from steelyard.egress.proxies import DIRECT, Egress
from steelyard.files import reading, writing
from steelyard.files.problems import FilesError
from steelyard.files.reading import Loaded
from steelyard.routing import endpoints
from steelyard.routing.table import Endpoint
from steelyard_cli import comparing, marks, progress, tables, weighed
from steelyard_cli.progress import OnProgress
from steelyard_operator.probing import Prober
from steelyard_profiler import history, profiling, report
from steelyard_profiler.drive import Drive
from steelyard_profiler.profiling import Result
from steelyard_profiler.target import UNBOUNDED, Failure, GpuSite, Target


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure."""

    namespace: str = "default"
    """Namespace of the resources."""
    model: str | None = None
    """Only this model; None: every model of Local backends."""
    suite: Suite | None = None
    """Instead of the profile's own suite."""
    seed: int | None = None
    """Instead of the profile's own seed."""
    egress: Egress = DIRECT
    """How engines outside are reached."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one model."""

    model: str
    """The model; empty where the backend's models could not be listed."""
    backend: str
    """Its backend."""
    failure: str = ""
    """Why it could not be measured, in a sentence; empty when it was."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the folder and what of it to measure."""
    add = settings.add
    settings.add_source(parser, environment)
    settings.add_namespace(parser, environment)
    add(parser, "--model", environment, "only this model; needed for External backends", default="")
    add(parser, "--suite", environment, f"one of {', '.join(Suite)}; default: the profile's", default="")
    add(parser, "--seed", environment, "seed of the probes; default: the profile's", default="")
    described = "measure nothing: show how your own scores (CSV: model,score) rank the models that were"
    parser.add_argument("--compare", metavar="FILE", type=Path, help=described)
    flags.add_arguments(parser, environment)


def main(arguments: argparse.Namespace) -> int:
    """Measure, print the table, and say what failed; 1 when anything did. Or compare."""
    if arguments.compare:
        return _compare(Path(arguments.source), arguments.namespace, arguments.compare)
    try:
        options = Options(
            namespace=arguments.namespace,
            model=arguments.model or None,
            suite=Suite(arguments.suite) if arguments.suite else None,
            seed=settings.whole_number(0, 2**31 - 1)(arguments.seed) if arguments.seed else None,
            egress=flags.read(arguments),
        )
    except (ValueError, argparse.ArgumentTypeError) as error:
        sys.stderr.write(f"steelyard profile: {error}\n")
        return 2
    source = Path(arguments.source)
    try:
        with progress.bars() as on_progress:
            outcomes = run_to_end(source, options, on_progress)
        found = reading.load(source)
    except FilesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(tables.profiles(found.resources, datetime.now(UTC), options.namespace).text())
    for outcome in outcomes:
        if outcome.failure:
            sys.stderr.write(f"{outcome.model or 'models'} on {outcome.backend}: {outcome.failure}\n")
    if not outcomes:
        sys.stderr.write(
            f"Nothing to measure in namespace {options.namespace}: see --model and --namespace.\n"
        )
    return 1 if not outcomes or any(outcome.failure for outcome in outcomes) else 0


def _compare(source: Path, namespace: str, path: Path) -> int:
    try:
        given = comparing.read(path.read_text(encoding="utf-8-sig"))
        found = weighed.profiles(reading.load(source).resources, namespace)
    except (OSError, UnicodeDecodeError, comparing.CompareError) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 1
    except FilesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(comparing.report(given, found))
    return 0


def run_to_end(source: Path, options: Options, on_progress: OnProgress) -> list[Outcome]:
    """As `run`, with a loop of its own."""
    return loops.run(lambda: run(source, options, on_progress))


async def run(source: Path, options: Options, on_progress: OnProgress) -> list[Outcome]:
    """Measure all that is asked for, one after another; raises FilesError where the files are at fault."""
    loaded = await asyncio.to_thread(reading.load, source)
    outcomes: list[Outcome] = []
    async with Prober(options.egress) as prober:
        for (namespace, _), backend in sorted(loaded.resources.backends.items()):
            if namespace == options.namespace:
                measuring = _Measuring(source, loaded, backend, options, on_progress, prober)
                outcomes += await measuring.outcomes()
    return outcomes


@dataclass(frozen=True, slots=True)
class _Measuring:
    """One backend's turn."""

    source: Path
    loaded: Loaded
    backend: LLMBackend
    options: Options
    on_progress: OnProgress
    prober: Prober

    async def outcomes(self) -> list[Outcome]:
        """What became of each of its models."""
        try:
            endpoint = _endpoint(self.backend, self.loaded.resources)
        except endpoints.Unresolved as why:
            fact = Fact("ResolvedRefs", False, why.reason, why.message)
            return [await self._unresolved(model, fact) for model in self._wanted(self._known_models())]
        listed: Sequence[str] | Failure = [model.name for model in self.backend.spec.models]
        if not listed and endpoints.location(self.backend) is Location.LOCAL:
            listed = await self._reported_models(endpoint)
        if isinstance(listed, Failure):
            failed = [await self._failed(model, listed) for model in self._wanted(self._known_models())]
            return failed or [Outcome("", self.backend.name, listed.message)]
        return [await self._measured(model, endpoint) for model in self._wanted(listed)]

    def _wanted(self, models: Iterable[str]) -> list[str]:
        if self.options.model is None and endpoints.location(self.backend) is Location.EXTERNAL:
            return []
        return [model for model in models if self.options.model in (None, model)]

    def _known_models(self) -> list[str]:
        """Models that the files name, without asking the engine."""
        named = [model.name for model in self.backend.spec.models]
        profiled = [profile.spec.model for profile in self._profiles()]
        return list(dict.fromkeys([*named, *profiled]))

    def _profiles(self) -> list[ModelProfile]:
        """The backend's profiles; of two for one model the first counts."""
        key = (self.backend.namespace, self.backend.name)
        found = [
            profile
            for profile in self.loaded.resources.profiles.values()
            if (profile.namespace, profile.spec.backend_ref.name) == key
        ]
        return sorted(found, key=lambda profile: profile.seniority)

    def _profile(self, model: str) -> ModelProfile:
        """The model's profile with the options in its spec: the one that exists, or one by the template."""
        profile = self._existing(model) or self._new(model)
        chosen = {"suite": self.options.suite, "seed": self.options.seed}
        update = {name: value for name, value in chosen.items() if value is not None}
        return profile.model_copy(update={"spec": profile.spec.model_copy(update=update)})

    def _existing(self, model: str) -> ModelProfile | None:
        return next((found for found in self._profiles() if found.spec.model == model), None)

    def _new(self, model: str) -> ModelProfile:
        template = self.backend.spec.profiling.template
        reference = LocalObjectRef(name=self.backend.name)
        given = {name: getattr(template, name) for name in template.model_fields_set}
        return ModelProfile(
            metadata=ObjectMeta(
                name=automatic_name(self.backend.name, model), namespace=self.backend.namespace
            ),
            spec=ModelProfileSpec(backend_ref=reference, model=model, **given),
        )

    async def _reported_models(self, endpoint: Endpoint) -> Sequence[str] | Failure:
        """What the engine says it serves, kept in the backend's status with its version."""
        told = (await marks.asked(self.prober, self.backend, endpoint)).status
        listed: tuple[ObservedModel, ...] | Failure = told.models
        if not listed:
            async with Drive(_target(self.backend, endpoint, "", self.options.egress)) as drive:
                listed = await drive.models()
        if isinstance(listed, Failure):
            return listed
        version = told.engine_version or self.backend.status.engine_version
        update = {"models": listed, "engine_version": version}
        status = self.backend.status.model_copy(update=update)
        if status != self.backend.status:
            try:
                await self._write(self.backend.model_copy(update={"status": status}))
            except FilesError as error:
                return Failure("StatusNotWritten", str(error))
        return [model.name for model in listed]

    async def _measured(self, model: str, endpoint: Endpoint) -> Outcome:
        profile, name = self._profile(model), self.backend.name
        told = await marks.asked(self.prober, self.backend, endpoint)
        result = await profiling.profile(
            _target(self.backend, endpoint, model, self.options.egress),
            profile.spec,
            lambda progress: self.on_progress(model, name, progress),
        )
        return await self._finish(profile, marks.marked(result, model, told, endpoint), told)

    async def _failed(self, model: str, failure: Failure) -> Outcome:
        profile = self._profile(model)
        return await self._finish(profile, profiling.failed(profile.spec, failure, _now()), None)

    async def _finish(self, profile: ModelProfile, result: Result, told: LLMBackend | None) -> Outcome:
        now = _now()
        status = report.status(profile, result, self.backend.spec.cost, now)
        lines = history.with_run(profile.status.history, result, now)
        status = status.model_copy(update={"history": lines})
        return await self._kept(profile, status, told, result.failure.message if result.failure else "")

    async def _unresolved(self, model: str, fact: Fact) -> Outcome:
        profile = self._profile(model)
        return await self._kept(profile, report.unresolved(profile, fact, _now()), None, fact.message)

    async def _kept(
        self, profile: ModelProfile, status: ModelProfileStatus, told: LLMBackend | None, failure: str
    ) -> Outcome:
        """The outcome, its status on disk; where that fails, the outcome says so.

        `told`: the backend with what it tells of itself; None where it was not asked.
        """
        # The options stay out of a file that is there already: what it asks for may be another suite.
        standing = (self._existing(profile.spec.model) or profile).model_copy(update={"status": status})
        status = marks.with_fresh(standing, told, _now()).status
        try:
            await self._write(profile.model_copy(update={"status": status}))
        except FilesError as error:
            failure = " ".join(part for part in (failure, str(error)) if part)
        return Outcome(profile.spec.model, self.backend.name, failure)

    async def _write(self, resource: ModelProfile | LLMBackend) -> None:
        """Put the status where the object stands, or a new object into a file of its own."""
        if (resource.kind, (resource.namespace, resource.name)) in self.loaded.places:
            await asyncio.to_thread(writing.write_status, self.loaded.place(resource), resource)
        else:
            await asyncio.to_thread(writing.create, self.source, resource)


def _endpoint(backend: LLMBackend, resources: ResourceSet) -> Endpoint:
    """The endpoint to measure: the first. Raises Unresolved where there is none."""
    for endpoint in endpoints.resolve(backend, resources):
        return endpoint
    raise endpoints.Unresolved("ResolvedRefs", "NoEndpoints", "No pod of its Service is ready: see its pods.")


def _target(backend: LLMBackend, endpoint: Endpoint, model: str, egress: Egress) -> Target:
    exporter = backend.spec.metrics.gpu.url
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    declared = backend.spec.declared(model)
    return Target(
        url=f"{endpoint.scheme}://{host}:{endpoint.port}{endpoint.base_path}",
        model=model,
        authorization=endpoint.authorization,
        ca_pem=endpoint.ca_pem,
        extra_pem=egress.ca_pem,
        proxy=egress.proxy_for(endpoint.scheme, endpoint.host, endpoint.port, endpoint.location),
        server_name=endpoint.server_name,
        connect_seconds=endpoint.timeouts.connect_seconds,
        first_byte_seconds=endpoint.timeouts.first_byte_seconds,
        idle_seconds=endpoint.timeouts.idle_seconds,
        max_concurrency=backend.spec.max_concurrency or UNBOUNDED,
        context_tokens=declared.context_tokens if declared else None,
        engine=backend.spec.engine,
        metrics_path=backend.spec.metrics.engine.path,
        gpus=GpuSite(exporter) if exporter else None,
    )


def _now() -> datetime:
    return datetime.now(UTC)
