"""The Hard questions of ToolUse: nested arguments, several calls, relative days, corrections, and no call."""

import re
from dataclasses import replace
from datetime import date, timedelta

from steelyard_profiler import answers
from steelyard_profiler.calls import Clock, Day, Place, Several, Thing, Title, Wanted, called, uncalled
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LONG, SHORT, Task
from steelyard_profiler.probes import tools
from steelyard_profiler.probes.words import CITIES, COLORS, DAYS, MONTHS, NAMES, THINGS

SEVERAL = 200
"""Tokens for four calls."""

_SORRY = re.compile(r"\bsorry[^\w.!?]{1,4}(?=[A-Z])", re.IGNORECASE)
"""The word with whatever a model puts between it and a name."""

_PLACES = ("Old Mill", "Blue Harbour", "Green Table", "Little Garden", "Red Lantern")


def _day(draws: Draws) -> date:
    return date(2031 + draws.below(3), draws.between(1, 12), draws.between(1, 28))


def _in_words(day: date) -> str:
    return f"{MONTHS[day.month - 1]} {day.day}, {day.year}"


def order_of_things(draws: Draws) -> Task:
    name, city, (one, two) = draws.pick(NAMES), draws.pick(CITIES), draws.sample(THINGS, 2)
    a, b, less = draws.between(12, 40), draws.between(3, 9), draws.between(2, 9)
    question = (
        f"{name} from {city} orders {a} {one}, no, make that {less} fewer, and {b} dozen {two}. "
        "Place the order."
    )
    lines = Several(({"thing": Thing(one), "count": a - less}, {"thing": Thing(two), "count": 12 * b}))
    wanted = {"customer": {"name": name, "city": Place(city)}, "lines": lines}
    offer = draws.shuffled((tools.ORDER, tools.STOCK, tools.PRODUCTS, tools.CONTACT))
    return Task(
        question, called(Wanted("create_order", wanted, {"express": False})), LONG, tools=tuple(offer)
    )


def two_tools(draws: Draws) -> Task:
    city, quarters = draws.pick(CITIES), draws.between(5, 11)
    hours, rest = divmod(quarters, 4)
    length = f"{hours} hour{'s' * (hours > 1)}" + (f" and {15 * rest} minutes" if rest else "")
    name, told = draws.pick((("get_weather", "the weather"), ("get_time", "the time")))
    thing = draws.pick(THINGS)
    question = f"Remind me of the {thing} with a timer in {length}, and tell me {told} in {city} now."
    check = called(Wanted("set_timer", {"minutes": 15 * quarters}), Wanted(name, {"city": Place(city)}))
    offer = draws.shuffled((tools.TIMER, tools.ALARM, tools.WEATHER, tools.LOCAL_TIME))
    return Task(question, check, LONG, tools=tuple(offer))


def missing_argument(draws: Draws) -> Task:
    place, people, day, hour = draws.pick(_PLACES), draws.between(2, 9), _day(draws), draws.between(17, 21)
    told = {
        "restaurant": f" at the {place}",
        "people": f" for {people} people",
        "date": f" on {_in_words(day)}",
        "time": f" at {hour}:30",
    }
    missing = draws.pick(tuple(told))
    words = "".join(said for name, said in told.items() if name != missing)
    question = (
        f"Book a table{words}. If a required argument of the tool is not known, do not call it, and answer "
        "with the name of that argument only."
    )
    check = uncalled(answers.choice(missing, tuple(told)))
    offer = draws.shuffled((tools.TABLE, tools.EVENT, tools.HOTELS, tools.MESSAGE))
    return Task(question, check, SHORT, chance=1 / len(told), tools=tuple(offer))


def day_from_today(draws: Draws) -> Task:
    today, city, nights = _day(draws), draws.pick(CITIES), draws.between(2, 6)
    ahead, weeks = draws.between(1, 6), draws.between(1, 3)
    weekday = (today.weekday() + ahead) % 7
    arrival = today + timedelta(days=ahead + 7 * weeks)
    number = ("one week", "two weeks", "three weeks")[weeks - 1]
    question = (
        f"Today is {DAYS[today.weekday()]}, {_in_words(today)}. Find hotels in {city} for {nights} nights; I "
        f"arrive {number} after the coming {DAYS[weekday]}."
    )
    wanted = {"city": Place(city), "arrival": Day(arrival.isoformat()), "nights": nights}
    offer = draws.shuffled((tools.HOTELS, tools.FLIGHTS, tools.SHOW_EVENTS, tools.EVENT))
    return Task(question, called(Wanted("search_hotels", wanted)), LONG, tools=tuple(offer))


def three_persons(draws: Draws) -> Task:
    names, hour = draws.sample(NAMES, 4), draws.between(2, 11)
    text = f"we meet at {hour}"
    question = (
        f'Send the message "{text}" to {names[0]}, {names[1]}, {names[2]} and {names[3]}. Wait, {names[1]} '
        "knows already: leave that one out."
    )
    check = called(*(Wanted("send_message", {"to": name, "text": text}) for name in (names[0], *names[2:])))
    offer = draws.shuffled((tools.MESSAGE, tools.EMAIL, tools.CALL, tools.NOTE))
    return Task(question, check, SEVERAL, tools=tuple(offer))


def beyond_the_tools(draws: Draws) -> Task:
    name, day = draws.pick(NAMES), _day(draws)
    asked = draws.pick(
        (
            f"Delete the event with {name} on {_in_words(day)} from my calendar.",
            f"Move my lunch with {name} from {_in_words(day)} to the day after.",
            f"Find out when {name} has time on {_in_words(day)}.",
            f"Cancel the table for {_in_words(day)}; {name} is ill.",
        )
    )
    question = (
        f"{asked} If none of the tools can do this, call none and answer with two words only: SORRY and "
        "the name of the person."
    )
    exact = answers.match(f"SORRY {name}", rf"sorry (?:{'|'.join(NAMES)})")
    joined = replace(exact, passes=lambda answer: exact.passes(_SORRY.sub("SORRY ", answer)))
    check = uncalled(joined)
    offer = draws.shuffled((tools.EVENT, tools.TABLE, tools.TIMER, tools.HOTELS))
    return Task(question, check, SHORT, tools=tuple(offer))


def corrected_table(draws: Draws) -> Task:
    place, day, hour = draws.pick(_PLACES), _day(draws), draws.between(6, 9)
    people, more = draws.between(3, 6), draws.between(2, 4)
    question = (
        f"Please book the {place} for {people} of us on {_in_words(day)} at {hour} in the evening. Oh, "
        f"{more} more want to come, and half an hour later is better for them."
    )
    wanted = {
        "restaurant": Title(place),
        "people": people + more,
        "date": Day(day.isoformat()),
        "time": Clock(f"{hour + 12}:30"),
    }
    offer = draws.shuffled((tools.TABLE, tools.EVENT, tools.HOTELS, tools.MESSAGE))
    return Task(question, called(Wanted("book_table", wanted)), LONG, tools=tuple(offer))


def filtered_products(draws: Draws) -> Task:
    color, thing, price = draws.pick(COLORS), draws.pick(THINGS), draws.between(12, 90)
    wanted: dict[str, object] = {"color": color, "thing": Thing(thing)}
    told = []
    for name, value, words in draws.sample(
        (
            ("max_price", price, f"for at most {price} dollars"),
            ("min_rating", 4, "rated four stars or better"),
            ("in_stock", True, "which can be delivered from stock"),
        ),
        2,
    ):
        wanted[name] = value
        told.append(words)
    order, words = draws.pick((("price", "the cheapest first"), ("newest", "the latest ones first")))
    wanted["sort"] = order
    question = f"Search the shop for {color} {thing} {told[0]} and {told[1]}, {words}."
    offer = draws.shuffled((tools.PRODUCTS, tools.ORDER, tools.STOCK, tools.CURRENCY))
    return Task(question, called(Wanted("find_products", wanted)), LONG, tools=tuple(offer))


def all_but_one_room(draws: Draws) -> Task:
    rooms, is_on = draws.shuffled(tools.ROOMS), draws.below(2) == 1
    room = draws.pick(rooms)
    celsius = draws.between(14, 24)
    done, verb = ("on", "Switch on") if is_on else ("off", "Switch off")
    question = (
        f"My rooms are {', '.join(rooms)}. {verb} the light in all of them but the {room}, where it is "
        f"{done} already; there, set the heating to {celsius} degrees instead."
    )
    check = called(
        *(Wanted("set_light", {"room": one, "on": is_on}) for one in rooms if one != room),
        Wanted("set_heating", {"room": room, "celsius": celsius}),
    )
    offer = draws.shuffled((tools.LIGHT, tools.HEATING, tools.WEATHER, tools.TIMER))
    return Task(question, check, SEVERAL, tools=tuple(offer))
