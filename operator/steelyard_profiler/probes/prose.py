"""What can be said of a sentence's form without knowing what it means."""

import re
from itertools import pairwise

from steelyard_profiler import answers

_ENDS = re.compile(r"[.!?]+[\"'”’)*]*(?:\s+|$)")

LEAST_DIFFERENT = 0.6
"""The share of words that are different from all others; sentences of up to fifteen words stay above it."""

MOST_WORDS = 45
"""More is no answer to what asks for one sentence; `LINE` holds no more."""


def sentences(answer: str) -> int:
    """How many sentences the answer has."""
    return len([part for part in _ENDS.split(answers.body(answer)) if part.strip(" \"'*_")])


def is_prose(answer: str) -> bool:
    """Whether the words vary as they do in sentences, not filling up a count or naming all there is."""
    found = [word.lower() for word in answers.words(answer)]
    return (
        len(found) <= MOST_WORDS
        and len(set(found)) >= LEAST_DIFFERENT * len(found)
        and all(one != two for one, two in pairwise(found))
    )
