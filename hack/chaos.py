"""Load on a gateway while its engines are killed at random: what becomes of each request.

    python hack/chaos.py --seconds 600

Engines are processes of this file, killed and started again on their ports by a seeded draw. A request is
lost when there is no answer to it and no error in OpenAI's shape in time; a stream that ends with an error
event after its first byte is counted apart. Exit status 1 where one was lost.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

LOOPBACK = "127.0.0.1"

LOST_SECONDS = 60.0
"""Without an answer for so long a request is lost; engines answer in well under a second."""

UP_SECONDS, DOWN_SECONDS = 4.0, 1.5
"""How long an engine lives and stays away on average."""

CHUNK_SECONDS = 0.02
"""Between two chunks of an engine's stream."""

MOST_CHUNKS = 30
"""The longest stream."""

PAUSE_SECONDS = 0.1
"""What a client waits after an error before its next request."""

STREAMED_RATIO = 0.5
"""Of requests that ask for a stream."""

Place = tuple[str, int]


class Fate(StrEnum):
    """What became of a request."""

    ANSWERED = "Answered"
    REFUSED = "Refused"
    CUT = "Cut"
    LOST = "Lost"


@dataclass(slots=True)
class Tally:
    """What became of all requests."""

    fates: Counter[Fate] = field(default_factory=Counter)
    """How many met each fate."""
    details: Counter[tuple[Fate, str]] = field(default_factory=Counter)
    """How many met it in which way."""
    kills: int = 0
    """How many engines were killed."""

    def note(self, fate: Fate, detail: str = "") -> None:
        """Count one request."""
        self.fates[fate] += 1
        if detail:
            self.details[fate, detail] += 1

    def rows(self) -> list[str]:
        """The table that is shown."""
        told = {
            Fate.ANSWERED: "answered",
            Fate.REFUSED: "errors in OpenAI's shape",
            Fate.CUT: "streams cut after the first byte, and told so",
            Fate.LOST: "LOST: no answer, no error",
        }
        rows = [f"{self.kills:8}  engines killed", f"{self.fates.total():8}  requests"]
        for fate, words in told.items():
            rows.append(f"{self.fates[fate]:8}    {words}")
            of_it = [(detail, count) for (which, detail), count in self.details.items() if which is fate]
            rows += [f"{count:8}      {detail}" for detail, count in sorted(of_it)]
        return rows


class Client:
    """Sends one request after the other, over one connection as long as it is kept."""

    def __init__(self, place: Callable[[], Place], tally: Tally, draw: random.Random) -> None:
        """`place` tells where to connect to next."""
        self._place = place
        self._tally = tally
        self._draw = draw
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def run(self, over: Callable[[], bool]) -> None:
        """Send until it is over."""
        while not over():
            is_streamed = self._draw.random() < STREAMED_RATIO
            try:
                async with asyncio.timeout(LOST_SECONDS):
                    fate, detail = await self._ask(is_streamed)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                fate, detail = Fate.LOST, f"{type(error).__name__} of a {_kind(is_streamed)}"
                self._close()
            self._tally.note(fate, detail)
            if fate is Fate.REFUSED:
                await asyncio.sleep(PAUSE_SECONDS)
        self._close()

    async def _ask(self, is_streamed: bool) -> tuple[Fate, str]:
        if self._reader is None or self._writer is None or self._reader.at_eof():
            self._close()
            self._reader, self._writer = await asyncio.open_connection(*self._place())
        body = json.dumps(
            {"model": "m", "stream": is_streamed, "messages": [{"role": "user", "content": "How are you?"}]}
        ).encode()
        self._writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        status, headers = await read_head(self._reader)
        answer = b"".join([piece async for piece in read_body(self._reader, headers)])
        if headers.get("connection") == "close":
            self._close()
        return judge(status, answer, is_streamed)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def judge(status: int, answer: bytes, is_streamed: bool) -> tuple[Fate, str]:
    """What became of the request that got this."""
    if status != 200:
        return Fate.REFUSED, f"{status} {error_code(answer)}"
    if not is_streamed:
        return (Fate.ANSWERED, "") if json.loads(answer)["choices"] else (Fate.LOST, "an empty answer")
    if answer.endswith(b"data: [DONE]\n\n"):
        return Fate.ANSWERED, ""
    last = answer.rstrip().rpartition(b"\n\n")[2]
    return Fate.CUT, error_code(last.removeprefix(b"data: "))


def error_code(body: bytes) -> str:
    """The code of an error in OpenAI's shape. Raises ValueError where it is none."""
    error = json.loads(body).get("error")
    if not isinstance(error, dict) or set(error) != {"message", "type", "code", "param"}:
        raise ValueError("no error in OpenAI's shape")
    return str(error["code"])


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status, or 0 in a request, and headers."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    word = first.split(" ")[1]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(word) if word.isdigit() else 0, headers


async def read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """The body in pieces."""
    if "transfer-encoding" not in headers:
        yield await reader.readexactly(int(headers["content-length"]))
        return
    while length := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(length + 2))[:-2]
    await reader.readexactly(2)


async def be_engine(port: int) -> None:
    """Answer chats on this port until killed."""
    draw = random.Random()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                _, headers = await read_head(reader)
                asked = json.loads(b"".join([piece async for piece in read_body(reader, headers)]))
                await asyncio.sleep(draw.uniform(0.0, 0.03))
                await (_stream(writer, draw) if asked["stream"] else _answer(writer))

    server = await asyncio.start_server(serve, LOOPBACK, port)
    await server.serve_forever()


async def _answer(writer: asyncio.StreamWriter) -> None:
    body = b'{"object":"chat.completion","choices":[{"index":0,"message":{"content":"Well."}}]}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    writer.write(head + body)
    await writer.drain()


async def _stream(writer: asyncio.StreamWriter, draw: random.Random) -> None:
    event = (
        b'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Well. "}}]}\n\n'
    )
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(draw.randint(1, MOST_CHUNKS)):
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(CHUNK_SECONDS)
    writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    await writer.drain()


async def haunt(port: int, tally: Tally, draw: random.Random) -> None:
    """Keep an engine there that is killed now and then."""
    while True:
        process = await asyncio.create_subprocess_exec(sys.executable, __file__, "--engine", str(port))
        try:
            await asyncio.sleep(draw.expovariate(1 / UP_SECONDS))
        finally:
            process.kill()
            await process.wait()
        tally.kills += 1
        await asyncio.sleep(draw.expovariate(1 / DOWN_SECONDS))


@contextlib.asynccontextmanager
async def gateway(directory: Path, *flags: str) -> AsyncIterator[Place]:
    """A gateway over these resources; it must end in order."""
    words = [f"--source=file:{directory}", "--port=0", "--admin-port=0", "--grace-seconds=0", *flags]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "steelyard_gateway", *words), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    url = ""
    async for line in process.stderr:
        told = json.loads(line)
        if told["event"] == "listening":
            url = told["url"]
            break
    reading = asyncio.create_task(_drop(process.stderr), name="read the gateway's log")
    assert url, "the gateway did not start"
    try:
        yield LOOPBACK, int(url.rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGTERM)
        status = await process.wait()
        await reading
    if status != 0:
        raise RuntimeError(f"the gateway ended with {status}")


async def _drop(log: asyncio.StreamReader) -> None:
    async for _ in log:
        pass


async def chaos(
    seconds: float, engines: int = 4, clients: int = 16, seed: int = 1, flags: tuple[str, ...] = ()
) -> Tally:
    """What became of the requests of so many clients over so many seconds."""
    tally, loop = Tally(), asyncio.get_running_loop()
    ports = _free_ports(engines)
    with tempfile.TemporaryDirectory() as folder:
        write_resources(Path(folder), ports)
        async with asyncio.TaskGroup() as tasks:
            haunting = [
                tasks.create_task(haunt(port, tally, random.Random(f"{seed} {number}")), name="engine")
                for number, port in enumerate(ports)
            ]
            async with gateway(Path(folder), *flags) as place:
                end = loop.time() + seconds
                async with asyncio.TaskGroup() as load:
                    for number in range(clients):
                        client = Client(lambda: place, tally, random.Random(f"{seed} client {number}"))
                        load.create_task(client.run(lambda: loop.time() > end), name="client")
            for task in haunting:
                task.cancel()
    return tally


def write_resources(folder: Path, ports: list[int]) -> None:
    """A backend for each port, all of one model."""
    documents = [
        {
            "apiVersion": "steelyard.dev/v1alpha1",
            "kind": "LLMBackend",
            "metadata": {"name": f"engine-{number}"},
            "spec": {"engine": "OpenAI", "url": f"http://{LOOPBACK}:{port}", "models": [{"name": "m"}]},
        }
        for number, port in enumerate(ports)
    ]
    (folder / "all.yaml").write_text("---\n".join(json.dumps(one) + "\n" for one in documents))


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(number)]
        return [one.getsockname()[1] for one in taken]


def _kind(is_streamed: bool) -> str:
    return "stream" if is_streamed else "plain answer"


def main() -> int:
    """Run and show what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--engines", type=int, default=4)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes of the gateway")
    parser.add_argument("--engine", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.engine is not None:
        asyncio.run(be_engine(chosen.engine))
        return 0
    flags = (f"--workers={chosen.workers}",)
    tally = asyncio.run(chaos(chosen.seconds, chosen.engines, chosen.clients, chosen.seed, flags))
    print("\n".join(tally.rows()))
    return int(tally.fates[Fate.LOST] > 0)


if __name__ == "__main__":
    sys.exit(main())
