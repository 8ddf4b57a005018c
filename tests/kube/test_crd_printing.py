"""What people read: the columns of kubectl get, and kubectl explain."""

import re

import pytest

from kube import crd_samples, waiting
from kube.control_plane import ControlPlane
from kube.crd_api import Kinds
from kube.crd_samples import FULL_STATUS, LEAST, TYPES

TABLES: dict[str, dict[str, str]] = {
    "llmb": {
        "NAME": "sample",
        "ENGINE": "VLLM",
        "READY": "True",
        "ENDPOINTS": "2/2",
        "MODELS": "1",
        "GPU-MEM": "17/22Gi",
        "VERSION": "0.32.0",
        "LOCATION": "Local",
        "REASON": "AsItShould",
        "MESSAGE": "All 2 endpoints answer.",
    },
    "mprof": {
        "NAME": "sample",
        "MODEL": "m",
        "BACKEND": "b",
        "QUALITY": "71",
        "TOK/S": "72",
        "TTFT": "41",
        "MEM": "16021",
        "FRESH": "True",
        "SUCCEEDED": "True",
        "RUN": "It took 41 s.",
        "REASON": "AsItShould",
        "MESSAGE": "It was measured.",
    },
    "rpol": {
        "NAME": "sample",
        "MODELS": "auto,auto-best",
        "GOAL": "Cheapest",
        "CANDIDATES": "3/5",
        "READY": "True",
        "PRECISE": "True",
        "REASON": "AsItShould",
        "MESSAGE": "All candidates can be chosen.",
    },
}
"""What `kubectl get -o wide` prints by short name, but for the age at the end."""

WIDE = {
    "llmb": ("VERSION", "LOCATION", "REASON", "MESSAGE"),
    "mprof": ("SUCCEEDED", "RUN", "REASON", "MESSAGE"),
    "rpol": ("PRECISE", "REASON", "MESSAGE"),
}
"""What is printed with -o wide only."""

DESCRIBED = {
    "llmbackend": ("An engine that serves models.", "What the owner says of it."),
    "llmbackend.spec": (
        "What the owner says of it.",
        "The Service in front of its pods; exactly one of url and serviceRef.",
        "engine <string> -required- enum: VLLM, SGLang, LlamaCpp, ",
    ),
    "llmbackend.spec.serviceRef": (
        "The Service in front of its pods; exactly one of url and serviceRef.",
        "port <Object> -required- The Service's port, by number or by name.",
        "routing <string> enum: Endpoints, ClusterIP Endpoints: each ready pod by its own address.",
    ),
    "llmb.spec.profiling.template.job.tolerations": (
        "Taints that the node may have.",
        "effect <string> enum: NoSchedule, PreferNoSchedule, NoExecute",
    ),
    "mprof.spec": ("backendRef <Object> -required- The LLMBackend that serves the model.",),
    "mprof.status.quality": (
        "What it can do: pass rates on the suite's generated probes, in all and by category.",
        "overall <Object> Over all categories.",
    ),
    "mprof.status.quality.categories.levels": ("The same by difficulty; decisions are made from these.",),
    "rpol.spec.candidates.when": ("The request's most probable category must be one of these.",),
}
"""What `kubectl explain` says, among other things."""


@pytest.fixture
def kinds(control_plane: ControlPlane, namespace: str) -> Kinds:
    return Kinds(control_plane, namespace)


@pytest.fixture
def filled(kinds: Kinds) -> Kinds:
    """One object of each kind with every field of its status."""
    for kind in TYPES:
        kinds.created(crd_samples.resource(kind, LEAST[kind], FULL_STATUS[kind]))
    return kinds


def _table(kinds: Kinds, *words: str) -> dict[str, str]:
    """The only row that kubectl prints, by the headings, in their order and without the age."""
    done = kinds.kubectl("get", *words)
    assert done.stderr == ""
    heading, row = done.stdout.splitlines()
    names = heading.split()
    starts = [found.start() for found in re.finditer(r"\S+", heading)]
    cells = [row[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
    assert (names[-1], bool(re.fullmatch(r"\d+m?\d*s", cells[-1]))) == ("AGE", True)
    return dict(zip(names[:-1], cells[:-1], strict=True))


@pytest.mark.parametrize("name", TABLES)
def test_kubectl_get_prints_what_matters(filled: Kinds, name: str) -> None:
    narrow = {heading: cell for heading, cell in TABLES[name].items() if heading not in WIDE[name]}

    assert list(_table(filled, name).items()) == list(narrow.items())


@pytest.mark.parametrize("name", TABLES)
def test_kubectl_get_wide_prints_why(filled: Kinds, name: str) -> None:
    assert list(_table(filled, name, "-o", "wide").items()) == list(TABLES[name].items())


@pytest.mark.parametrize("kind", TYPES)
def test_an_object_without_a_status_is_printed_with_empty_cells(kinds: Kinds, kind: str) -> None:
    kinds.created(crd_samples.resource(kind, LEAST[kind]))

    table = _table(kinds, kind.lower(), "-o", "wide")

    assert table["MESSAGE"] == ""
    assert "<none>" not in table.values()


def test_the_category_prints_all_three_kinds(filled: Kinds) -> None:
    done = filled.kubectl("get", "steelyard", "-o", "name")

    assert (done.stderr, sorted(done.stdout.splitlines())) == (
        "",
        [f"{kind}.steelyard.dev/sample" for kind in ("llmbackend", "modelprofile", "routingpolicy")],
    )


@pytest.mark.parametrize("path", DESCRIBED)
def test_kubectl_explains_in_the_words_of_the_types(control_plane: ControlPlane, path: str) -> None:
    def explained() -> str:
        """Empty as long as the API server has not published what it learned."""
        return " ".join(control_plane.kubectl("explain", path).stdout.split())

    text = waiting.until(explained, f"an explanation of {path}")

    assert [words for words in DESCRIBED[path] if words not in text] == []
