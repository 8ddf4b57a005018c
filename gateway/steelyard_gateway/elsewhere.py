"""What the traffic port answers on every path that it does not offer: 404 in OpenAI's shape."""

from starlette.types import Receive, Scope, Send

from steelyard_gateway import errors, heads


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 404; nothing is ever forwarded from here."""
    message = f"{scope['path']!r} is not offered here: see /v1/chat/completions and /v1/models."
    reply = errors.NotFound(message).reply()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-request-id", heads.request_id(heads.given_request_id(scope["headers"]))),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
