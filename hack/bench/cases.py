"""What is measured: every case with its upstream, its contestants and their load."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench import contestants, nginx, prompts, resources, streams, wrk
from bench.processes import Launch
from bench.rounds import Case, Entry, Load

QUESTION = wrk.body(
    resources.MODEL, "What is 7 + 5? " + "Answer with one word, and think before you do. " * 3
)
"""The request by name; about 230 bytes."""

MANY = (1, 100, 1_000)
"""Sizes of tables, and numbers of endpoints."""

_RATE_BASELINES = (contestants.VLLM_ROUTER, contestants.NGINX)

Who = frozenset[str]
"""Names of contestants that take part."""


def make(name: str, folder: Path, seed: int, who: Who) -> Case:
    """The case of this name; what its load needs is written into the folder."""
    return _MAKERS[name](name, folder, seed, who)


def _requests(name: str, folder: Path, seed: int, who: Who) -> Case:
    """Answers that are not streamed, by name and by policy."""
    made = prompts.generate(seed)
    known = [wrk.body(resources.POLICY, prompt.text) for prompt in made]
    by_name = wrk.one(folder / "by-name", QUESTION)
    automatic = contestants.ours(resources.automatic)
    entries = (
        *_compared(by_name, QUESTION, is_streamed=False),
        Entry(contestants.AUTO, automatic, wrk.in_turn(folder / "known", known), known[0]),
        Entry(contestants.AUTO_NEW, automatic, wrk.all_new(folder / "new", made), known[0]),
        Entry(contestants.LITELLM, contestants.litellm, by_name, QUESTION),
    )
    title = f"Requests that are not streamed, {wrk.CONNECTIONS} at once"
    return Case(name, title, _static_upstream(), _taking_part(entries, who), _RATE_BASELINES)


def _body(size: int, name: str, folder: Path, seed: int, who: Who) -> Case:
    """Requests of this size."""
    question = wrk.body(resources.MODEL, "word " * (size // 5))
    entries = _compared(wrk.one(folder, question), question, is_streamed=False)
    title = f"Requests of {size // 1000} kB, {wrk.CONNECTIONS} at once"
    upstream = _static_upstream(reads_bodies=True)
    return Case(name, title, upstream, _taking_part(entries, who), _RATE_BASELINES)


def _streams(load: streams.StreamLoad, name: str, folder: Path, seed: int, who: Who) -> Case:
    """Answers that are streamed."""
    entries = _taking_part(_compared(load, streams.QUESTION, is_streamed=True), who)
    upstream = partial(streams.upstream, interval_ms=load.interval_ms)
    if load.interval_ms:
        return Case(name, load.title, upstream, entries, adds_to=contestants.DIRECT)
    return Case(name, load.title, upstream, entries, _RATE_BASELINES)


def _models(name: str, folder: Path, seed: int, who: Who) -> Case:
    """Ours with more and more models, each of which is asked for."""
    entries = []
    for count in MANY:
        asked = [wrk.body(model, "What is 7 + 5?") for model in resources.model_names(count)]
        start = contestants.ours(partial(resources.many_models, count=count))
        entries.append(Entry(f"models-{count}", start, wrk.in_turn(folder / str(count), asked), asked[0]))
    title = "Ours with 1, 100 and 1 000 models, asked for by turns"
    return Case(name, title, _static_upstream(), entries, (entries[0].name,), run_in_seconds=RUN_IN_SECONDS)


def _endpoints(name: str, folder: Path, seed: int, who: Who) -> Case:
    """Ours with one model on more and more endpoints, and nginx, to see what the connections alone cost."""
    load = wrk.one(folder, QUESTION)
    entries = []
    for count in MANY:
        ours = contestants.ours(partial(resources.many_endpoints, count=count))
        entries.append(Entry(f"endpoints-{count}", ours, load, QUESTION))
    for count in MANY if contestants.NGINX in who else ():
        proxy = contestants.proxy(is_streamed=False, hosts=resources.addresses(count))
        entries.append(Entry(f"nginx-{count}", proxy, load, QUESTION))
    baselines = [entry.name for entry in entries if entry.name.endswith("-1")]
    upstream = _static_upstream(hosts=max(MANY))
    title = "Ours with one model on 1, 100 and 1 000 endpoints, and nginx before as many"
    return Case(name, title, upstream, entries, baselines, run_in_seconds=RUN_IN_SECONDS)


def _signals(name: str, folder: Path, seed: int, who: Who) -> Case:
    """Ours with engines that are asked for their load, and the same as engines that tell nothing."""
    load = wrk.one(folder, QUESTION)
    entries = [
        Entry(
            entry,
            contestants.ours(partial(resources.many_endpoints, count=POLLED, engine=engine)),
            load,
            QUESTION,
        )
        for entry, engine in (("signals-off", "OpenAI"), ("signals-on", "VLLM"))
    ]
    upstream = _static_upstream(hosts=POLLED)
    title = f"Ours with one model on {POLLED} endpoints, which it asks for their load or not"
    return Case(name, title, upstream, entries, (entries[0].name,), run_in_seconds=RUN_IN_SECONDS)


POLLED = 10
"""Endpoints where signals are on or off."""

RUN_IN_SECONDS = 1
"""Before each round with many endpoints, whose connections are made anew."""

_MAKERS: Mapping[str, Callable[[str, Path, int, Who], Case]] = {
    "requests": _requests,
    "body-1k": partial(_body, 1_000),
    "body-100k": partial(_body, 100_000),
    "body-1m": partial(_body, 1_000_000),
    "models": _models,
    "endpoints": _endpoints,
    "signals": _signals,
    "flat-out": partial(_streams, streams.StreamLoad(64, interval_ms=0)),
    "paced-64": partial(_streams, streams.StreamLoad(64, interval_ms=20)),
    "paced-1000": partial(_streams, streams.StreamLoad(1_000, interval_ms=20)),
}

NAMES = tuple(_MAKERS)
"""All cases, in the order in which they are run."""


def _compared(load: Load, question: str, *, is_streamed: bool) -> Sequence[Entry]:
    """Those who are compared everywhere."""
    return (
        Entry(contestants.DIRECT, None, load, question),
        Entry(contestants.NGINX, contestants.proxy(is_streamed=is_streamed), load, question),
        Entry(contestants.OURS, contestants.ours(resources.by_name), load, question),
        Entry(contestants.VLLM_ROUTER, contestants.vllm_router, load, question),
    )


def _taking_part(entries: Iterable[Entry], who: Who) -> list[Entry]:
    """Those who take part, in the order of the table."""
    return sorted(
        (entry for entry in entries if entry.name in who), key=lambda one: contestants.NAMES.index(one.name)
    )


def _static_upstream(*, reads_bodies: bool = False, hosts: int = 1) -> Callable[[Path, int], Launch]:
    return partial(nginx.upstream, hosts=resources.addresses(hosts), reads_bodies=reads_bodies)
