"""Errors in streams: every engine's words become an event that clients read as an error."""

import json

import pytest

from steelyard_gateway import shapes

OPENAI = {"error": {"message": "too\nlong", "type": "x", "code": 400, "param": None}}

SAID = {
    # what an engine says: (its answer, message, type)
    "OpenAI's shape": (OPENAI, "too\nlong", "x"),
    "SGLang and older vLLM": (
        {"object": "error", "message": "no", "type": "BadRequestError"},
        "no",
        "BadRequestError",
    ),
    "a sentence": ({"error": "model is broken"}, "model is broken", "invalid_request_error"),
    "FastAPI": ({"detail": [{"msg": "missing"}]}, '[{"msg":"missing"}]', "invalid_request_error"),
    "nothing": ({}, "The backend answered 400 without saying why.", "invalid_request_error"),
    "a number": (7, "The backend answered 400 without saying why.", "invalid_request_error"),
}


@pytest.mark.parametrize("case", SAID)
def test_an_engines_error_is_an_event_of_one_line_with_a_message(case: str) -> None:
    said, message, kind = SAID[case]
    event = shapes.DONE.error(json.dumps(said, indent=1).encode(), 400, 0)

    assert event.startswith(b"data: {") and event.endswith(b"}\n\n")
    assert event.count(b"\n") == len(b"\n\n")
    error = json.loads(event[len(b"data:") :])["error"]
    assert (error["message"], error["type"]) == (message, kind)


@pytest.mark.parametrize("answer", [b"", b"<html>", b'{"error":', b"[" * 100_000])
def test_what_is_no_json_says_nothing(answer: bytes) -> None:
    event = shapes.DONE.error(answer, 503, 0)

    error = json.loads(event[len(b"data:") :])["error"]
    assert (error["message"], error["type"]) == (
        "The backend answered 503 without saying why.",
        "server_error",
    )


def test_what_was_said_beside_the_error_stays() -> None:
    event = shapes.DONE.error(json.dumps({**OPENAI, "id": 7}).encode(), 400, 0)

    assert json.loads(event[len(b"data:") :]) == {**OPENAI, "id": 7}


def test_a_responses_error_has_a_type_and_a_number_of_its_own() -> None:
    lines = shapes.RESPONSES.error(json.dumps(OPENAI).encode(), 400, 5).split(b"\n")

    assert lines[0] == b"event: error"
    told = json.loads(lines[1].removeprefix(b"data: "))
    assert (told["type"], told["sequence_number"], told["message"]) == ("error", 5, "too\nlong")
    assert told["error"] == OPENAI["error"]
