"""The answers of Reasoning's questions, worked out once more from the questions' words alone."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from itertools import permutations, product

import pytest

from steelyard_profiler.draws import Draws
from steelyard_profiler.probes import reasoning
from steelyard_profiler.probes.words import DAYS, MONTHS

ALL = {template.__name__: template for templates in reasoning.TEMPLATES.values() for template in templates}


def rank(question: str) -> str:
    pairs = re.findall(r"(\w+) is older than (\w+)\.", question)
    names = sorted({name for pair in pairs for name in pair})
    (order,) = [
        order
        for order in permutations(names)
        if all(order.index(one) < order.index(two) for one, two in pairs)
    ]
    asked = ("the oldest", "the second oldest", "the second youngest", "the youngest")
    return str(order[next(at for at, words in enumerate(asked) if f"Who is {words} of" in question)])


def day_in(question: str) -> str:
    today, step = re.findall(r"Today is (\w+)\. .* in (\d+) days", question)[0]
    return DAYS[(DAYS.index(today) + int(step)) % 7]


def cup(question: str) -> str:
    held = {place: thing for thing, place in re.findall(r"the (\w+) is in the (\w+) cup", question)}
    for one, two in re.findall(r"contents of the (\w+) cup and the (\w+) cup", question):
        held[one], held[two] = held[two], held[one]
    asked = re.findall(r"In which cup is the (\w+) now", question)[0]
    return str(next(place for place, thing in held.items() if thing == asked))


def left_over(question: str) -> str:
    names = re.findall(r"^(\w+), (\w+), (\w+) are", question)[0]
    jobs = re.findall(r"are an? (\w+), an? (\w+) and an? (\w+)", question)[0]
    denied = re.findall(r"(\w+) is not the (\w+)\.", question)
    (world,) = [
        dict(zip(jobs, order, strict=True))
        for order in permutations(names)
        if not any(dict(zip(order, jobs, strict=True))[name] == job for name, job in denied)
    ]
    return str(world[re.findall(r"Who is the (\w+)\?", question)[0]])


def in_both(question: str) -> str:
    first, second = (found.split(", ") for found in re.findall(r"List [AB]: ([\w, ]+)\.", question))
    return ", ".join(word for word in first if word in second)


def clubs(question: str) -> str:
    pupils, chess, song, neither = map(int, re.findall(r"\d+", question))
    return str(chess + song + neither - pupils)


def facing(question: str) -> str:
    sides = ("north", "east", "south", "west")
    at = sides.index(re.findall(r"faces (\w+),", question)[0])
    for turn in re.findall(r"turns (\w+)", question):
        at += {"right": 1, "round": 2, "left": 3}[turn]
    return sides[at % 4]


def follows(question: str) -> str:
    """By trying every world in which each of the eight kinds of thing exists or not."""
    first, second, claim = re.findall(
        r"((?:All|No|Some) .*?)\. (.*?)\. .*for certain that (.*?)\?", question
    )[0]
    names = sorted(
        set(re.findall(r"\b(?!not\b|are\b|all\b|some\b|no\b)[a-z]{5}\b", f"{first} {second}".lower()))
    )
    assert len(names) == 3
    things = list(product((True, False), repeat=3))

    def holds(words: str, world: tuple[tuple[bool, ...], ...]) -> bool:
        how, one, denied, two = re.findall(r"(\w+) (\w+) are (not )?(\w+)", words.lower())[0]
        a, b = names.index(one), names.index(two)
        both = [thing[b] for thing in world if thing[a]]
        if how == "all":
            return all(both)
        return not any(both) if how == "no" else any(is_b is not bool(denied) for is_b in both)

    worlds = [
        tuple(thing for thing, there in zip(things, exists, strict=True) if there)
        for exists in product((True, False), repeat=8)
    ]
    fitting = [world for world in worlds if holds(first, world) and holds(second, world)]
    return "yes" if all(holds(claim, world) for world in fitting) else "no"


def date_in(question: str) -> str:
    days, month, day, year = re.findall(r"(\d+) days after (\w+) (\d+), (\d+)", question)[0]
    end = date(int(year), MONTHS.index(month) + 1, int(day)) + timedelta(days=int(days))
    return f"{MONTHS[end.month - 1]} {end.day}"


def race(question: str) -> str:
    steps = {"right before": -1, "two places after": 2, "three places after": 3}
    told = re.findall(rf"(\w+) finished ({'|'.join(steps)}) (\w+)\.", question)
    names = sorted({name for one, _, two in told for name in (one, two)})
    assert len(names) == 7
    (order,) = [
        order
        for order in permutations(names)
        if all(order.index(one) - order.index(two) == steps[how] for one, how, two in told)
    ]
    return str(order[int(re.findall(r"in place (\d)", question)[0]) - 1])


def boxes(question: str) -> str:
    held = {box: int(count) for count, box in re.findall(r"(\d+) in the (\w+) box", question.split(". ")[0])}
    for sentence in question.split(". ")[1:]:
        if found := re.search(r"(\d+) are moved from the (\w+) box to the (\w+) box", sentence):
            held[found[2]] -= int(found[1])
            held[found[3]] += int(found[1])
        elif found := re.search(r"the (\w+) box and the (\w+) box swap", sentence):
            held[found[1]], held[found[2]] = held[found[2]], held[found[1]]
    assert min(held.values()) >= 0
    return str(held[re.findall(r"are in the (\w+) box now", question)[0]])


def weekday(question: str) -> str:
    month, day, year, today, months, days = re.findall(
        r"(\w+) (\d+), (\d+) is a (\w+)\. Go (\d+) months .* then (\d+) days", question
    )[0]
    at = MONTHS.index(month)
    start = date(int(year), at + 1, int(day))
    assert DAYS[start.weekday()] == today
    later = date(int(year) + (at + int(months)) // 12, (at + int(months)) % 12 + 1, int(day))
    return DAYS[(later + timedelta(days=int(days))).weekday()]


def liar(question: str) -> str:
    names = question.split(" each either")[0].split(", ")
    told = re.findall(r'(\w+) says: "(?:Exactly (\d)|(\w+) and I)', question)
    fitting = []
    for world in product((True, False), repeat=4):
        honest = dict(zip(names, world, strict=True))
        holds = [
            sum(world) == int(count) if count else honest[other] is not honest[name]
            for name, count, other in told
        ]
        if all(honest[name] is said for (name, _, _), said in zip(told, holds, strict=True)):
            fitting.append(honest)
    (honest,) = fitting
    asked = re.findall(r"Is (\w+) a truth-teller", question)[0]
    return f"{'truth-teller' if honest[asked] else 'liar'}, {sum(honest.values())}"


def languages(question: str) -> str:
    total, french, spanish, german, fs, fg, sg, every = map(int, re.findall(r"\d+", question))
    two = fs + fg + sg - 3 * every
    one = french + spanish + german - 2 * two - 3 * every
    if "exactly one" in question:
        return str(one)
    return str(two if "exactly two" in question else total - one - two - every)


def queue(question: str) -> str:
    start, *told = question.split(". ")
    waiting = re.findall(r"^(\w+), (\w+), (\w+) and (\w+) stand", start)[0]
    line = list(waiting)
    for sentence in told:
        if "is served" in sentence:
            del line[0]
        elif found := re.match(r"(\w+) joins at the end", sentence):
            line.append(found[1])
        elif found := re.match(r"(\w+) slips in right before (\w+)", sentence):
            line.insert(line.index(found[2]), found[1])
        elif found := re.match(r"(\w+) and (\w+) change places", sentence):
            one, two = line.index(found[1]), line.index(found[2])
            line[one], line[two] = line[two], line[one]
    return ", ".join(line)


def walk(question: str) -> str:
    at, side = 0j, 1j
    for count, way, turn in re.findall(r"goes (\d+) (forward|backward)(?:, turns (\w+))?", question):
        at += int(count) * side * (1 if way == "forward" else -1)
        side *= {"left": 1j, "right": -1j}.get(turn, 1)
    return f"({int(at.real)}, {int(at.imag)})"


def arrival(question: str) -> str:
    hour, minute = map(int, re.findall(r"at (\d\d):(\d\d) local", question)[0])
    hours, minutes = map(int, re.findall(r"for (\d+) hours and (\d+) minutes", question)[0])
    more = int(re.findall(r"for (\d+) minutes more", question)[0])
    late = int(re.findall(r"another (\d+) minutes", question)[0])
    shift, how = re.findall(r"clocks are (\d) hours (ahead|behind)", question)[0]
    away = int(shift) if how == "ahead" else -int(shift)
    end = 60 * (hour + hours + away) + minute + minutes + more + late
    return f"{end // 60 % 24:02}:{end % 60:02}"


def coming(question: str) -> str:
    names = sorted(set(re.findall(r"\b(?!If\b|It\b|Does\b|Answer\b)[A-Z]\w+", question)))
    rules = re.findall(r"If (\w+) (comes|does not come), (\w+) (comes|does not come)\.", question)
    known, comes = re.findall(r"certain that (\w+) (comes|does not come)", question)[0]
    asked = re.findall(r"Does (\w+) come\?", question)[0]
    seen = set()
    for world in product(("comes", "does not come"), repeat=len(names)):
        here = dict(zip(names, world, strict=True))
        if here[known] == comes and all(here[a] != x or here[b] == y for a, x, b, y in rules):
            seen.add(here[asked])
    assert seen
    return "unknown" if len(seen) == 2 else "yes" if seen == {"comes"} else "no"


def guest(question: str) -> str:
    guests, cities = (found.split(", ") for found in re.findall(r"\(([^)]+)\)", question)[:2])
    who = r"(?:[Tt]he guest from )?(\w+)"
    told = re.findall(rf"{who} sits (directly|somewhere to the) left of {who}\.", question)
    denied = re.findall(r"(\w+) does not come from (\w+)\.", question)
    asked, fitting = re.findall(r"Who comes from (\w+)", question)[0], set()
    for people in permutations(range(5)):
        seats = dict(zip(guests, people, strict=True))
        for homes in permutations(range(5)):
            seat = {**seats, **dict(zip(cities, homes, strict=True))}
            if any(seat[one] == seat[two] for one, two in denied):
                continue
            if all(seat[b] - seat[a] in ((1,) if how == "directly" else range(1, 5)) for a, how, b in told):
                fitting.add(next(name for name in guests if seat[name] == seat[asked]))
    (found,) = fitting
    return str(found)


SOLVED: dict[str, Callable[[str], str]] = {
    "rank_of_four": rank,
    "days_from": day_in,
    "swapped_cups": cup,
    "who_is_left": left_over,
    "both_clubs": clubs,
    "in_both_lists": in_both,
    "turned_about": facing,
    "does_it_follow": follows,
    "date_after": date_in,
    "rank_of_seven": race,
    "moved_things": boxes,
    "who_comes": coming,
    "weekday_of_date": weekday,
    "truth_and_lies": liar,
    "three_languages": languages,
    "queue_at_the_end": queue,
    "row_of_guests": guest,
    "robot_walk": walk,
    "arrival_time": arrival,
}
"""Every Medium and Hard one."""


@pytest.mark.parametrize("name", SOLVED)
def test_the_answer_is_that_of_the_question(name: str) -> None:
    for seed in range(4 if name == "row_of_guests" else 20):
        task = ALL[name](Draws("keys", name, seed))
        solved = SOLVED[name](task.question)

        assert task.check.passes(solved), (task.question, solved, task.check.example)


def test_every_one_of_several_steps_is_worked_out() -> None:
    easy, *others = reasoning.TEMPLATES.values()

    assert {template.__name__ for templates in others for template in templates} == SOLVED.keys()
    assert len(easy) >= 8
