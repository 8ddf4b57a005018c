"""The API server takes the three kinds as they are shipped, sets defaults, and keeps what is written."""

import json
from pathlib import Path

import pytest
import yaml

from kube import crd_samples, waiting
from kube.control_plane import ControlPlane
from kube.crd_api import Kinds
from kube.crd_samples import FULL_SPECS, FULL_STATUS, LEAST, TYPES, Json

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(ROOT.glob("manifests/samples/**/*.yaml"))
NAMES = [f"{plural}.steelyard.dev" for plural in ("llmbackends", "modelprofiles", "routingpolicies")]


@pytest.fixture
def kinds(control_plane: ControlPlane, namespace: str) -> Kinds:
    return Kinds(control_plane, namespace)


def _said(value: Json) -> Json:
    """A value without what says nothing: nulls and empty values."""
    if isinstance(value, dict):
        said = {key: _said(one) for key, one in value.items()}
        return {key: one for key, one in said.items() if one not in (None, "", [], {})}
    return [_said(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_is_established_and_nothing_is_said_against_it(
    control_plane: ControlPlane, name: str
) -> None:
    def conditions() -> dict[str, str]:
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        listed = control_plane.admin.get(path).json()["status"]["conditions"]
        return {one["type"]: one["status"] for one in listed}

    waiting.until(lambda: conditions().get("Established") == "True", f"{name} Established")

    assert conditions() == {"Established": "True", "NamesAccepted": "True"}


def test_definitions_are_applied_again_without_a_change_or_a_warning(control_plane: ControlPlane) -> None:
    done = control_plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"customresourcedefinition.apiextensions.k8s.io/{name} serverside-applied" for name in NAMES
    ]


@pytest.mark.parametrize("kind", TYPES)
def test_the_least_comes_back_with_every_default_of_the_type(kinds: Kinds, kind: str) -> None:
    least = crd_samples.resource(kind, LEAST[kind])
    typed = TYPES[kind].model_validate(least, strict=False).model_dump(mode="json", by_alias=True)

    made = kinds.create(least).json()

    assert made["spec"] == _said(typed["spec"])
    assert made["status"] == {"observedGeneration": 0}


@pytest.mark.parametrize("kind", TYPES)
def test_what_comes_back_is_what_the_type_reads(kinds: Kinds, kind: str) -> None:
    made = kinds.created(crd_samples.resource(kind, LEAST[kind], FULL_STATUS[kind]))

    read = TYPES[kind].model_validate_json(json.dumps(made))

    assert read.metadata.generation == 1
    assert _said(read.model_dump(mode="json", by_alias=True)["status"]) == FULL_STATUS[kind]


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_a_shipped_sample_is_accepted(kinds: Kinds, path: Path) -> None:
    documents = [one for one in yaml.safe_load_all(path.read_text()) if one["kind"] in TYPES]

    done = kinds.kubectl("apply", "--dry-run=server", "-f", str(path))

    assert documents
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("kind", "spec"), FULL_SPECS)
def test_nothing_of_a_full_spec_is_dropped(kinds: Kinds, kind: str, spec: Json) -> None:
    made = kinds.create(crd_samples.resource(kind, spec)).json()

    assert {key: made["spec"][key] for key in spec} == spec


@pytest.mark.parametrize("kind", TYPES)
def test_kubectl_names_a_field_that_is_not_known(kinds: Kinds, kind: str) -> None:
    resource = crd_samples.resource(kind, {**LEAST[kind], "replicas": 3})

    done = kinds.kubectl("apply", "-f", "-", resource=resource)

    assert done.returncode == 1
    assert done.stderr.endswith('strict decoding error: unknown field "spec.replicas"\n')


@pytest.mark.parametrize("kind", TYPES)
def test_a_status_with_every_field_is_kept_as_it_is(kinds: Kinds, kind: str) -> None:
    made = kinds.create(crd_samples.resource(kind, LEAST[kind])).json()

    answer = kinds.update({**made, "status": FULL_STATUS[kind]}, "/status").json()

    assert answer["status"] == FULL_STATUS[kind]
    assert answer["spec"] == made["spec"]
    assert answer["metadata"]["generation"] == 1


@pytest.mark.parametrize("kind", TYPES)
def test_a_change_of_spec_moves_the_generation_and_leaves_the_status(kinds: Kinds, kind: str) -> None:
    made = kinds.created(crd_samples.resource(kind, LEAST[kind], FULL_STATUS[kind]))
    changes = {
        "LLMBackend": {"maxConcurrency": 3},
        "ModelProfile": {"seed": 3},
        "RoutingPolicy": {"priority": 3},
    }

    answer = kinds.update({**made, "spec": {**made["spec"], **changes[kind]}, "status": {}}).json()

    assert answer["status"] == FULL_STATUS[kind]
    assert answer["metadata"]["generation"] == 2


@pytest.mark.parametrize("kind", TYPES)
def test_a_status_is_written_through_its_subresource_and_nothing_else_is(kinds: Kinds, kind: str) -> None:
    made = kinds.create(crd_samples.resource(kind, LEAST[kind], FULL_STATUS[kind])).json()
    [(_, other)] = [one for one in FULL_SPECS if one[0] == kind][:1]

    answer = kinds.update({**made, "spec": other, "status": FULL_STATUS[kind]}, "/status").json()

    assert made["status"] == {"observedGeneration": 0}
    assert (answer["spec"], answer["status"]) == (made["spec"], FULL_STATUS[kind])
