"""Names and things that questions are about."""


def listed(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


NAMES = listed(
    "Anna Boris Clara David Elena Felix Grace Henry Irene Jonas Karla Leon Maria Nina Oscar Paula Rosa Simon "
    "Tomas Ursula Victor Wanda"
)
CITIES = listed(
    "Lisbon Oslo Cairo Lima Dublin Vienna Prague Nairobi Toronto Bergen Porto Madrid Athens Havana"
)
JOBS = listed("baker nurse pilot teacher farmer plumber dentist painter lawyer chemist")
THINGS = listed("apples pencils bottles tickets stamps marbles cookies candles buttons postcards")
ANIMALS = listed("dog cat horse rabbit parrot turtle hamster goat")
COLORS = listed("red green blue yellow white black brown purple")
NOUNS = listed(
    "river lantern castle pocket winter bottle planet guitar window market desert bridge forest mirror "
    "button silver garden letter music island"
)
DAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = listed("January February March April May June July August September October November December")
