"""OpenAI's own client against a gateway that is a process of its own, with a fake engine behind it."""

import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import (
    ChatCompletionMessageParam,
    ChatCompletionStreamOptionsParam,
    ChatCompletionToolParam,
)

from fakes.engines import engine, refusing_port
from fakes.folders import backend, model, write
from fakes.openai_engine import ARGUMENTS, PAUSE_SECONDS, PICTURE, SOUND, VECTOR, openai_engine
from fakes.program import Gateway, gateway

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is 7 + 5?"}]
TOOLS: list[ChatCompletionToolParam] = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
]
FILE = ("sound.wav", b"RIFF\x00\xff\r\n--")
NAMES = ["able", "cut", "busy", *(f"status-{status}" for status in (400, 401, 403, 404, 409, 422, 500, 503))]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("conf")
    with engine(openai_engine()) as all_of_it, refusing_port() as nobody:
        backends = [backend(name, all_of_it.port, model(name)) for name in NAMES]
        deaf = backend("deaf", all_of_it.port, model("deaf", tools=False))
        write(directory, *backends, deaf, backend("gone", nobody, model("gone")))
        with gateway(directory) as running:
            yield running


@pytest.fixture
def client(up: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{up.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_it_chats(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(model="able", messages=MESSAGES, max_tokens=5, user="someone")
    assert said.choices[0].message.content == "from able"
    assert said.usage is not None
    assert said.usage.total_tokens == 5


def test_it_reads_a_stream_with_usage(client: openai.OpenAI) -> None:
    options: ChatCompletionStreamOptionsParam = {"include_usage": True}
    with client.chat.completions.create(
        model="able", messages=MESSAGES, stream=True, stream_options=options
    ) as stream:
        events = list(stream)
    assert [event.choices[0].delta.content for event in events if event.choices] == ["from able", None]
    assert [event.usage.total_tokens for event in events if event.usage] == [5]


def test_it_reads_a_tool_call_whole_and_streamed(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(model="able", messages=MESSAGES, tools=TOOLS)
    with client.chat.completions.stream(model="able", messages=MESSAGES, tools=TOOLS) as stream:
        final = stream.get_final_completion()
    for calls in (said.choices[0].message.tool_calls, final.choices[0].message.tool_calls):
        assert calls is not None
        (called,) = [call.to_dict()["function"] for call in calls]
        assert isinstance(called, dict)
        assert (called["name"], called["arguments"]) == ("weather", ARGUMENTS)


def test_it_completes_and_embeds(client: openai.OpenAI) -> None:
    assert client.completions.create(model="able", prompt="a").choices[0].text == "from able"
    made = [
        client.embeddings.create(model="able", input=["a", "b"]),
        client.embeddings.create(model="able", input=[[1, 2]], encoding_format="float"),
    ]
    assert [tuple(one.data[0].embedding) for one in made] == [VECTOR] * 2


def test_it_reads_responses_whole_and_streamed(client: openai.OpenAI) -> None:
    assert client.responses.create(model="able", input="a").output_text == "from able"
    with client.responses.stream(model="able", input=[{"role": "user", "content": "a"}]) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == "from able"
    assert kinds[-1] == "response.completed"


def test_it_hears_and_speaks(client: openai.OpenAI) -> None:
    assert client.audio.transcriptions.create(model="able", file=FILE).text == "heard by able"
    with client.audio.speech.with_streaming_response.create(model="able", input="a", voice="b") as spoken:
        assert b"".join(spoken.iter_bytes()) == SOUND


def test_it_makes_pictures(client: openai.OpenAI) -> None:
    made = [
        client.images.generate(model="able", prompt="a"),
        client.images.edit(model="able", prompt="a", image=("a.png", b"\x89PNG\r\n")),
    ]
    assert [(one.data or [])[0].b64_json for one in made] == [PICTURE] * 2


def test_it_lists_and_retrieves_models(client: openai.OpenAI) -> None:
    assert set(NAMES) < {one.id for one in client.models.list()}
    assert client.models.retrieve("able").owned_by == "able"
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("no/body")
    assert missing.value.code == "model_not_found"


async def chat(up: Gateway) -> str | None:
    async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key="none", max_retries=0) as client:
        said = await client.chat.completions.create(model="able", messages=MESSAGES)
        return said.choices[0].message.content


@pytest.mark.asyncio
async def test_its_asynchronous_form_chats(up: Gateway) -> None:
    assert await chat(up) == "from able"


ERRORS: dict[str, tuple[type[openai.APIStatusError], int, str]] = {
    "status-400": (openai.BadRequestError, 400, "c"),
    "status-401": (openai.AuthenticationError, 401, "c"),
    "status-403": (openai.PermissionDeniedError, 403, "c"),
    "status-404": (openai.NotFoundError, 404, "c"),
    "status-409": (openai.ConflictError, 409, "c"),
    "status-422": (openai.UnprocessableEntityError, 422, "c"),
    "status-500": (openai.InternalServerError, 502, "bad_upstream"),
    "status-503": (openai.InternalServerError, 503, "no_upstream"),
    "gone": (openai.InternalServerError, 502, "bad_upstream"),
    "nobody": (openai.NotFoundError, 404, "model_not_found"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_raised_by_its_class(client: openai.OpenAI, name: str) -> None:
    kind, status, code = ERRORS[name]
    with pytest.raises(kind) as raised:
        client.chat.completions.create(model=name, messages=MESSAGES)
    assert (type(raised.value), raised.value.status_code, raised.value.code) == (kind, status, code)
    assert raised.value.request_id is not None


def test_what_no_model_can_do_is_a_bad_request_that_says_why(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="deaf@deaf: tools") as raised:
        client.chat.completions.create(model="deaf", messages=MESSAGES, tools=TOOLS)
    assert (raised.value.code, raised.value.param) == ("no_candidate", "model")


def test_a_path_that_is_not_offered_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="is not offered here"):
        client.moderations.create(input="a")


def test_a_stream_that_breaks_off_raises_in_the_middle(client: openai.OpenAI) -> None:
    with (
        client.chat.completions.create(model="cut", messages=MESSAGES, stream=True) as stream,
        pytest.raises(openai.APIError, match="cut off") as raised,
    ):
        list(stream)
    assert raised.value.code == "stream_cut"


def test_it_comes_back_after_the_pause_that_an_engine_asked_for(tmp_path: Path) -> None:
    with engine(openai_engine()) as busy:
        write(tmp_path, backend("one", busy.port, model("busy")))
        with (
            gateway(tmp_path) as up,
            openai.OpenAI(base_url=f"{up.url}/v1", api_key="none", max_retries=1) as patient,
        ):
            began_at = time.monotonic()
            said = patient.chat.completions.create(model="busy", messages=MESSAGES)
            assert time.monotonic() - began_at >= PAUSE_SECONDS
    assert said.choices[0].message.content == "from busy"
    assert len(busy.asks) == 2


def test_it_raises_the_rate_limit_where_it_may_not_come_back(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="busy", messages=MESSAGES)
    assert (raised.value.code, raised.value.response.headers["retry-after"]) == (
        "rate_limit_exceeded",
        str(PAUSE_SECONDS),
    )
