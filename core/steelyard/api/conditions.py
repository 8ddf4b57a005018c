"""How conditions change. Pure: the time comes in as an argument.

Rule 1. There is one condition of a type; a new one takes the old one's place, others stay where they are.
Rule 2. `lastTransitionTime` moves only when `status` changes.
Rule 3. A condition that says the same as before is the same value: an unchanged status is not written.
"""

from datetime import datetime

from steelyard.api.meta import Condition


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
