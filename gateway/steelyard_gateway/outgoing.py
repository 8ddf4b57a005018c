"""The request as an engine gets it: the client's bytes but for the model, usage and signatures.

Pure. Invariant: everything else of the body passes byte for byte.
"""

from steelyard.routing.table import Endpoint
from steelyard_gateway import heads, signature, spans, usage
from steelyard_gateway.client_head import ClientHead
from steelyard_gateway.ports import Routed
from steelyard_gateway.wording import Words

_CHAT = "/chat/completions"
_REQUEST = b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b"


def payload(
    endpoint: Endpoint, words: Words, routed: Routed, head: ClientHead, request_id: bytes
) -> tuple[bytes, bool]:
    """Head and body for this attempt, and whether they ask for usage that the client did not ask for."""
    model, body = words.model, routed.body
    start, end = routed.model_span
    asked = body[start:end]
    if asked[:1] != b'"':
        model = model[1:-1]
    asks_usage = False
    if routed.signature is not None or (endpoint.asks_usage and routed.stream):
        edits, asks_usage = _edits(endpoint, routed)
        body = spans.splice(body, [(start, end, model), *edits])
    elif asked != model:
        body = spans.splice(body, ((start, end, model),))
    opening = heads.with_query(words.opening, head.query) if head.query else words.opening
    return _REQUEST % (opening, head.lines, request_id, len(body), body), asks_usage


def _edits(endpoint: Endpoint, routed: Routed) -> tuple[list[spans.Edit], bool]:
    """What of the body is changed besides the model; whether usage is asked for."""
    edits: list[spans.Edit] = []
    if routed.signature is not None and routed.path == _CHAT:
        edits = signature.strip(routed.body, routed.signature)
    if endpoint.asks_usage and routed.stream and routed.path in usage.PATHS:
        asking = usage.ask(routed.body, routed.model_span[1])
        if asking is not None:
            edits.append(asking)
            return edits, True
    return edits, False
