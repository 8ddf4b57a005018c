"""What engines send as a stream, byte by byte: legal forms are read, others are a failure with words."""

import asyncio
import threading

import pytest

from fakes import engines
from fakes.engines import Ask
from steelyard_profiler.drive import Drive
from steelyard_profiler.target import Asked, Failure, Reply, Target

SOME = 'data: {"choices": [{"delta": {"content": "Hel"}}]}'
MORE = 'data: {"choices": [{"delta": {"content": "lo"}, "finish_reason": "stop"}]}'
DONE = "data: [DONE]"
HEAD = engines.stream_head()


def asked(answer: engines.Script, *, seconds: float = 5.0) -> Reply | Failure:
    async def ask(port: int) -> Reply | Failure:
        target = Target(f"http://127.0.0.1:{port}/v1", "m", first_byte_seconds=seconds, idle_seconds=seconds)
        async with Drive(target) as drive:
            return await drive.ask(Asked("Hello?", 8))

    with engines.engine(answer) as up:
        return asyncio.run(ask(up.port))


def sends(*pieces: str | bytes, head: bytes = HEAD) -> engines.Script:
    """A stream in these chunks."""
    chunks = [engines.chunk(piece.encode() if isinstance(piece, str) else piece) for piece in pieces]
    return lambda ask: ask.send(b"".join([head, *chunks, engines.chunk(b"")]))


def lines(*events: str, end: str = "\n\n") -> str:
    return "".join(event + end for event in events)


LEGAL = {
    "line feeds": (lines(SOME, MORE, DONE),),
    "carriage returns and line feeds": (lines(SOME, MORE, DONE, end="\r\n\r\n"),),
    "carriage returns": (lines(SOME, MORE, DONE, end="\r\r"),),
    "carriage returns, one at a time": tuple(lines(SOME, MORE, DONE, end="\r\r")),
    "both, one byte at a time": tuple(lines(SOME, MORE, DONE, end="\r\n\r\n")),
    "an event without data": (lines(SOME, "data:", "data: ", MORE, DONE),),
    "comments": (lines(": wait", SOME, ": wait", MORE, DONE),),
    "no error": (lines('data: {"error": null, "choices": []}', SOME, MORE, DONE),),
}


@pytest.mark.parametrize("case", LEGAL)
def test_a_legal_stream_is_read(case: str) -> None:
    reply = asked(sends(*LEGAL[case]))
    assert isinstance(reply, Reply) and reply.text == "Hello"


def test_the_content_type_may_be_in_any_case() -> None:
    reply = asked(
        sends(lines(SOME, MORE, DONE), head=HEAD.replace(b"text/event-stream", b"Text/Event-Stream"))
    )
    assert isinstance(reply, Reply) and reply.text == "Hello"


DEEP = '{"a":' * 100_000
BAD = {
    "nested beyond measure": (f"data: {DEEP}", "BadStream", "is not JSON"),
    "an error": ('data: {"error": {"message": "secret"}}', "EngineError", "reported an error"),
    "a number": ("data: 7", "EngineError", "reported an error"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_event_is_a_failure(case: str) -> None:
    event, reason, words = BAD[case]
    failure = asked(sends(lines(SOME, event)))
    assert isinstance(failure, Failure) and failure.reason == reason
    assert words in failure.message and "secret" not in failure.message


@pytest.mark.parametrize(("before", "said"), [((), "first piece"), ((SOME,), "next piece")])
def test_silence_is_no_empty_event(before: tuple[str, ...], said: str) -> None:
    begun = HEAD + engines.chunk(lines(*before).encode()) if before else HEAD
    failure = asked(lambda ask: ask.send(begun), seconds=0.3)
    assert isinstance(failure, Failure) and failure.reason == "Timeout"
    assert f"sent no {said} in 0.3 s" in failure.message


@pytest.mark.parametrize(
    ("before", "said", "field"),
    [
        ((), "first piece of text, only empty events,", "timeouts.firstByteSeconds"),
        ((SOME,), "next piece of text, only empty events,", "timeouts.idleSeconds"),
    ],
)
def test_keep_alives_are_no_answer(before: tuple[str, ...], said: str, field: str) -> None:
    left = threading.Event()

    def keeps_alive(ask: Ask) -> None:
        ask.send(HEAD + engines.chunk(lines(*before, ": alive").encode()))
        while not left.is_set() and not ask.stopped.wait(0.02):
            ask.send(engines.chunk(b': alive\n\ndata: {"choices": [{"delta": {"content": ""}}]}\n\n'))

    try:
        failure = asked(keeps_alive, seconds=0.3)
    finally:
        left.set()
    assert isinstance(failure, Failure) and failure.reason == "Timeout"
    assert f"sent no {said} in 0.3 s ({field})" in failure.message


def test_who_limits_requests_is_told_apart_from_who_fails() -> None:
    failure = asked(engines.says(engines.answer(b"{}", "429 Too Many Requests")))
    assert isinstance(failure, Failure) and "Lower maxConcurrency" in failure.message
