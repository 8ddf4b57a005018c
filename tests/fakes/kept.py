"""Kept: a LoadingOllama whose memory a Keeper keeps, without a network and on the server's clock."""

from dataclasses import replace
from typing import Any

from fakes.loading_ollama import LoadingOllama
from steelyard.api.signals import Memory
from steelyard.memory.keeping import Answer, Event, Keeper
from steelyard.memory.requests import Request
from steelyard.memory.wishes import Wanted

MOST_STEPS = 200
"""More requests than any round needs."""


class Kept:
    """A server and its keeper."""

    def __init__(self, ollama: LoadingOllama, contexts: dict[str, int] | None = None, **memory: Any) -> None:
        """Memory as spec.memory has it, names in snake case."""
        self.ollama = ollama
        self.wanted = Wanted(Memory(**memory), contexts or {}, 600.0, 3.0)
        self.keeper = Keeper("/v1", self.wanted)
        self.events: list[Event] = []
        self.set_back = 0.0
        """How far everybody's clock was set back."""

    def round(self) -> "Kept":
        """One round; itself."""
        conversation, answer = self.keeper.round(), None
        for _ in range(MOST_STEPS):
            try:
                step = conversation.send(answer)  # type: ignore[arg-type]
            except StopIteration:
                self.events += self.keeper.events()
                return self
            if not isinstance(step, Request):
                self.ollama.now += step.seconds
                answer = Answer(*self._now())
                continue
            status, body = self.ollama.answer(step.path, step.body)
            failure = "" if status else "did not answer"
            answer = Answer(*self._now(), status, body, failure)
        raise AssertionError(f"a round without an end: {self.ollama.journal}")

    def after(self, seconds: float) -> "Kept":
        """A round so much later; itself."""
        self.ollama.now += seconds
        return self.round()

    def set_clock_back(self, seconds: float) -> None:
        """Set everybody's clock back."""
        self.ollama.now -= seconds
        self.set_back += seconds

    def want(self, contexts: dict[str, int] | None = None, **memory: Any) -> "Kept":
        """Want something else; itself."""
        self.wanted = replace(self.wanted, memory=Memory(**memory), contexts=contexts or {})
        self.keeper.want(self.wanted)
        return self

    def told(self) -> list[str]:
        """Reasons of what people should know."""
        return [problem.reason for problem in self.keeper.problems or ()]

    def message(self, reason: str) -> str:
        """What people are told for this reason."""
        return next(one.message for one in self.keeper.problems or () if one.reason == reason)

    def _now(self) -> tuple[float, float]:
        """By the clock that nobody sets, and by the other one."""
        return self.ollama.now + self.set_back - 1e9, self.ollama.now
