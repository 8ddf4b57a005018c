"""Reasoning: order, sets, dates, deduction and keeping track, with one word, number or date as the answer.

Easy ones take one step, Medium ones three or four; the Hard ones are in `reasoning_hard`.
"""

import re
from datetime import date, timedelta
from itertools import pairwise

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, Task, Templates
from steelyard_profiler.probes import reasoning_hard
from steelyard_profiler.probes.reasoning_hard import ONE_NAME, ONE_NUMBER, ONE_WORD, closed
from steelyard_profiler.probes.words import ANIMALS, CITIES, COLORS, DAYS, JOBS, MONTHS, NAMES, NOUNS

ROOMS = ("kitchen", "garden", "office", "library", "cellar", "attic")
OWNED = ("piano", "bicycle", "boat", "camera", "telescope", "tractor")
HELD = ("key", "ring", "coin", "letter", "stamp", "spoon", "pen", "watch")
SIDES = ("north", "east", "south", "west")
KINDS = ("blons", "trems", "vixes", "dorps", "glips", "snobs", "mirks", "folts", "zands", "pruks")

_OPPOSITES = {"taller": "shorter", "older": "younger", "faster": "slower", "stronger": "weaker"}

_ARGUMENTS = (
    ("All {a} are {b}. All {b} are {c}.", "all {a} are {c}", True),
    ("All {a} are {b}. No {b} are {c}.", "no {a} are {c}", True),
    ("Some {a} are {b}. All {b} are {c}.", "some {a} are {c}", True),
    ("No {a} are {b}. Some {c} are {b}.", "some {c} are not {a}", True),
    ("All {a} are {b}. All {c} are {b}.", "all {a} are {c}", False),
    ("All {a} are {b}. Some {b} are {c}.", "some {a} are {c}", False),
    ("No {a} are {b}. No {b} are {c}.", "no {a} are {c}", False),
    ("Some {a} are {b}. Some {b} are {c}.", "some {a} are {c}", False),
)
"""Two sentences, a third one, and whether it follows from them (Aristotle's figures)."""


def one_of_two(draws: Draws) -> Task:
    first, second = draws.sample(NAMES, 2)
    word = draws.pick(tuple(_OPPOSITES))
    asked, right = draws.pick(((word, first), (_OPPOSITES[word], second)))
    question = f"Who is {asked}, {first} or {second}? {first} is {word} than {second}. {ONE_NAME}"
    return closed(question, right, (first, second), claim=asked)


def next_day(draws: Draws) -> Task:
    what, every = draws.pick((("day of the week", DAYS), ("month", MONTHS)))
    at = draws.below(len(every))
    side, step = draws.pick((("after", 1), ("before", -1)))
    question = f"Which {what} comes right {side} {every[at]}? {ONE_WORD}"
    return Task(question, answers.choice(every[(at + step) % len(every)], every, (every[at],)))


def thing_within_thing(draws: Draws) -> Task:
    thing, holder = draws.pick(HELD), draws.pick(("bag", "box", "basket", "drawer"))
    room = draws.pick(ROOMS)
    question = f"The {thing} is in the {holder}. The {holder} is in the {room}. In which room is the {thing}?"
    return Task(f"{question} {ONE_WORD}", answers.choice(room, ROOMS))


def member_owns(draws: Draws) -> Task:
    job, name, (owned, other) = draws.pick(JOBS), draws.pick(NAMES), draws.sample(OWNED, 2)
    told = [f"Every {job} in the town owns a {owned}.", f"{name} is a {job} in the town."]
    question = f"{' '.join(told)} Nobody owns a {other}. What does {name} own? Answer in a few words."
    return closed(question, owned, (owned, other))


def last_place(draws: Draws) -> Task:
    name, rooms = draws.pick(NAMES), draws.sample(ROOMS, 3)
    told = (
        f"{name} was in the {rooms[0]}. Then {name} went to the {rooms[1]}, and after that to the {rooms[2]}."
    )
    return closed(f"{told} Where is {name} now? {ONE_WORD}", rooms[2], rooms)


_APART = r"does(?: not|n['’]t) belong(?: (?:with|to|among) the (?:others?|rest|list|group))?"
"""What denies nothing here, but says which one it is."""


_KINDS_OF_WORDS = (
    (ANIMALS, "animal"),
    (COLORS, "colou?r"),
    (CITIES, "city"),
    (DAYS, "day"),
    (MONTHS, "month"),
)


def odd_one_out(draws: Draws) -> Task:
    (many, kind), (one, _) = draws.sample(_KINDS_OF_WORDS, 2)
    odd = draws.pick(one)
    listed = draws.shuffled([*draws.sample(many, 3), odd])
    question = f"Which one of these does not belong with the others: {', '.join(listed)}? {ONE_WORD}"
    apart = re.compile(rf"\s{{1,3}}(?:{_APART}|is(?: not|n['’]t) an? {kind})\b", re.IGNORECASE)
    check = answers.choice(odd, listed).reading(apart, " is odd")
    return Task(question, check, chance=1 / len(listed))


def owner(draws: Draws) -> Task:
    names, animals = draws.sample(NAMES, 3), draws.sample(ANIMALS, 3)
    told = ". ".join(f"{name} has {_a(animal)}" for name, animal in zip(names, animals, strict=True))
    at = draws.below(3)
    return closed(f"Who has the {animals[at]}? {told}. {ONE_NAME}", names[at], names)


def place_in_line(draws: Draws) -> Task:
    names = draws.sample(NAMES, 3)
    word, at = draws.pick((("first", 0), ("last", 2)))
    question = f"{names[0]} stands before {names[1]}, and {names[1]} stands before {names[2]}. Who is {word}?"
    return closed(f"{question} {ONE_NAME}", names[at], names, claim=word)


def is_in_the_bag(draws: Draws) -> Task:
    held, right = draws.sample(HELD, 4), draws.pick(("yes", "no"))
    told = f"In the bag are a {held[0]}, a {held[1]} and a {held[2]}, and nothing else."
    asked = held[3] if right == "no" else held[draws.below(3)]
    question = f"{told} Is there a {asked} in the bag? Answer with yes or no only."
    return closed(question, right, ("yes", "no"))


def rank_of_four(draws: Draws) -> Task:
    ranked = draws.sample(NAMES, 4)
    told = draws.shuffled([f"{a} is older than {b}." for a, b in pairwise(ranked)])
    word, at = draws.pick((("oldest", 0), ("second oldest", 1), ("second youngest", 2), ("youngest", 3)))
    question = f"{' '.join(told)} Who is the {word} of the four? {ONE_NAME}"
    return closed(question, ranked[at], ranked, claim=word)


def days_from(draws: Draws) -> Task:
    at, step = draws.below(7), 7 * draws.between(1, 5) + draws.between(1, 6)
    question = f"Today is {DAYS[at]}. Which day of the week is it in {step} days? {ONE_WORD}"
    return Task(question, answers.choice(DAYS[(at + step) % 7], DAYS, (DAYS[at],)))


def swapped_cups(draws: Draws) -> Task:
    things, cups = draws.sample(("coin", "ring", "key", "pearl"), 3), ["left", "middle", "right"]
    place = dict(zip(things, cups, strict=True))
    told = []
    for _ in range(3):
        one, two = draws.sample(cups, 2)
        told.append(f"The contents of the {one} cup and the {two} cup are swapped.")
        place = {thing: {one: two, two: one}.get(cup, cup) for thing, cup in place.items()}
    asked = draws.pick(things)
    start = ", ".join(f"the {thing} is in the {cup} cup" for thing, cup in zip(things, cups, strict=True))
    question = f"At first {start}. {' '.join(told)} In which cup is the {asked} now: left, middle or right?"
    return closed(f"{question} {ONE_WORD}", place[asked], cups)


def who_is_left(draws: Draws) -> Task:
    names, jobs = draws.sample(NAMES, 3), draws.sample(("baker", "nurse", "pilot", "farmer"), 3)
    told = draws.shuffled(
        [
            f"{names[0]} is not the {jobs[1]}.",
            f"{names[0]} is not the {jobs[2]}.",
            f"{names[1]} is not the {jobs[2]}.",
        ]
    )
    at, shown = draws.below(3), sorted(jobs)
    question = (
        f"{', '.join(sorted(names))} are a {shown[0]}, a {shown[1]} and a {shown[2]}, in an unknown order. "
        f"{' '.join(told)} Who is the {jobs[at]}? {ONE_NAME}"
    )
    return closed(question, names[at], names, claim=jobs[at])


def both_clubs(draws: Draws) -> Task:
    chess, song, both = draws.between(9, 18), draws.between(9, 18), draws.between(2, 8)
    neither = draws.between(2, 9)
    pupils = chess + song - both + neither
    question = (
        f"In a class of {pupils} pupils, {chess} play chess and {song} sing in the choir. {neither} do "
        f"neither. How many do both? {ONE_NUMBER}"
    )
    return Task(question, answers.number(both, pupils, chess, song, neither))


def in_both_lists(draws: Draws) -> Task:
    words = draws.sample(NOUNS, 8)
    first = draws.shuffled(words[:5])
    second = draws.shuffled([*draws.sample(words[:5], 2), *words[5:]])
    both = [word for word in first if word in second]
    question = (
        f"List A: {', '.join(first)}. List B: {', '.join(second)}. Which two words are in both lists? Write "
        "them in the order of list A, separated by a comma, and nothing else."
    )
    return Task(question, answers.ordered(both, words))


def turned_about(draws: Draws) -> Task:
    at = draws.below(4)
    turns = [draws.pick((("right", 1), ("left", 3), ("round", 2))) for _ in range(4)]
    end = (at + sum(step for _, step in turns)) % 4
    told = ", then ".join(f"turns {word}" for word, _ in turns)
    question = (
        f"{draws.pick(NAMES)} faces {SIDES[at]}, {told}. Left and right are quarter turns, "
        "round is a half turn. "
        f"Which way is that in the end: north, east, south or west? {ONE_WORD}"
    )
    return closed(question, SIDES[end], SIDES)


def does_it_follow(draws: Draws) -> Task:
    told, claim, follows = draws.pick(_ARGUMENTS)
    named = dict(zip("abc", draws.sample(KINDS, 3), strict=True))
    question = (
        f"{told.format(**named)} Does it follow for certain that {claim.format(**named)}? "
        "Answer with yes or no only."
    )
    return closed(question, "yes" if follows else "no", ("yes", "no"))


def date_after(draws: Draws) -> Task:
    start = date(draws.between(2021, 2029), draws.between(1, 12), draws.between(12, 28))
    end = start + timedelta(days=draws.between(20, 45))
    told = f"{MONTHS[start.month - 1]} {start.day}, {start.year}"
    question = f"Which date is {(end - start).days} days after {told}? Answer with month and day only."
    return Task(question, answers.day(end.month, end.day, (start.month, start.day)), LINE)


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


TEMPLATES: Templates = {
    Level.EASY: (
        thing_within_thing,
        one_of_two,
        member_owns,
        next_day,
        last_place,
        odd_one_out,
        owner,
        is_in_the_bag,
        place_in_line,
    ),
    Level.MEDIUM: (
        rank_of_four,
        days_from,
        swapped_cups,
        who_is_left,
        both_clubs,
        in_both_lists,
        turned_about,
        does_it_follow,
        date_after,
    ),
    Level.HARD: reasoning_hard.HARD,
}
