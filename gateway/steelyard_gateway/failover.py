"""What each way to fail means: the fault table, and the words when nothing is left to try.

Only judgements live here, no I/O. Invariant: the error names every endpoint that failed, and how.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import NamedTuple

from steelyard.routing.table import Endpoint
from steelyard_gateway import errors
from steelyard_gateway.live import DEFAULT_REST_SECONDS
from steelyard_gateway.ports import Headers
from steelyard_gateway.upstream.failure import LATE, Failure, Kind

MOST_REST_SECONDS = 3600.0
"""A longer Retry-After is a mistake, or would outlive what is known."""

MOST_NAMED = 8
"""So many failed attempts are told; an error stays readable."""

TOO_LONG_STATUSES = frozenset({400, 413, 422})
"""What engines answer when a request does not fit into the context: 400, some a 413 or 422 instead."""

MOST_READ_BYTES = 16_384
"""As much of an error's body is read."""

_TOO_LONG = re.compile(
    # OpenAI and most others; llama.cpp; Ollama and LM Studio; Mistral
    rb"context[ _](?:length|size|window|limit)"
    # vLLM's limit by its own name, and longer prompts in older versions; xAI
    rb"|max_model_len|maximum (?:model|prompt|input) length|maximum allowed input length"
    # SGLang
    rb"|input length \(\d+ tokens\) exceeds the maximum"
    # Anthropic, Ollama; Bedrock; Cohere
    rb"|prompt is too long|prompt too long|input is too long|too many tokens"
    # TGI; Gemini; Moonshot; DashScope
    rb"|`inputs` (?:tokens|must have less)|input token count|model token limit|range of input length",
    re.IGNORECASE,
)
"""How engines and providers say that a prompt is too long, or with `max_tokens` would become so."""

_NO_MODEL = re.compile(rb"model\b.{0,300}?(?:not found|does not exist)", re.IGNORECASE | re.DOTALL)
"""How engines say that they do not have a model: Ollama, LM Studio; vLLM, SGLang."""


class Verdict(Enum):
    """What is done about an engine's status."""

    PASS = auto()
    """It is the client's answer."""
    NEXT = auto()
    """The endpoint failed: try the next."""
    REST = auto()
    """The endpoint asked for a pause: try the next."""
    ELSEWHERE = auto()
    """Try once elsewhere: it may be the engine's fault, or the request's wherever it goes."""
    ASIDE = auto()
    """The endpoint refused it without an engine's word: try the next, and hold nothing against this one."""
    READ = auto()
    """It is the client's answer, unless its body `is_context_too_long`, which asks for a larger context, or
    `is_model_missing`."""


class Judgement(NamedTuple):
    """What is done about an engine's answer."""

    verdict: Verdict
    """What."""
    rest_seconds: float | None
    """The pause that it asked for; None: it named none."""


@dataclass(frozen=True, slots=True)
class Misstep:
    """One attempt that did not work."""

    endpoint: Endpoint
    """Where."""
    words: str
    """The rest of a sentence that begins with the endpoint's name."""
    late: bool = False
    """Whether a timeout ended it."""
    status: int = 0
    """The engine's status; 0: there was none."""
    rest_seconds: float | None = None
    """The pause that it asked for."""


def judge_answer(status: int, headers: Headers, now_unix: float) -> Judgement:
    """What is done about an answer, other than a good one, before any of it is passed on."""
    pause = retry_after(headers, now_unix) if status in (429, 503) else None
    match status:
        case 429:
            return Judgement(Verdict.REST, pause)
        case 503 if pause is not None:
            return Judgement(Verdict.REST, pause)
        case 502 | 503 | 504:
            verdict = Verdict.NEXT
        case _ if is_foreign(status, headers):
            verdict = Verdict.ASIDE if 400 <= status < 500 else Verdict.NEXT
        case 500:
            verdict = Verdict.ELSEWHERE
        case _ if status == 404 or status in TOO_LONG_STATUSES:
            verdict = Verdict.READ
        case _ if status < 400 or status > 504:
            verdict = Verdict.NEXT
        case _:
            verdict = Verdict.PASS
    return Judgement(verdict, None)


def is_foreign(status: int, headers: Headers) -> bool:
    """Whether something else than an engine answered: a web page, or "no such path" without JSON."""
    found = dict(headers)
    kind = found.get(b"content-type", b"").lower()
    if kind.startswith(b"text/html"):
        return True
    return status in (404, 405) and (b"json" not in kind or found.get(b"content-length") == b"0")


def is_context_too_long(status: int, body: bytes) -> bool:
    """Whether an engine says so that the request does not fit into its context."""
    return status in TOO_LONG_STATUSES and _TOO_LONG.search(body, 0, MOST_READ_BYTES) is not None


def is_model_missing(status: int, body: bytes) -> bool:
    """Whether an engine says so that it does not have the model."""
    return status == 404 and _NO_MODEL.search(body, 0, MOST_READ_BYTES) is not None


def is_last(failure: Failure, *, is_alive: bool) -> bool:
    """Whether no other endpoint is tried after this failure, since the time is spent.

    A first byte that is late is tried elsewhere only if the endpoint is dead: a living one is busy with the
    queue, the loading or the prompt, and another would begin them anew.
    """
    return failure.kind is Kind.TOTAL_LATE or (failure.kind is Kind.FIRST_BYTE_LATE and is_alive)


def of_pause(endpoint: Endpoint, rest_seconds: float) -> Misstep:
    """An endpoint to which nothing was sent, for it asked for a pause that still lasts."""
    words = f"asked for a pause, and {math.ceil(rest_seconds)} s of it are left"
    return Misstep(endpoint, words, status=429, rest_seconds=rest_seconds)


def of_status(endpoint: Endpoint, status: int, rest_seconds: float | None) -> Misstep:
    """An answer that is not passed on, as a misstep."""
    words = f"answered {status}"
    if status == 429 and rest_seconds is None:
        rest_seconds = DEFAULT_REST_SECONDS
    if status < 300:
        words += " with a web page, which no engine does: correct the backend's url"
    if 300 <= status < 400:
        words += ", a redirect, and none is followed: correct the backend's url"
    return Misstep(endpoint, words, status=status, rest_seconds=rest_seconds)


def of_refusal(endpoint: Endpoint, status: int) -> Misstep:
    """A 4xx that no engine gave, or only to say that it knows no such path."""
    words = f"answered {status}"
    if status in (404, 405):
        words += ", as if there were no such path: it does not offer this, or the backend's url is wrong"
    else:
        words += " with a web page, which no engine does: see what stands before it"
    return Misstep(endpoint, words, status=status)


def of_too_long(endpoint: Endpoint, status: int) -> Misstep:
    """An engine's word that the prompt does not fit."""
    return Misstep(endpoint, f"answered {status}, for the prompt is too long for its context", status=status)


def of_missing_model(endpoint: Endpoint) -> Misstep:
    """An engine's word that it does not have the model."""
    return Misstep(endpoint, "answered 404, for it does not have the model", status=404)


def of_failure(endpoint: Endpoint, failure: Failure) -> Misstep:
    """A failed call as a misstep."""
    return Misstep(endpoint, failure.words, late=failure.kind in LATE)


def conclude(missteps: Sequence[Misstep], *, is_refused: bool = False) -> errors.RequestError:
    """The error when nothing is left to try; the last misstep decides, unless all asked for pauses.

    `is_refused`: there was more to try, but the retry budget was used up.
    """
    last = missteps[-1]
    said = list(dict.fromkeys(f"{misstep.endpoint.name} {misstep.words}" for misstep in missteps))
    more = f"; and {len(said) - MOST_NAMED} more" if len(said) > MOST_NAMED else ""
    message = "No backend could answer: " + "; ".join(said[:MOST_NAMED]) + more + "."
    if is_refused:
        message += " No other was tried: too many requests had to be tried again lately."
    rests = [misstep.rest_seconds for misstep in missteps if misstep.rest_seconds is not None]
    headers = ((b"retry-after", b"%d" % max(1, math.ceil(min(rests)))),) if rests else ()
    if len(rests) == len(missteps):
        return errors.RateLimited(message, headers=headers)
    if 400 <= last.status < 500 and last.status != 429:
        return errors.Refused(message, last.status)
    if last.late or last.status == 504:
        return errors.UpstreamLate(message)
    if last.status in (429, 503):
        return errors.NoUpstream(message, headers=headers)
    return errors.BadUpstream(message)


def retry_after(headers: Headers, now_unix: float) -> float | None:
    """The pause in seconds that Retry-After asks for, at most an hour (RFC 9110, 10.2.3); None: none."""
    for name, value in headers:
        if name == b"retry-after":
            return _seconds(value.decode("latin-1").strip(), now_unix)
    return None


def _seconds(text: str, now_unix: float) -> float | None:
    try:
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - now_unix
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), MOST_REST_SECONDS)
