"""ToolUse: which of the tools that are offered to call, with which arguments, and when to call none.

Easy ones offer two tools, Medium ones three, Hard ones four or more. The Hard ones are in `tooluse_hard`.
"""

from datetime import date

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.calls import Clock, Day, Place, Wanted, called, uncalled
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, LONG, Task, Templates
from steelyard_profiler.probes import tools, tooluse_hard
from steelyard_profiler.probes.tools import Tool
from steelyard_profiler.probes.words import CITIES, COLORS, MONTHS, NAMES, NOUNS, THINGS

ONE_CALL = 80
"""Tokens for a call of up to four arguments, in the longest of the forms in which models write them."""

_MESSAGES = (
    "see you soon",
    "I am late",
    "dinner is ready",
    "the bus has left",
    "call me back",
    "we are here",
)
_STREETS = ("Mill Street", "Garden Road", "Harbour Lane", "Station Square", "Hill Avenue")
_TITLES = ("dentist", "piano lesson", "team lunch", "parents' evening", "car wash", "chess club")


def offered(draws: Draws, *offer: Tool) -> tuple[Tool, ...]:
    """These tools in drawn order."""
    return tuple(draws.shuffled(offer))


def one_call(
    draws: Draws, question: str, wanted: Wanted, *offer: Tool, max_tokens: int = LINE, system: str = ""
) -> Task:
    """A question that wants one call."""
    return Task(question, called(wanted), max_tokens, system=system, tools=offered(draws, *offer))


def day_of(draws: Draws) -> date:
    """A day of some year to come."""
    return date(2031 + draws.below(3), draws.between(1, 12), draws.between(1, 28))


def in_words(day: date) -> str:
    """The day as people write it."""
    return f"{MONTHS[day.month - 1]} {day.day}, {day.year}"


def weather_of_city(draws: Draws) -> Task:
    city, name = draws.pick(CITIES), draws.pick(NAMES)
    asked = draws.pick(("What is the weather like", "How is the weather"))
    question = f"{name} is on the way to {city}. {asked} there now?"
    return one_call(draws, question, Wanted("get_weather", {"city": Place(city)}), tools.WEATHER, tools.TIMER)


def time_in_city(draws: Draws) -> Task:
    city, name = draws.pick(CITIES), draws.pick(NAMES)
    question = f"I want to call {name} in {city}. {draws.pick(('What time is it', 'How late is it'))} there?"
    return one_call(draws, question, Wanted("get_time", {"city": Place(city)}), tools.LOCAL_TIME, tools.SONG)


def timer_of_minutes(draws: Draws) -> Task:
    minutes = draws.between(2, 55)
    thing = draws.pick(("tea", "eggs", "rice", "soup", "bread", "cake", "washing", "walk", "break", "game"))
    question = f"Set a timer for {minutes} minutes, for the {thing}."
    return one_call(draws, question, Wanted("set_timer", {"minutes": minutes}), tools.TIMER, tools.WEATHER)


def light_of_room(draws: Draws) -> Task:
    room, is_on = draws.pick(tools.ROOMS), draws.below(2) == 1
    words = draws.pick(("Turn {0} the light in the {1}, {2}.", "The light in the {1}: turn it {0}, {2}."))
    question = words.format("on" if is_on else "off", room, draws.pick(("please", "now")))
    question = f"{draws.pick(NAMES)} here. {question}"
    return one_call(
        draws, question, Wanted("set_light", {"room": room, "on": is_on}), tools.LIGHT, tools.ITEM
    )


def message_to_person(draws: Draws) -> Task:
    name, text = draws.pick(NAMES), f"{draws.pick(_MESSAGES)} {draws.pick(('today', 'again', 'now'))}"
    question = f'Send {name} this message: "{text}"'
    return one_call(
        draws, question, Wanted("send_message", {"to": name, "text": text}), tools.MESSAGE, tools.ALARM
    )


def song_by_title(draws: Draws) -> Task:
    title = " ".join(draws.sample(NOUNS, 2)).title()
    return one_call(
        draws, f'Play the song "{title}".', Wanted("play_song", {"title": title}), tools.SONG, tools.STOCK
    )


def item_for_list(draws: Draws) -> Task:
    thing = f"{draws.pick(COLORS)} {draws.pick(THINGS)}"
    question = (
        f"Put {thing} on my shopping list, {draws.pick(('please', 'now', 'thanks', 'before I forget it'))}."
    )
    return one_call(draws, question, Wanted("add_to_list", {"item": thing}), tools.ITEM, tools.LOCAL_TIME)


def file_by_name(draws: Draws) -> Task:
    path = f"{draws.pick(NOUNS)}{draws.between(2, 99)}.{draws.pick(('txt', 'csv', 'pdf'))}"
    return one_call(
        draws, f"Open the file {path}.", Wanted("open_file", {"path": path}), tools.FILE, tools.MESSAGE
    )


def plain_sum(draws: Draws) -> Task:
    a, b = draws.between(2, 19), draws.between(2, 19)
    question = f"What is {a} + {b}? Answer with the number only."
    check = uncalled(answers.number(a + b, a, b))
    return Task(question, check, LINE, tools=offered(draws, tools.WEATHER, tools.MESSAGE))


def city_named(draws: Draws) -> Task:
    city, name = draws.pick(CITIES), draws.pick(NAMES)
    question = (
        f"{name} lives in {city} and likes music. In which city does {name} live? Answer with one word."
    )
    check = uncalled(answers.choice(city, CITIES))
    return Task(question, check, LINE, tools=offered(draws, tools.LOCAL_TIME, tools.SONG))


def weather_in_unit(draws: Draws) -> Task:
    city, unit = draws.pick(CITIES), draws.pick(("celsius", "fahrenheit"))
    question = f"I meet {draws.pick(NAMES)} in {city}. What is the weather there, in degrees {unit.title()}?"
    wanted = Wanted("get_weather", {"city": Place(city), "unit": unit})
    return one_call(
        draws, question, wanted, tools.WEATHER_IN_UNIT, tools.LOCAL_TIME, tools.HEATING, max_tokens=ONE_CALL
    )


def money_converted(draws: Draws) -> Task:
    one, two = draws.sample(tuple(tools.CURRENCIES), 2)
    amount = draws.between(20, 900)
    question = draws.pick(
        (f"How many {two} are {amount} {one}?", f"I have {amount} {one}. What is that in {two}?")
    )
    wanted = {"amount": amount, "from": tools.CURRENCIES[one], "to": tools.CURRENCIES[two]}
    return one_call(
        draws,
        question,
        Wanted("convert_currency", wanted),
        *(tools.CURRENCY, tools.STOCK, tools.TIMER),
        max_tokens=ONE_CALL,
    )


def flight_of_day(draws: Draws) -> Task:
    origin, destination = draws.sample(CITIES, 2)
    day = day_of(draws)
    question = f"Find flights from {origin} to {destination} on {in_words(day)}."
    wanted = {"origin": Place(origin), "destination": Place(destination), "date": Day(day.isoformat())}
    return one_call(
        draws,
        question,
        Wanted("search_flights", wanted),
        *(tools.FLIGHTS, tools.WEATHER, tools.HOTELS),
        max_tokens=ONE_CALL,
    )


def event_in_words(draws: Draws) -> Task:
    title, day, hour = draws.pick(_TITLES), day_of(draws), draws.between(1, 9)
    question = f'Put "{title}" into my calendar, {in_words(day)}, {hour} in the afternoon.'
    wanted = {"title": title, "date": Day(day.isoformat()), "time": Clock(f"{hour + 12}:00")}
    return one_call(
        draws,
        question,
        Wanted("create_event", wanted, {"minutes": 60}),
        *(tools.EVENT, tools.ALARM, tools.SHOW_EVENTS),
        max_tokens=ONE_CALL,
    )


def items_for_list(draws: Draws) -> Task:
    which, things = draws.pick(("shopping", "packing")), draws.sample(THINGS, 3)
    question = (
        f"I need {things[0]}, {things[1]} and {things[2]}: put them on the {which} list, in this order."
    )
    wanted = Wanted("add_items", {"list": which, "items": things})
    return one_call(draws, question, wanted, tools.ITEMS, tools.NOTE, tools.STOCK, max_tokens=ONE_CALL)


def two_cities(draws: Draws) -> Task:
    one, two = draws.sample(CITIES, 2)
    name, offer = draws.pick((("get_weather", "weather"), ("get_time", "local time")))
    question = f"{draws.pick(NAMES)} asks: what is the {offer} in {one} and in {two}?"
    check = called(*(Wanted(name, {"city": Place(city)}) for city in (one, two)))
    return Task(question, check, LONG, tools=offered(draws, tools.WEATHER, tools.LOCAL_TIME, tools.STOCK))


def contact_with_address(draws: Draws) -> Task:
    name, street, city = (
        draws.pick(NAMES),
        f"{draws.between(2, 99)} {draws.pick(_STREETS)}",
        draws.pick(CITIES),
    )
    question = f"Save {name} as a contact. The address is {street} in {city}."
    wanted = {"name": name, "address": {"street": street, "city": Place(city)}}
    return one_call(
        draws,
        question,
        Wanted("add_contact", wanted),
        *(tools.CONTACT, tools.MESSAGE, tools.CALL),
        max_tokens=ONE_CALL,
    )


def way_to_reach(draws: Draws) -> Task:
    name, text = draws.pick(NAMES), draws.pick(_MESSAGES)
    question, wanted = draws.pick(
        (
            (f"I would like to talk to {name} on the phone.", Wanted("call_person", {"name": name})),
            (f'Text {name}: "{text}"', Wanted("send_message", {"to": name, "text": text})),
            (
                f'Write an email to {name}. Subject: "{text}". Body: "more tomorrow"',
                Wanted("send_email", {"to": name, "subject": text, "body": "more tomorrow"}),
            ),
        )
    )
    return one_call(draws, question, wanted, tools.CALL, tools.MESSAGE, tools.EMAIL, max_tokens=ONE_CALL)


def told_already(draws: Draws) -> Task:
    one, two = draws.sample(CITIES, 2)
    degrees, more = draws.between(3, 20), draws.between(2, 9)
    question = (
        f"Yesterday it had {degrees} degrees in {one}, and {two} was {more} degrees warmer. How many degrees "
        f"had {two} yesterday? Answer with the number only."
    )
    check = uncalled(answers.number(degrees + more, degrees, more))
    return Task(question, check, LINE, tools=offered(draws, tools.WEATHER, tools.HEATING, tools.FLIGHTS))


def translated_text(draws: Draws) -> Task:
    language, color, noun = draws.pick(tools.LANGUAGES), draws.pick(COLORS), draws.pick(NOUNS)
    text = f"the {color} {noun}"
    question = f'How do you say "{text}" in {language}? Use a tool.'
    wanted = Wanted("translate", {"text": text, "language": language})
    return one_call(draws, question, wanted, tools.TRANSLATE, tools.MESSAGE, tools.NOTE, max_tokens=ONE_CALL)


TEMPLATES: Templates = {
    Level.EASY: (
        weather_of_city,
        timer_of_minutes,
        plain_sum,
        message_to_person,
        city_named,
        light_of_room,
        time_in_city,
        song_by_title,
        item_for_list,
        file_by_name,
    ),
    Level.MEDIUM: (
        flight_of_day,
        two_cities,
        told_already,
        items_for_list,
        money_converted,
        weather_in_unit,
        way_to_reach,
        event_in_words,
        contact_with_address,
        translated_text,
    ),
    Level.HARD: (
        tooluse_hard.order_of_things,
        tooluse_hard.two_tools,
        tooluse_hard.missing_argument,
        tooluse_hard.day_from_today,
        tooluse_hard.three_persons,
        tooluse_hard.beyond_the_tools,
        tooluse_hard.corrected_table,
        tooluse_hard.filtered_products,
        tooluse_hard.all_but_one_room,
    ),
}
