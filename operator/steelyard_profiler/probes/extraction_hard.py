"""Extraction, the Hard ones: what a text says in pieces, gathered, joined, computed and written as JSON."""

import json

from steelyard_profiler import answers
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LONG, Task, Template
from steelyard_profiler.probes.words import CITIES, MONTHS, NAMES, THINGS

ONLY_JSON = "Answer with the JSON only."

MANY_LINES = 192
"""Tokens of a longer answer, which a model may also break into lines and indent."""


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
    totals: dict[str, int] = {}
    while len(set(totals.values())) < 2:
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
    things: list[str] = []
    while len(things) < 2:
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


def joined_tables(draws: Draws) -> Task:
    names, cities = draws.sample(NAMES, 4), draws.sample(CITIES, 2)
    ids, homes = draws.sample(range(11, 99), 4), draws.shuffled([cities[0], cities[0], cities[1], cities[1]])
    orders = [(draws.below(4), draws.between(11, 99)) for _ in range(6)]
    people = "\n".join(f"{one},{name},{home}" for one, name, home in zip(ids, names, homes, strict=True))
    sold = "\n".join(f"{ids[at]},{amount}" for at, amount in orders)
    totals = {city: sum(amount for at, amount in orders if homes[at] == city) for city in sorted(cities)}
    question = (
        f"id,name,city\n{people}\n\nid,amount\n{sold}\n\nThe second table holds orders by "
        "the id of the first. "
        f"Write a JSON object with each city as a key and the sum of the amounts ordered from it. {ONLY_JSON}"
    )
    return Task(question, answers.json_of(totals), LONG)


def failing_hosts(draws: Draws) -> Task:
    hosts = draws.sample(("ant", "bee", "cod", "elk", "fox", "gnu", "owl"), 3)
    lines, minute = [], draws.between(0, 9)
    for _ in range(9):
        minute += draws.between(1, 5)
        lines.append((minute, draws.pick(hosts), draws.pick(("ok", "error", "error", "slow"))))
    told = "\n".join(f"10:{at:02} {host} {state}" for at, host, state in lines)
    expected = {
        host: {
            "errors": sum(one == host and state == "error" for _, one, state in lines),
            "last": next(
                (f"10:{at:02}" for at, one, state in reversed(lines) if (one, state) == (host, "error")), None
            ),
        }
        for host in sorted(hosts)
    }
    question = (
        f"{told}\n\nWrite a JSON object with one key for each of "
        f"{', '.join(sorted(hosts))}. Each value is an object "
        'with "errors", how many of its lines say error, and "last", the time of the last '
        "of them as text, or "
        f"null if there is none. {ONLY_JSON}"
    )
    return Task(question, answers.json_of(expected), MANY_LINES)


def invoice(draws: Draws) -> Task:
    name, things, day = draws.pick(NAMES), draws.sample(THINGS, 3), draws.between(1, 28)
    counts, prices = [draws.between(3, 19) for _ in range(3)], [draws.between(2, 12) for _ in range(3)]
    month, off = draws.between(1, 12), draws.between(3, 9)
    a, b, c = (f"{count} {thing}" for count, thing in zip(counts, things, strict=True))
    told = (
        f"On {day} {MONTHS[month - 1]} 2024 {name} bought {a} for {prices[0]} dollars each, {b} for "
        f"{counts[1] * prices[1]} dollars in all, and {c} at {prices[2]} dollars apiece, "
        f"less {off} dollars for "
        "the whole."
    )
    lines = [
        {"item": thing, "count": count, "price": price}
        for thing, count, price in zip(things, counts, prices, strict=True)
    ]
    total = sum(count * price for count, price in zip(counts, prices, strict=True)) - off
    question = (
        f'{told} Write JSON with "date" (YYYY-MM-DD), "lines" (a list in the order of the '
        'text, each with "item", '
        f'"count" and "price", the price of one) and "total", what was paid. {ONLY_JSON}'
    )
    right = {"date": f"2024-{month:02}-{day:02}", "lines": lines, "total": total}
    return Task(question, answers.json_of(right), MANY_LINES)


def sorted_dates(draws: Draws) -> Task:
    names = draws.sample(NAMES, 5)
    days = draws.sample(
        [(year, month, day) for year in (2023, 2024) for month in range(1, 13) for day in (4, 9, 17, 26)], 5
    )
    told = []
    for name, (year, month, day) in zip(names, days, strict=True):
        form = draws.below(3)
        when = (
            f"{day} {MONTHS[month - 1]} {year}",
            f"{MONTHS[month - 1]} {day}, {year}",
            f"day {day} of month {month} of {year}",
        )[form]
        told.append(f"{name} signed on {when}.")
    ranked = sorted(zip(days, names, strict=True))
    right = [{"name": name, "date": f"{year}-{month:02}-{day:02}"} for (year, month, day), name in ranked]
    question = (
        f'{" ".join(told)} Write a JSON list of objects with "name" and "date" '
        "(YYYY-MM-DD), the earliest date "
        f"first. {ONLY_JSON}"
    )
    return Task(question, answers.json_of(right), MANY_LINES)


def shelf_after_changes(draws: Draws) -> Task:
    things = draws.sample(THINGS, 4)
    held = {thing: draws.between(12, 60) for thing in things}
    told = [f"On the shelf are {', '.join(f'{count} {thing}' for thing, count in held.items())}."]
    for thing in draws.shuffled(things)[:3]:
        count, kind = draws.between(3, 11), draws.below(3)
        if kind == 0:
            told.append(f"{count} {thing} are sold, and 2 of them are brought back.")
            held[thing] -= count - 2
        elif kind == 1:
            told.append(f"A delivery doubles the {thing}; {count} of them are broken and thrown away.")
            held[thing] = 2 * held[thing] - count
        else:
            told.append(f"{count} {thing} are ordered but do not arrive.")
    limit = draws.between(20, 40)
    few = sorted(thing for thing, count in held.items() if count < limit)
    question = (
        f'{" ".join(told)} Write JSON with "stock", an object with the number of each '
        "thing on the shelf now, and "
        '"few", a list in alphabetical order of the things of which there are fewer than '
        f"{limit}. {ONLY_JSON}"
    )
    return Task(question, answers.json_of({"stock": held, "few": few}), LONG)


HARD: tuple[Template, ...] = (
    totals_by_person,
    joined_tables,
    grouped_by_thing,
    failing_hosts,
    dearest_sale,
    sorted_dates,
    changed_bookings,
    invoice,
    shelf_after_changes,
)
