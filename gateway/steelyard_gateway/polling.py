"""Asks engines and GPU exporters how they are, again and again, by the table in force.

Every endpoint is asked by itself, every exporter once for all endpoints behind it. Invariant: whatever they
answer or do not, one poll of each is under way at a time, and nothing is harmed but what is known of them.
"""

import asyncio
import logging
from collections.abc import Callable

from steelyard_gateway import targets
from steelyard_gateway.current import Current, Snapshot
from steelyard_gateway.fetching import NoAnswer
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.pace import Pace, Turn
from steelyard_gateway.polls import EnginePoll, ExporterPoll, Poll
from steelyard_gateway.upstream.client import Client

LOOK_SECONDS = 0.5
"""How late a new table, or that something became too old, may be noticed."""

TICK_SECONDS = 0.02
"""Polls that are due within this begin together, which takes a quarter less of the processor where there are
many; ten of a thousand endpoints do, and hold requests up for a millisecond."""

logger = logging.getLogger(__name__)


class Poller:
    """Keeps `live` informed of what engines and exporters tell."""

    def __init__(
        self,
        current: Current,
        live: LiveEndpoints,
        client: Client,
        *,
        now: Callable[[], float],
        rand: Callable[[], float],
    ) -> None:
        """`now`: the clock of `live`; `rand`: a number from 0 to 1, drawn anew at each call."""
        self._current = current
        self._live = live
        self._client = client
        self._now = now
        self._pace = Pace(rand)
        self._snapshot: Snapshot | None = None
        self._polls: dict[str, Poll] = {}
        self._silent: dict[str, str] = {}
        self._look_at = float("-inf")

    async def run(self) -> None:
        """Ask for ever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for turn in self.due():
                    tasks.create_task(self.poll(turn), name=f"poll {turn.name}")
                until = min(self._pace.next_at(), self._look_at)
                await asyncio.sleep(max(until - self._now(), TICK_SECONDS))

    def due(self) -> list[Turn]:
        """Those whose turn it is now, each of which must be polled."""
        now = self._now()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._live.expire()
            for name in self._live.returned():
                self._pace.again(name, now)
            if self._current.snapshot is not self._snapshot:
                self._follow(now)
        return self._pace.take_due(now)

    async def poll(self, turn: Turn) -> None:
        """Ask one of them, and tell what came of it."""
        poll = self._polls.get(turn.name)
        why = ""
        try:
            if poll is not None:
                await poll.ask()
        except NoAnswer as error:
            why = str(error)
        except Exception:
            logger.exception("poll failed", extra={"asked": turn.name})
            why = "could not be asked"
        self._pace.finished(turn, self._now(), well=not why)
        if poll is not None and self._polls.get(turn.name) is poll:
            if why:
                poll.not_told(why)
            self._log(turn.name, why)

    def _follow(self, now: float) -> None:
        """Ask by the table in force from now on; what is known of those that stay is kept."""
        self._snapshot = self._current.snapshot
        if self._snapshot is None:
            return
        found = targets.of(self._snapshot)
        made: list[tuple[str, Poll]] = []
        for engine in found.engines:
            made.append((engine.endpoint.name, EnginePoll(engine, self._live, self._client, self._now)))
        for exporter in found.exporters:
            made.append((exporter.exporter.name, ExporterPoll(exporter, self._live, self._client)))
        self._polls = {name: poll.after(self._polls.get(name)) for name, poll in made}
        self._pace.follow({name: poll.interval_seconds for name, poll in made}, now)
        refused = {one.url: one for one in found.refused}
        self._silent = {
            name: why for name, why in self._silent.items() if name in self._polls or name in refused
        }
        for url, one in refused.items():
            for endpoint in one.endpoints:
                self._live.gpus_not_told(endpoint, one.why)
            self._log(url, one.why)

    def _log(self, name: str, why: str) -> None:
        """Log why one tells nothing when that begins, changes or ends."""
        if why == self._silent.get(name, ""):
            return
        if why:
            self._silent[name] = why
            logger.warning("signals not told", extra={"asked": name, "detail": why})
        else:
            del self._silent[name]
            logger.info("signals told again", extra={"asked": name})
