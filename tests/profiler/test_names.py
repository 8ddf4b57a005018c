"""A name is taken in every usual form, and a guess among several is none."""

import pytest

from steelyard_profiler import names

CANBERRA = {
    "the name": ("Canberra", True),
    "in small letters": ("canberra", True),
    "in capitals": ("CANBERRA", True),
    "with a stop": ("Canberra.", True),
    "bold": ("**Canberra**", True),
    "quoted": ('"Canberra".', True),
    "in a sentence": ("The capital of Australia is Canberra.", True),
    "with its country": ("Canberra, Australia", True),
    "with why": ("Canberra. It was built between Sydney and Melbourne.", True),
    "and what it is not": ("It is Canberra, not Sydney.", True),
    "after what it is not": ("Not Sydney, but Canberra.", True),
    "marked at the end": ("Many say Sydney. But the answer is Canberra.", True),
    "with a possessive": ("Canberra's the capital.", True),
    "on a line of its own": ("Canberra\n\nThe capital of Australia.", True),
    "after a thought": ("<think>Sydney? No.</think>\n\nCanberra", True),
    "in a thought only": ("<think>Canberra?</think>\n\nSydney", False),
    "a rival": ("Sydney", False),
    "nothing": ("", False),
    "no name": ("I do not know.", False),
    "one of two": ("Sydney or Canberra", False),
    "one of two, hedged": ("Canberra, or maybe Sydney", False),
    "with an unknown": ("Canberra or Woomera", False),
    "an unknown first": ("Woomera or Canberra", False),
    "a list": ("Sydney, Canberra, Melbourne", False),
    "a list of unknowns": ("Perth, Canberra, Darwin", False),
    "a list of two": ("Canberra, Perth", False),
    "a numbered list": ("1. Sydney\n2. Canberra\n3. Melbourne", False),
    "all options as lines": ("Canberra: is it.\nSydney: is a city.\nMelbourne: is another.", False),
    "with a stroke": ("Canberra/Sydney", False),
    "and another": ("Canberra and Perth", False),
    "denied": ("It is not Canberra.", False),
    "denied shortly": ("It isn't Canberra", False),
    "corrected away": ("Canberra. No, the answer is Sydney.", False),
    "hedged in a sentence of its own": ("Canberra. Or perhaps Sydney.", False),
    "hedged by maybe": ("Canberra. Maybe Sydney.", False),
    "hedged by what could be": ("Canberra. It could also be Sydney.", False),
    "hedged after a rival": ("Sydney. Maybe Canberra.", False),
    "hedged with an unknown": ("Canberra. Or perhaps Woomera.", False),
    "called wrong": ("Canberra is wrong.", False),
    "called not it": ("Canberra is not the capital.", False),
    "not thought so": ("I don't think it is Canberra.", False),
    "a denial after another": ("Sydney is wrong. It is Canberra.", True),
    "and what is often thought": ("Canberra. Many people think that it is Sydney.", True),
    "and what it could not be": ("Canberra. It can't be Sydney.", True),
    "part of a word": ("Canberran", False),
    "every option": ("Canberra, Sydney, Melbourne or Wellington", False),
}


@pytest.mark.parametrize("case", CANBERRA)
def test_a_name_is_found_where_it_is_said(case: str) -> None:
    answer, right = CANBERRA[case]
    rivals = [["Sydney"], ["Melbourne"], ["Wellington"]]

    assert names.says(answer, ["Canberra"], rivals, ("Australia", "What is the capital of")) is right


PLACES = {
    "with a district": ("Washington, D.C.", ["Washington", "Washington, D.C.", "Washington DC"], True),
    "with a district and a country": ("Washington, D.C., USA", ["Washington"], True),
    "with a short region": ("Albany, NY", ["Albany"], True),
    "with a territory": ("Canberra, ACT", ["Canberra"], True),
    "with a province": ("Ottawa, Ontario", ["Ottawa"], True),
    "with a province and a stop": ("**Ottawa**, Ontario.", ["Ottawa"], True),
    "with a province and the question's country": ("Ottawa, Ontario, Canada", ["Ottawa"], True),
    "with a part of a country": ("London, England", ["London"], True),
    "with a capital district": ("Bogotá, D.C.", ["Bogota"], True),
    "with a rival": ("Canberra, Sydney", ["Canberra"], False),
    "after a rival": ("Sydney, Canberra", ["Canberra"], False),
    "after an unknown": ("Ontario, Ottawa", ["Ottawa"], False),
    "with two others": ("Canberra, Woomera, Darwin", ["Canberra"], False),
    "with a small word": ("Canberra, maybe", ["Canberra"], False),
    "with another by and": ("Canberra and Darwin", ["Canberra"], False),
    "with another on a line": ("Canberra,\nDarwin", ["Canberra"], False),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_place_may_be_followed_by_what_it_lies_in(case: str) -> None:
    answer, accepted, right = PLACES[case]

    assert names.says(answer, accepted, [["Sydney"], ["Paris"]], ["Canada"], is_place=True) is right


def test_a_person_is_not_followed_by_another() -> None:
    assert not names.says("Newton, Leibniz", ["Newton"])


BIRD = {
    "bird": True,
    "A bird.": True,
    "It is a bird, not a fish.": True,
    "Not a fish: a bird": True,
    "fish is wrong, bird": True,
    "bird. Or perhaps fish.": False,
    "bird. Maybe fish.": False,
    "Maybe bird, maybe fish": False,
    "bird? fish?": False,
    "fish? No, bird.": True,
    "fish. Actually, it is a bird.": True,
    "fish, no wait, bird": True,
    "bird. Actually, fish.": False,
    "bird? No, fish.": False,
    "Okay, so bird": True,
    "bird is wrong.": False,
    "It is not a bird.": False,
    "I doubt it is a bird.": False,
    "Definitely not a bird": False,
    "I do not think it is a bird.": False,
    "anything but a bird": False,
    "bird. Or perhaps a reptile.": False,
    "bird or something": False,
}


@pytest.mark.parametrize("answer", BIRD)
def test_one_of_the_options_is_named_without_a_second_guess(answer: str) -> None:
    assert names.one_of("bird", ("bird", "fish", "mammal")).passes(answer) is BIRD[answer]


SPELLINGS = {
    "without accents": ("Bogota", ["Bogotá"], True),
    "with accents": ("Bogotá", ["Bogota"], True),
    "decomposed accents": ("Bogota\u0301", ["Bogotá"], True),
    "an umlaut spelled out": ("Goedel", ["Kurt Gödel", "Gödel"], True),
    "a letter that has no accent": ("Lodz", ["Łódź"], True),
    "a ligature": ("oeuf", ["œuf"], True),
    "sharp s": ("weiss", ["weiß"], True),
    "a curly apostrophe": ("N’Djamena", ["N'Djamena"], True),
    "no apostrophe": ("Ndjamena", ["N'Djamena"], True),
    "a space for a hyphen": ("light emitting diode", ["light-emitting diode"], True),
    "Saint abbreviated": ("St. Paul", ["Saint Paul"], True),
    "a last name": ("Shakespeare", ["William Shakespeare", "Shakespeare"], True),
    "the other alias": ("Berne", ["Bern", "Berne"], True),
    "both aliases": ("Bern or Berne", ["Bern", "Berne"], True),
    "an article": ("the Seine", ["Seine"], True),
    "the plural": ("newtons", ["newton"], True),
    "Turkish capitals": ("İstanbul", ["istanbul"], True),
    "Cyrillic yo": ("елка", ["ёлка"], True),
    "a Korean ending": ("정답은 물입니다.", ["물"], True),
    "no spaces in Chinese": ("答案是水。", ["水"], True),
    "Japanese voiced letters": ("ハン", ["パン"], False),
    "another word that begins so": ("Nigeria", ["Niger"], False),
    "another letter": ("Bogata", ["Bogotá"], False),
    "a Korean word that holds it": ("창문", ["문"], False),
}


@pytest.mark.parametrize("case", SPELLINGS)
def test_spelling_is_taken_generously(case: str) -> None:
    answer, accepted, right = SPELLINGS[case]

    assert names.says(answer, accepted) is right


def test_a_longer_name_is_not_a_shorter_one() -> None:
    rivals = [["Guinea-Bissau"], ["Equatorial Guinea"]]

    assert names.says("Guinea", ["Guinea"], rivals)
    assert not names.says("Guinea-Bissau", ["Guinea"], rivals)
    assert not names.says("It is Equatorial Guinea.", ["Guinea"], rivals)


def test_a_thing_of_the_question_is_no_answer_beside_another() -> None:
    assert names.says("Hades is Pluto", ["Pluto"], [["Hades"], ["Mars"]], ("Hades",))
    assert not names.says("Hades", ["Pluto"], [["Hades"], ["Mars"]], ("Hades",))


def test_a_name_that_is_right_is_nobody_elses() -> None:
    assert names.says("calf", ["fawn", "calf"], [["calf"], ["cub"]])


def test_cells_with_the_same_first_name_are_one_thing() -> None:
    assert names.groups(["cub|whelp", "calf", "cub"]) == {"cub": ["cub", "whelp"], "calf": ["calf"]}
