"""langchain-openai against the gateway at argv[1]; runs in an environment of its own."""

import sys

import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "?", "parameters": {"type": "object", "properties": {}}},
}


def main(url: str) -> None:
    """Chat, stream, call a tool, embed and fail. Raises where something is not as it must be."""
    chat = ChatOpenAI(model="able", base_url=url, max_retries=0)
    said = chat.invoke("a")
    assert (said.content, said.usage_metadata["total_tokens"]) == ("from able", 5), said
    pieces = list(chat.stream("a", stream_usage=True))
    assert "".join(piece.content for piece in pieces) == "from able", pieces
    assert [call["args"] for call in chat.bind_tools([TOOL]).invoke("a").tool_calls] == [{"city": "Oslo"}]
    responses = ChatOpenAI(model="able", base_url=url, max_retries=0, use_responses_api=True)
    assert responses.invoke("a").text == "from able"
    assert "".join(piece.text for piece in responses.stream("a")) == "from able"
    embeddings = OpenAIEmbeddings(model="able", base_url=url, check_embedding_ctx_length=False)
    assert embeddings.embed_query("a") == [0.5, -1.0]
    patient = ChatOpenAI(model="busy", base_url=url, max_retries=2)
    assert patient.invoke("a").content == "from busy"
    for name, kind in (
        ("nobody", openai.NotFoundError),
        ("status-400", openai.BadRequestError),
        ("status-500", openai.InternalServerError),
    ):
        try:
            ChatOpenAI(model=name, base_url=url, max_retries=0).invoke("a")
        except kind:
            continue
        raise AssertionError(name)
    print("langchain-openai is served")


if __name__ == "__main__":
    main(sys.argv[1])
