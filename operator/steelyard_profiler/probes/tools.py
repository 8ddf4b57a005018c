"""The tools that ToolUse offers, as the API wants them: terse, since each is read with every question."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
"""A JSON schema."""

Tool = Mapping[str, Any]
"""A tool in the form of the field `tools` of a chat request."""

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
YES_NO: Schema = {"type": "boolean"}
DAY: Schema = {"type": "string", "description": "YYYY-MM-DD"}
CLOCK: Schema = {"type": "string", "description": "HH:MM, 24 hours"}
TEXTS: Schema = {"type": "array", "items": TEXT}


def one_of(*options: str) -> Schema:
    """One of these texts."""
    return {"type": "string", "enum": list(options)}


def fields(**parts: Schema) -> Schema:
    """An object with these fields, all required."""
    return {"type": "object", "properties": parts, "required": list(parts)}


def tool(
    name: str, description: str, required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None
) -> Tool:
    """A tool with these parameters."""
    parameters = {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


ROOMS = ("kitchen", "bedroom", "bathroom", "office")
CURRENCIES = {"US dollars": "USD", "euros": "EUR", "British pounds": "GBP", "Japanese yen": "JPY"}
LANGUAGES = ("French", "German", "Italian", "Polish", "Spanish")

WEATHER = tool("get_weather", "Current weather of a city.", {"city": TEXT})
WEATHER_IN_UNIT = tool(
    "get_weather", "Current weather of a city.", {"city": TEXT}, {"unit": one_of("celsius", "fahrenheit")}
)
LOCAL_TIME = tool("get_time", "Current local time in a city.", {"city": TEXT})
TIMER = tool("set_timer", "Start a timer.", {"minutes": WHOLE})
ALARM = tool("set_alarm", "Set an alarm.", {"time": CLOCK})
MESSAGE = tool("send_message", "Send a chat message to a person.", {"to": TEXT, "text": TEXT})
EMAIL = tool("send_email", "Send an email.", {"to": TEXT, "subject": TEXT, "body": TEXT})
CALL = tool("call_person", "Call a person by phone.", {"name": TEXT})
LIGHT = tool("set_light", "Switch the light of a room.", {"room": one_of(*ROOMS), "on": YES_NO})
HEATING = tool("set_heating", "Set the temperature of a room.", {"room": one_of(*ROOMS), "celsius": NUMBER})
SONG = tool("play_song", "Play a song.", {"title": TEXT})
ITEM = tool("add_to_list", "Put an item on the shopping list.", {"item": TEXT})
ITEMS = tool(
    "add_items", "Put items on a list.", {"list": one_of("shopping", "packing", "tasks"), "items": TEXTS}
)
NOTE = tool("write_note", "Save a note.", {"text": TEXT})
FILE = tool("open_file", "Open a file.", {"path": TEXT})
STOCK = tool("get_stock", "How many pieces of a thing are in stock.", {"thing": TEXT})
TRANSLATE = tool("translate", "Translate a text.", {"text": TEXT, "language": one_of(*LANGUAGES)})
CURRENCY = tool(
    "convert_currency",
    "Convert an amount of money.",
    {
        "amount": NUMBER,
        "from": one_of(*CURRENCIES.values()),
        "to": one_of(*CURRENCIES.values()),
    },
)
FLIGHTS = tool(
    "search_flights",
    "Search flights.",
    {"origin": TEXT, "destination": TEXT, "date": DAY},
    {"cabin": one_of("economy", "business"), "stops": WHOLE},
)
HOTELS = tool("search_hotels", "Search hotels.", {"city": TEXT, "arrival": DAY, "nights": WHOLE})
TABLE = tool(
    "book_table",
    "Book a table in a restaurant.",
    {"restaurant": TEXT, "people": WHOLE, "date": DAY, "time": CLOCK},
    {"outside": YES_NO},
)
EVENT = tool(
    "create_event",
    "Put an event into the calendar.",
    {"title": TEXT, "date": DAY, "time": CLOCK},
    {"minutes": {**WHOLE, "default": 60}},
)
SHOW_EVENTS = tool("list_events", "Show the events of a day.", {"date": DAY})
CONTACT = tool(
    "add_contact",
    "Save a contact.",
    {"name": TEXT, "address": fields(street=TEXT, city=TEXT)},
    {"phone": TEXT},
)
ORDER = tool(
    "create_order",
    "Place an order.",
    {
        "customer": fields(name=TEXT, city=TEXT),
        "lines": {"type": "array", "items": fields(thing=TEXT, count=WHOLE)},
    },
    {"express": {**YES_NO, "default": False}},
)
PRODUCTS = tool(
    "find_products",
    "Search the shop.",
    {"color": TEXT, "thing": TEXT},
    {
        "max_price": NUMBER,
        "min_rating": NUMBER,
        "sort": one_of("price", "rating", "newest"),
        "in_stock": YES_NO,
    },
)
