import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.telemetry import models


def answer(*entries: object) -> bytes:
    return json.dumps({"object": "list", "data": entries}).encode()


def test_models_come_by_name_whatever_the_engines_order() -> None:
    names = [model.name for model in models.observed(answer({"id": "b"}, {"id": "a"}, {"id": "b"}))]
    assert names == ["a", "b"]


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ({"id": "vllm", "max_model_len": 8192}, 8192),
        ({"id": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}, 4096),
        ({"id": "ollama", "owned_by": "library"}, None),
        ({"id": "odd", "max_model_len": "long", "meta": []}, None),
        ({"id": "odder", "max_model_len": True}, None),
    ],
)
def test_the_context_length_is_read_where_an_engine_tells_it(entry: object, context: int | None) -> None:
    (model,) = models.observed(answer(entry))
    assert model.context_tokens == context


def test_names_that_no_request_could_use_are_left_out() -> None:
    odd = ("", " x", "a\nb", "\ud800", 5, "x" * 254)
    assert models.observed(answer("x", *({"id": name} for name in odd))) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [(b"<html>", "is not JSON"), (b"[]", "no list named data"), (b'{"data": {}}', "no list named data")],
)
def test_what_is_no_list_of_models_is_told(text: bytes, words: str) -> None:
    with pytest.raises(models.NotAModelList, match=words):
        models.observed(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_told(text: bytes) -> None:
    try:
        assert isinstance(models.observed(text), tuple)
    except models.NotAModelList as error:
        assert str(error)
