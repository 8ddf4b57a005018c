"""The words that go with every request of an attempt are made once, and not too many are kept."""

from fakes import gateways
from steelyard_gateway import wording


def test_the_words_of_an_attempt_are_made_once_for_each_path_policy_and_category() -> None:
    one = gateways.candidate(gateways.endpoint(1)).attempts[0]

    first = wording.words(one, "/chat/completions", "auto", "Math")

    assert wording.words(one, "/chat/completions", "auto", "Math") is first
    assert first.opening.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:1\r\n")
    assert b"x-steelyard-policy: auto\r\nx-steelyard-category: Math\r\n" in first.labels
    assert b"category" not in wording.words(one, "/chat/completions", "auto", None).labels
    assert b"/audio/x" in wording.words(one, "/audio/x", "auto", "Math").opening


def test_paths_that_clients_choose_do_not_fill_the_memory() -> None:
    one = gateways.candidate(gateways.endpoint(1)).attempts[0]

    for number in range(10 * wording.MOST):
        wording.words(one, f"/audio/{number}", "", None)

    assert len(one.memo) <= wording.MOST
