"""`steelyard profile` measures what a folder names and writes what it found into the files."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.gpu_exporter import Card, gpu_exporter
from fakes.loading_ollama import LoadingOllama, Stored
from fakes.profiled_engine import Fault, ProfiledEngine
from steelyard.api import conditions
from steelyard.api.backend import LLMBackendStatus, ObservedModel
from steelyard.api.profile import ModelProfile, automatic_name
from steelyard.files import reading
from steelyard_cli import __main__ as cli
from steelyard_cli import profile
from steelyard_cli.profile import Options, Outcome
from steelyard_operator import freshness
from steelyard_operator.drift import Drift

BACKEND = """# my engine
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {{name: {name}}}
spec:
  engine: OpenAI
  url: {url}  # here
{more}
"""


@pytest.fixture
def engine() -> Iterator[ProfiledEngine]:
    with ProfiledEngine().running() as engine:
        yield engine


def write(folder: Path, url: str, name: str = "alpha", more: str = "  models: [{name: m}]") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(BACKEND.format(name=name, url=url, more=more))
    return path


def run(folder: Path, **options: str) -> list[Outcome]:
    return asyncio.run(profile.run(folder, Options(**options), lambda *progress: None))  # type: ignore[arg-type]


def profiles(folder: Path) -> dict[str, ModelProfile]:
    return {found.spec.model: found for found in reading.load(folder).resources.profiles.values()}


def said(found: ModelProfile, condition: str) -> tuple[str, str]:
    fact = conditions.find(found.status.conditions, condition)
    assert fact is not None
    return fact.status.value, fact.reason


def test_a_model_gets_a_profile_of_its_own_and_the_backends_file_stays(
    tmp_path: Path, engine: ProfiledEngine
) -> None:
    path = write(tmp_path, engine.url)
    before = path.read_text()

    assert run(tmp_path) == [Outcome("m", "alpha")]
    found = profiles(tmp_path)["m"]
    assert found.status.quality and found.status.quality.overall
    assert found.status.quality.overall.score_percent == 100
    assert said(found, "Ready") == ("True", "Measured")
    assert path.read_text() == before


def test_the_exporter_that_a_backend_names_is_read(tmp_path: Path, engine: ProfiledEngine) -> None:
    with gpu_exporter(Card(used=16021)) as exporter:
        write(
            tmp_path,
            engine.url,
            more=f"  models: [{{name: m}}]\n  metrics: {{gpu: {{url: '{exporter.url}'}}}}",
        )
        assert run(tmp_path) == [Outcome("m", "alpha")]
    found = profiles(tmp_path)["m"].status.resources
    assert found and found.memory_mib == 16021


def test_the_context_that_a_backend_gives_its_model_bounds_the_questions(
    tmp_path: Path, engine: ProfiledEngine
) -> None:
    write(tmp_path, engine.url, more="  models: [{name: m, contextTokens: 300}]")
    assert run(tmp_path) == [Outcome("m", "alpha")]
    fact = conditions.find(profiles(tmp_path)["m"].status.conditions, "Succeeded")
    assert fact is not None and "longer than the context of 300 tokens" in fact.message


def test_the_load_is_read_where_the_backend_says(tmp_path: Path, engine: ProfiledEngine) -> None:
    engine.load, engine.load_path = [0], "/own/load"
    path = write(tmp_path, engine.url, more="  models: [{name: m}]\n  metrics: {engine: {path: /own/load}}")
    path.write_text(path.read_text().replace("OpenAI", "VLLM"))
    assert run(tmp_path) == [Outcome("m", "alpha")]
    assert engine.looks


def test_of_an_ollama_the_time_to_load_is_measured(tmp_path: Path) -> None:
    with ProfiledEngine(ollama=LoadingOllama([Stored("m:latest", 700)])).running() as engine:
        path = write(tmp_path, engine.url)
        path.write_text(path.read_text().replace("OpenAI", "Ollama"))
        assert run(tmp_path) == [Outcome("m", "alpha")]
    status = profiles(tmp_path)["m"].status
    assert status.performance and status.performance.cold_load_ms is not None
    assert status.resources and status.resources.memory_mib == 700


def ollama(folder: Path, url: str, more: str = "  models: [{name: 'm:latest'}]") -> None:
    path = write(folder, url, more=more)
    path.write_text(path.read_text().replace("OpenAI", "Ollama"))


def test_the_fingerprint_holds_what_the_engine_and_the_exporter_tell(tmp_path: Path) -> None:
    stored = Stored("m:latest", 700)
    with gpu_exporter(Card()) as exporter, ProfiledEngine(ollama=LoadingOllama([stored])).running() as engine:
        more = f"  models: [{{name: 'm:latest'}}]\n  metrics: {{gpu: {{url: '{exporter.url}'}}}}"
        ollama(tmp_path, engine.url, more)
        assert run(tmp_path) == [Outcome("m:latest", "alpha")]
    found = profiles(tmp_path)["m:latest"]
    mark, last = found.status.fingerprint, found.status.run
    assert mark and last
    assert (mark.model_digest, mark.engine_version) == (f"sha256:{stored.digest}", "0.17.4")
    assert (mark.gpu, mark.endpoint) == ("NVIDIA L4", f"127.0.0.1:{engine.port}")
    assert mark.time == last.completion_time
    assert said(found, "Fresh") == ("True", "Current")


def test_what_nobody_tells_is_not_in_the_fingerprint(tmp_path: Path, engine: ProfiledEngine) -> None:
    write(tmp_path, engine.url, more="  models: [{name: m}]\n  metrics: {gpu: {url: 'http://127.0.0.1:9'}}")
    assert run(tmp_path) == [Outcome("m", "alpha")]
    mark = profiles(tmp_path)["m"].status.fingerprint
    assert mark and mark.endpoint and mark.time
    assert (mark.model_digest, mark.engine_version, mark.gpu) == (None, None, None)


def test_an_engine_that_is_not_of_the_kind_that_its_backend_says_is_measured_all_the_same(
    tmp_path: Path, engine: ProfiledEngine
) -> None:
    engine.models = ["m:latest"]
    ollama(tmp_path, engine.url, more="")
    assert run(tmp_path) == [Outcome("m:latest", "alpha")]
    mark = profiles(tmp_path)["m:latest"].status.fingerprint
    assert mark and mark.endpoint and mark.model_digest is None


HOUR = timedelta(hours=1)
CHANGES: dict[str, tuple[LLMBackendStatus, timedelta, str | None]] = {
    "nothing changed": (LLMBackendStatus(), HOUR, None),
    "it is a week old": (LLMBackendStatus(), 169 * HOUR, "TooOld"),
    "the model is another": (
        LLMBackendStatus(models=(ObservedModel(name="m:latest", digest="sha256:" + "f" * 64),)),
        HOUR,
        "ModelChanged",
    ),
    "the engine is another": (LLMBackendStatus(engine_version="9.9"), HOUR, "EngineChanged"),
}


def test_an_operator_sees_when_a_measurement_of_files_holds_no_longer(tmp_path: Path) -> None:
    with ProfiledEngine(ollama=LoadingOllama([Stored("m:latest", 700)])).running() as engine:
        ollama(tmp_path, engine.url)
        run(tmp_path)
    [backend] = reading.load(tmp_path).resources.backends.values()
    found = profiles(tmp_path)["m:latest"]
    for case, (told, age, reason) in CHANGES.items():
        there = backend.model_copy(update={"status": told})
        stale = freshness.stale(found, there, Drift(), datetime.now(UTC) + age)
        assert (stale.reason if stale else None) == reason, case


def test_a_failed_run_says_that_the_measurement_before_it_grew_old(
    tmp_path: Path, engine: ProfiledEngine
) -> None:
    write(tmp_path, engine.url)
    run(tmp_path)
    [path] = tmp_path.glob("modelprofile-*.yaml")
    mark = profiles(tmp_path)["m"].status.fingerprint
    assert mark and mark.time
    path.write_text(path.read_text().replace(f"time: '{mark.time:%Y}", "time: '2020"))
    engine.fault = Fault.STATUS_401

    assert run(tmp_path)[0].failure
    found = profiles(tmp_path)["m"]
    assert found.status.fingerprint and found.status.fingerprint.time
    assert found.status.fingerprint.time.year == 2020 and found.status.quality
    assert (said(found, "Fresh"), said(found, "Ready")) == (("False", "TooOld"), ("True", "Measured"))


def test_a_profile_whose_file_asks_for_another_seed_than_was_given_is_not_fresh(
    tmp_path: Path, engine: ProfiledEngine
) -> None:
    write(tmp_path, engine.url)
    run(tmp_path)
    assert said(profiles(tmp_path)["m"], "Fresh") == ("True", "Current")
    run(tmp_path, seed=7)  # type: ignore[arg-type]
    assert said(profiles(tmp_path)["m"], "Fresh") == ("False", "SpecChanged")


def test_an_existing_profile_is_used_and_its_comments_stay(tmp_path: Path, engine: ProfiledEngine) -> None:
    write(tmp_path, engine.url)
    mine = tmp_path / "mine.yaml"
    text = (
        "# measured by hand\napiVersion: steelyard.dev/v1alpha1\nkind: ModelProfile\nmetadata: {name: mine}\n"
        "spec: {backendRef: {name: alpha}, model: m, seed: 1}  # why\n"
    )
    mine.write_text(text)
    run(tmp_path)

    assert mine.read_text().startswith(text + "status:\n")
    assert profiles(tmp_path)["m"].name == "mine"


def test_without_named_models_the_engine_is_asked_and_its_answer_kept(
    tmp_path: Path, engine: ProfiledEngine
) -> None:
    engine.models = ["m", "n"]
    write(tmp_path, engine.url, more="")

    assert [outcome.model for outcome in run(tmp_path)] == ["m", "n"]
    backend = reading.load(tmp_path).resources.backends["default", "alpha"]
    assert [model.name for model in backend.status.models] == ["m", "n"]


def test_what_an_ollama_tells_of_its_models_and_itself_is_kept(tmp_path: Path) -> None:
    stored = Stored("m:latest", 700)
    with ProfiledEngine(ollama=LoadingOllama([stored])).running() as engine:
        ollama(tmp_path, engine.url, more="")
        run(tmp_path)
    status = reading.load(tmp_path).resources.backends["default", "alpha"].status
    assert [(model.name, model.digest) for model in status.models] == [
        ("m:latest", f"sha256:{stored.digest}")
    ]
    assert status.engine_version == "0.17.4"


def test_only_the_model_that_is_asked_for_is_measured(tmp_path: Path, engine: ProfiledEngine) -> None:
    write(tmp_path, engine.url, more="  models: [{name: m}, {name: n}]")

    assert run(tmp_path, model="n") == [Outcome("n", "alpha")]


def test_an_external_backend_is_measured_only_when_its_model_is_named(
    tmp_path: Path, engine: ProfiledEngine
) -> None:
    write(tmp_path, engine.url, more="  models: [{name: m}]\n  location: External")

    assert run(tmp_path) == []
    assert engine.bodies == []
    assert run(tmp_path, model="m") == [Outcome("m", "alpha")]


def test_one_failure_is_written_and_the_others_go_on(tmp_path: Path, engine: ProfiledEngine) -> None:
    with ProfiledEngine(fault=Fault.HTML).running() as broken:
        write(tmp_path, broken.url, name="aaa", more="  models: [{name: bad}]")
        write(tmp_path, engine.url)
        outcomes = run(tmp_path)

    assert [(outcome.model, bool(outcome.failure)) for outcome in outcomes] == [("bad", True), ("m", False)]
    assert said(profiles(tmp_path)["bad"], "Succeeded") == ("False", "NotAnEngine")


def test_an_engine_that_lists_nothing_is_told_of_its_backend(tmp_path: Path, engine: ProfiledEngine) -> None:
    engine.fault = Fault.HTML
    write(tmp_path, engine.url, more="")
    [outcome] = run(tmp_path)

    assert (outcome.model, outcome.backend) == ("", "alpha")
    assert "answered 200 (text/html) instead of a list of models" in outcome.failure


def test_a_status_that_cannot_be_written_is_told_and_the_others_go_on(
    tmp_path: Path, engine: ProfiledEngine
) -> None:
    write(tmp_path, engine.url, more="  models: [{name: m}, {name: n}]")
    automatic = automatic_name("alpha", "m")
    (tmp_path / f"modelprofile-{automatic}.yaml").write_text("# in the way\n")
    first, second = run(tmp_path)

    assert "exists already: rename or remove it" in first.failure
    assert second == Outcome("n", "alpha")


def test_the_key_comes_from_a_labelled_secret(tmp_path: Path, engine: ProfiledEngine) -> None:
    write(tmp_path, engine.url, more="  models: [{name: m}]\n  credentialsRef: {name: s, key: k}")
    secret = tmp_path / "secret.yaml"
    secret.write_text(
        "apiVersion: v1\nkind: Secret\n"
        "metadata: {name: s, labels: {steelyard.dev/kind: backend-credential}}\n"
        "stringData: {k: token}\n"
    )
    run(tmp_path)

    assert {headers["authorization"] for headers in engine.headers} == {"Bearer token"}


BROKEN = {
    "a missing secret": (
        "http://127.0.0.1:9",
        "  credentialsRef: {name: s, key: k}",
        "SecretNotFound",
    ),
    "a metadata address": ("http://169.254.169.254", "  location: Local", "UrlForbidden"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_backend_that_leads_nowhere_is_told_and_never_asked(case: str, tmp_path: Path) -> None:
    url, more, reason = BROKEN[case]
    write(tmp_path, url, more=f"  models: [{{name: m}}]\n{more}")
    [outcome] = run(tmp_path)

    assert outcome.failure
    assert said(profiles(tmp_path)["m"], "ResolvedRefs") == ("False", reason)


def test_seed_and_suite_may_be_given(tmp_path: Path, engine: ProfiledEngine) -> None:
    write(tmp_path, engine.url)

    assert cli.main(["profile", "--source", f"file:{tmp_path}", "--suite", "Quick", "--seed", "7"]) == 0
    fingerprint = profiles(tmp_path)["m"].status.fingerprint
    assert fingerprint and (fingerprint.suite, fingerprint.seed) == ("Quick/2", 7)


def test_a_new_profile_is_as_the_backends_template_says(tmp_path: Path, engine: ProfiledEngine) -> None:
    path = write(tmp_path, engine.url)
    template = "  profiling: {template: {seed: 9, limits: {maxTokens: 1000}}}\n"
    path.write_text(path.read_text().replace("  models:", f"{template}  models:", 1))

    run(tmp_path)
    made = profiles(tmp_path)["m"]
    assert (made.spec.seed, made.spec.limits.max_tokens) == (9, 1000)
    assert said(made, "Succeeded") == ("False", "BudgetSpent")


def test_the_command_prints_the_table_and_each_failure(
    tmp_path: Path, engine: ProfiledEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.fault = Fault.STATUS_401
    write(tmp_path, engine.url)
    status = cli.main(["profile", "--source", f"file:{tmp_path}"])
    printed = capsys.readouterr()

    assert status == 1
    assert printed.out.splitlines()[0].split() == [
        "MODEL",
        "BACKEND",
        "QUALITY",
        "TOK/S",
        "TTFT",
        "READY",
        "AGE",
    ]
    assert printed.out.splitlines()[1].split()[:3] == ["m", "alpha", "False"]
    assert "m on alpha: " in printed.err and "answered 401" in printed.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--seed", "x"], 2, "'x' is not a whole number"),
        (["--suite", "Huge"], 2, "'Huge' is not a valid Suite"),
        ([], 1, "Nothing to measure in namespace default"),
        (["--namespace", "other"], 1, "Nothing to measure in namespace other"),
    ],
)
def test_a_call_that_cannot_be_meant_ends_with_a_line(
    words: list[str], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["profile", "--source", f"file:{tmp_path}", *words]) == status
    assert said in capsys.readouterr().err


def test_files_at_fault_end_it_with_their_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("kind: [")

    assert cli.main(["profile", "--source", f"file:{tmp_path}"]) == 1
    assert "a.yaml:1: not YAML" in capsys.readouterr().err
