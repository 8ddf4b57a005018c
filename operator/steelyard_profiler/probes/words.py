"""Names and things that questions are about."""


def listed(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


NAMES = listed(
    "Anna Boris Clara David Elena Felix Grace Henry Irene Jonas Karla Leon Maria Nina Oscar Paula Rosa "
    "Simon Tomas Ursula Victor Wanda Alice Bruno Diana Emil Hanna Ivan Julia Lucas Marta Peter"
)
CITIES = listed(
    "Lisbon Oslo Cairo Lima Dublin Vienna Prague Nairobi Toronto Bergen Porto Madrid Athens Havana Geneva "
    "Quito Hanoi Boston Seville Tunis"
)
JOBS = listed(
    "baker nurse pilot teacher farmer plumber dentist painter lawyer chemist tailor barber miner singer"
)
THINGS = listed(
    "apples pencils bottles tickets stamps marbles cookies candles buttons postcards books chairs lemons "
    "spoons balloons ribbons"
)
ANIMALS = listed("dog cat horse rabbit parrot turtle hamster goat tiger lion duck eagle spider whale")
COLORS = listed("red green blue yellow white black brown purple orange pink")
NOUNS = listed(
    "river lantern castle pocket winter bottle planet guitar window market desert bridge forest mirror "
    "button silver garden letter music island basket camera candle carpet cloud coffee corner cotton "
    "doctor dragon engine family finger flower friend harbor hunter jacket kitchen ladder magnet marble "
    "meadow minute morning mountain needle number office orchard pencil pepper picture pillow pirate "
    "rocket school shadow signal spring stone summer table temple thunder ticket tunnel valley village"
)
DAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = listed("January February March April May June July August September October November December")
