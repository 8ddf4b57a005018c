"""What the gateways see of the models' speed: each is asked once a minute, and drift is judged by their sums.

Asking goes on beside the reconciling. Kept in memory only: after a restart what statuses say stands until
enough was seen anew.

Rule 1. A gateway is a ready pod with the label `steelyard.dev/kind: gateway`, asked at its port `admin`. It
        is believed of the namespace that it runs in, and one in the operator's own of any that it serves.
Rule 2. What counts is what came between two looks; a counter that fell began anew, and that look is let go.
Rule 3. While a run measures a model, nothing is judged of it: the run is what slows it.
Invariant: without a gateway that answers nothing is known, and no model has drifted.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from steelyard.api.profile import ModelProfile
from steelyard.api.resources import Key
from steelyard.kube import errors, kinds
from steelyard.kube.client import Client
from steelyard.kube.kinds import Object
from steelyard.routing import endpoints
from steelyard.telemetry import exposition
from steelyard_operator import runs
from steelyard_operator.drift import Compared, Drift, Phase, Verdict, Watch
from steelyard_operator.probing import Prober

GATEWAYS = "steelyard.dev/kind=gateway"
"""Label selector of the gateways' pods."""

LOOK_SECONDS = 60.0
"""How often they are asked."""

LOST_LOOKS = 3
"""After so many looks in a row at which no gateway of a namespace answered, nothing is known there."""

ANSWER_SECONDS = 5.0
"""How long one may take; several workers behind one port ask one another."""

MOST_AT_ONCE = 8
"""Gateways that are asked at the same time, which bounds the memory that their answers take."""

ADMIN_PORT = "admin"
"""The name of the port of a gateway's pod where it tells of itself."""

_SERVES = "steelyard_gateway_info"
_SUMS = tuple(
    f"steelyard_compared_{name}_total" for name in ("requests", "actual_seconds", "expected_seconds")
)

Pair = tuple[str, str, str]
"""Namespace, model and backend."""

_Sums = dict[Pair, dict[Phase, Compared]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """What a gateway said of itself."""

    serves: frozenset[str]
    """The namespaces that it serves."""
    sums: Mapping[Pair, Mapping[Phase, Compared]]
    """What it counted since its start."""


@dataclass(frozen=True, slots=True)
class _Pod:
    """A gateway's pod."""

    namespace: str
    uid: str
    url: str


class Gateways:
    """Asks gateways and remembers what they saw."""

    def __init__(
        self,
        prober: Prober,
        client: Client,
        profiles: Callable[[], Iterable[ModelProfile]],
        own_namespace: str,
        served: Sequence[str] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`profiles`: those there are; `served`: the operator's namespaces, none: all."""
        self._prober = prober
        self._client = client
        self._profiles = profiles
        self._own = own_namespace
        self._namespaces: Sequence[str | None] = sorted({own_namespace, *served} - {""}) if served else [None]
        self._clock = clock
        self._told: dict[str, Told] = {}
        self._lost: dict[str, int] = {}
        self._watches: dict[Key, Watch] = {}
        self._looked_at: float | None = None
        self._troubles: dict[str | None, str] = {}

    def drift(self, profile: ModelProfile) -> Drift:
        """What is known of this profile's model."""
        mark = profile.status.fingerprint
        if mark is None or mark.time is None or self._looked_at is None:
            return Drift()
        if self._lost.get(profile.namespace, 0) >= LOST_LOOKS:
            return Drift(mark.time, Verdict.UNREACHABLE)
        watch = self._watches.get((profile.namespace, profile.name))
        return watch.drift if watch is not None and watch.measured_at == mark.time else Drift()

    async def run(self, tell: Callable[[Key], None]) -> None:
        """Look for ever; `tell` gets each profile of which something else is known now."""
        while True:
            for key in await self.look():
                tell(key)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> list[Key]:
        """Ask every gateway once; the profiles of which something else is known now."""
        before = {(one.namespace, one.name): self.drift(one) for one in self._profiles()}
        now = self._clock()
        answers = await self._answers()
        seen = self._since_the_last(answers)
        reached = {one for told in answers.values() if told is not None for one in told.serves}
        for namespace in {one.namespace for one in self._profiles()}:
            missed = min(self._lost.get(namespace, 0) + 1, LOST_LOOKS)
            self._lost[namespace] = 0 if namespace in reached else missed
        began = now - LOOK_SECONDS if self._looked_at is None else self._looked_at
        self._looked_at = now
        self._watches = {
            (one.namespace, one.name): watch
            for one in self._profiles()
            if (watch := self._watched(one, seen, began, now)) is not None
        }
        after = ((one, before.get((one.namespace, one.name))) for one in self._profiles())
        return [(one.namespace, one.name) for one, drift in after if self.drift(one) != drift]

    def _watched(self, profile: ModelProfile, seen: _Sums, began: float, now: float) -> Watch | None:
        """The profile's watch after this look; a new one where it was measured since, as what was seen is of
        the time before."""
        mark, percent = profile.status.fingerprint, profile.spec.refresh.drift_percent
        if mark is None or mark.time is None or percent == 0:
            return None
        watch = self._watches.get((profile.namespace, profile.name))
        if watch is None or (watch.measured_at, watch.percent) != (mark.time, percent):
            return Watch(mark.time, percent)
        if runs.is_under_way(profile.status):
            return watch
        pair = (profile.namespace, profile.spec.model, profile.spec.backend_ref.name)
        return watch.seeing(seen.get(pair, {}), began, now)

    async def _answers(self) -> dict[str, Told | None]:
        """What each ready gateway says by its pod's identifier."""
        pods = [pod for one in self._namespaces for value in await self._list(one) if (pod := _pod(value))]
        turns = asyncio.Semaphore(MOST_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            asked = {
                pod.uid: tasks.create_task(self._ask(pod, turns), name=f"read gateway {pod.url}")
                for pod in pods
            }
        return {uid: task.result() for uid, task in asked.items()}

    async def _list(self, namespace: str | None) -> Sequence[Object]:
        """The gateways' pods of a namespace; none where the API server does not say."""
        trouble, found = "", tuple[Object, ...]()
        try:
            found = (await self._client.list(kinds.POD, namespace, GATEWAYS)).items
        except errors.KubeError as error:
            trouble = str(error)
        if trouble and trouble != self._troubles.get(namespace):
            fields = {"namespace": namespace or "", "detail": trouble}
            logger.warning("gateways' pods not listed", extra=fields)
        self._troubles[namespace] = trouble
        return found

    async def _ask(self, pod: _Pod, turns: asyncio.Semaphore) -> Told | None:
        """What a gateway says; None where it does not answer, or of a namespace that is not its own."""
        try:
            place = endpoints.exporter(pod.url)
        except endpoints.Unresolved as why:
            logger.info("gateway not read", extra={"gateway": pod.url, "detail": why.message})
            return None
        async with turns:
            answer = await self._prober.exposition(place, ANSWER_SECONDS)
        if isinstance(answer, str):
            logger.info("gateway not read", extra={"gateway": pod.url, "detail": answer})
            return None
        told = read(answer)
        if told is None or pod.namespace == self._own:
            return told
        serves = told.serves & {pod.namespace}
        sums = {pair: phases for pair, phases in told.sums.items() if pair[0] in serves}
        return Told(serves, sums) if serves else None

    def _since_the_last(self, answers: Mapping[str, Told | None]) -> _Sums:
        """What all of them counted since they were read last; those that are gone are forgotten."""
        seen: _Sums = defaultdict(dict)
        for uid, told in answers.items():
            earlier = self._told.get(uid)
            if told is None or earlier is None:
                continue
            for pair, phases in told.sums.items():
                for phase, sums in phases.items():
                    more = sums.since(earlier.sums.get(pair, {}).get(phase, Compared()))
                    if more is not None:
                        seen[pair][phase] = more.plus(seen[pair].get(phase, Compared()))
        present = ((uid, told or self._told.get(uid)) for uid, told in answers.items())
        self._told = {uid: told for uid, told in present if told is not None}
        return seen


def read(answer: bytes) -> Told | None:
    """What a gateway's exposition says; None where it is none of a gateway, or not whole."""
    serves, own = set[str](), ""
    found: dict[tuple[str, str, str], list[float]] = {}
    for line in exposition.read(answer, (_SERVES, *_SUMS)):
        if line.name == _SERVES:
            serves.add(line.labels.get("serves", ""))
            own = line.labels.get("serves", "") if line.labels.get("own") == "true" else own
            continue
        model, backend, phase = (line.labels.get(name, "") for name in ("model", "backend", "phase"))
        if line.value is None or phase not in set(Phase):
            return None
        found.setdefault((model, backend, phase), [0.0, 0.0, 0.0])[_SUMS.index(line.name)] = line.value
    sums: _Sums = defaultdict(dict)
    for (model, backend, phase), values in found.items():
        namespace, _, name = backend.rpartition("/")  # a backend of another namespace is NAMESPACE/NAME
        sums[namespace or own, model, name][Phase(phase)] = Compared(*values)
    return Told(frozenset(serves), sums) if own else None


def _pod(value: Object) -> _Pod | None:
    """Where this pod is asked; None where it is not ready, or names no port for that."""
    metadata, status = value["metadata"], value.get("status") or {}
    is_ready = any(
        (one.get("type"), one.get("status")) == ("Ready", "True") for one in status.get("conditions") or ()
    )
    ports = [
        port.get("containerPort")
        for container in (value.get("spec") or {}).get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("name") == ADMIN_PORT
    ]
    address = status.get("podIP", "")
    if not is_ready or not address or not ports or metadata.get("deletionTimestamp"):
        return None
    host = f"[{address}]" if ":" in address else address
    return _Pod(metadata["namespace"], metadata["uid"], f"http://{host}:{ports[0]}/metrics")
