import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.api.backend import ObservedModel
from steelyard.telemetry import models

RECORDINGS = Path(__file__).parents[2] / "recordings" / "probes"
HASH = "89903e11d2da2b3c2adb67463abd678ac696d96397caa754bcd4a1270dbc875d"


def recorded(name: str) -> bytes:
    return (RECORDINGS / f"{name}.body").read_bytes()


def answer(*entries: object) -> bytes:
    return json.dumps({"object": "list", "data": entries}).encode()


def tags(*entries: object) -> bytes:
    return json.dumps({"models": entries}).encode()


def test_models_come_by_name_whatever_the_engines_order() -> None:
    names = [model.name for model in models.observed(answer({"id": "b"}, {"id": "a"}, {"id": "b"}))]
    assert names == ["a", "b"]


def test_of_too_many_models_the_same_ones_are_taken_whatever_the_engines_order() -> None:
    entries = [{"id": f"model-{number:03}"} for number in range(300)]
    forth, back = models.observed(answer(*entries)), models.observed(answer(*reversed(entries)))
    assert forth == back
    assert [model.name for model in forth] == [f"model-{number:03}" for number in range(models.MOST_MODELS)]


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ({"id": "vllm", "max_model_len": 8192}, 8192),
        ({"id": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}, 4096),
        ({"id": "ollama", "owned_by": "library"}, None),
        ({"id": "odd", "max_model_len": "long", "meta": []}, None),
        ({"id": "odder", "max_model_len": True}, None),
        ({"id": "endless", "max_model_len": 2**63}, None),
    ],
)
def test_the_context_length_is_read_where_an_engine_tells_it(entry: object, context: int | None) -> None:
    (model,) = models.observed(answer(entry))
    assert model.context_tokens == context


@pytest.mark.parametrize(
    ("name", "model"),
    [("vllm-0.32.0", "smollm2:135m"), ("llama.cpp-b11434", "smollm2-135m")],
)
def test_real_engines_tell_name_and_context_but_no_digest(name: str, model: str) -> None:
    assert models.observed(recorded(f"{name}/models")) == (ObservedModel(name=model, context_tokens=2048),)


def test_a_real_ollama_tells_name_and_digest() -> None:
    found = models.tagged(recorded("ollama-0.17.4/tags"))
    assert [model.name for model in found] == ["gemma3:270m", "smollm2-long:135m", "smollm2:135m"]
    assert found[2] == ObservedModel(name="smollm2:135m", digest=f"sha256:{HASH}")


@pytest.mark.parametrize("digest", [None, "", "latest", HASH[:-1], HASH.upper(), f"{HASH}\n", 5])
def test_a_digest_that_is_none_is_absent(digest: object) -> None:
    assert models.tagged(tags({"name": "m", "digest": digest})) == (ObservedModel(name="m"),)


def test_names_that_no_request_could_use_are_left_out() -> None:
    odd: tuple[object, ...] = ("", " x", "x ", "a\nb", "\ud800", 5, None, [], "x" * 254)
    assert models.observed(answer("x", *({"id": name} for name in odd), {"id": "kept"})) == (
        ObservedModel(name="kept"),
    )
    assert models.tagged(tags("x", *({"name": name} for name in odd))) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [(b"<html>", "is not JSON"), (b"[]", "no list named data"), (b'{"data": {}}', "no list named data")],
)
def test_what_is_no_list_of_models_is_told(text: bytes, words: str) -> None:
    with pytest.raises(models.NotAModelList, match=words):
        models.observed(text)


def test_ollamas_list_has_another_name() -> None:
    with pytest.raises(models.NotAModelList, match="holds no list named models"):
        models.tagged(answer({"id": "m"}))


@pytest.mark.parametrize(("name", "context"), [("show_long", 8192), ("show", None), ("show_unknown", None)])
def test_only_a_modelfile_that_sets_the_context_tells_it(name: str, context: int | None) -> None:
    assert models.set_context_tokens(recorded(f"ollama-0.17.4/{name}")) == context


@pytest.mark.parametrize(("num_ctx", "context"), [(4096, 4096), (99999, 8192), (0, None)])
def test_a_context_above_the_trained_one_is_cut_as_ollama_does(num_ctx: int, context: int | None) -> None:
    details = {"general.architecture": "llama", "llama.context_length": 8192}
    show = {"parameters": f'stop   "x"\nnum_ctx   {num_ctx}', "model_info": details}
    assert models.set_context_tokens(json.dumps(show).encode()) == context


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_are_a_list_or_told(text: bytes) -> None:
    assert models.set_context_tokens(text) is None
    for read in (models.observed, models.tagged):
        try:
            assert isinstance(read(text), tuple)
        except models.NotAModelList as error:
            assert str(error)
