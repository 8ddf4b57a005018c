"""What a schema cannot accept is refused by the API server and by the types, and both say what to do."""

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from kube import crd_samples, crd_schemas
from kube.control_plane import ControlPlane
from kube.crd_api import Kinds
from kube.crd_samples import FULL_SPECS, FULL_STATUS, LEAST, TYPES, URL_BACKEND, Json
from kube.crd_schemas import ITEM, SCHEMAS, VALUE, Node
from steelyard.api.meta import Spec
from steelyard.api.rules import VALIDATIONS


@pytest.fixture
def kinds(control_plane: ControlPlane, namespace: str) -> Kinds:
    return Kinds(control_plane, namespace)


def _backend(**spec: Json) -> Json:
    return crd_samples.resource("LLMBackend", {"engine": "VLLM", **spec})


def _behind(port: Json) -> Json:
    return _backend(serviceRef={"name": "vllm", "port": port})


def _policy(**spec: Json) -> Json:
    return crd_samples.resource("RoutingPolicy", {**LEAST["RoutingPolicy"], **spec})


def _measured(passed: int, samples: int) -> Json:
    levels = [{"level": "Easy", "passed": passed, "samples": samples}]
    quality = {"categories": [{"name": "Math", "levels": levels}]}
    return crd_samples.resource("ModelProfile", LEAST["ModelProfile"], {"quality": quality})


def _loaded(*concurrency: int) -> Json:
    spec = {**LEAST["ModelProfile"], "load": {"concurrency": [*concurrency]}}
    return crd_samples.resource("ModelProfile", spec)


URL = "url must be http(s)://host[:port][/path]"
CREDENTIALS = "url must not hold a user or password: put the key in a Secret and name it in credentialsRef"
QUERY = "url must not have a query or fragment: give the base address only"
SIGNATURE = (
    "signature must begin with two characters of its own or more; it may hold {model} and {backend}"
    " with text between them, and no other braces"
)
PORT = "port must be 1 to 65535 or the name of a port"

BAD: dict[str, list[Json]] = {
    "url or serviceRef, exactly one of them: name the engine's Service or give its address": [
        _backend(),
        _backend(url="http://h", serviceRef={"name": "vllm", "port": 8000}),
    ],
    CREDENTIALS: [_backend(url="http://u:p@h")],
    QUERY: [_backend(url="http://h/?q=1"), _backend(url="http://h#f")],
    URL: [
        _backend(url="ftp://h"),
        _backend(url="http://h:99999"),
        _backend(url="http://h", metrics={"gpu": {"url": "ftp://h"}}),
    ],
    "url is not read with source: None: remove one of them": [
        _backend(url="http://h", metrics={"gpu": {"source": "None", "url": "http://h"}})
    ],
    "memory is for engine Ollama, which loads on demand: remove it or correct engine": [
        _backend(url="http://h", memory={})
    ],
    "tls needs an https url: write https:// or remove tls": [_backend(url="http://h", tls={})],
    PORT: [_behind(port) for port in (0, -1, 65536, "", "Http", "http_1", "-a", "a-", "a" * 64)],
    "a candidate needs selector or models: name models, or write selector: {} for all": [
        _policy(candidates=[{"when": {"categories": ["Math"]}}]),
        _policy(candidates=[{"models": []}]),
    ],
    "order Weighted needs weightPercent in every candidate, one of them above 0": [
        _policy(order="Weighted"),
        _policy(order="Weighted", candidates=[{"selector": {}, "weightPercent": 0}]),
        _policy(order="Weighted", candidates=[{"selector": {}, "weightPercent": 1}, {"selector": {}}]),
    ],
    "weightPercent needs order: Weighted: set it or remove weightPercent": [
        _policy(candidates=[{"selector": {}, "weightPercent": 0}]),
    ],
    "order AsListed needs candidates: list the models in the order to try": [
        _policy(order="AsListed"),
        _policy(order="AsListed", candidates=[]),
    ],
    SIGNATURE: [
        _policy(signature=text)
        for text in (
            "",
            "{model}",
            " \n- {model}",
            "By {who}",
            "From {model}{backend}",
            "From {model",
            "\u00a0{model}",
        )
    ],
    "concurrency must rise: list the smaller numbers first": [_loaded(4, 1)],
    "passed must be at most samples": [_measured(2, 1)],
    "key needs type: Affinity: set it or remove key": [
        _policy(balance={"key": "Prefix"}),
        _policy(balance={"type": "RoundRobin", "key": "Session"}),
    ],
}
"""What each rule refuses, by what it says."""

GOOD: list[Json] = [
    *(crd_samples.resource(kind, spec) for kind, spec in [*LEAST.items(), *FULL_SPECS]),
    *(_behind(port) for port in (1, 65535, "http", "8000", "a" * 63)),
    _backend(serviceRef={"name": "vllm", "port": 1}, tls={}),
    _backend(url="https://h", tls={"serverName": "h.example"}),
    *(
        _policy(signature=text)
        for text in (
            "\nBy {model}",
            "By {backend}: {model}.\n",
            "\u00a0\u00a0{model}",
            "— by us —",
            "abc\n",
        )
    ),
    _policy(candidates=[{"selector": {}}]),
    _policy(balance={"type": "PowerOfTwo"}),
    _policy(balance={"type": "Affinity"}),
    _policy(order="AsListed", candidates=[{"models": ["a"]}]),
    _policy(
        order="Weighted",
        candidates=[{"selector": {}, "weightPercent": 0}, {"models": ["a"], "weightPercent": 100}],
    ),
    _measured(1, 1),
]
"""What every rule accepts."""

URLS: dict[str, str | None] = {
    "http://h": None,
    "https://h:8443/v1": None,
    "http://h:1/": None,
    "http://h:65535": None,
    "http://a_b-c.example.:8000/a/b%20c;d=e,f": None,
    "http://h/a@b": None,
    "http://[::1]:8000": None,
    "http://[fd00::7]/v1": None,
    "http://10.0.0.1": None,
    "http://10.0.0.1:0": URL,
    "http://h:00080": URL,
    "http://h:99999": URL,
    "http://h:": URL,
    "http://h:x": URL,
    "http://h:-1": URL,
    "http://[1:2]": URL,
    "http://[1.2.3.4]": URL,
    "http://[::1": URL,
    "http://::1": URL,
    "http://[fe80::1%25eth0]": URL,
    "http://": URL,
    "http:///v1": URL,
    "http://.": URL,
    "http://h h": URL,
    "http://h/a b": URL,
    "http://h/%zz": URL,
    "http://h/\u00e4": URL,
    "http://\u00e4": URL,
    "http://h\\v1": URL,
    "http://h\n": URL,
    "HTTP://h": URL,
    "ftp://h": URL,
    "//h": URL,
    "h:80": URL,
    "h": URL,
    "http://u:p@h": CREDENTIALS,
    "https://u@h/v1": CREDENTIALS,
    "http://h/?q=1": QUERY,
    "http://h?": QUERY,
    "http://h#f": QUERY,
}
"""What is said of a url; None: it is accepted."""

NAMES: dict[str, bool] = {
    "a b": True,
    "\u00a0a": True,
    "\u4f60\u597d": True,
    "a": True,
    "a" * 253: True,
    "\u00e4" * 253: True,
    " a": False,
    "a\t": False,
    "a\n": False,
    "a\nb": False,
    "": False,
    "\u00e4" * 254: False,
}
"""Whether a model may be called so."""


def _said_by_type(resource: Json) -> list[str]:
    """What the type says of an object, with the field in front as JSON names it; nothing: it is accepted."""
    try:
        TYPES[resource["kind"]].model_validate_json(json.dumps(resource))
    except ValidationError as error:
        return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return []


def _said_by_kubectl(kinds: Kinds, resource: Json) -> str:
    """What kubectl prints of an object that is not accepted; empty: it is."""
    words = ["create"]
    if "status" in resource:
        kinds.created({key: part for key, part in resource.items() if key != "status"})
        words = ["replace", "--subresource=status"]
    done = kinds.kubectl(*words, "--dry-run=server", "-f", "-", resource=resource)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


def _rules(below: type[Spec] = Spec) -> set[str]:
    """What the rules of all types say."""
    return {rule.message for rule in below.rules}.union(*map(_rules, below.__subclasses__()))


def _validated(kind: str) -> list[tuple[Node, Any]]:
    return [(node, rule) for node in crd_schemas.nodes(kind) for rule in node.schema.get(VALIDATIONS, ())]


IMMUTABLE = [
    (kind, node, rule["message"])
    for kind in SCHEMAS
    for node, rule in _validated(kind)
    if rule["rule"] == "self == oldSelf"
]
"""Every field that never changes, and what is said of one that does."""


def test_every_rule_is_in_a_schema_and_has_a_sample() -> None:
    in_schemas = {
        rule["message"]
        for kind in SCHEMAS
        for _, rule in _validated(kind)
        if rule["rule"] != "self == oldSelf"
    }

    assert in_schemas == _rules() == set(BAD)


@pytest.mark.parametrize(
    ("message", "resource"),
    [(message, resource) for message, resources in BAD.items() for resource in resources],
)
def test_what_a_rule_refuses_is_refused_with_what_to_do(kinds: Kinds, message: str, resource: Json) -> None:
    said_by_type = _said_by_type(resource)[0]
    said = _said_by_kubectl(kinds, resource)

    assert said_by_type.endswith(f": Value error, {message}")
    assert said.startswith(f'The {resource["kind"]} "sample" is invalid: ')
    assert re.findall("Invalid value: (.*)", _newly(said))[0] == message


@pytest.mark.parametrize("resource", GOOD)
def test_what_no_rule_refuses_is_accepted(kinds: Kinds, resource: Json) -> None:
    assert _said_by_type(resource) == []
    assert _said_by_kubectl(kinds, resource) == ""


@pytest.mark.parametrize(("kind", "node", "message"), IMMUTABLE, ids=[node.text for _, node, _ in IMMUTABLE])
def test_what_cannot_be_changed_is_refused_with_what_to_do(
    kinds: Kinds, kind: str, node: Node, message: str
) -> None:
    made = kinds.created(crd_samples.resource(kind, LEAST[kind]))
    value = crd_schemas.at(made, node.path)
    other = f"{value}-2" if isinstance(value, str) else {key: f"{one}-2" for key, one in value.items()}

    done = kinds.kubectl("replace", "-f", "-", resource=crd_schemas.changed(made, node.path, other))

    assert done.stderr.startswith(f'The {kind} "sample" is invalid: {node.text}: Invalid value: ')
    assert done.stderr.endswith(f": {message}\n")


def test_model_and_backend_of_a_profile_cannot_be_changed() -> None:
    assert [(kind, node.text) for kind, node, _ in IMMUTABLE] == [
        ("ModelProfile", "spec.backendRef"),
        ("ModelProfile", "spec.model"),
    ]


def test_the_api_server_and_the_type_agree_on_urls(kinds: Kinds) -> None:
    resources = {url: crd_samples.resource("LLMBackend", {**URL_BACKEND, "url": url}) for url in URLS}

    by_type = {url: _said_by_type(resource) for url, resource in resources.items()}
    by_server = {url: kinds.create(resource, dry_run=True) for url, resource in resources.items()}

    assert {url: said[0].split("error, ")[1] if said else None for url, said in by_type.items()} == URLS
    assert {
        url: re.split("Invalid value: |, spec: ", _newly(answer.json()["message"]))[1]
        if answer.is_error
        else None
        for url, answer in by_server.items()
    } == URLS


def test_the_api_server_and_the_type_agree_on_names_of_models(kinds: Kinds) -> None:
    resources = {name: _backend(url="http://h", models=[{"name": name}]) for name in NAMES}

    assert {name: not _said_by_type(resource) for name, resource in resources.items()} == NAMES
    assert {
        name: kinds.create(resource, dry_run=True).is_success for name, resource in resources.items()
    } == NAMES


@dataclass(frozen=True, slots=True)
class Broken:
    """An object with one word of its schema broken."""

    node: Node
    """Where."""
    word: str
    """Which."""
    resource: Json
    """The object."""
    said: str
    """Part of what the API server says."""


def _broken(resource: Json, part: str) -> list[Broken]:
    """The object with each word of the schema of one part broken in turn."""
    return [
        Broken(node, word, crd_schemas.changed(resource, node.path, value), said)
        for node in crd_schemas.nodes(resource["kind"])
        if node.path[0] == part and crd_schemas.holds(resource, node.path)
        for word, value, said in crd_schemas.breaking(node.schema, crd_schemas.at(resource, node.path))
    ]


def _named(node: Node) -> str:
    """The last field of a path that has a name."""
    return next(step for step in reversed(node.path) if step not in (ITEM, VALUE))


@pytest.mark.parametrize(("kind", "spec"), FULL_SPECS)
def test_every_word_of_a_spec_is_held_by_server_and_type(kinds: Kinds, kind: str, spec: Json) -> None:
    wrong = []
    for broken in _broken(crd_samples.resource(kind, spec), "spec"):
        answer = kinds.create(broken.resource, dry_run=True).json()
        wrong += _wrong(broken, answer)

    assert wrong == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_word_of_a_status_is_held_by_server_and_type(kinds: Kinds, kind: str) -> None:
    made = kinds.created(crd_samples.resource(kind, LEAST[kind], FULL_STATUS[kind]))

    wrong = []
    for broken in _broken(made, "status"):
        answer = kinds.update(broken.resource, "/status", dry_run=True).json()
        wrong += _wrong(broken, answer)

    assert wrong == []


def _wrong(broken: Broken, answer: Json) -> list[str]:
    """What is wrong with what was said of a broken object."""
    place = f"{broken.node.text} {broken.word}"
    said = _newly(answer.get("message", "nothing"))
    concrete = _concrete(broken)
    by_type = _said_by_type(broken.resource)
    wrong = []
    if broken.said not in said or _named(broken.node) not in said:
        wrong.append(f"{place}: the API server says {said}, not {broken.said}")
    if not any(one.startswith(concrete) for one in by_type):
        wrong.append(f"{place}: the type says {by_type}")
    return wrong


def _newly(said: str) -> str:
    """What the oldest Kubernetes says, in the words of the newest."""
    said = re.sub(r"may not be longer than (\d+)", r"may not be more than \1 bytes", said)
    return said.replace('Invalid value: "object": ', "Invalid value: ").replace("<nil>: ", "status: ")


def _concrete(broken: Broken) -> str:
    """The path as the type names it, with places in lists and names in maps."""
    steps, holder = [], broken.resource
    for step in broken.node.path:
        key = {ITEM: 0, VALUE: next(iter(holder), None)}.get(step, step)
        steps.append(str(key))
        holder = holder[key]
    return ".".join(steps)
