"""Reasoning, the Hard ones: long chains of one of the kinds of `reasoning`, to be followed without paper.

Each is made so that exactly one answer is right: drawn from a known end, or searched through whole.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from itertools import permutations, product

from steelyard_profiler import answers
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, SHORT, Task, Template
from steelyard_profiler.probes.words import CITIES, COLORS, DAYS, MONTHS, NAMES, THINGS

ONE_NAME = "Answer with one name only."
ONE_WORD = "Answer with one word only."
ONE_NUMBER = "Answer with the number only."

_NUMBERS = ("zero", "one", "two", "three", "four")

_Seats = tuple[int, ...]

_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""One step (x, y) to the north, east, south and west."""


def closed(
    question: str,
    right: str,
    options: Sequence[str],
    *,
    given: Iterable[str] = (),
    claim: str = "",
    max_tokens: int = SHORT,
) -> Task:
    """A question with one right option among these, all of which it names."""
    return Task(question, answers.choice(right, options, given, claim), max_tokens, chance=1 / len(options))


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
    return closed(question, ranked[at - 1], ranked, max_tokens=LINE)


def moved_things(draws: Draws) -> Task:
    boxes, things = draws.sample(COLORS, 4), draws.pick(THINGS)
    held = {box: draws.between(5, 25) for box in boxes}
    start, told = ", ".join(f"{count} in the {box} box" for box, count in held.items()), []
    for _ in range(6):
        source, target = draws.sample(boxes, 2)
        if draws.below(3) == 0:
            told.append(f"Then the {source} box and the {target} box swap their contents.")
            held[source], held[target] = held[target], held[source]
        elif held[source] > 2:
            count = draws.between(2, held[source] - 1)
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
    if end.weekday() == start.weekday():
        end, days = end + timedelta(days=1), days + 1
    today = DAYS[start.weekday()]
    question = (
        f"{MONTHS[start.month - 1]} {start.day}, {start.year} is a {today}. Go {months} months ahead to "
        f"the same day of the month, then {days} days further. Which day of the week is that? {ONE_WORD}"
    )
    return Task(question, answers.choice(DAYS[end.weekday()], DAYS, (today,)), LINE)


def truth_and_lies(draws: Draws) -> Task:
    names = draws.sample(NAMES, 4)
    count, honest, asked = draws.between(1, 3), draws.pick((True, False)), draws.below(4)
    others = [at for at in range(4) if at != asked]
    true = set(draws.sample(others, count - honest)) | ({asked} if honest else set())
    world, fits = tuple(at in true for at in range(4)), 0
    while fits != 1:
        says = [_statement(draws, world, at) for at in range(4)]
        fits = sum(_consistent(other, says) for other in product((True, False), repeat=4))
    told = " ".join(f"{names[at]} says: {_claim(names, at, *says[at])}" for at in range(4))
    question = (
        f"{', '.join(names)} each either always tell the truth or always lie. {told} "
        f"Is {names[asked]} a truth-teller or a liar? How many of the four tell the truth? "
        "Answer in the form word, number: for example liar, 3"
    )
    return Task(question, _word_and_number("truth-teller" if honest else "liar", count), LINE)


_KIND_AND_COUNT = re.compile(
    rf"\b(?:(truth[\s-]?teller)|liar)[^\w.!?]{{1,6}}([0-4]|{'|'.join(_NUMBERS)})\b", re.IGNORECASE
)


def _word_and_number(kind: str, count: int) -> Check:
    """The two in this order, whatever stands between them, the number in digits or as a word."""

    def in_form(found: re.Match[str]) -> str:
        number = found[2] if found[2].isdigit() else _NUMBERS.index(found[2].lower())
        return f"{'truth-teller' if found[1] else 'liar'}, {number}"

    exact = answers.match(f"{kind}, {count}", r"(?:truth-teller|liar), [0-4]")
    return replace(exact, passes=lambda answer: exact.passes(_KIND_AND_COUNT.sub(in_form, answer)))


def _statement(draws: Draws, world: tuple[bool, ...], at: int) -> tuple[int, int, int]:
    """What this one may say in this world: its kind, whom it is about, and the number that it claims."""
    while True:
        said = draws.below(2), draws.pick([other for other in range(4) if other != at]), draws.below(4)
        if _holds(world, at, *said) is world[at]:
            return said


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
    worlds, told, tries = _seatings(), [], 0
    while len(worlds) > 1:
        words, holds = _seating_clue(draws, (*guests, *cities))
        left = tuple(world for world in worlds if holds(world))
        tries += 1
        if len(left) * 2 <= len(worlds) or (tries > 40 and len(left) < len(worlds)):
            told.append(words)
            worlds = left
    at = draws.below(5)
    question = (
        f"Five guests ({', '.join(sorted(guests))}) from five cities ({', '.join(sorted(cities))}) "
        f"sit in a row. {' '.join(told)} Who comes from {cities[at]}? {ONE_NAME}"
    )
    return closed(question, guests[at], guests, max_tokens=LINE)


@cache
def _seatings() -> tuple[_Seats, ...]:
    """Every way to seat five guests, and to seat the guests of five cities: all seats in one tuple."""
    return tuple((*people, *homes) for people in permutations(range(5)) for homes in permutations(range(5)))


def _seating_clue(draws: Draws, named: Sequence[str]) -> tuple[str, Callable[[_Seats], bool]]:
    """A sentence that is true where guest n has seat n and comes from city n; cities are 5 to 9."""
    at, other = draws.sample(range(5), 2)
    low, high = min(at, other), max(at, other)
    left, right = low + 5 * draws.below(2), high + 5 * draws.below(2)
    match draws.below(3):
        case 0:
            return (
                f"{named[at]} does not come from {named[other + 5]}.",
                lambda seats: seats[at] != seats[other + 5],
            )
        case 1 if high == low + 1:
            return (
                f"{_guest(named, left)} sits directly left of {_guest(named, right, inside=True)}.",
                lambda seats: seats[left] + 1 == seats[right],
            )
        case _:
            return (
                f"{_guest(named, left)} sits somewhere to the left of {_guest(named, right, inside=True)}.",
                lambda seats: seats[left] < seats[right],
            )


def _guest(named: Sequence[str], at: int, *, inside: bool = False) -> str:
    the = "the" if inside else "The"
    return named[at] if at < 5 else f"{the} guest from {named[at]}"


def three_languages(draws: Draws) -> Task:
    one, two = [draws.between(2, 12) for _ in range(3)], [draws.between(2, 12) for _ in range(3)]
    everywhere, none = draws.between(2, 12), draws.between(2, 12)
    french, spanish, german = one[0] + two[0] + two[1], one[1] + two[0] + two[2], one[2] + two[1] + two[2]
    total = sum(one) + sum(two) + everywhere + none
    asked, right = draws.pick(
        (
            ("speak exactly one of the three", sum(one)),
            ("speak exactly two of the three", sum(two)),
            ("speak none of the three", none),
        )
    )
    question = (
        f"Of {total} guides, {french + everywhere} speak French, {spanish + everywhere} Spanish and "
        f"{german + everywhere} German. {two[0] + everywhere} speak French and Spanish, "
        f"{two[1] + everywhere} French and German, {two[2] + everywhere} Spanish and German; {everywhere} of "
        f"these speak all three. How many guides {asked}? {ONE_NUMBER}"
    )
    return Task(question, answers.number(right, total, everywhere), LINE)


def queue_at_the_end(draws: Draws) -> Task:
    names = draws.sample(NAMES, 8)
    queue, waiting = names[:4], names[4:]
    told = [f"{', '.join(queue[:3])} and {queue[3]} stand in a queue in this order, {queue[0]} at the front."]
    for _ in range(6):
        kind = draws.below(4)
        if kind == 0 and len(queue) > 2:
            told.append("The person at the front is served and leaves.")
            queue = queue[1:]
        elif kind == 1 and waiting:
            told.append(f"{waiting[0]} joins at the end.")
            queue, waiting = [*queue, waiting[0]], waiting[1:]
        elif kind == 2 and waiting:
            before = draws.pick(queue)
            told.append(f"{waiting[0]} slips in right before {before}.")
            at = queue.index(before)
            queue, waiting = [*queue[:at], waiting[0], *queue[at:]], waiting[1:]
        else:
            one, two = draws.sample(queue, 2)
            told.append(f"{one} and {two} change places.")
            queue = [{one: two, two: one}.get(name, name) for name in queue]
    question = f"{' '.join(told)} Write the names in the queue now, from the front, separated by commas only."
    return Task(question, answers.ordered(queue, names), LINE)


def robot_walk(draws: Draws) -> Task:
    x, y, side, told = 0, 0, 0, []
    for _ in range(5):
        count, (turn, quarter) = draws.between(2, 9), draws.pick((("left", 3), ("right", 1)))
        x, y = x + count * _STEPS[side][0], y + count * _STEPS[side][1]
        told.append(f"goes {count} forward, turns {turn}")
        side = (side + quarter) % 4
    back = draws.between(2, 9)
    x, y = x - back * _STEPS[side][0], y - back * _STEPS[side][1]
    question = (
        "A robot stands at (0, 0) and faces north; the first number grows to the east, the second to the "
        f"north. It {', '.join(told)}, and goes {back} backward without turning. Where is it? "
        "Answer in the form (east, north): for example (7, -5)"
    )
    exact = answers.match(f"{x}, {y}", r"-?\d+, -?\d+")
    check = replace(exact, passes=lambda answer: exact.passes(_spaced(answer)))
    return Task(question, check, LINE)


def _spaced(answer: str) -> str:
    """The answer with one space after the comma between two numbers, without directions and plus signs."""
    plain = re.sub(r"(\d+) (?:steps? )?(?:west|south)\b", r"-\1", answer.replace("–", "-"))
    plain = re.sub(r"(?<=\d) (?:steps? )?(?:east|north)\b|\+(?=\d)", "", plain)
    return re.sub(r"(?<=\d)\s*,\s*(?=[-\u2212]?\d)", ", ", plain)


def arrival_time(draws: Draws) -> Task:
    start, ride, late = draws.between(0, 1439), draws.between(200, 900), draws.between(11, 55)
    ahead, pause = draws.pick((-5, -3, -2, 2, 3, 6)), draws.between(15, 95)
    end = (start + ride + pause + late + 60 * ahead) % 1440
    relation = "ahead of" if ahead > 0 else "behind"
    home, away = draws.sample(CITIES, 2)
    question = (
        f"A train leaves {home} at {start // 60:02}:{start % 60:02} local time. It is under way for "
        f"{ride // 60} hours and {ride % 60} minutes, stops once for {pause} minutes more, and loses another "
        f"{late} minutes. In {away} clocks are {abs(ahead)} hours {relation} those in "
        f"{home}. What time is it "
        f"in {away} when it arrives? Answer in the form HH:MM (24 hours) only."
    )
    exact = answers.clock(end // 60, end % 60, (start // 60, start % 60))
    return Task(question, replace(exact, passes=lambda answer: exact.passes(_with_colon(answer))), LINE)


def _with_colon(answer: str) -> str:
    """The answer with its times, as 16.12 and 16h12 too, as 16:12."""
    return re.sub(r"(?<![\d.:])(\d{1,2})(?:\.|\s?h\s?)(\d\d)(?![\d:]|\.\d)", r"\1:\2", answer)


def who_comes(draws: Draws) -> Task:
    names, right = draws.sample(NAMES, 5), draws.pick(("yes", "no", "unknown"))
    while True:
        rules = [
            (one, draws.pick((True, False)), two, draws.pick((True, False)))
            for one, two in (draws.sample(range(5), 2) for _ in range(4))
        ]
        known, comes, asked = draws.below(5), draws.pick((True, False)), draws.below(5)
        worlds = [
            world
            for world in product((True, False), repeat=5)
            if world[known] is comes
            and all(world[one] is not is_one or world[two] is is_two for one, is_one, two, is_two in rules)
        ]
        seen = {world[asked] for world in worlds}
        found = "unknown" if len(seen) == 2 else "yes" if seen == {True} else "no"
        near = {two for one, _, two, _ in rules if one == known} | {
            one for one, _, two, _ in rules if two == known
        }
        if worlds and found == right and asked != known and asked not in near and len(set(rules)) == 4:
            break
    told = [
        f"If {names[one]} {_comes(is_one)}, {names[two]} {_comes(is_two)}."
        for one, is_one, two, is_two in rules
    ]
    question = (
        f"{' '.join(told)} It is certain that {names[known]} {_comes(comes)}. Does {names[asked]} come? "
        "Answer with yes, no or unknown only."
    )
    return closed(question, right, ("yes", "no", "unknown"), max_tokens=LINE)


def _comes(comes: bool) -> str:
    return "comes" if comes else "does not come"


HARD: tuple[Template, ...] = (
    rank_of_seven,
    moved_things,
    who_comes,
    weekday_of_date,
    truth_and_lies,
    three_languages,
    queue_at_the_end,
    row_of_guests,
    robot_walk,
    arrival_time,
)
