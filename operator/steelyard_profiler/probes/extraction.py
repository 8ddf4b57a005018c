"""Extraction: finding what a text says, as a word, a number or JSON."""

import json

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, LONG, Task, Templates
from steelyard_profiler.probes.words import CITIES, JOBS, MONTHS, NAMES, NOUNS, THINGS

ONLY_JSON = "Answer with the JSON only."
PHONE = r"(?<!\d)\d{3}-\d{4}(?!\d)"
ADDRESS = r"[\w.]+@[\w.]*\w"
DATE = r"\d{4}-\d{2}-\d{2}"


def phone_number(draws: Draws) -> Task:
    phone = f"555-{draws.between(1000, 9999)}"
    text = f"Please call {draws.pick(NAMES)} at {phone} before {draws.between(9, 12)} o'clock."
    return Task(f"What is the phone number in this text? {text}", answers.match(phone, PHONE))


def mail_address(draws: Draws) -> Task:
    name, host = draws.pick(NAMES), draws.pick(NOUNS)
    address = f"{name.lower()}@{host}.example"
    text = f"Questions go to {name}, {address}, on weekdays."
    return Task(f"What is the email address in this text? {text}", answers.match(address, ADDRESS))


def home_town(draws: Draws) -> Task:
    name, city, job = draws.pick(NAMES), draws.pick(CITIES), draws.pick(JOBS)
    text = f"{name} lives in {city} and works as a {job}."
    asked, right, options = draws.pick((("city", city, CITIES), ("job", job, JOBS)))
    question = f"{text} What is {name}'s {asked}? Answer with one word."
    return Task(question, answers.choice(right, options))


def price_of_one(draws: Draws) -> Task:
    name, thing, price = draws.pick(NAMES), draws.pick(THINGS), draws.between(11, 99)
    text = f"{name} bought some {thing} at the market and paid {price} dollars."
    question = f"{text} How many dollars did {name} pay? Answer with the number only."
    return Task(question, answers.number(price))


def month_named(draws: Draws) -> Task:
    name, month, city = draws.pick(NAMES), draws.pick(MONTHS), draws.pick(CITIES)
    text = f"{name} moved to {city} in {month}, after a long winter."
    return Task(
        f"{text} In which month did {name} move? Answer with one word.", answers.choice(month, MONTHS)
    )


def one_record(draws: Draws) -> Task:
    name, city, age = draws.pick(NAMES), draws.pick(CITIES), draws.between(19, 79)
    text = f"{name}, who turned {age} last week, has lived in {city} for {draws.between(80, 99)} months."
    question = f'{text} Write this as JSON with the keys "name", "age" and "city". {ONLY_JSON}'
    return Task(question, answers.json_of({"name": name, "age": age, "city": city}), LINE)


def row_of_table(draws: Draws) -> Task:
    names, counts = draws.sample(NAMES, 5), draws.sample(range(11, 99), 5)
    jobs = draws.sample(JOBS, 5)
    rows = "\n".join(f"{n} | {j} | {c}" for n, j, c in zip(names, jobs, counts, strict=True))
    at = draws.below(5)
    asked = f"How many points does the {jobs[at]} have? Answer with the number only."
    return Task(f"name | job | points\n{rows}\n\n{asked}", answers.number(counts[at]))


def iso_date(draws: Draws) -> Task:
    year, month, day = draws.between(1950, 2024), draws.between(1, 12), draws.between(1, 28)
    other = draws.between(1, 28)
    text = (
        f"The meeting planned for {MONTHS[month % 12]} {other} was moved and took place on {day} "
        f"{MONTHS[month - 1]} {year} in {draws.pick(CITIES)}."
    )
    question = f"{text} On which date did it take place? Answer with the date only, in the form YYYY-MM-DD."
    return Task(question, answers.match(f"{year}-{month:02}-{day:02}", DATE))


def named_people(draws: Draws) -> Task:
    names, cities = draws.sample(NAMES, 3), draws.sample(CITIES, 3)
    text = (
        f"{names[0]} flew from {cities[0]} to {cities[1]} to meet {names[1]}. They wrote to {names[2]}, "
        f"who was still in {cities[2]}."
    )
    question = (
        f"{text} List all people in the text, in the order in which they appear, as a JSON list. {ONLY_JSON}"
    )
    return Task(question, answers.json_of(names), LINE)


def corrected_order(draws: Draws) -> Task:
    name, (first, second) = draws.pick(NAMES), draws.sample(THINGS, 2)
    a, b, c = draws.sample(range(12, 90), 3)
    text = f"{name} ordered {a} {first} and {b} {second}. Later {name} wrote: make it {c} {second}."
    expected = {first: a, second: c}
    question = f'{text} Write the final order as JSON with the keys "{first}" and "{second}". {ONLY_JSON}'
    return Task(question, answers.json_of(expected), LINE)


def _sales(draws: Draws) -> tuple[list[str], list[tuple[str, str, int, int]], str]:
    """Names, lines of sales (name, thing, count, price) and the text that tells them."""
    names, things = draws.sample(NAMES, 2), draws.sample(THINGS, 2)
    lines = [
        (names[at % 2], draws.pick(things), draws.between(3, 19), draws.between(2, 12)) for at in range(7)
    ]
    told = " ".join(
        draws.pick(
            (
                f"{name} sold {count} {thing} at {price} each.",
                f"At {price} apiece, {count} {thing} went to a customer of {name}.",
            )
        )
        for name, thing, count, price in lines
    )
    return names, lines, told


def totals_by_person(draws: Draws) -> Task:
    names, lines, told = _sales(draws)
    totals = {name: sum(count * price for who, _, count, price in lines if who == name) for name in names}
    ranked = sorted(names, key=lambda name: (-totals[name], name))
    question = (
        f"{told} Write a JSON list with one object for each seller, the highest total of money first, with "
        f'the keys "name", "total" and "sales", where "sales" is the number of sales. {ONLY_JSON}'
    )
    counts = {name: sum(who == name for who, *_ in lines) for name in names}
    expected = [{"name": name, "total": totals[name], "sales": counts[name]} for name in ranked]
    return Task(question, answers.json_of(expected), LONG)


def grouped_by_thing(draws: Draws) -> Task:
    _, lines, told = _sales(draws)
    least = draws.between(5, 8)
    kept = [line for line in lines if line[2] >= least]
    things = sorted({thing for _, thing, _, _ in kept})
    expected = {
        thing: {
            "sellers": sorted({who for who, what, _, _ in kept if what == thing}),
            "count": sum(count for _, what, count, _ in kept if what == thing),
        }
        for thing in things
    }
    question = (
        f"{told} Leave out every sale of fewer than {least} pieces. Write a JSON object with one key for "
        'each thing sold; each value is an object with "sellers", a list of names in alphabetical order '
        f'without repetition, and "count", the number of pieces in all. {ONLY_JSON}'
    )
    return Task(question, answers.json_of(expected), LONG)


def dearest_sale(draws: Draws) -> Task:
    _, lines, told = _sales(draws)
    while len({count * price for _, _, count, price in lines}) < len(lines):
        _, lines, told = _sales(draws)
    ranked = sorted(lines, key=lambda line: -line[2] * line[3])
    at = draws.between(1, 3)
    name, thing, count, price = ranked[at]
    place = ("", "second", "third", "fourth")[at]
    question = (
        f"{told} Take the sale that brought in the {place} largest amount of money. Write it as JSON with "
        f'the keys "name", "thing", "count" and "amount". {ONLY_JSON}'
    )
    expected = {"name": name, "thing": thing, "count": count, "amount": count * price}
    return Task(question, answers.json_of(expected), LONG)


def changed_bookings(draws: Draws) -> Task:
    names, rooms = draws.sample(NAMES, 5), draws.sample(range(101, 140), 7)
    booked = dict(zip(names, rooms, strict=False))
    told = [f"{name} books room {room}." for name, room in booked.items()]
    one, two, three, four = draws.sample(names, 4)
    booked[one], booked[two] = booked[two], booked[one]
    told.append(f"{one} and {two} exchange their rooms.")
    booked[three] = rooms[5]
    told.append(f"{three} moves to room {rooms[5]}, and {four} cancels.")
    freed = booked.pop(four)
    told.append(f"{one} takes the room that {four} had.")
    booked[one] = freed
    question = (
        f"{' '.join(told)} Write the bookings as they are at the end as a JSON object: room number as key, "
        f"guest's name as value, ordered by room number. {ONLY_JSON}"
    )
    expected = [[str(room), name] for room, name in sorted((room, name) for name, room in booked.items())]

    def check(answer: str) -> bool:
        found = answers.json_value(answer)
        return isinstance(found, dict) and [list(pair) for pair in found.items()] == expected

    return Task(question, Check(check, json.dumps(dict(expected))), LONG)


TEMPLATES: Templates = {
    Level.EASY: (phone_number, home_town, mail_address, price_of_one, month_named),
    Level.MEDIUM: (one_record, row_of_table, iso_date, named_people, corrected_order),
    Level.HARD: (totals_by_person, grouped_by_thing, dearest_sale, changed_bookings),
}
