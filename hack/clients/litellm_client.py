"""litellm as a client of the gateway at argv[1]; runs in an environment of its own."""

import sys
from functools import partial

import litellm

MESSAGES = [{"role": "user", "content": "a"}]
TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}


def main(url: str) -> None:
    """Chat, stream, call a tool, embed, hear, draw and fail. Raises where something is not as it must be."""
    chat = partial(litellm.completion, messages=MESSAGES, api_base=url, max_retries=0)
    said = chat(model="openai/able")
    assert (said.choices[0].message.content, said.usage.total_tokens) == ("from able", 5), said
    pieces = [piece.choices[0].delta.content or "" for piece in chat(model="openai/able", stream=True)]
    assert "".join(pieces) == "from able", pieces
    (call,) = chat(model="openai/able", tools=[TOOL]).choices[0].message.tool_calls
    assert call.function.name == "weather"
    made = litellm.embedding(model="openai/able", input=["a"], api_base=url)
    assert made.data[0]["embedding"] == [0.5, -1.0], made
    heard = litellm.transcription(model="openai/able", file=("a.wav", b"RIFF\xff"), api_base=url)
    assert heard.text == "heard by able"
    assert litellm.image_generation(model="openai/able", prompt="a", api_base=url).data[0].b64_json
    assert litellm.responses(model="openai/able", input="a", api_base=url).output_text == "from able"
    assert chat(model="openai/busy", max_retries=2).choices[0].message.content == "from busy"
    for name, kind in (
        ("nobody", litellm.NotFoundError),
        ("status-400", litellm.BadRequestError),
        ("status-500", litellm.BadGatewayError),
    ):
        try:
            chat(model=f"openai/{name}")
        except kind:
            continue
        raise AssertionError(name)
    print("litellm is served")


if __name__ == "__main__":
    main(sys.argv[1])
