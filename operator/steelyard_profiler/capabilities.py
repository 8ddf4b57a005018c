"""What a model and its engine can do, by trying it.

Rule 1. True: it was seen. False: it was refused (400, 404, 405, 415, 422, 501), or the answer shows that it
        was not done. Absent: nobody can tell, as after a timeout or another 5xx.
Rule 2. Trying ends no run. What does not fit the budgets is left untried.
Rule 3. What is asked for is not what a model would do by itself: a question that comes with a JSON schema
        does not mention it, so that only an engine that holds to it gets it right.
"""

import base64
import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from steelyard.api.backend import Capabilities
from steelyard_profiler import pictures, sayings
from steelyard_profiler.session import Session
from steelyard_profiler.target import Asked, Failure, Reply, Severity

EMBEDDING_SECONDS = 20.0
"""How long an embedding may take."""

PICTURE_PIXELS = 64
"""A side of the picture: two patches of the common encoders and more."""

PICTURE_TOKENS = 2048
"""What a picture may cost: encoders make 64 to 1 600 tokens of a small one."""

SHARE = 0.1
"""The most of the run's tokens that it may take."""

MOST_DIMENSION = 2**20
"""A longer embedding is none."""

_REFUSALS = (400, 404, 405, 415, 422, 501)

_COLORS = {"red": (220, 20, 20), "blue": (20, 20, 220)}

_WORD = "pelican"

_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the present weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city's name."}},
            "required": ["city"],
        },
    },
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "metal": {"type": "string", "enum": ["copper", "cobalt"]},
        "grade": {"type": "string", "enum": ["fine", "coarse"]},
    },
    "required": ["metal", "grade"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What trying has shown."""

    capabilities: Capabilities = field(default_factory=Capabilities)
    """What it can do; absent: not known."""
    embedding_dimension: int | None = None
    """Numbers in one embedding; None: it makes none, or nobody knows."""
    note: str = ""
    """What a reader should know."""


async def seen(session: Session) -> Seen:
    """Try everything, each in a short request or two."""
    trial = _Trial(session)
    tried: dict[str, bool | None] = {}
    for name, attempt in ATTEMPTS.items():
        tried[name] = await attempt(trial)
    tools, as_text = await _tools(trial)
    can_embed, dimension = await _embeds(trial)
    found = Capabilities(tools=tools, embeddings=can_embed, **tried)
    note = "The model writes tool calls as text: the engine lacks a parser of its calls." if as_text else ""
    return Seen(found, dimension, note)


class _Trial:
    """Requests of which none ends the run, within their share."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before = session.tokens

    async def attempt(self, asked: Asked, further_tokens: int = 0) -> Reply | Failure:
        """The reply, or why there is none; `further_tokens` is what its texts do not show."""
        if not self._fits(asked.most_tokens + further_tokens):
            return Failure("BudgetSpent", "There was no budget left to try it.", Severity.TRANSIENT)
        return await self._session.attempt(asked)

    async def embed(self, text: str) -> tuple[int, bytes] | None:
        """Status and body of the answer to a request for an embedding; None where there is none in time."""
        seconds = min(EMBEDDING_SECONDS, self._session.seconds_left)
        tokens = Asked(text, 0).most_tokens
        if seconds <= 0 or not self._fits(tokens):
            return None
        self._session.tokens += tokens
        return await self._session.drive.embed(text, seconds=seconds)

    def _fits(self, tokens: int) -> bool:
        spent, limit = self._session.tokens, self._session.limits.max_tokens
        return spent - self._before + tokens <= SHARE * limit and spent + tokens <= limit


async def _tools(trial: _Trial) -> tuple[bool | None, bool]:
    """Whether a call comes back as the API has it, and whether one came as text."""
    question, extra = "What is the weather in Lima now? Look it up.", {"tools": [_TOOL]}
    reply = await trial.attempt(Asked(question, 64, extra=extra))
    if isinstance(reply, Failure):
        return _refused(reply), False
    if any(call.name == "get_weather" and "lima" in _city(call.arguments) for call in reply.calls):
        return True, False
    as_text = "get_weather" in reply.text and "{" in reply.text
    return (None if reply.overran or reply.ended_in_thought else False), as_text


async def _json_schema(trial: _Trial) -> bool | None:
    shape = {"type": "json_schema", "json_schema": {"name": "sample", "strict": True, "schema": _SCHEMA}}
    reply = await trial.attempt(Asked("Tell me about the sea.", 48, extra={"response_format": shape}))
    if isinstance(reply, Failure):
        return _refused(reply)
    if reply.ended_in_thought:
        return None
    value = _object(reply.text)
    fits = value is not None and value.keys() == {"metal", "grade"}
    return fits and value is not None and value["metal"] in ("copper", "cobalt")


async def _json_mode(trial: _Trial) -> bool | None:
    question = "Describe a cat in JSON: only its name and its color."
    reply = await trial.attempt(Asked(question, 96, extra={"response_format": {"type": "json_object"}}))
    if isinstance(reply, Failure):
        return _refused(reply)
    if reply.ended_in_thought or (reply.is_cut and reply.text.lstrip().startswith("{")):
        return None
    return _object(reply.text) is not None


async def _vision(trial: _Trial) -> bool | None:
    """Whether two pictures' colors are told; a blind guess is right once in 36."""
    for color, rgb in _COLORS.items():
        picture = base64.b64encode(pictures.plain(rgb, PICTURE_PIXELS)).decode()
        question = "Which color is this picture? Answer with one word."
        content = [
            {"type": "text", "text": question},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        ]
        extra = {"messages": [{"role": "user", "content": content}]}
        reply = await trial.attempt(Asked(question, 16, extra=extra), PICTURE_TOKENS)
        if isinstance(reply, Failure):
            return _refused(reply)
        others = [other for other in _COLORS if other != color]
        told = _words(sayings.visible(reply.text))
        if color not in told or told.intersection(others):
            return None if reply.ended_in_thought else False
    return True


async def _logprobs(trial: _Trial) -> bool | None:
    reply = await trial.attempt(Asked("Say hello.", 8, extra={"logprobs": True}))
    return _refused(reply) if isinstance(reply, Failure) else reply.has_logprobs


async def _system_prompt(trial: _Trial) -> bool | None:
    system = f"Whatever the user says, answer with the single word {_WORD.upper()} and nothing else."
    reply = await trial.attempt(Asked("What is the capital of France?", 24, system))
    if isinstance(reply, Failure):
        return _refused(reply)
    if reply.ended_in_thought:
        return None
    words = _words(sayings.visible(reply.text))
    return _WORD in words and not words & {"paris", "france"}


async def _embeds(trial: _Trial) -> tuple[bool | None, int | None]:
    """Whether there are embeddings, all of the same number of finite numbers, and of how many."""
    dimensions = set()
    for text in ("A short text.", "A text that is a little longer than the one before."):
        told = await trial.embed(text)
        if told is None:
            return None, None
        status, body = told
        if status != 200:
            return (False if status in _REFUSALS else None), None
        dimensions.add(_dimension(body))
    (dimension, *others) = dimensions
    return (True, dimension) if dimension and not others else (False, None)


def _dimension(body: bytes) -> int:
    """The numbers in an embedding; 0: it is none."""
    try:
        numbers = json.loads(body)["data"][0]["embedding"]
        are_finite = all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return 0
    return len(numbers) if are_finite and isinstance(numbers, list) and len(numbers) <= MOST_DIMENSION else 0


ATTEMPTS: Mapping[str, Callable[["_Trial"], Awaitable[bool | None]]] = {
    "json_schema": _json_schema,
    "json_mode": _json_mode,
    "vision": _vision,
    "logprobs": _logprobs,
    "system_prompt": _system_prompt,
}
"""What is tried, beside tools and embeddings."""


def _refused(failure: Failure) -> bool | None:
    """False where the engine said that it does not do this; None where nobody can tell."""
    refused = failure.severity is Severity.REFUSED or failure.reason in ("NotFound", "NotOffered")
    return False if refused else None


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def _city(arguments: str) -> str:
    """The city that a call names, in lower case; empty: none."""
    city = (_object(arguments) or {}).get("city")
    return city.lower() if isinstance(city, str) else ""


def _object(text: str) -> dict[str, object] | None:
    """The JSON object that the text is, and nothing else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
