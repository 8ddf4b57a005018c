"""`steelyard top`: how a gateway's endpoints are, live in the terminal.

It reads what the gateway's admin port tells in /admin/table. Invariant: what is not known is an empty cell,
never 0.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import httpx
import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as Shown
from rich.text import Text

from steelyard import settings
from steelyard_cli import tables

DEFAULT_ADMIN = "http://127.0.0.1:8081"
"""Where a gateway listens for people unless told otherwise."""

REFRESH_SECONDS = 1.0
"""Time between two looks: half of the time after which a gateway usually asks an engine again."""

ANSWER_SECONDS = 5.0
"""How long the gateway may take to answer."""

HEADER = (
    "ENDPOINT", "OURS", "OTHERS", "RUNNING", "WAITING", "SLOTS", "TOK/S", "CACHE", "LOADED", "GPU", "GPU-MEM",
    "AGE", "",
)  # fmt: skip

_MIB_IN_A_GIB = 1024


class Gpu(msgspec.Struct, rename="camel"):
    """A GPU behind an endpoint. None here and below: not known."""

    utilization_percent: float | None = None
    """The share of the time in which it worked."""
    memory_used_mib: float | None = msgspec.field(default=None, name="memoryUsedMiB")
    """What of its memory is in use."""
    memory_total_mib: float | None = msgspec.field(default=None, name="memoryTotalMiB")
    """Its memory."""


class Gpus(msgspec.Struct):
    """What was told of an endpoint's GPUs."""

    gpus: list[Gpu] | None = None
    """Each of them."""


class Loaded(msgspec.Struct):
    """A model in memory."""

    name: str
    """The engine's name of it."""


class Sample(msgspec.Struct, rename="camel"):
    """What an engine told."""

    age_seconds: float | None = None
    """How long ago."""
    failure: str | None = None
    """Why it told nothing when it was asked last."""
    running: int | None = None
    """Requests that it works on."""
    waiting: int | None = None
    """Requests that wait in it."""
    capacity: int | None = None
    """Requests that it works on at once."""
    cache_use_percent: float | None = None
    """Share of its cache that is in use."""
    output_tokens_per_second: float | None = None
    """Its speed."""
    loaded: list[Loaded] | None = None
    """Models in its memory."""


class Endpoint(msgspec.Struct, rename="camel"):
    """One endpoint, as the gateway tells it."""

    name: str
    """backend@host:port."""
    in_flight: int
    """Requests of this gateway."""
    others_in_flight: float
    """Requests of others, as the gateway reckons them."""
    is_full: bool
    """Whether it has as many as it may have."""
    rest_seconds: float
    """How long others still come first."""
    sample: Sample
    """What its engine told."""
    gpus: Gpus
    """What was told of its GPUs."""


class Candidate(msgspec.Struct):
    """A model of a backend."""

    namespace: str
    """Its namespace."""
    endpoints: list[Endpoint]
    """Where it answers."""


class Table(msgspec.Struct):
    """The answer of /admin/table."""

    candidates: list[Candidate]
    """Every model of every backend."""


class NoTableError(Exception):
    """The gateway does not tell its table; the message is a sentence for the user."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add which gateway, and whether once."""
    settings.add(
        parser, "--admin", environment, "the admin port of the gateway, as a URL", default=DEFAULT_ADMIN
    )
    parser.add_argument("--once", action="store_true", help="print a table and end")


def main(arguments: argparse.Namespace) -> int:
    """Show the endpoints until Ctrl-C, or once; 1 where the gateway does not tell them."""
    console = Console()
    with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False) as client:
        try:
            endpoints = ask(client, arguments.admin)
            if arguments.once or not console.is_terminal:
                print(tables.Table(HEADER, [row(endpoint) for endpoint in endpoints]).text())
            else:
                _follow(console, client, arguments.admin, endpoints)
        except NoTableError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        except KeyboardInterrupt:
            return 0
    return 0


def ask(client: httpx.Client, admin_url: str) -> list[Endpoint]:
    """The gateway's endpoints by namespace and name, each once. Raises NoTableError."""
    url = f"{admin_url.rstrip('/')}/admin/table"
    try:
        answer = client.get(url)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise NoTableError(
            f"{url} cannot be reached: {error or 'no answer'}. "
            "Start a gateway, or name its admin port with --admin."
        ) from None
    if answer.status_code != httpx.codes.OK:
        raise NoTableError(f"{url} answered {answer.status_code}: name a gateway's admin port with --admin.")
    try:
        table = msgspec.json.decode(answer.content, type=Table)
    except msgspec.DecodeError:
        raise NoTableError(
            f"{url} answered with something else than endpoints: name a gateway of this version with --admin."
        ) from None
    found = {(pair.namespace, one.name): one for pair in table.candidates for one in pair.endpoints}
    has_namesakes = len({namespace for namespace, _ in found}) > 1
    for (namespace, name), one in found.items():
        one.name = f"{namespace}/{name}" if has_namesakes else name
    return [found[key] for key in sorted(found)]


def row(endpoint: Endpoint) -> list[str]:
    """What is shown of an endpoint, as HEADER says."""
    sample, gpus = endpoint.sample, endpoint.gpus.gpus or []
    busy = [gpu.utilization_percent for gpu in gpus if gpu.utilization_percent is not None]
    return [
        endpoint.name,
        str(endpoint.in_flight),
        _number(endpoint.others_in_flight if _tells(endpoint) else None),
        _number(sample.running),
        _number(sample.waiting),
        _number(sample.capacity),
        _number(sample.output_tokens_per_second),
        _number(sample.cache_use_percent, "%"),
        "" if sample.loaded is None else str(len(sample.loaded)),
        _number(sum(busy) / len(busy) if busy else None, "%"),
        _memory(gpus),
        "" if sample.age_seconds is None else f"{sample.age_seconds:.0f}s",
        ", ".join(_remarks(endpoint)),
    ]


def _tells(endpoint: Endpoint) -> bool:
    """Whether anything is known of others' requests."""
    return endpoint.sample.running is not None or bool(endpoint.gpus.gpus)


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:.0f}{unit}"


def _memory(gpus: Sequence[Gpu]) -> str:
    """Memory in use and in all of these GPUs, where both are told."""
    used = [gpu.memory_used_mib for gpu in gpus if gpu.memory_used_mib is not None]
    whole = [gpu.memory_total_mib for gpu in gpus if gpu.memory_total_mib is not None]
    if not gpus or len(used) < len(gpus) or len(whole) < len(gpus):
        return ""
    return f"{sum(used) / _MIB_IN_A_GIB:.0f}/{sum(whole) / _MIB_IN_A_GIB:.0f}Gi"


def _remarks(endpoint: Endpoint) -> Iterator[str]:
    if endpoint.rest_seconds:
        yield f"rests {endpoint.rest_seconds:.0f}s"
    if endpoint.is_full:
        yield "full"
    if endpoint.sample.failure:
        yield endpoint.sample.failure


def _follow(console: Console, client: httpx.Client, admin_url: str, endpoints: list[Endpoint]) -> None:
    """Show them anew again and again; while the gateway is away, what it told last."""
    trouble = ""
    with Live(_shown(endpoints, trouble), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(REFRESH_SECONDS)
            try:
                endpoints, trouble = ask(client, admin_url), ""
            except NoTableError as error:
                trouble = str(error)
            live.update(_shown(endpoints, trouble), refresh=True)


def _shown(endpoints: Sequence[Endpoint], trouble: str) -> Group:
    shown = Shown(box=None, header_style="bold", pad_edge=False)
    for title in HEADER:
        is_text = title in ("ENDPOINT", "")
        shown.add_column(title, justify="left" if is_text else "right", no_wrap=not is_text)
    for endpoint in endpoints:
        shown.add_row(*map(Text, row(endpoint)), style="red" if endpoint.rest_seconds else "")
    return Group(shown, Text(trouble, style="red"))
