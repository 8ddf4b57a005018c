"""A directory of files becomes a ResourceSet, or a list of what to mend."""

import json
import os
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.api.backend import Engine, LLMBackend
from steelyard.api.resources import ResourceSet
from steelyard.files import documents, plain, reading
from steelyard.files.problems import FilesError

BACKEND = """
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {name: one}
spec:
  engine: VLLM
  url: http://127.0.0.1:8000
"""
PROFILE = """
apiVersion: steelyard.dev/v1alpha1
kind: ModelProfile
metadata: {name: p}
spec: {backendRef: {name: one}, model: m}
"""
POLICY = """
apiVersion: steelyard.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: r}
spec:
  models: [{name: auto}]
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: s}
"""
KNOWN = (
    "known are LLMBackend, ModelProfile and RoutingPolicy of steelyard.dev/v1alpha1, "
    "Secret, ConfigMap, Service and List of v1, EndpointSlice of discovery.k8s.io/v1"
)


def as_item(text: str) -> str:
    """A document as an entry of a list."""
    return "- " + textwrap.indent(text.strip(), "  ")[2:] + "\n"


BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "an unknown field with a likely name": (
        BACKEND + "  urll: x\n",
        ["8: spec.urll: unknown field; did you mean `url`?"],
    ),
    "an unknown field far from any name": (
        PROFILE.replace("model: m", "model: m, zzz: 1"),
        [
            "5: spec.zzz: unknown field; known are suite, seed, load, refresh, limits, job, backendRef, "
            "model, priors and suspend"
        ],
    ),
    "a field in snake case": (
        BACKEND + "  credentials_ref: {name: s, key: k}\n",
        ["8: spec.credentials_ref: unknown field; did you mean `credentialsRef`?"],
    ),
    "an engine in other case": (
        BACKEND.replace("VLLM", "vllm"),
        [
            '6: spec.engine: must be VLLM, SGLang, LlamaCpp, Ollama or OpenAI, got "vllm"; '
            "did you mean `VLLM`?"
        ],
    ),
    "a price that is not quoted": (
        BACKEND + "  cost:\n    usdPerHour: 1.80\n",
        ['9: spec.cost.usdPerHour: must be text: write it quoted: "1.80"'],
    ),
    "a price in a list, not quoted": (
        BACKEND + "  models:\n  - name: m\n    price: {inputUsdPerMillionTokens: 0.15}\n",
        [
            '10: spec.models[0].price.inputUsdPerMillionTokens: must be text: write it quoted: "0.15"',
            "10: spec.models[0].price.outputUsdPerMillionTokens: is missing: add it",
        ],
    ),
    "a price with a currency sign": (
        BACKEND + '  cost: {usdPerHour: "$2"}\n',
        [
            "8: spec.cost.usdPerHour: must be US dollars with at most 6 digits before and after the point, "
            'quoted: "0.15", got "$2"'
        ],
    ),
    "a required field is missing": (
        BACKEND.replace("  engine: VLLM\n", ""),
        ["5: spec.engine: is missing: add it"],
    ),
    "a required field is left empty": (
        BACKEND.replace("engine: VLLM", "engine:"),
        ["6: spec.engine: is missing: add it"],
    ),
    "a number out of range": (
        BACKEND + "  timeouts: {connectSeconds: 0}\n",
        ["8: spec.timeouts.connectSeconds: must be at least 1, got 0"],
    ),
    "a fraction where a whole number belongs": (
        BACKEND + "  timeouts: {connectSeconds: 2.5}\n",
        ["8: spec.timeouts.connectSeconds: must be a whole number, got 2.5"],
    ),
    "a word where a truth value belongs": (
        BACKEND + "  models: [{name: m, capabilities: {tools: yes}}]\n",
        ['8: spec.models[0].capabilities.tools: must be true or false, got "yes"'],
    ),
    "an object where a list belongs": (
        BACKEND + "  models: {name: m}\n",
        ["8: spec.models: must be a list: begin each entry with '- ', got an object"],
    ),
    "text where an object belongs": (
        BACKEND + "  tls: on\n",
        ['8: spec.tls: must be an object with fields, got "on"'],
    ),
    "a name with capitals": (
        BACKEND.replace("one", "One"),
        [
            "4: metadata.name: must be lower case letters, digits, '-' and '.', "
            'with a letter or digit at both ends, got "One"'
        ],
    ),
    "a rule over several fields": (
        BACKEND + "  tls: {serverName: x}\n",
        ["8: spec.tls: tls needs an https url: write https:// or remove tls"],
    ),
    "a password in the url": (
        BACKEND.replace("http://", "http://me:secret@"),
        [
            "7: spec.url: url must not hold a user or password: "
            "put the key in a Secret and name it in credentialsRef"
        ],
    ),
    "a weight without its order": (
        POLICY + "  candidates: [{models: [m], weightPercent: 5}]\n",
        ["5: spec: weightPercent needs order: Weighted: set it or remove weightPercent"],
    ),
    "an empty list that must hold something": (
        POLICY.replace("[{name: auto}]", "[]"),
        ["6: spec.models: has 0 entries: at least 1 must be given"],
    ),
    "a capability that nobody has": (
        POLICY + "  require: {capabilities: [tool]}\n",
        [
            "7: spec.require.capabilities[0]: must be chat, completions, embeddings, vision, tools, "
            "jsonSchema, jsonMode, reasoning, rerank, audio, images, logprobs or systemPrompt, "
            'got "tool"; did you mean `tools`?'
        ],
    ),
    "a time without a zone": (
        PROFILE + "status:\n  run: {startTime: 2026-01-01T00:00:00, completionTime: x, tokensUsed: 1}\n",
        [
            "7: status.run.startTime: must be a time with a zone, as 2026-11-21T10:00:00Z, "
            'got "2026-01-01T00:00:00"',
            '7: status.run.completionTime: must be a time with a zone, as 2026-11-21T10:00:00Z, got "x"',
        ],
    ),
    "a secret's value is never repeated": (
        SECRET + "stringData: {key: 12345}\n",
        ["5: stringData.key: must be text: write it quoted"],
    ),
    "an unknown kind": (
        BACKEND.replace("LLMBackend", "Deployment"),
        [f"3: kind: unknown kind `Deployment`: {KNOWN}"],
    ),
    "no kind": ("spec: {}\n", [f"1: kind: is missing: {KNOWN}"]),
    "another version": (
        BACKEND.replace("v1alpha1", "v9"),
        ["2: apiVersion: unknown version `steelyard.dev/v9`: write steelyard.dev/v1alpha1 for LLMBackend"],
    ),
    "no version": (
        "kind: Secret\nmetadata: {name: s}\n",
        ["1: apiVersion: is missing: write v1 for Secret"],
    ),
    "no object": ("- 1\n", ["1: must be an object with apiVersion, kind, metadata and spec"]),
    "a fault within a List": (
        f"apiVersion: v1\nkind: List\nitems:\n{as_item(BACKEND)}    x: 1\n",
        [
            "10: items[0].spec.x: unknown field; known are engine, url, serviceRef, models, cost, "
            "credentialsRef, tls, location, maxConcurrency, timeouts, usage, probe, metrics, memory and "
            "profiling"
        ],
    ),
    "a broken line": (
        "a: [1,\nb: 2\n",
        ["2: not YAML: while parsing a flow sequence, did not find expected ',' or ']' (begun in line 1)"],
    ),
    "a key twice": (
        BACKEND + "  url: http://b\n",
        ["8: key `url` is here for the second time (first: line 7)"],
    ),
    "a key that is a number": ("1: x\n", ["1: a key must be text: write it quoted"]),
    "aliases that multiply": (
        "a0: &a0 [xxxxxxxxxx]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
        ["6: aliases repeat more than 1 MiB of this file: write less of it as aliases"],
    ),
    "an alias to itself": ("a: &a [*a]\n", ["1: *a refers to no complete anchor before it"]),
    "a tag": (
        "a: !!python/name:x y\n",
        ["1: tag tag:yaml.org,2002:python/name:x is not supported: remove it"],
    ),
    "depth without end": ("[" * 100_000, ["1: nested deeper than 64 levels"]),
    "text that is not UTF-8": (b"a: b\nb: \xff\n", ["2: is not UTF-8: save it as UTF-8"]),
}


def write(directory: Path, **files: str | bytes) -> Path:
    for name, text in files.items():
        body = text if isinstance(text, bytes) else text.encode()
        (directory / name.replace("_", ".")).write_bytes(body)
    return directory


def problems(directory: Path) -> list[str]:
    with pytest.raises(FilesError) as caught:
        reading.load(directory)
    return [str(problem).removeprefix(f"{directory}{os.sep}") for problem in caught.value.problems]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case)
def test_a_mistake_is_told_with_line_field_and_what_to_do(case: str, tmp_path: Path) -> None:
    text, wanted = BAD[case]

    assert problems(write(tmp_path, a_yaml=text)) == [f"a.yaml:{line}" for line in wanted]


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path, a_yaml=BACKEND + "  x: 1\n---" + PROFILE.replace("m}", "5}"), b_yml="[", c_json='{"a": 1,}'
    )

    assert [problem.split(": ")[0] for problem in problems(tmp_path)] == [
        "a.yaml:8",
        "a.yaml:13",
        "b.yml:1",
        "c.json:1",
    ]


def test_two_objects_of_one_name_are_told_with_both_places(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=BACKEND, b_yaml="\n" + BACKEND)

    assert problems(tmp_path) == [
        f"b.yaml:5: metadata.name: LLMBackend default/one is also in {tmp_path}/a.yaml:2: keep one of them"
    ]


def test_one_name_in_two_namespaces_is_two_objects(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=BACKEND, b_yaml=BACKEND.replace("one}", "one, namespace: other}"))

    assert set(reading.load(tmp_path).resources.backends) == {("default", "one"), ("other", "one")}


def test_all_kinds_are_read_from_documents_lists_and_json(tmp_path: Path) -> None:
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c"},
        "data": {"k": "\U0001f600"},
    }
    write(
        tmp_path,
        a_yaml=BACKEND + "---\n---\n" + PROFILE,
        b_yml=f"apiVersion: v1\nkind: List\nmetadata: {{}}\nitems:\n{as_item(SECRET)}{as_item(POLICY)}",
        c_json=json.dumps(config_map, indent="\t"),
        d_txt="not looked at: [",
    )
    found = reading.load(tmp_path).resources

    assert found.backends["default", "one"].spec.engine is Engine.VLLM
    assert found.config_maps["default", "c"].data == {"k": "\U0001f600"}
    assert [*found.profiles, *found.policies, *found.secrets] == [("default", name) for name in "prs"]


def test_what_kubectl_prints_is_read(tmp_path: Path) -> None:
    served = "generation: 3, creationTimestamp: 2026-11-21T10:00:00Z, resourceVersion: '7', managedFields: []"
    write(tmp_path, a_yaml=BACKEND.replace("{name: one}", f"{{name: one, {served}}}"))

    assert reading.load(tmp_path).resources.backends["default", "one"].metadata.generation == 3


def test_shared_settings_may_be_merged_by_alias(tmp_path: Path) -> None:
    first = as_item(BACKEND + "  timeouts: &slow {connectSeconds: 9}")
    second = as_item(BACKEND.replace("one", "two") + "  timeouts: {<<: *slow, idleSeconds: 5}")
    write(tmp_path, a_yaml=f"kind: List\nitems:\n{first}{second}")
    timeouts = reading.load(tmp_path).resources.backends["default", "two"].spec.timeouts

    assert (timeouts.connect_seconds, timeouts.idle_seconds) == (9, 5)


def test_unknown_fields_of_status_are_dropped_with_a_warning(tmp_path: Path) -> None:
    times = "startTime: 2026-11-21T10:00:00Z, completionTime: 2026-11-21T10:01:00Z"
    status = f"status:\n  newer: {{a: 1}}\n  run: {{{times}, tokensUsed: 7,\n    podName: j}}\n"
    write(tmp_path, a_yaml=PROFILE + status)
    loaded = reading.load(tmp_path)

    assert loaded.resources.profiles["default", "p"].status.run is not None
    assert [(w.line, w.field) for w in loaded.warnings] == [(7, "status.newer"), (9, "status.run.podName")]


def test_an_empty_directory_is_an_empty_set(tmp_path: Path) -> None:
    assert reading.load(tmp_path).resources.backends == {}


def test_a_missing_directory_is_one_problem(tmp_path: Path) -> None:
    assert problems(tmp_path / "none") == [
        f"{tmp_path}/none: cannot be read as a directory: No such file or directory"
    ]


def test_a_mounted_config_map_is_followed(tmp_path: Path) -> None:
    version = tmp_path / "..2026_11_21"
    version.mkdir()
    write(version, a_yaml=BACKEND)
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    (tmp_path / "gone.yaml").symlink_to("..data/gone.yaml")

    assert set(reading.load(tmp_path).resources.backends) == {("default", "one")}


def test_hidden_files_and_subfolders_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "sub.yaml").mkdir()
    write(tmp_path / "sub.yaml", a_yaml="[")
    (tmp_path / ".a.yaml.swp.yaml").write_text("[")

    assert reading.load(tmp_path).resources == ResourceSet()


def test_a_file_of_more_than_16_mib_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=b"#" * (reading.MOST_FILE_BYTES + 1))

    assert problems(tmp_path) == ["a.yaml: is larger than 16 MiB: split it"]


def test_a_place_says_where_an_object_stands(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=BACKEND + "---" + PROFILE)
    loaded = reading.load(tmp_path)
    place = loaded.place(loaded.resources.profiles["default", "p"])

    assert (place.file.name, place.document, place.line) == ("a.yaml", 1, 9)


def test_a_resource_survives_the_way_out_and_in(tmp_path: Path) -> None:
    write(tmp_path, a_yaml=BACKEND + "  cost: {usdPerHour: '1.80'}\n  location: Local\n")
    backend = reading.load(tmp_path).resources.backends["default", "one"]

    assert LLMBackend.model_validate_json(json.dumps(plain.to_plain(backend))) == backend
    assert plain.to_plain(backend)["spec"]["cost"] == {"usdPerHour": "1.80"}


TEXTS = st.one_of(
    st.text(alphabet="a1:-[]{}&*!'\"|> \n#?,.~<\t%@é\\", max_size=60),
    st.text(max_size=40),
    st.builds(
        lambda at, junk: BACKEND[:at] + junk + BACKEND[at:], st.integers(0, len(BACKEND)), st.text(max_size=5)
    ),
)


@settings(max_examples=400, deadline=None)
@given(text=TEXTS, suffix=st.sampled_from(["yaml", "json"]))
def test_any_text_is_read_or_refused_in_words(
    text: str, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.getbasetemp() / "any"
    directory.mkdir(exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    (directory / f"a.{suffix}").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        reading.load(directory)
    except FilesError as error:
        assert all(problem.message and problem.line >= 0 for problem in error.problems)


JSON = st.recursive(
    st.one_of(st.booleans(), st.integers(-(10**15), 10**15), st.text(st.characters(codec="utf-8"))),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab<c", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(value=JSON)
def test_json_is_read_as_what_it_says(value: object) -> None:
    [document] = documents.read_json(json.dumps(value))

    assert document.value == value
