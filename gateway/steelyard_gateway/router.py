"""The Router of the request path: parse, decide, or answer at once.

Invariant: whatever a client sends, it gets a decision or an error in OpenAI's shape; nothing is spent on a
request that asks only for the explanation.
"""

from random import randrange
from urllib.parse import unquote

import msgspec

from steelyard.routing import classifying, deciding, explaining
from steelyard.routing.decision import AttemptWalk, Decision, Load, Request
from steelyard.routing.undecidable import ModelUnusable, NoCandidate, Undecidable, UnknownModel
from steelyard_gateway import current, errors, parsing
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.ports import Headers, Reply, Routed

MODELS_PATH = "/v1/models"

_VERSION_PREFIX_LENGTH = len("/v1")


class NoModelCan(errors.BadRequest):
    """Every candidate was ruled out by what the request needs or the policy requires."""

    code = "no_candidate"


class TableRouter:
    """Decides by the table in force."""

    def __init__(self, holder: current.Current, live: LiveEndpoints) -> None:
        self._current = holder
        self._live = live
        self._draws: dict[str, int] = {}
        self._first_draw = randrange(2**32)

    def route(self, method: bytes, path: str, headers: Headers, body: bytes) -> Routed | Reply:
        """The decision for a complete request, or the gateway's own answer."""
        snapshot = self._current.snapshot
        if snapshot is None:
            return errors.NoUpstream("The gateway has not read its resources yet: try again.").reply()
        try:
            if path.startswith(MODELS_PATH):
                return _models(snapshot, path)
            parsed = parsing.parse(path, headers, body)
            decision = self.decide(snapshot, parsed.request)
        except errors.RequestError as error:
            return error.reply()
        if parsed.explain:
            return Reply(200, msgspec.json.encode(explaining.explain(decision)))
        request, policy = parsed.request, decision.policy
        self._draws[request.model] = self._draws.get(request.model, self._first_draw) + 1
        return Routed(
            decision,
            AttemptWalk(decision),
            path[_VERSION_PREFIX_LENGTH:],
            parsed.stream,
            body,
            parsed.model_span,
            request.turns[-1].prompt_tokens,
            None if policy is None else policy.spec.signature,
            0 if policy is None else policy.spec.sse_comment_seconds,
        )

    def decide(self, snapshot: current.Snapshot, request: Request, load: Load | None = None) -> Decision:
        """The decision by this snapshot and the present load, as often as wanted: only `route` takes turns.

        With another load it is the same for all gateways. Raises RequestError where there is none.
        """
        draw = self._draws.get(request.model, self._first_draw) if load is None else 0
        try:
            return deciding.decide(request, snapshot.table, load or self._live, draw, classifying.classify)
        except NoCandidate as none:
            refusal = errors.NoUpstream if none.may_pass else NoModelCan
            raise refusal(str(none), param="model") from None
        except ModelUnusable as unusable:
            raise errors.NoUpstream(str(unusable), param="model") from None
        except Undecidable as unknown:
            raise errors.ModelNotFound(str(unknown), param="model") from None


def _models(snapshot: current.Snapshot, path: str) -> Reply:
    name = unquote(path[len(MODELS_PATH) :].strip("/"))
    if not name:
        return Reply(200, snapshot.models)
    found = current.model_object(snapshot.table, name, snapshot.created)
    if found is None:
        raise errors.ModelNotFound(str(UnknownModel(name)), param="model")
    return Reply(200, msgspec.json.encode(found))
