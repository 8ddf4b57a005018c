"""A client of a gateway: a script for a pod, which has httpx and none of the project's code.

    ask URL REQUESTS       asks each request once, and prints the answers as a list
    load URL MODEL TOKENS  asks without a pause until SIGTERM, then prints how many answers came how, and the
                           seconds from the first request until SIGTERM
    alone URL MODEL TOKENS  the same with one stream at a time
    rate URL MODEL NUMBER  asks so many times a second until SIGTERM, then prints the same

Nothing here asks twice, as a client's retry would hide what the tests look for.
"""

import json
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent import futures
from typing import Any

import httpx

BEGUN = "begun"
"""Printed once each worker of a load that asks for streams has one that began."""

WHOLE, TOLD, CUT, FAILED = "whole", "told", "cut", "failed"
"""How an answer came: complete; begun and ended by an error event; begun and broken off; not at all."""

STREAMS, OTHERS = 4, 1
"""Workers of a load. Shared evenly by two gateways, each for itself, both of two pods have streams."""

RATE_WORKERS = 8
"""Of a steady rate: each with a connection of its own."""

TIMEOUT_SECONDS = 60.0

OnBegin = Callable[[], object]
"""Called as a stream begins."""
Way = Callable[[httpx.Client, dict[str, Any], OnBegin], str]
"""Sends a body; how the answer came."""


def ask(url: str, requests: str) -> None:
    """Ask each of these {path, body} once; a GET where there is no body."""
    # kube-proxy knows of a ready pod up to a second later than everyone else: only connecting is retried.
    transport = httpx.HTTPTransport(retries=5)
    answers = []
    with httpx.Client(base_url=url, transport=transport, timeout=TIMEOUT_SECONDS) as client:
        for request in json.loads(requests):
            body = request.get("body")
            answer = client.request("POST" if body else "GET", request["path"], json=body)
            answers.append(
                {"status": answer.status_code, "headers": dict(answer.headers), "text": answer.text}
            )
    _tell(json.dumps(answers))


def rate(url: str, model: str, number: str) -> None:
    """Ask for short answers, so many a second whatever becomes of them, until SIGTERM."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # in every thread made here
    begun, ending, pause = threading.Semaphore(0), threading.Event(), RATE_WORKERS / float(number)
    began = time.monotonic()

    def work(nth: int) -> Counter[str]:
        tally = Counter[str]()
        due = time.monotonic() + nth * pause / RATE_WORKERS
        with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS) as client:
            while not ending.wait(max(due - time.monotonic(), 0)):
                tally[_at_once(client, body, begun.release)] += 1
                begun.release()
                due += pause
        return tally

    with futures.ThreadPoolExecutor(RATE_WORKERS) as pool:
        working = [pool.submit(work, nth) for nth in range(RATE_WORKERS)]
        begun.acquire()
        _tell(BEGUN)
        seconds = _until_told_to_end(began)
        ending.set()
    _tell_all(working, seconds)


def load(url: str, model: str, tokens: str) -> None:
    """Ask for answers of so many tokens from several workers at once, streamed and not, until SIGTERM."""
    _load(url, model, tokens, STREAMS, OTHERS)


def alone(url: str, model: str, tokens: str) -> None:
    """Ask for one stream of so many tokens after another until SIGTERM."""
    _load(url, model, tokens, 1, 0)


def _load(url: str, model: str, tokens: str, streams: int, others: int) -> None:
    messages = [{"role": "user", "content": "Tell me a long story of a fox."}]
    body = {"model": model, "messages": messages, "max_tokens": int(tokens)}
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # in every thread made here
    begun, ending = threading.Semaphore(0), threading.Event()
    began = time.monotonic()

    def work(way: Way) -> Counter[str]:
        tally = Counter[str]()
        with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS) as client:
            while not ending.is_set():
                tally[way(client, body, begun.release)] += 1
        return tally

    with futures.ThreadPoolExecutor(streams + others) as pool:
        working = [pool.submit(work, way) for way in (_streamed,) * streams + (_at_once,) * others]
        for _ in range(streams):
            begun.acquire()
        _tell(BEGUN)
        seconds = _until_told_to_end(began)
        ending.set()
    _tell_all(working, seconds)


def _streamed(client: httpx.Client, body: dict[str, Any], on_begin: OnBegin) -> str:
    """How a streamed answer came."""
    last = ""
    try:
        with client.stream("POST", "/v1/chat/completions", json=body | {"stream": True}) as answer:
            if answer.status_code != httpx.codes.OK:
                return f"{FAILED}: {answer.status_code} {answer.read()!r}"
            for line in answer.iter_lines():
                if line and not last:
                    on_begin()
                last = line or last
    except httpx.HTTPError as error:
        return f"{CUT if last else FAILED}: {error!r}"
    if last == "data: [DONE]":
        return WHOLE
    return TOLD if last.startswith('data: {"error"') else f"{CUT}: {last}"


def _at_once(client: httpx.Client, body: dict[str, Any], _: OnBegin) -> str:
    """How an answer in one piece came."""
    try:
        answer = client.post("/v1/chat/completions", json=body)
    except httpx.HTTPError as error:
        return f"{FAILED}: {error!r}"
    if answer.status_code != httpx.codes.OK or not answer.json().get("choices"):
        return f"{FAILED}: {answer.status_code} {answer.text}"
    return WHOLE


def _until_told_to_end(began: float) -> float:
    """The seconds since `began`, once SIGTERM came."""
    signal.sigwait([signal.SIGTERM])
    return time.monotonic() - began


def _tell_all(working: list[futures.Future[Counter[str]]], seconds: float) -> None:
    """Print what all of them counted, who have ended."""
    tally = sum((one.result() for one in working), Counter[str]())
    _tell(json.dumps({"tally": tally, "seconds": seconds}))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    verbs: dict[str, Callable[..., None]] = {"ask": ask, "load": load, "alone": alone, "rate": rate}
    verbs[sys.argv[1]](*sys.argv[2:])
