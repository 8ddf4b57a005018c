"""LongContext: what stands in long notes: needles at drawn depths, alone, among others like them, changed,
counted, put together, and in other languages."""

import re
from collections.abc import Sequence
from math import factorial

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, SHORT, Task, Templates
from steelyard_profiler.probes import haystacks
from steelyard_profiler.probes.words import CITIES, COLORS, DAYS, NAMES, listed

ONE_NUMBER = "Answer with the number only."
ONE_WORD = "Answer with one word only."
ONE_NAME = "Answer with one name only."

ROOMS = listed("kitchen office library cellar attic laundry")
GATES = listed("north south east west")
ITEMS = listed("lantern guitar compass violin telescope microscope typewriter harmonica sextant barometer")
BIRDS = listed("heron sparrow falcon stork raven swan")
EVENTS = listed("concert lecture exhibition circus regatta")
COUNTERS = listed("blue green red")

_SYLLABLES = listed("ba do fe ki lo mu na pe ri so tu va ze")


def _task(
    draws: Draws,
    level: Level,
    sentences: Sequence[str],
    question: str,
    check: Check,
    max_tokens: int = SHORT,
    chance: float = 0.0,
) -> Task:
    told = haystacks.notes(draws, level, sentences)
    return Task(f"Read these notes.\n\n{told}\n\n{question}", check, max_tokens, chance)


def _code(draws: Draws) -> int:
    return draws.between(1000, 9899)


def _codes(draws: Draws, count: int) -> list[int]:
    """Different ones."""
    return [1000 + code for code in draws.sample(range(8900), count)]


def code_of_item(draws: Draws) -> Task:
    item, code = draws.pick(ITEMS), _code(draws)
    question = f"What is the code of the {item}? {ONE_NUMBER}"
    return _task(draws, Level.EASY, [f"The code of the {item} is {code}."], question, answers.number(code))


def color_of_door(draws: Draws) -> Task:
    room, color = draws.pick(ROOMS), draws.pick(COLORS)
    question = f"Which color does the door of the {room} have? {ONE_WORD}"
    check = answers.choice(color, COLORS)
    return _task(draws, Level.EASY, [f"The door of the {room} is {color}."], question, check)


def keeper_of_key(draws: Draws) -> Task:
    name = draws.pick(NAMES)
    question = f"Who keeps the spare key? {ONE_NAME}"
    return _task(draws, Level.EASY, [f"{name} keeps the spare key."], question, answers.choice(name, NAMES))


def city_of_meeting(draws: Draws) -> Task:
    city = draws.pick(CITIES)
    question = f"In which city is the next meeting? {ONE_NAME}"
    check = answers.choice(city, CITIES)
    return _task(draws, Level.EASY, [f"The next meeting will be in {city}."], question, check)


def day_of_delivery(draws: Draws) -> Task:
    day = draws.pick(DAYS)
    question = f"On which day of the week does the delivery come? {ONE_WORD}"
    return _task(draws, Level.EASY, [f"The delivery comes on {day}."], question, answers.choice(day, DAYS))


def price_of_ticket(draws: Draws) -> Task:
    event, price = draws.pick(EVENTS), draws.between(11, 97)
    question = f"How many coins does a ticket for the {event} cost? {ONE_NUMBER}"
    told = [f"A ticket for the {event} costs {price} coins."]
    return _task(draws, Level.EASY, told, question, answers.number(price))


def password(draws: Draws) -> Task:
    word = "".join(draws.sample(_SYLLABLES, 4))
    question = f"What is the password of the archive? {ONE_WORD}"
    told = [f"The password of the archive is {word}."]
    return _task(draws, Level.EASY, told, question, answers.choice(word, [word]))


def is_it_told(draws: Draws) -> Task:
    said, other = draws.sample(ITEMS, 2)
    asked, right = draws.pick(((said, "yes"), (other, "no")))
    question = f"Do the notes mention a {asked}? Answer yes or no."
    check = answers.choice(right, ("yes", "no"))
    return _task(draws, Level.EASY, [f"A {said} was left behind."], question, check, chance=1 / 2)


def one_of_three_codes(draws: Draws) -> Task:
    return _one_of_codes(draws, Level.MEDIUM, 3)


def one_of_eight_codes(draws: Draws) -> Task:
    return _one_of_codes(draws, Level.HARD, 8)


def _one_of_codes(draws: Draws, level: Level, count: int) -> Task:
    items, codes, at = draws.sample(ITEMS, count), _codes(draws, count), draws.below(count)
    told = [f"The code of the {item} is {code}." for item, code in zip(items, codes, strict=True)]
    question = f"What is the code of the {items[at]}? {ONE_NUMBER}"
    return _task(draws, level, told, question, answers.number(codes[at]))


def code_of_gate(draws: Draws) -> Task:
    gates, codes, at = draws.shuffled(GATES), _codes(draws, 4), draws.below(4)
    told = [f"The {gate} gate opens with {code}." for gate, code in zip(gates, codes, strict=True)]
    question = f"With which number does the {gates[at]} gate open? {ONE_NUMBER}"
    return _task(draws, Level.MEDIUM, told, question, answers.number(codes[at]))


def box_with_item(draws: Draws) -> Task:
    items, at = draws.sample(ITEMS, 5), draws.below(5)
    boxes = [10 + box for box in draws.sample(range(80), 5)]
    told = [f"Box {box} holds the {item}." for item, box in zip(items, boxes, strict=True)]
    question = f"What does box {boxes[at]} hold? {ONE_WORD}"
    return _task(draws, Level.MEDIUM, told, question, answers.choice(items[at], ITEMS))


def few_sightings(draws: Draws) -> Task:
    return _sightings(draws, Level.MEDIUM, draws.between(2, 4), 0)


def many_sightings(draws: Draws) -> Task:
    return _sightings(draws, Level.HARD, draws.between(4, 8), 3)


def _sightings(draws: Draws, level: Level, count: int, others: int) -> Task:
    bird, other = draws.sample(BIRDS, 2)
    seen = draws.shuffled([bird] * count + [other] * others)
    question = f"How many times do the notes say that a {bird} was seen? {ONE_NUMBER}"
    told = [f"A {one} was seen from the tower." for one in seen]
    return _task(draws, level, told, question, answers.number(count))


def first_of_two(draws: Draws) -> Task:
    first, second = draws.sample(ITEMS, 2)
    shown = draws.shuffled([first, second])
    told = [f"The {item} was brought to the museum." for item in (first, second)]
    question = f"Which came to the museum first by these notes, the {shown[0]} or the {shown[1]}? {ONE_WORD}"
    return _task(draws, Level.MEDIUM, told, question, answers.choice(first, shown), chance=1 / 2)


def last_of_three_values(draws: Draws) -> Task:
    values = [10 + value for value in draws.sample(range(80), 3)]
    told = [f"The counter now shows {value}." for value in values]
    question = f"What does the counter show at the end of the notes? {ONE_NUMBER}"
    return _task(draws, Level.MEDIUM, told, question, answers.number(values[-1]))


def sum_of_two(draws: Draws) -> Task:
    (one, other), (first, second) = draws.sample(NAMES, 2), (draws.between(11, 49), draws.between(11, 49))
    told = [f"{one} brought {first} chairs.", f"{other} brought {second} chairs."]
    question = f"How many chairs did {one} and {other} bring together? {ONE_NUMBER}"
    check = answers.number(first + second, first, second)
    return _task(draws, Level.MEDIUM, told, question, check, LINE)


_SAFES = (
    "El código de la caja fuerte es {}.",
    "Der Code des Tresors ist {}.",
    "Le code du coffre-fort est {}.",
    "Il codice della cassaforte è {}.",
)


def code_in_another_language(draws: Draws) -> Task:
    code, item = _codes(draws, 2)
    told = draws.shuffled([draws.pick(_SAFES).format(code), f"The code of the garage is {item}."])
    question = f"One note is in another language. What is the code of the safe? {ONE_NUMBER}"
    return _task(draws, Level.MEDIUM, told, question, answers.number(code))


def room_of_item(draws: Draws) -> Task:
    items, rooms, at = draws.sample(ITEMS, 3), draws.sample(ROOMS, 3), draws.below(3)
    boxes = [10 + box for box in draws.sample(range(80), 3)]
    told = [f"The {item} lies in box {box}." for item, box in zip(items, boxes, strict=True)]
    told += [f"Box {box} stands in the {room}." for box, room in zip(boxes, rooms, strict=True)]
    question = f"In which room is the {items[at]}? {ONE_WORD}"
    return _task(draws, Level.HARD, draws.shuffled(told), question, answers.choice(rooms[at], ROOMS))


def counter_among_others(draws: Draws) -> Task:
    asked = draws.pick(COUNTERS)
    shown = draws.shuffled([*COUNTERS, *COUNTERS, *COUNTERS])
    values = [10 + value for value in draws.sample(range(80), len(shown))]
    told = [f"The {color} counter now shows {value}." for color, value in zip(shown, values, strict=True)]
    last = max(at for at, color in enumerate(shown) if color == asked)
    question = f"What does the {asked} counter show at the end of the notes? {ONE_NUMBER}"
    return _task(draws, Level.HARD, told, question, answers.number(values[last]))


def sum_of_three(draws: Draws) -> Task:
    names, counts = draws.sample(NAMES, 4), [draws.between(11, 39) for _ in range(4)]
    told = [f"{name} brought {count} chairs." for name, count in zip(names, counts, strict=True)]
    question = f"How many chairs did {names[0]}, {names[1]} and {names[2]} bring together? {ONE_NUMBER}"
    check = answers.number(sum(counts[:3]), *counts)
    return _task(draws, Level.HARD, draws.shuffled(told), question, check, LINE)


def order_of_four(draws: Draws) -> Task:
    names = draws.sample(NAMES, 4)
    told = [f"{name} arrived at the station." for name in names]
    question = (
        f"In which order did {', '.join(sorted(names))} arrive by these notes? "
        "Answer with the four names, the first to arrive first, with commas between them."
    )
    check = answers.ordered(names, NAMES)
    return _task(draws, Level.HARD, told, question, check, LINE, chance=1 / factorial(len(names)))


def corrected_day(draws: Draws) -> Task:
    rehearsal, wrong, right = draws.sample(DAYS, 3)
    told = [
        f"The play will be on {wrong}.",
        f"The rehearsal will be on {rehearsal}.",
        f"The note about the play was wrong: it will be on {right}.",
    ]
    question = f"On which day will the play be? {ONE_WORD}"
    return _task(draws, Level.HARD, told, question, answers.choice(right, DAYS))


_UNSIGNED = re.compile(r"\b(?:(?:did|has) not|(?:did|has)n['’]t|never) sign(?:ed)?\b", re.IGNORECASE)
"""What denies nothing here, but says who is looked for."""


def who_is_missing(draws: Draws) -> Task:
    names = draws.sample(NAMES, 6)
    told = draws.shuffled([f"{name} signed the list." for name in names[1:]])
    question = f"Of {', '.join(sorted(names))}, one did not sign the list. Who? {ONE_NAME}"
    check = answers.choice(names[0], names).reading(_UNSIGNED, "is missing")
    return _task(draws, Level.HARD, told, question, check, chance=1 / len(names))


def largest_gift(draws: Draws) -> Task:
    names = draws.sample(NAMES, 6)
    gifts = [100 + gift for gift in draws.sample(range(800), 6)]
    told = [f"{name} gave {gift} coins." for name, gift in zip(names, gifts, strict=True)]
    question = f"Who gave the most coins? {ONE_NAME}"
    check = answers.choice(names[gifts.index(max(gifts))], names)
    return _task(draws, Level.HARD, told, question, check, chance=1 / len(names))


TEMPLATES: Templates = {
    Level.EASY: (
        code_of_item,
        color_of_door,
        keeper_of_key,
        city_of_meeting,
        day_of_delivery,
        price_of_ticket,
        password,
        is_it_told,
    ),
    Level.MEDIUM: (
        one_of_three_codes,
        code_of_gate,
        few_sightings,
        first_of_two,
        last_of_three_values,
        sum_of_two,
        box_with_item,
        code_in_another_language,
    ),
    Level.HARD: (
        one_of_eight_codes,
        room_of_item,
        counter_among_others,
        sum_of_three,
        corrected_day,
        many_sightings,
        order_of_four,
        who_is_missing,
        largest_gift,
    ),
}
