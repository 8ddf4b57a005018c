"""What the traffic port answers to paths that it does not offer, and to other methods of those that it does.

Invariant: nothing is ever forwarded from here, and each request is told to the recorder once.
"""

from time import perf_counter

from starlette.types import ASGIApp, Receive, Scope, Send

from steelyard_gateway import errors, heads
from steelyard_gateway.client_head import ClientHead
from steelyard_gateway.cors import Cors
from steelyard_gateway.ports import Outcome, Recorder, Reply

LABEL = "other"
"""The path of these requests in metrics and logs."""

OPTIONS = b"OPTIONS"

_MOST_SHOWN = 200
_NO_CONTENT = 204


def other_method(head: ClientHead, cors: Cors | None) -> Reply:
    """The answer to a method that an offered path does not take: what it takes."""
    allowed = head.place.allowed()
    if head.method == OPTIONS:
        permission = () if cors is None else cors.permission(head.headers, allowed)
        return Reply(_NO_CONTENT, b"", ((b"allow", allowed), *permission))
    error = errors.MethodNotAllowed(
        f"{head.place.label} takes {allowed.decode()}, not {head.method.decode('ascii', 'replace')}.",
        headers=((b"allow", allowed),),
    )
    return error.reply()


def app(recorder: Recorder, cors: Cors | None) -> ASGIApp:
    """Answers 404 in OpenAI's shape."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        began_at = perf_counter()
        path = scope["path"]
        shown = path if len(path) <= _MOST_SHOWN else f"{path[:_MOST_SHOWN]}…"
        error = errors.NotFound(f"{shown!r} is not offered here: see /v1/chat/completions and /v1/models.")
        body = error.body()
        request_id = heads.request_id(heads.given_request_id(scope["headers"]))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id),
        ]
        if cors is not None:
            lines = cors.lines(scope["headers"]).split(b"\r\n")
            headers += [(name, value) for name, _, value in (line.partition(b": ") for line in lines) if name]
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        seconds = perf_counter() - began_at
        recorder.finished(Outcome(LABEL, request_id, error.status, seconds, 0.0, 0, error.code, seconds))

    return answer
