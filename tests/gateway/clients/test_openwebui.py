"""What Open WebUI asks, as it was recorded, is answered as it needs it.

The requests are those of version 0.12.4 for one question on its page: the list of models, the question, and
by itself what could be asked next, a title and tags. Prompts and tools are short and in words of our own.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.engines import Ask, answer, chunk, engine, stream_head
from fakes.folders import backend, model, resource, write
from fakes.program import Gateway, gateway

RECORDED: dict[str, dict[str, Any]] = {
    one["name"]: one
    for one in json.loads(
        (Path(__file__).parents[2] / "recordings" / "openwebui-0.12.4" / "requests.json").read_text()
    )
}
TASKS = ("follow_ups", "title", "tags")
USAGE = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}


def event(model_name: str, **more: Any) -> bytes:
    """One event of a stream."""
    body = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": model_name, **more}
    return chunk(f"data: {json.dumps(body)}\n\n".encode())


def script(ask: Ask) -> None:
    """Answer in two words, with usage where it is asked for."""
    asked = json.loads(ask.body)
    name = asked["model"]
    if not asked["stream"]:
        message = {"role": "assistant", "content": '{"title": "Sum"}'}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        ask.send(answer(json.dumps({"id": "x", "model": name, "choices": choices, "usage": USAGE}).encode()))
        return
    ask.send(stream_head())
    for word in ("7 + 5 ", "is 12."):
        ask.send(event(name, choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}]))
    ask.send(event(name, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    if asked["stream_options"]["include_usage"]:
        ask.send(event(name, choices=[], usage=USAGE))
    ask.send(chunk(b"data: [DONE]\n\n") + chunk(b""))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a model for tools and one without."""
    folder = tmp_path_factory.mktemp("conf")
    with engine(script) as up:
        able = backend("able", up.port, model("able", chat=True, tools=True))
        plain = backend("plain", up.port, model("plain", chat=True, tools=False))
        write(folder, able, plain, resource("RoutingPolicy", "auto", {"models": [{"name": "auto"}]}))
        with gateway(folder) as running:
            yield running


def ask(served: Gateway, name: str, **changed: Any) -> httpx.Response:
    """The answer to a recorded request."""
    one = RECORDED[name]
    body = {**one["body"], **changed} if "body" in one else None
    return served.client.request(one["method"], one["path"], headers=one["headers"], json=body)


def test_policies_are_in_the_list_of_models(served: Gateway) -> None:
    listed = ask(served, "models").json()

    assert listed["object"] == "list"
    assert {"auto", "able", "plain"} <= {one["id"] for one in listed["data"]}


def test_the_question_is_answered_as_a_stream_with_usage_by_a_model_for_tools(served: Gateway) -> None:
    answered = ask(served, "chat")
    lines = [line.removeprefix("data: ") for line in answered.text.splitlines() if line]
    events = [json.loads(line) for line in lines[:-1]]

    assert answered.headers["content-type"] == "text/event-stream"
    assert answered.headers["x-steelyard-model"] == "able"
    words = [one["choices"][0]["delta"].get("content", "") for one in events if one["choices"]]
    assert "".join(words) == "7 + 5 is 12."
    assert events[-1]["usage"] == USAGE
    assert lines[-1] == "[DONE]"


@pytest.mark.parametrize("name", TASKS)
def test_what_it_asks_by_itself_is_answered_whole(served: Gateway, name: str) -> None:
    answered = ask(served, name)

    assert answered.status_code == 200
    assert json.loads(answered.json()["choices"][0]["message"]["content"]) == {"title": "Sum"}


def test_a_model_without_tools_takes_the_question_only_when_none_are_offered(served: Gateway) -> None:
    refused = ask(served, "chat", model="plain")
    offered = {**RECORDED["chat"]["body"], "model": "plain"}
    offered.pop("tools")

    taken = served.client.post("/v1/chat/completions", json=offered)

    assert refused.status_code == 400
    assert "tools" in refused.json()["error"]["message"]
    assert (taken.status_code, taken.headers["x-steelyard-model"]) == (200, "plain")
