"""How conditions change. Pure: the time comes in as an argument.

Rule 1. There is one condition of a type; a new one takes the old one's place, others stay where they are.
Rule 2. `lastTransitionTime` moves only when `status` changes.
Rule 3. Reconciling and Stalled are there only while they are true, as kstatus has it: their absence is well.
Rule 4. A condition that says the same as before is the same value: an unchanged status is not written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from steelyard.api.meta import Condition, ConditionStatus

MOST_MESSAGE_CHARACTERS = 4096
"""A longer message is cut: people read it in a terminal."""


ABNORMAL = frozenset({"Reconciling", "Stalled"})
"""Conditions of rule 3: https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus#conditions"""


@dataclass(frozen=True, slots=True)
class Fact:
    """What a condition is to say."""

    type: str
    """The condition's type."""
    holds: bool | None
    """Its status; None: unknown."""
    reason: str
    """One CamelCase word."""
    message: str = ""
    """A sentence that says what to do."""


def with_facts(
    conditions: tuple[Condition, ...], facts: Iterable[Fact], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions with these facts set, as of an object's generation."""
    for fact in facts:
        new = Condition(
            type=fact.type,
            status=_status(fact.holds),
            reason=fact.reason,
            message=fact.message[:MOST_MESSAGE_CHARACTERS],
            observed_generation=generation,
        )
        conditions = with_condition(conditions, new, now)
    return conditions


def with_every_fact(
    conditions: tuple[Condition, ...], facts: Sequence[Fact], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The same where these are all that is to be said: what is abnormal and not among them is over."""
    said = {fact.type for fact in facts}
    kept = tuple(one for one in conditions if one.type not in ABNORMAL or one.type in said)
    return with_facts(kept, facts, generation, now)


def with_condition(conditions: tuple[Condition, ...], new: Condition, now: datetime) -> tuple[Condition, ...]:
    """The conditions with this one set; its own lastTransitionTime is not looked at."""
    old = find(conditions, new.type)
    since = old.last_transition_time if old and old.status is new.status else None
    new = new.model_copy(update={"last_transition_time": since or now.replace(microsecond=0)})
    if old is None:
        return (*conditions, new)
    return tuple(new if condition.type == new.type else condition for condition in conditions)


def find(conditions: tuple[Condition, ...], condition_type: str) -> Condition | None:
    """The condition of this type."""
    return next((condition for condition in conditions if condition.type == condition_type), None)


def holds(conditions: tuple[Condition, ...], condition_type: str) -> bool:
    """Whether there is this condition and it is true."""
    found = find(conditions, condition_type)
    return found is not None and found.status is ConditionStatus.TRUE


def _status(holds: bool | None) -> ConditionStatus:
    if holds is None:
        return ConditionStatus.UNKNOWN
    return ConditionStatus.TRUE if holds else ConditionStatus.FALSE
