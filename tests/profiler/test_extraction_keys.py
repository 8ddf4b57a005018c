"""The Hard answers of Extraction, gathered once more from the questions' words alone."""

import json
import re
from collections.abc import Callable

import pytest

from steelyard.api.profile import Level
from steelyard_profiler.draws import Draws
from steelyard_profiler.probes import extraction
from steelyard_profiler.probes.words import MONTHS

HARD = {template.__name__: template for template in extraction.TEMPLATES[Level.HARD]}


def sales(question: str) -> list[tuple[str, str, int, int]]:
    """Who, what, how many, at which price."""
    found = []
    for sentence in question.split(". "):
        if told := re.match(r"(\w+) sold (\d+) (\w+) at (\d+) each", sentence):
            found.append((told[1], told[3], int(told[2]), int(told[4])))
        elif told := re.match(r"At (\d+) apiece, (\d+) (\w+) went to a customer of (\w+)", sentence):
            found.append((told[4], told[3], int(told[2]), int(told[1])))
    assert len(found) == 7
    return found


def totals(question: str) -> object:
    of: dict[str, list[int]] = {}
    for who, _, count, price in sales(question):
        of.setdefault(who, []).append(count * price)
    ranked = sorted(of, key=lambda who: -sum(of[who]))
    return [{"name": who, "total": sum(of[who]), "sales": len(of[who])} for who in ranked]


def groups(question: str) -> object:
    least = int(re.findall(r"fewer than (\d+) pieces", question)[0])
    of: dict[str, list[tuple[str, int]]] = {}
    for who, what, count, _ in sales(question):
        if count >= least:
            of.setdefault(what, []).append((who, count))
    return {
        what: {"sellers": sorted({who for who, _ in sold}), "count": sum(count for _, count in sold)}
        for what, sold in of.items()
    }


def dearest(question: str) -> object:
    place = ("first", "second", "third", "fourth").index(re.findall(r"the (\w+) largest", question)[0])
    ranked = sorted(sales(question), key=lambda sale: sale[2] * sale[3], reverse=True)
    who, what, count, price = ranked[place]
    return {"name": who, "thing": what, "count": count, "amount": count * price}


def bookings(question: str) -> object:
    held = dict(re.findall(r"(\w+) books room (\d+)\.", question))
    one, two = re.findall(r"(\w+) and (\w+) exchange", question)[0]
    held[one], held[two] = held[two], held[one]
    mover, room, leaver = re.findall(r"(\w+) moves to room (\d+), and (\w+) cancels", question)[0]
    held[mover], freed = room, held.pop(leaver)
    taker, had = re.findall(r"(\w+) takes the room that (\w+) had", question)[0]
    assert had == leaver
    held[taker] = freed
    return {room: name for name, room in sorted(held.items(), key=lambda pair: int(pair[1]))}


def joined(question: str) -> object:
    cities = dict(re.findall(r"^(\d+),\w+,(\w+)$", question, re.MULTILINE))
    sums = dict.fromkeys(cities.values(), 0)
    for one, amount in re.findall(r"^(\d+),(\d+)$", question, re.MULTILINE):
        sums[cities[one]] += int(amount)
    return sums


def hosts(question: str) -> object:
    lines = re.findall(r"^(\d\d:\d\d) (\w+) (\w+)$", question, re.MULTILINE)
    named = re.findall(r"for each of ([\w, ]+)\.", question)[0].split(", ")
    errors = {host: [at for at, one, state in lines if (one, state) == (host, "error")] for host in named}
    return {host: {"errors": len(at), "last": at[-1] if at else None} for host, at in errors.items()}


def bought(question: str) -> object:
    day, month = re.findall(r"On (\d+) (\w+) 2024", question)[0]
    one, two, three = re.findall(r"(\d+) (\w+) (?:for|at) (\d+) dollars", question)
    off = int(re.findall(r"less (\d+) dollars", question)[0])
    lines = [
        {"item": thing, "count": int(count), "price": int(price)} for count, thing, price in (one, two, three)
    ]
    lines[1]["price"] = int(two[2]) // int(two[0])
    paid = int(one[0]) * int(one[2]) + int(two[2]) + int(three[0]) * int(three[2]) - off
    return {"date": f"2024-{MONTHS.index(month) + 1:02}-{int(day):02}", "lines": lines, "total": paid}


def signed(question: str) -> object:
    found = []
    for name, when in re.findall(r"(\w+) signed on (.*?)\.", question):
        year = re.findall(r"20\d\d", when)[0]
        day = re.findall(r"\b\d{1,2}\b", when)[0]
        named = [month for month in MONTHS if month in when]
        month = MONTHS.index(named[0]) + 1 if named else int(re.findall(r"month (\d+)", when)[0])
        found.append({"name": name, "date": f"{year}-{month:02}-{int(day):02}"})
    return sorted(found, key=lambda one: one["date"])


def shelf(question: str) -> object:
    start, *told = question.split(". ")
    stock = {thing: int(count) for count, thing in re.findall(r"(\d+) (\w+)", start)}
    for sentence in told:
        if found := re.match(r"(\d+) (\w+) are sold, and 2", sentence):
            stock[found[2]] -= int(found[1]) - 2
        elif found := re.match(r"A delivery doubles the (\w+); (\d+) of them", sentence):
            stock[found[1]] = 2 * stock[found[1]] - int(found[2])
    limit = int(re.findall(r"fewer than (\d+)", question)[0])
    return {"stock": stock, "few": sorted(thing for thing, count in stock.items() if count < limit)}


SOLVED: dict[str, Callable[[str], object]] = {
    "totals_by_person": totals,
    "grouped_by_thing": groups,
    "dearest_sale": dearest,
    "changed_bookings": bookings,
    "joined_tables": joined,
    "failing_hosts": hosts,
    "invoice": bought,
    "sorted_dates": signed,
    "shelf_after_changes": shelf,
}


@pytest.mark.parametrize("name", HARD)
def test_the_answer_is_that_of_the_question(name: str) -> None:
    for seed in range(20):
        task = HARD[name](Draws("keys", name, seed))
        solved = json.dumps(SOLVED[name](task.question))

        assert task.check.passes(solved), (task.question, solved, task.check.example)
        assert task.check.passes(f"```json\n{json.dumps(json.loads(solved), indent=2)}\n```")


@pytest.mark.parametrize("name", HARD)
def test_an_answer_that_misses_a_part_is_wrong(name: str) -> None:
    for seed in range(20):
        task = HARD[name](Draws("keys", name, seed))
        right = task.check.example
        value = json.loads(right)
        misses = [right[:-1], json.dumps([value]), json.dumps({"answer": value}), f"{right} {right}"]
        misses += [re.sub(r"\d+", "7777", right, count=1), re.sub(r'"[A-Z]\w+"', '"Zoe"', right, count=1)]
        if isinstance(value, list):
            misses += [json.dumps(value[::-1]), json.dumps(value[1:]), json.dumps([*value, value[0]])]
        else:
            first = next(iter(value))
            misses += [
                json.dumps({**value, "more": 1}),
                json.dumps({k: v for k, v in value.items() if k != first}),
            ]
        assert not [miss for miss in misses if miss != right and task.check.passes(miss)], task.question
