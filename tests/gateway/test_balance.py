"""What each way to balance, and order Weighted, do to requests: a whole gateway before engines."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from fakes.engines import Ask, Engine, answer, chunk, engine, stream_head
from fakes.folders import backend, model, resource, write
from fakes.gateways import Line, post
from fakes.program import Gateway, gateway
from kube import waiting
from steelyard.routing.balancing import BOUND, PREFIX_CHARACTERS

CHAT = "/v1/chat/completions"
GOOD = answer(b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}]}')
EVENT = chunk(b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n')
ENGINES = 3
WEIGHTS = {"heavy": 80, "light": 20}


def policy(name: str, **spec: Any) -> dict[str, Any]:
    whole = {"models": [{"name": name}], "candidates": [{"models": ["m"]}], **spec}
    return resource("RoutingPolicy", name, whole)


def script(ask: Ask) -> None:
    """Answer, or stream until the client leaves."""
    if b'"stream":true' in ask.body:
        ask.send(stream_head() + EVENT)
        ask.wait_for_hang_up()
    else:
        ask.send(GOOD)


class Fleet:
    """A gateway before engines that all serve one model."""

    def __init__(self, up: Gateway, engines: Sequence[Engine]) -> None:
        self.gateway = up
        self._numbers = {f"e{number}": number for number in range(len(engines))}

    def ask(self, name: str, text: str = "x", first: str = "s", **headers: str) -> httpx.Response:
        """One conversation's next request."""
        messages = [{"role": "system", "content": first}, {"role": "user", "content": text}]
        body = {"model": name, "messages": messages}
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        got = self.gateway.client.post(CHAT, json=body, headers=named)
        assert got.status_code == 200
        return got

    def place(self, name: str, text: str = "x", first: str = "s", **headers: str) -> int:
        """Which engine answers this."""
        return self._numbers[self.ask(name, text, first, **headers).headers["x-steelyard-backend"]]

    @contextmanager
    def busy(self, place: int, streams: int) -> Iterator[None]:
        """Let this engine work on so many streams."""
        port = urlsplit(self.gateway.url).port
        assert port is not None
        messages = [{"role": "user", "content": "go on"}]
        asked = {"model": f"m@e{place}", "stream": True, "messages": messages}
        body = json.dumps(asked, separators=(",", ":")).encode()
        with ExitStack() as stack:
            for _ in range(streams):
                line = stack.enter_context(Line(port))
                line.send(post(body))
                line.wait_for(b"data:")
            yield
        waiting.until(lambda: not self._in_flight(place), "an idle engine")

    def _in_flight(self, place: int) -> int:
        table = self.gateway.admin.get("/admin/table").json()["candidates"]
        every = {one["name"]: int(one["inFlight"]) for pair in table for one in pair["endpoints"]}
        return sum(number for name, number in every.items() if name.startswith(f"e{place}@"))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three engines of one model, the first two with a model of their own too."""
    directory = tmp_path_factory.mktemp("balance")
    entries = [{"models": [name], "weightPercent": percent} for name, percent in WEIGHTS.items()]
    policies = [
        policy("two", balance={"type": "PowerOfTwo"}),
        policy("prefix", balance={"type": "Affinity", "key": "Prefix"}),
        policy("session", balance={"type": "Affinity", "key": "Session"}),
        policy("weighted", candidates=entries, order="Weighted"),
    ]
    with ExitStack() as stack:
        engines = [stack.enter_context(engine(script)) for _ in range(ENGINES)]
        own = ["heavy", "light", "other"]
        backends = [
            backend(f"e{number}", up.port, model("m"), model(own[number]))
            for number, up in enumerate(engines)
        ]
        write(directory, *backends, *policies)
        yield Fleet(stack.enter_context(gateway(directory)), engines)


def test_of_two_at_random_the_less_busy_is_taken_so_that_the_busiest_gets_nothing(fleet: Fleet) -> None:
    with fleet.busy(0, 3):
        places = Counter(fleet.place("two", f"request {number}") for number in range(40))

    assert places[0] == 0
    assert min(places[1], places[2]) > 5


def test_a_common_beginning_goes_to_one_engine_and_others_elsewhere(fleet: Fleet) -> None:
    common = "You are a helpful assistant. " * PREFIX_CHARACTERS
    assert len({fleet.place("prefix", f"question {number}", common) for number in range(20)}) == 1
    others = Counter(fleet.place("prefix", "question", f"{number}. {common}") for number in range(30))
    assert len(others) == ENGINES


def test_a_session_stays_at_one_engine_whatever_it_says(fleet: Fleet) -> None:
    texts = [f"question {number}" for number in range(20)]
    for session in ("a", "b"):
        places = {fleet.place("session", text, text, x_steelyard_session=session) for text in texts}
        assert len(places) == 1
    others = {fleet.place("session", "question", x_steelyard_session=text) for text in texts}
    assert len(others) == ENGINES


def test_a_key_leaves_its_engine_while_that_has_more_than_its_bound_and_comes_back(fleet: Fleet) -> None:
    home = fleet.place("session", x_steelyard_session="a")
    streams = 2
    assert streams >= BOUND * (streams + 1) / ENGINES
    with fleet.busy(home, streams):
        elsewhere = {fleet.place("session", f"{number}", x_steelyard_session="a") for number in range(5)}
    assert home not in elsewhere
    assert len(elsewhere) == 1
    assert fleet.place("session", x_steelyard_session="a") == home


def test_weights_are_shares_of_conversations_and_each_stays_at_its_model(fleet: Fleet) -> None:
    def chosen(number: int, text: str) -> str:
        got = fleet.ask("weighted", text, f"conversation {number}").headers["x-steelyard-model"]
        assert isinstance(got, str)
        return got

    first = [chosen(number, "one") for number in range(200)]
    assert 60 <= 100 * first.count("heavy") / len(first) <= 95
    assert set(first) == set(WEIGHTS)
    assert [chosen(number, "one") for number in range(40)] == first[:40]
