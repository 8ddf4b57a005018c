"""Extraction: finding what a text says, as a word, a number, a date or JSON of a given form.

Easy ones ask for one thing that stands in a line, Medium ones for a small record or a cell of a table; the
Hard ones, in `extraction_hard`, for what must be gathered, joined and computed.
"""

import re

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, LONG, Task, Templates
from steelyard_profiler.probes import extraction_hard
from steelyard_profiler.probes.extraction_hard import ONLY_JSON
from steelyard_profiler.probes.words import CITIES, COLORS, JOBS, MONTHS, NAMES, NOUNS, THINGS

PHONE = r"(?<!\d)\d{3}-\d{4}(?!\d)"
ADDRESS = r"[\w.]+@[\w.]*\w"
DATE = r"\d{4}-\d{2}-\d{2}"
CODE = r"(?<![A-Z0-9])[A-Z]{2}-?\d{4}(?!\d)"


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
    asked, right = draws.pick((("city", city), ("job", job)))
    question = f"{text} What is {name}'s {asked}? Answer with one word."
    return Task(question, answers.choice(right, (name, city, job), given=(name,)), chance=1 / 3)


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


def code_of_order(draws: Draws) -> Task:
    code = f"{draws.pick('ABCDEFG')}{draws.pick('KLMNPQR')}-{draws.between(1000, 9999)}"
    name, thing = draws.pick(NAMES), draws.pick(THINGS)
    text = f"Dear {name}, your {thing} were sent today. The order number is {code}. Thank you!"
    return Task(f"{text} What is the order number in this letter?", answers.match(code, CODE))


def field_of_form(draws: Draws) -> Task:
    name, city, job, color = draws.pick(NAMES), draws.pick(CITIES), draws.pick(JOBS), draws.pick(COLORS)
    lines = draws.shuffled([f"Name: {name}", f"City: {city}", f"Job: {job}", f"Color: {color}"])
    asked, right = draws.pick((("city", city), ("job", job), ("color", color), ("name", name)))
    question = "\n".join([*lines, "", f"What is the {asked} in this form? Answer with one word."])
    given = () if asked == "name" else (name,)
    return Task(question, answers.choice(right, (name, city, job, color), given), chance=1 / 4)


def color_of_thing(draws: Draws) -> Task:
    name, (one, two) = draws.pick(NAMES), draws.sample(COLORS, 2)
    first, second = draws.sample(("car", "house", "coat", "boat", "door", "hat", "chair"), 2)
    asked, right = draws.pick(((first, one), (second, two)))
    text = f"{name} has a {one} {first} and a {two} {second}."
    return Task(
        f"{text} What color is the {asked}? Answer with one word.",
        answers.choice(right, (one, two)),
        chance=1 / 2,
    )


_WROTE = re.compile(r"\bwrote\b")


def sender_of_letter(draws: Draws) -> Task:
    (reader, writer), city = draws.sample(NAMES, 2), draws.pick(CITIES)
    text = f"Dear {reader}, the weather in {city} is fine. See you soon. Yours, {writer}"
    question = f"{text}\n\nWho wrote this letter? Answer with one name."
    check = answers.choice(writer, (reader, writer), claim="writer").reading(_WROTE, "is the writer")
    return Task(question, check, chance=1 / 2)


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


def record_with_nothing(draws: Draws) -> Task:
    name, city, job = draws.pick(NAMES), draws.pick(CITIES), draws.pick(JOBS)
    told, record = draws.pick(
        (
            (f"{name} comes from {city}.", {"name": name, "city": city, "job": None}),
            (f"{name} works as a {job}.", {"name": name, "city": None, "job": job}),
        )
    )
    question = (
        f'{told} Write this as JSON with the keys "name", "city" and "job"; what is '
        f"not said is null. {ONLY_JSON}"
    )
    return Task(question, answers.json_of(record), LINE)


def nested_record(draws: Draws) -> Task:
    name, city, job = draws.pick(NAMES), draws.pick(CITIES), draws.pick(JOBS)
    number, street = draws.between(2, 98), draws.pick(NOUNS).capitalize()
    told = f"{name} is a {job} and lives at {number} {street} Street in {city}."
    question = (
        f'{told} Write this as JSON: an object with "name", "job" and "address", where '
        '"address" is an object '
        f'with "number", "street" and "city". {ONLY_JSON}'
    )
    address = {"number": number, "street": f"{street} Street", "city": city}
    short = {**address, "street": street}
    right = {"name": name, "job": job, "address": address}
    return Task(question, _either(right, {**right, "address": short}), LONG)


def _either(example: object, other: object) -> answers.Check:
    """JSON that says one thing or the other, which the question leaves open."""
    return answers.Check(
        lambda answer: any(answers.same_json(answers.json_value(answer), one) for one in (example, other)),
        answers.json_of(example).example,
    )


def highest_row(draws: Draws) -> Task:
    names, counts = draws.sample(NAMES, 5), draws.sample(range(11, 99), 5)
    rows = "\n".join(f"{name},{count}" for name, count in zip(names, counts, strict=True))
    word, right = draws.pick((("most", max(counts)), ("fewest", min(counts))))
    question = f"name,points\n{rows}\n\nWho has the {word} points? Answer with one name only."
    return Task(question, answers.choice(names[counts.index(right)], names), chance=1 / 5)


def rows_of_city(draws: Draws) -> Task:
    names, (here, there) = draws.sample(NAMES, 6), draws.sample(CITIES, 2)
    homes = draws.shuffled([here, here, here, there, there, there])
    rows = "\n".join(f"| {name} | {home} |" for name, home in zip(names, homes, strict=True))
    right = [name for name, home in zip(names, homes, strict=True) if home == here]
    question = (
        f"| name | city |\n|---|---|\n{rows}\n\nWrite the names of all who live in {here}, "
        "in the order of the "
        f"table, as a JSON list. {ONLY_JSON}"
    )
    return Task(question, answers.json_of(right), LINE)


def time_of_day(draws: Draws) -> Task:
    (one, two), (home, away) = draws.sample(range(61, 719), 2), draws.sample(CITIES, 2)
    half = draws.pick(("am", "pm"))
    told = (
        f"The bus leaves {home} at {one // 60}:{one % 60:02} am and arrives in {away} at "
        f"{two // 60}:{two % 60:02} pm."
    )
    asked, right = ("leave", one) if half == "am" else ("arrive", two + 720)
    question = f"{told} When does it {asked}? Answer with the time of 24 hours in the form HH:MM only."
    if half == "am":
        return Task(question, answers.clock(right // 60, right % 60))
    return Task(question, answers.match(f"{right // 60}:{right % 60:02}", r"\d{1,2}:\d\d"))


TEMPLATES: Templates = {
    Level.EASY: (
        phone_number,
        home_town,
        mail_address,
        price_of_one,
        month_named,
        field_of_form,
        color_of_thing,
        sender_of_letter,
        code_of_order,
    ),
    Level.MEDIUM: (
        one_record,
        row_of_table,
        iso_date,
        named_people,
        highest_row,
        record_with_nothing,
        rows_of_city,
        time_of_day,
        corrected_order,
        nested_record,
    ),
    Level.HARD: extraction_hard.HARD,
}
