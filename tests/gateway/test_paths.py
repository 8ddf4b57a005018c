import pytest

from steelyard_gateway import paths

TARGETS = {
    b"/v1/chat/completions": "/v1/chat/completions",
    b"/v1/chat/completions/": "/v1/chat/completions",
    b"//v1//audio///speech//": "/v1/audio/speech",
    b"/openai/v1/responses": "/v1/responses",
    b"//openai//v1/images/edits/": "/v1/images/edits",
    b"/openai/v1/models/a": "/v1/models/{id}",
    b"http://gateway:8080/v1/rerank": "/v1/rerank",
    b"HTTPS://gateway/v1/score": "/v1/score",
    b"/v1/models/": "/v1/models",
    b"/v1/models/org/name": "/v1/models/{id}",
    b"/v1/models/%E2%82%AC": "/v1/models/{id}",
    b"/v1/embeddings#x?y": "/v1/embeddings",
}

NOT_OFFERED = [
    b"/",
    b"*",
    b"",
    b"/v1",
    b"/v1/",
    b"/openai",
    b"/openai/v1",
    b"/openai/openai/v1/models",
    b"/chat/completions",
    b"/V1/models",
    b"/v1/chat",
    b"/v1/chat/completions/x",
    b"/v1/chat%2Fcompletions",
    b"/v1/%63ompletions",
    b"/v1/models/../../reset_prefix_cache",
    b"/v1/./models",
    b"/v1/audio",
    b"/v1/audio/voices",
    b"/v1/load_lora_adapter",
    b"/reset_prefix_cache",
    b"/api/delete",
    b"/v1;x/models",
    b"/v1/mod\xc3\xa9ls",
    b"gateway/v1/models",
]


@pytest.mark.parametrize("target", TARGETS)
def test_a_path_is_found_however_it_is_spelled(target: bytes) -> None:
    found = paths.find(target)
    assert found is not None
    assert found[0].label == TARGETS[target]


@pytest.mark.parametrize("target", NOT_OFFERED)
def test_nothing_else_is_found(target: bytes) -> None:
    found = paths.find(target)
    assert found is None or found[0].label == "/v1/models/{id}"
    assert found is None or target.startswith(b"/v1/models/")


@pytest.mark.parametrize("target", [b"/v1/score?a=b&c=/v1/x", b"//v1/score/?a=b&c=/v1/x"])
def test_the_query_is_kept_as_it_is(target: bytes) -> None:
    found = paths.find(target)
    assert found is not None
    assert (found[0].path, found[1]) == ("/v1/score", b"?a=b&c=/v1/x")


def test_every_path_but_those_of_models_says_what_it_needs() -> None:
    without = {place.path for place in paths.BY_PATH.values() if not place.need}
    assert without == {"/v1/models"}
