"""The fault table as judgements: what a status, a body or a failure means."""

from pathlib import Path

import msgspec
import pytest

from fakes import gateways
from steelyard_gateway import errors, failover
from steelyard_gateway.failover import Misstep, Verdict
from steelyard_gateway.ports import Headers
from steelyard_gateway.upstream import failure

JSON: Headers = [(b"content-type", b"application/json"), (b"content-length", b"20")]
TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]
PAGE: Headers = [(b"content-type", b"text/html")]
PAUSE: Headers = [*JSON, (b"retry-after", b"7")]
RECORDINGS = Path(__file__).parents[1] / "recordings"


def error(message: str) -> bytes:
    """An engine's error."""
    return msgspec.json.encode({"error": {"message": message, "type": "BadRequestError", "code": 400}})


ANSWERS = {
    "429 with a time": (429, PAUSE, Verdict.REST, 7.0),
    "429 without a time": (429, JSON, Verdict.REST, None),
    "429 with a time as a page": (429, [*PAGE, (b"retry-after", b"7")], Verdict.REST, 7.0),
    "503 with a time": (503, PAUSE, Verdict.REST, 7.0),
    "503 without a time": (503, JSON, Verdict.NEXT, None),
    "502": (502, PAUSE, Verdict.NEXT, None),
    "504": (504, JSON, Verdict.NEXT, None),
    "500": (500, JSON, Verdict.ELSEWHERE, None),
    "500 as a page": (500, PAGE, Verdict.NEXT, None),
    "501": (501, JSON, Verdict.PASS, None),
    "520": (520, TEXT, Verdict.NEXT, None),
    "529": (529, JSON, Verdict.NEXT, None),
    "400": (400, JSON, Verdict.READ, None),
    "413": (413, JSON, Verdict.READ, None),
    "422": (422, JSON, Verdict.READ, None),
    "400 as a page": (400, PAGE, Verdict.ASIDE, None),
    "400 as text": (400, TEXT, Verdict.READ, None),
    "401": (401, JSON, Verdict.PASS, None),
    "404 as JSON": (404, JSON, Verdict.READ, None),
    "404 as text": (404, TEXT, Verdict.ASIDE, None),
    "404 without a body": (404, [(b"content-length", b"0")], Verdict.ASIDE, None),
    "404 as JSON without a body": (404, [JSON[0], (b"content-length", b"0")], Verdict.ASIDE, None),
    "404 as problem details": (404, [(b"content-type", b"application/problem+json")], Verdict.READ, None),
    "405 as text": (405, TEXT, Verdict.ASIDE, None),
    "200 as a page": (200, PAGE, Verdict.NEXT, None),
    "a redirect": (302, JSON, Verdict.NEXT, None),
    "a status that there is not": (999, JSON, Verdict.NEXT, None),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_is_judged_by_its_head(case: str) -> None:
    status, headers, verdict, rest_seconds = ANSWERS[case]
    assert failover.judge_answer(status, headers, 0.0) == (verdict, rest_seconds)


TOO_LONG = {
    "SGLang": "Input length (40000 tokens) exceeds the maximum allowed length (32762 tokens). Use a shorter",
    "OpenAI, by its code": "context_length_exceeded",
    "OpenAI, vLLM": "This model's maximum context length is 8192 tokens. However, you requested 9001 tokens",
    "vLLM, max_tokens": "max_tokens=99999 cannot be greater than max_model_len=max_total_tokens=2048.",
    "vLLM, engine": "The decoder prompt (length 9001) is longer than the maximum model length of 8192.",
    "llama.cpp": "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "llama.cpp, by its type": "exceed_context_size_error",
    "SGLang, prompt": "The input (9001 tokens) is longer than the model's context length (8192 tokens).",
    "SGLang, max_tokens": "Requested token count exceeds the model's maximum context length of 8192 tokens.",
    "Ollama": "the input length exceeds the context length",
    "LM Studio": "tokens to keep from the initial prompt is greater than the context length",
    "Anthropic": "prompt is too long: 9001 tokens > 8192 maximum",
    "Anthropic, max_tokens": "input length and `max_tokens` exceed context limit: 8000 + 400 > 8192",
    "TGI": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 3000",
    "Mistral": "Prompt contains 9001 tokens, too large for model with 8192 maximum context length",
    "Gemini": "The input token count (9001) exceeds the maximum number of tokens allowed (8192).",
    "Bedrock": "Input is too long for requested model.",
    "xAI": "This model's maximum prompt length is 8192 but the request contains 9001 tokens.",
    "Moonshot": "Your request exceeded model token limit: 8192",
    "DashScope": "Range of input length should be [1, 8192]",
}


@pytest.mark.parametrize("engine", TOO_LONG)
def test_a_prompt_that_is_too_long_is_known_by_what_engines_say(engine: str) -> None:
    assert failover.is_context_too_long(400, error(TOO_LONG[engine]))


OTHERS = {
    "no messages": "'messages' is required",
    "no JSON": "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error",
    "tools": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    "a number out of range": "temperature must be at most 2",
    "a long list of stop words": "'stop' is too long: maximum 4 items",
    "nothing": "",
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_mistakes_of_clients_are_not_taken_for_it(case: str) -> None:
    assert not failover.is_context_too_long(400, error(OTHERS[case]))


def test_only_some_statuses_say_it_and_only_near_the_beginning() -> None:
    said = error(TOO_LONG["llama.cpp"])
    assert failover.is_context_too_long(413, said)
    assert not failover.is_context_too_long(404, said)
    assert not failover.is_context_too_long(400, b" " * failover.MOST_READ_BYTES + said)


def test_of_the_recorded_errors_only_those_about_the_context_are_taken_for_it() -> None:
    found = {
        f"{body.parent.name}/{body.stem}"
        for body in RECORDINGS.glob("*/*err*.body")
        if failover.is_context_too_long(status(body), body.read_bytes())
    }
    assert {name.split("/")[1][:7] for name in found} == {"err_ctx"}


def status(body: Path) -> int:
    """The recorded answer's."""
    return int(body.with_suffix(".headers").read_text().split(" ", 2)[1])


def test_a_late_first_byte_ends_the_request_only_where_the_endpoint_lives() -> None:
    assert failover.is_last(failure.first_byte_late(1), is_alive=True)
    assert not failover.is_last(failure.first_byte_late(1), is_alive=False)


def test_an_answer_that_took_all_its_time_ends_the_request_in_any_case() -> None:
    assert failover.is_last(failure.total_late(1), is_alive=False)
    assert not failover.is_last(failure.RESET, is_alive=True)


PLACE = gateways.endpoint(8000, "a")


def test_an_endpoint_that_is_skipped_in_its_pause_says_how_long_it_lasts() -> None:
    told = failover.conclude([failover.of_pause(PLACE, 6.2), failover.of_pause(PLACE, 20)])
    assert isinstance(told, errors.RateLimited)
    assert "a@127.0.0.1:8000 asked for a pause, and 7 s of it are left" in told.message
    assert told.headers == ((b"retry-after", b"7"),)


def test_a_429_that_names_no_time_is_told_with_a_short_one() -> None:
    told = failover.conclude([failover.of_status(PLACE, 429, None)])
    assert told.headers == ((b"retry-after", b"2"),)


def test_the_error_says_that_no_other_endpoint_was_tried_for_want_of_budget() -> None:
    missteps = [Misstep(PLACE, "answered 502", status=502)]
    assert "No other was tried" in failover.conclude(missteps, is_refused=True).message
    assert "No other was tried" not in failover.conclude(missteps).message
