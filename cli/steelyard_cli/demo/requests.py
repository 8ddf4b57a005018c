"""A few requests of different kinds, sent through the gateway as any client would."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from steelyard_cli.demo.errors import InTheWay

ANSWER_SECONDS = 120.0
"""How long an answer may take on a busy machine."""

_COLUMNS = 79
_SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Example:
    """One request."""

    question: str
    """What the user says."""
    model: str = "auto"
    """Whom the request asks for."""
    headers: dict[str, str] = field(default_factory=dict)
    """Steering."""


EXAMPLES = (
    Example("What is 7 + 5? Answer with the number only."),
    Example("Repeat the word harbour exactly three times."),
    Example('Which phone number is in this text? "Ask Mara on 555-0142 after six."'),
    Example("Three boxes hold 12, 18 and 24 pens. Half of all pens are sold. How many are left?"),
    Example("Say hello in one short sentence.", model="auto-fast"),
    Example("Say hello in one short sentence.", headers={"x-steelyard-tolerance": "100"}),
    Example("Say hello in one short sentence.", model="gemma-3-270m"),
)
"""Short ones: a small model on two cores answers each in a second or two."""


def show(url: str, admin_url: str, say: Callable[[str], None]) -> None:
    """Send every example, and print which model answered it and why. Raises InTheWay."""
    with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False) as client:
        for example in EXAMPLES:
            explained = _asked(client, f"{admin_url}/admin/explain", example).json()
            answer = _asked(client, f"{url}/v1/chat/completions", example)
            steered = "".join(f", {name}: {value}" for name, value in example.headers.items())
            lines = (
                f"{example.model}{steered} ‹ {example.question}",
                f"  {_model(answer)} › {_text(answer.json())}",
                f"  {explained['reason']}{_kind(answer)}",
            )
            say("\n".join(textwrap.fill(line, _COLUMNS, subsequent_indent="    ") for line in lines) + "\n")


def _asked(client: httpx.Client, url: str, example: Example) -> httpx.Response:
    body = {
        "model": example.model,
        "messages": [{"role": "user", "content": example.question}],
        "max_tokens": 40,
        "temperature": 0,
    }
    try:
        answer = client.post(url, json=body, headers=example.headers)
    except httpx.HTTPError as error:
        raise InTheWay(f"{url} did not answer: {error}") from error
    if answer.is_error:
        said = textwrap.shorten(answer.text, 300)
        raise InTheWay(f"a request for {example.model} got {answer.status_code}: {said}")
    return answer


def _model(answer: httpx.Response) -> str:
    headers = answer.headers
    return f"{headers['x-steelyard-model']}@{headers['x-steelyard-backend']}"


def _kind(answer: httpx.Response) -> str:
    category = answer.headers.get("x-steelyard-category")
    return f" (taken for {category})" if category else ""


def _text(body: dict[str, Any]) -> str:
    return textwrap.shorten(
        body["choices"][0]["message"]["content"] or "", _SHOWN_CHARACTERS, placeholder=" …"
    )
