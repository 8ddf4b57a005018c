"""Reasoning: order, days, deduction and keeping track, with one word or number as the answer."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from itertools import pairwise, permutations, product

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, Task, Templates
from steelyard_profiler.probes.words import ANIMALS, CITIES, COLORS, DAYS, JOBS, MONTHS, NAMES, THINGS

ONE_NAME = "Answer with one name only."
ONE_WORD = "Answer with one word only."
ONE_NUMBER = "Answer with the number only."

ROOMS = ("kitchen", "garden", "office", "library", "cellar", "attic")
OWNED = ("piano", "bicycle", "boat", "camera", "telescope", "tractor")

_OPPOSITES = {"taller": "shorter", "older": "younger", "faster": "slower", "stronger": "weaker"}


def one_of_two(draws: Draws) -> Task:
    first, second = draws.sample(NAMES, 2)
    word = draws.pick(tuple(_OPPOSITES))
    asked, right = draws.pick(((word, first), (_OPPOSITES[word], second)))
    question = f"{first} is {word} than {second}. Who is {asked}, {first} or {second}? {ONE_NAME}"
    return Task(question, answers.choice(right, (first, second), claim=asked))


def next_day(draws: Draws) -> Task:
    at = draws.below(7)
    side, step = draws.pick((("after", 1), ("before", -1)))
    question = f"Which day of the week comes right {side} {DAYS[at]}? {ONE_WORD}"
    return Task(question, answers.choice(DAYS[(at + step) % 7], DAYS, given=(DAYS[at],)))


def thing_within_thing(draws: Draws) -> Task:
    thing, holder = (
        draws.pick(("key", "ring", "coin", "letter")),
        draws.pick(("bag", "box", "basket", "drawer")),
    )
    room = draws.pick(ROOMS)
    question = f"The {thing} is in the {holder}. The {holder} is in the {room}. In which room is the {thing}?"
    return Task(f"{question} {ONE_WORD}", answers.choice(room, ROOMS))


def member_owns(draws: Draws) -> Task:
    job, name, (owned, other) = draws.pick(JOBS), draws.pick(NAMES), draws.sample(OWNED, 2)
    told = [f"Every {job} in the town owns a {owned}.", f"{name} is a {job} in the town."]
    question = f"{' '.join(told)} Nobody owns a {other}. What does {name} own? Answer in a few words."
    return Task(question, answers.choice(owned, OWNED, given=(other,)))


def last_place(draws: Draws) -> Task:
    name, (before, after) = draws.pick(NAMES), draws.sample(ROOMS, 2)
    question = f"{name} was in the {before}. Then {name} went to the {after}. Where is {name} now? {ONE_WORD}"
    return Task(question, answers.choice(after, ROOMS, given=(before,)))


def odd_one_out(draws: Draws) -> Task:
    many, one = draws.pick(((ANIMALS, COLORS), (COLORS, ANIMALS)))
    odd = draws.pick(one)
    listed = draws.shuffled([*draws.sample(many, 3), odd])
    question = f"Which one of these does not belong with the others: {', '.join(listed)}? {ONE_WORD}"
    return Task(question, answers.choice(odd, listed))


def owner(draws: Draws) -> Task:
    names, animals = draws.sample(NAMES, 3), draws.sample(ANIMALS, 3)
    told = ". ".join(f"{name} has a {animal}" for name, animal in zip(names, animals, strict=True))
    at = draws.below(3)
    return Task(f"{told}. Who has the {animals[at]}? {ONE_NAME}", answers.choice(names[at], names))


def rank_of_four(draws: Draws) -> Task:
    ranked = draws.sample(NAMES, 4)
    told = draws.shuffled([f"{a} is older than {b}." for a, b in pairwise(ranked)])
    word, at = draws.pick((("oldest", 0), ("second oldest", 1), ("second youngest", 2), ("youngest", 3)))
    question = f"{' '.join(told)} Who is the {word} of the four? {ONE_NAME}"
    return Task(question, answers.choice(ranked[at], ranked))


def days_from(draws: Draws) -> Task:
    at, step = draws.below(7), 7 * draws.between(1, 5) + draws.between(1, 6)
    question = f"Today is {DAYS[at]}. Which day of the week is it in {step} days? {ONE_WORD}"
    return Task(question, answers.choice(DAYS[(at + step) % 7], DAYS, given=(DAYS[at],)))


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
    return Task(f"{question} {ONE_WORD}", answers.choice(place[asked], cups))


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
    return Task(question, answers.choice(names[at], names, claim=jobs[at]))


def both_clubs(draws: Draws) -> Task:
    chess, song, both = draws.between(9, 18), draws.between(9, 18), draws.between(2, 8)
    neither = draws.between(2, 9)
    pupils = chess + song - both + neither
    question = (
        f"In a class of {pupils} pupils, {chess} play chess and {song} sing in the choir. {neither} do "
        f"neither. How many do both? {ONE_NUMBER}"
    )
    return Task(question, answers.number(both, pupils, chess, song, neither))


def rank_of_seven(draws: Draws) -> Task:
    ranked = draws.sample(NAMES, 7)
    steps = [f"{a} finished right before {b}." for a, b in zip(ranked[::2], ranked[1::2], strict=False)]
    links = [
        f"{ranked[2]} finished two places after {ranked[0]}.",
        f"{ranked[5]} finished two places after {ranked[3]}.",
        f"{ranked[6]} finished three places after {ranked[3]}.",
    ]
    at = draws.between(1, 7)
    question = (
        f"Seven people ran a race and no two finished together. {' '.join(draws.shuffled(steps + links))} "
        f"Who finished in place {at}? {ONE_NAME}"
    )
    return Task(question, answers.choice(ranked[at - 1], ranked), LINE)


def moved_things(draws: Draws) -> Task:
    boxes, things = draws.sample(COLORS, 4), draws.pick(THINGS)
    held = {box: draws.between(5, 25) for box in boxes}
    start, told = ", ".join(f"{count} in the {box} box" for box, count in held.items()), []
    for _ in range(6):
        source, target = draws.sample(boxes, 2)
        if draws.below(3) == 0:
            told.append(f"Then the {source} box and the {target} box swap their contents.")
            held[source], held[target] = held[target], held[source]
        elif held[source] > 1:
            count = draws.between(1, held[source] - 1)
            told.append(f"Then {count} are moved from the {source} box to the {target} box.")
            held[source], held[target] = held[source] - count, held[target] + count
    asked = draws.pick(boxes)
    question = (
        f"There are {start}, all of them {things}. {' '.join(told)} "
        f"How many {things} are in the {asked} box now? {ONE_NUMBER}"
    )
    return Task(question, answers.number(held[asked]), LINE)


def weekday_of_date(draws: Draws) -> Task:
    start = date(2030 + draws.below(3), draws.between(1, 12), draws.between(1, 28))
    months, days = draws.between(2, 7), draws.between(11, 95)
    years, month = divmod(start.month - 1 + months, 12)
    end = date(start.year + years, month + 1, start.day) + timedelta(days=days)
    today = DAYS[start.weekday()]
    question = (
        f"{MONTHS[start.month - 1]} {start.day}, {start.year} is a {today}. Go {months} months ahead to "
        f"the same day of the month, then {days} days further. Which day of the week is that? {ONE_WORD}"
    )
    return Task(question, answers.choice(DAYS[end.weekday()], DAYS, given=(today,)), LINE)


def truth_and_lies(draws: Draws) -> Task:
    names = draws.sample(NAMES, 4)
    while True:
        says = [
            (draws.below(2), draws.pick([n for n in range(4) if n != at]), draws.below(4)) for at in range(4)
        ]
        fits = [worlds for worlds in product((True, False), repeat=4) if _consistent(worlds, says)]
        if len(fits) == 1 and 1 <= sum(fits[0]) <= 3:
            break
    told = " ".join(f"{names[at]} says: {_claim(names, at, *says[at])}" for at in range(4))
    count = sum(fits[0])
    asked = draws.below(4)
    question = (
        f"{', '.join(names)} each either always tell the truth or always lie. {told} "
        f"Is {names[asked]} a truth-teller or a liar? How many of the four tell the truth? "
        "Answer in the form word, number: for example liar, 3"
    )
    right = f"{'truth-teller' if fits[0][asked] else 'liar'}, {count}"
    return Task(question, answers.match(right, r"(?:truth-teller|liar), ?[0-4]"), LINE)


def _consistent(world: tuple[bool, ...], says: list[tuple[int, int, int]]) -> bool:
    return all(world[at] is _holds(world, at, *said) for at, said in enumerate(says))


def _holds(world: tuple[bool, ...], at: int, kind: int, other: int, count: int) -> bool:
    return world[other] is not world[at] if kind else sum(world) == count


def _claim(names: list[str], at: int, kind: int, other: int, count: int) -> str:
    if kind:
        return f'"{names[other]} and I are of different kinds."'
    return f'"Exactly {count} of the four of us tell the truth."'


def row_of_guests(draws: Draws) -> Task:
    guests, cities = draws.sample(NAMES, 5), draws.sample(CITIES, 5)
    worlds = [
        dict(zip((*people, *homes), (*range(5), *range(5)), strict=True))
        for people in permutations(guests)
        for homes in permutations(cities)
    ]
    told, tries = [], 0
    while len(worlds) > 1:
        words, holds = _seating_clue(draws, guests, cities)
        left = [world for world in worlds if holds(world)]
        tries += 1
        if len(left) * 2 <= len(worlds) or (tries > 40 and len(left) < len(worlds)):
            told.append(words)
            worlds = left
    at = draws.below(5)
    question = (
        f"Five guests ({', '.join(sorted(guests))}) from five cities ({', '.join(sorted(cities))}) "
        f"sit in a row. {' '.join(told)} Who comes from {cities[at]}? {ONE_NAME}"
    )
    return Task(question, answers.choice(guests[at], guests), LINE)


def _seating_clue(
    draws: Draws, guests: list[str], cities: list[str]
) -> tuple[str, Callable[[Mapping[str, int]], bool]]:
    """A sentence that is true when guest n of the list has seat n and comes from city n."""
    at, other = draws.sample(range(5), 2)
    low, high = min(at, other), max(at, other)
    left, right = draws.pick((guests, cities))[low], draws.pick((guests, cities))[high]
    match draws.below(3):
        case 0:
            return (
                f"{guests[at]} does not come from {cities[other]}.",
                lambda seat: seat[guests[at]] != seat[cities[other]],
            )
        case 1 if high == low + 1:
            return (
                f"{_guest(left, cities)} sits directly left of {_guest(right, cities, inside=True)}.",
                lambda seat: seat[left] + 1 == seat[right],
            )
        case _:
            return (
                f"{_guest(left, cities)} sits somewhere to the left of {_guest(right, cities, inside=True)}.",
                lambda seat: seat[left] < seat[right],
            )


def _guest(name: str, cities: list[str], *, inside: bool = False) -> str:
    the = "the" if inside else "The"
    return f"{the} guest from {name}" if name in cities else name


TEMPLATES: Templates = {
    Level.EASY: (thing_within_thing, one_of_two, member_owns, next_day, last_place, odd_one_out, owner),
    Level.MEDIUM: (rank_of_four, days_from, swapped_cups, who_is_left, both_clubs),
    Level.HARD: (rank_of_seven, moved_things, weekday_of_date, truth_and_lies, row_of_guests),
}
