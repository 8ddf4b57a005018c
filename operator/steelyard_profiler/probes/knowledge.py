"""Knowledge: facts of geography, science, history, the arts and everyday life, by how widely they are known.

An open question takes every usual name of the right thing; a closed one offers things of the same table.
"""

import re
from collections.abc import Mapping

from steelyard.api.profile import Level
from steelyard_profiler import answers, names, sayings
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.facts import Names, Numbers, arts, everyday, geography, history, science
from steelyard_profiler.probe import LINE, SHORT, Task, Template, Templates

OPTIONS = 4
"""Options of a closed question."""

NAME_ONLY = "Answer with the name only."
NUMBER_ONLY = "Answer with the number only."

_MIDDLE_OF_NAME = re.compile(r"\b(?:the|of|[IVX]+|Khan)\b")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_LEAST_YEARS_APART = {Level.EASY: 50, Level.MEDIUM: 15, Level.HARD: 3}


def with_last_name(cell: str) -> str:
    """A person's names and the last name alone, unless that is none."""
    first = names.aliases(cell)[0]
    last = first.split()[-1]
    if _MIDDLE_OF_NAME.search(first) or len(last) < 3:
        return cell
    return cell if last in names.aliases(cell) else f"{cell}|{last}"


def others(right: str, table: Names) -> list[list[str]]:
    """The names of all things of a table that share none with the right one, in the table's order."""
    cells = names.groups(cell for facts in table.values() for cell in facts.values())
    mine = {names.fold(name) for name in names.aliases(right)}
    return [group for group in cells.values() if mine.isdisjoint(map(names.fold, group))]


def _open(name: str, ask: str, table: Names, level: Level, *, tokens: int = SHORT) -> Template:
    def template(draws: Draws) -> Task:
        subject = draws.pick(tuple(table[level]))
        right = table[level][subject]
        check = names.named(names.aliases(right), others(right, table), (subject, ask))
        return Task(ask.format(subject), check, tokens)

    return _titled(template, name)


def _capital(name: str, level: Level) -> Template:
    table = geography.CAPITALS

    def template(draws: Draws) -> Task:
        subject = draws.pick(tuple(table[level]))
        right = table[level][subject]
        rivals = [*others(right, table), *([city] for city in names.aliases(_NO_CAPITALS))]
        check = names.named(names.aliases(right), rivals, (subject, _CAPITAL), is_place=True)
        return Task(_CAPITAL.format(subject), check)

    return _titled(template, name)


def _closed(name: str, ask: str, table: Names, level: Level, *, is_place: bool = False) -> Template:
    def template(draws: Draws) -> Task:
        subject = draws.pick(tuple(table[level]))
        asked, offered = ask.format(subject), {level: table[level]}
        return _choice(draws, asked, table[level][subject], offered, subject, is_place=is_place)

    return _titled(template, name)


def _choice(
    draws: Draws, asked: str, right: str, table: Names, subject: str, *, is_place: bool = False
) -> Task:
    """A question that offers the right thing among others of the table."""
    wrong = others(right, table)
    offered = draws.shuffled([names.aliases(right), *draws.sample(wrong, min(OPTIONS - 1, len(wrong)))])
    shown = [group[0] for group in offered]
    check = names.named(
        names.aliases(right),
        wrong if is_place else [group for group in offered if group[0] not in names.aliases(right)],
        (subject,),
        shown,
        is_place=is_place,
    )
    question = f"{asked} Answer with one of these only: {', '.join(shown)}."
    return Task(question, check, chance=1 / len(shown))


def _counted(name: str, ask: str, table: Numbers, level: Level) -> Template:
    def template(draws: Draws) -> Task:
        subject = draws.pick(tuple(table[level]))
        given = [int(digits) for digits in re.findall(r"\d+", subject)]
        right = (answers.year if ask == _YEAR else answers.number)(table[level][subject], *given)
        return Task(f"{ask.format(subject)} {NUMBER_ONLY}", right)

    return _titled(template, name)


def _titled(template: Template, name: str) -> Template:
    template.__name__ = name
    return template


def _people(table: Names) -> Names:
    return {
        level: {subject: with_last_name(cell) for subject, cell in facts.items()}
        for level, facts in table.items()
    }


def _elements_by_symbol() -> Names:
    cells = dict(element.split(" ", 1) for element in science.ELEMENTS)
    return {
        level: {symbol: cells[symbol] for symbol in symbols.split()}
        for level, symbols in science.SYMBOLS_BY_LEVEL.items()
    }


def _reversed(table: Names, level: Level) -> Names:
    return {level: {names.aliases(cell)[0]: subject for subject, cell in table[level].items()}}


def _first_of_two(name: str, level: Level) -> Template:
    def template(draws: Draws) -> Task:
        events = _apart(draws, history.YEARS[level], 2, _LEAST_YEARS_APART[level])
        early, late = sorted(events, key=history.YEARS[level].__getitem__)
        word, right, wrong = draws.pick((("first", early, late), ("later", late, early)))
        keys = {event: str(at) for at, event in enumerate(events, 1)}
        question = f"Which happened {word}? 1: {events[0]}. 2: {events[1]}. Answer with 1 or 2 only."
        return Task(
            question,
            names.named([keys[right], right], [[keys[wrong], wrong]], options=("1", "2")),
            chance=1 / 2,
        )

    return _titled(template, name)


def order_of_three(draws: Draws) -> Task:
    years = history.YEARS[Level.HARD]
    events = _apart(draws, years, 3, _LEAST_YEARS_APART[Level.HARD])
    right = [events.index(event) + 1 for event in sorted(events, key=years.__getitem__)]
    told = " ".join(f"{at}: {event}." for at, event in enumerate(events, 1))
    question = (
        f"Put these in order of time, the earliest first. {told} Answer with the numbers, like 2, 3, 1."
    )

    def check(answer: str) -> bool:
        said = sayings.spoken(answer)
        found = list(re.finditer(r"(?<![\w.])[123](?!\w)", said))
        if [int(digit[0]) for digit in found] != right or re.search(r"\b(?:or|maybe|perhaps)\b", said):
            return False
        return not sayings.is_denied(said, found[0].start(), found[-1].end())

    return Task(question, Check(check, ", ".join(map(str, right))), chance=1 / 6)


def _apart(draws: Draws, years: Mapping[str, int], count: int, least: int) -> list[str]:
    """Events of which any two lie at least so many years apart, in drawn order."""
    picked: list[str] = []
    for event in draws.shuffled(tuple(years)):
        if all(abs(years[event] - years[other]) >= least for other in picked):
            picked.append(event)
        if len(picked) == count:
            break
    return picked


def planet_by_place(draws: Draws) -> Task:
    at = draws.below(len(science.PLANETS))
    planet = science.PLANETS[at]
    asked = [f"Which planet is the {_ORDINALS[at]} from the Sun?"]
    given = [""]
    if at > 0:
        given.append(science.PLANETS[at - 1])
        asked.append(f"Which planet comes next after {given[-1]}, seen from the Sun?")
    choice = draws.below(len(asked))
    check = names.one_of(planet, science.PLANETS, (given[choice],))
    return Task(f"{asked[choice]} {NAME_ONLY}", check)


def element_by_number(draws: Draws) -> Task:
    at = draws.below(len(science.ELEMENTS))
    cells = [element.split(" ", 1)[1] for element in science.ELEMENTS]
    check = names.named(
        names.aliases(cells[at]), [names.aliases(cell) for cell in cells if cell != cells[at]]
    )
    return Task(f"Which chemical element has atomic number {at + 1}? {NAME_ONLY}", check)


_NO_CAPITALS = (
    "Sydney|Melbourne|Perth|Auckland|Toronto|Montreal|Vancouver|New York|Los Angeles|Chicago|Rio de Janeiro|"
    "São Paulo|Guayaquil|Istanbul|Zurich|Geneva|Milan|Munich|Frankfurt|Barcelona|Porto|Rotterdam|The Hague|"
    "Antwerp|Saint Petersburg|Krakow|Johannesburg|Cape Town|Durban|Casablanca|Marrakesh|Alexandria|Lagos|"
    "Dar es Salaam|Mombasa|Benghazi|Aleppo|Jeddah|Mecca|Dubai|Tel Aviv|Karachi|Lahore|Mumbai|Kolkata|"
    "Mandalay|Yangon|Ho Chi Minh City|Shanghai|Hong Kong|Osaka|Kyoto|Busan|Almaty|Edinburgh|Manchester"
)
"""Large cities that are taken for capitals."""

_SYMBOLS = _elements_by_symbol()
_PEOPLE, _FINDERS = _people(history.PEOPLE), _people(history.FINDERS)
_BOOKS, _PAINTINGS, _MUSIC = _people(arts.BOOKS), _people(arts.PAINTINGS), _people(arts.MUSIC)

_CAPITAL = f"What is the capital of {{}}? {NAME_ONLY}"
_CURRENCY = "What is the currency of {} called?"
_RIVER = f"What is the main river that flows through {{}}? {NAME_ONLY}"
_SIGHT = "In which country is {}?"
_SYMBOL = f"Which chemical element has the symbol {{}}? {NAME_ONLY}"
_UNIT = f"What is the SI unit of {{}}? {NAME_ONLY}"
_FORMULA = f"Which substance has the formula {{}}? {NAME_ONLY}"
_BODY = "What is the everyday English word for the medical term {}? Answer with it only."
_STUDY = "What is the science or study of {} called?"
_YEAR = "In which year was it that {}?"
_PERSON = f"Who {{}}? {NAME_ONLY}"
_BOOK = f'Who wrote "{{}}"? {NAME_ONLY}'
_PICTURE = f"Which artist made {{}}? {NAME_ONLY}"
_COMPOSER = "Who composed {}?"
_HOW_MANY = "How many {}?"
_STANDS_FOR = "What does the abbreviation {} stand for? Answer with the words only."

TEMPLATES: Templates = {
    Level.EASY: (
        _capital("famous_capital", Level.EASY),
        _closed("animal_class", "What kind of animal is this: {}?", science.ANIMAL_CLASSES, Level.EASY),
        _counted("famous_count", _HOW_MANY, everyday.COUNTS, Level.EASY),
        _closed("famous_book", 'Who wrote "{}"?', _BOOKS, Level.EASY),
        _open("young_animal", "What is a young {} called? Answer with one word.", everyday.YOUNG, Level.EASY),
        _first_of_two("first_of_two_famous", Level.EASY),
        _open("famous_symbol", _SYMBOL, _SYMBOLS, Level.EASY),
        _closed("continent", "On which continent is {}?", geography.CONTINENTS, Level.EASY),
        _open("trade", "What do you call a person who {}?", everyday.TRADES, Level.EASY),
        _closed("usual_colour", "What is the usual colour of {}?", everyday.COLOURS, Level.EASY),
        _open("famous_person", _PERSON, _PEOPLE, Level.EASY),
        _closed("famous_sight", _SIGHT, geography.SIGHTS, Level.EASY, is_place=True),
        planet_by_place,
        _closed("instrument_family", "To which family does the {} belong?", arts.INSTRUMENTS, Level.EASY),
        _counted("famous_year", _YEAR, history.YEARS, Level.EASY),
    ),
    Level.MEDIUM: (
        _capital("capital", Level.MEDIUM),
        _closed("painting", "Which artist made {}?", _PAINTINGS, Level.MEDIUM),
        _open("formula", _FORMULA, science.FORMULAS, Level.MEDIUM),
        _closed("finder", "Who {}?", _FINDERS, Level.MEDIUM),
        _open("abbreviation", _STANDS_FOR, everyday.ABBREVIATIONS, Level.MEDIUM, tokens=LINE),
        _first_of_two("first_of_two", Level.MEDIUM),
        _open("symbol", _SYMBOL, _SYMBOLS, Level.MEDIUM),
        _closed("composer", _COMPOSER, _MUSIC, Level.MEDIUM),
        _open("book", _BOOK, _BOOKS, Level.MEDIUM),
        _counted("count", _HOW_MANY, everyday.COUNTS, Level.MEDIUM),
        _closed(
            "country_of_capital",
            "Of which country is {} the capital?",
            _reversed(geography.CAPITALS, Level.MEDIUM),
            Level.MEDIUM,
        ),
        _open("currency", f"{_CURRENCY} {NAME_ONLY}", geography.CURRENCIES, Level.MEDIUM),
        _counted("year", _YEAR, history.YEARS, Level.MEDIUM),
        _open("person", _PERSON, _PEOPLE, Level.MEDIUM),
        _closed("study", _STUDY, science.STUDIES, Level.MEDIUM),
        _open("unit", _UNIT, science.UNITS, Level.MEDIUM),
        _open(
            "roman_god",
            f"What did the Romans call {{}} of the Greek myths? {NAME_ONLY}",
            arts.ROMAN_GODS,
            Level.MEDIUM,
        ),
        _open("god", f"In myth, who is {{}}? {NAME_ONLY}", arts.GODS, Level.MEDIUM),
        _closed("sight", _SIGHT, geography.SIGHTS, Level.MEDIUM, is_place=True),
        _counted("status_code", 'Which status code of HTTP means "{}"?', everyday.STATUS_CODES, Level.MEDIUM),
        _open("body_part", _BODY, science.BODY, Level.MEDIUM),
        _open("river", _RIVER, geography.RIVERS, Level.MEDIUM),
        _closed(
            "country_domain",
            "Which country has the top-level domain {}?",
            everyday.COUNTRY_DOMAINS,
            Level.MEDIUM,
        ),
    ),
    Level.HARD: (
        _capital("little_known_capital", Level.HARD),
        _open("little_known_book", _BOOK, _BOOKS, Level.HARD),
        element_by_number,
        order_of_three,
        _open("little_known_finder", _PERSON, _FINDERS, Level.HARD),
        _closed("moon", "Which planet does the moon {} orbit?", science.MOONS, Level.HARD),
        _counted("port", "Which TCP or UDP port does {} use by default?", everyday.PORTS, Level.HARD),
        _open("little_known_study", f"{_STUDY} {NAME_ONLY}", science.STUDIES, Level.HARD),
        _open("little_known_painting", _PICTURE, _PAINTINGS, Level.HARD),
        _open("little_known_river", _RIVER, geography.RIVERS, Level.HARD),
        _counted("little_known_count", _HOW_MANY, everyday.COUNTS, Level.HARD),
        _open("little_known_abbreviation", _STANDS_FOR, everyday.ABBREVIATIONS, Level.HARD, tokens=LINE),
        _closed(
            "state_capital",
            "What is the capital of the US state of {}?",
            geography.STATE_CAPITALS,
            Level.HARD,
            is_place=True,
        ),
        _open("little_known_person", _PERSON, _PEOPLE, Level.HARD),
        _open("little_known_formula", _FORMULA, science.FORMULAS, Level.HARD),
        _closed("little_known_composer", _COMPOSER, _MUSIC, Level.HARD),
        _open("little_known_symbol", _SYMBOL, _SYMBOLS, Level.HARD),
        _open("medical_term", _BODY, science.BODY, Level.HARD),
        _counted("little_known_year", _YEAR, history.YEARS, Level.HARD),
        _closed("little_known_currency", _CURRENCY, geography.CURRENCIES, Level.HARD),
        _open("little_known_unit", _UNIT, science.UNITS, Level.HARD),
    ),
}
