"""What readers of the probes wrote: right answers as models put them pass; wrong ones, and echoes, do not."""

import pytest

from steelyard.api.measuring import Suite
from steelyard.api.profile import Category
from steelyard_profiler import answers, names, programs, tongues, workload
from steelyard_profiler.answers import Check

Case = tuple[Category, int, int, str]
"""Category, seed, index and template of a probe."""

Phrasings = dict[Case, tuple[list[str], list[str]]]
"""Answers that are right, and answers that are not."""

PHRASINGS_OF_QUICK: Phrasings = {
    (Category.WRITING, 1, 21, "title_of_story"): (
        ["The Parrot of Porto", "A Parrot in Porto", "Whispers of the Parrot in Porto"],
        ["Write a title of Porto", "with the word Porto in it"],
    ),
    (Category.WRITING, 1, 12, "note_of_thanks"): (
        ["Dear Elena, thank you for the cookies!", "Thank you for the cookies, Elena!"],
        ["Write a note of one or two sentences to Elena to say thank you for the cookies."],
    ),
    (Category.WRITING, 1, 22, "letter_of_greeting"): (
        ["Dear Ursula,\nThe stamps are lovely.\nBest wishes,\nLeon"],
        ["Dear Ursula,\nBest wishes,\nLeon"],
    ),
    (Category.WRITING, 13, 69, "described_with_colour"): (
        ["The castle's black towers rise above the misty hills."],
        ["The castle's dark towers rise above the misty hills."],
    ),
    (Category.WRITING, 1, 34, "exact_sentences"): (
        ["1. The turtle is small.\n2. It eats grass.\n3. It runs very fast."],
        ["1. The turtle is small.\n2. It eats grass."],
    ),
    (Category.WRITING, 1, 24, "exclamation"): (["Oslo is amazing!", "I love Oslo!"], ["Oslo!", "I love it!"]),
    (Category.WRITING, 1, 0, "sentence_about"): (["Dogs are loyal."], ["Dogs.", "Cats are loyal."]),
    (Category.WRITING, 1, 6, "question_to_ask"): (
        ["How much is this wooden chair?"],
        ["How much is this wooden table?"],
    ),
    (Category.WRITING, 1, 14, "alphabet_sentence"): (
        ["Every farmer grows herbs."],
        ["Elephants, foxes, goats, horses."],
    ),
    (Category.LONG_CONTEXT, 1, 23, "who_is_missing"): (
        ["Irene did not sign the list.", "Irene didn't sign the list.", "Irene has not signed.", "Irene"],
        ["It is not Irene.", "Elena did not sign the list."],
    ),
    (Category.MULTILINGUAL, 2, 22, "numeral_written"): (["십삼", "열셋"], ["열넷", "십사"]),
    (Category.MULTILINGUAL, 84, 128, "large_numeral_written"): (["스물하나", "이십일"], ["스물둘"]),
    (Category.MULTILINGUAL, 18, 55, "numeral_written"): (["にじゅう", "二十"], ["さんじゅう"]),
    (Category.MULTILINGUAL, 4, 47, "large_numeral_written"): (
        ["七十八", "ななじゅうはち", "しちじゅうはち"],
        ["ななじゅうく"],
    ),
    (Category.MULTILINGUAL, 2, 16, "price_of_book"): (
        ["46", "这本书46元。"],
        ["这本书有107页，价格是46元。这本书多少钱？"],
    ),
    (Category.MULTILINGUAL, 3, 41, "day_later"): (["今天是星期五，16天后是星期日。"], ["今天是星期五。"]),
    (Category.MULTILINGUAL, 3, 95, "day_later"): (
        ["今日は金曜日なので、13日後は木曜日です。"],
        ["今日は金曜日なので、13日後は水曜日です。"],
    ),
    (Category.MULTILINGUAL, 3, 130, "youngest"): (["最年轻的是Max，18岁。"], ["Max，Anna"]),
    (Category.MULTILINGUAL, 2, 23, "sum_in_words"): (
        ["Zwölf plus vierundvierzig ist sechsundfünfzig.", "sechsundfünfzig"],
        ["Zwölf plus vierundvierzig ist fünfundsechzig.", "vierundvierzig"],
    ),
    (Category.MULTILINGUAL, 1, 42, "larger_of_two"): (
        ["42 ist größer als 13.", "42 > 13", "42"],
        ["13 ist größer als 42.", "13"],
    ),
    (Category.MULTILINGUAL, 1, 123, "larger_of_two"): (["72比12大。"], ["12比72大。"]),
    (Category.INSTRUCTION, 1, 24, "end_with"): (
        ["Leon's favorite thing is the pillow.", "Leon found a pillow."],
        ["Leon pillow"],
    ),
    (Category.INSTRUCTION, 1, 7, "exact_words"): (
        ["A horse trots through Havana's streets.", "The horse's hooves echoed through Havana."],
        ["A horse trots through the old streets."],
    ),
    (Category.INSTRUCTION, 13, 71, "sentence_lengths"): (
        [
            "One spider's fur is soft. It sleeps in a warm bed always. Its eyes shine brightly.",
            "1. One spider's fur is soft.\n2. It sleeps in a warm bed always.\n3. Its eyes shine brightly.",
        ],
        ["One spider's fur is soft. It sleeps in a bed. Its eyes shine brightly."],
    ),
    (Category.INSTRUCTION, 1, 21, "both_words"): (
        ["Victor cut his finger."],
        ["Write one sentence with the words Victor and finger in it", "Victor finger"],
    ),
    (Category.INSTRUCTION, 1, 3, "ask_question"): (
        ["What does the word letter mean?"],
        ["Write a question about the word letter?", "letter letter letter?"],
    ),
    (Category.INSTRUCTION, 1, 6, "begin_with"): (
        ["Ursula loves her kitchen."],
        ["Ursula", "Ursula eats cheese."],
    ),
    (Category.EXTRACTION, 1, 0, "phone_number"): (
        ["555-9977", "Please call Maria at 555-9977"],
        ["What is the phone number in this text? Please call Maria at 555-9977 before"],
    ),
    (Category.EXTRACTION, 1, 6, "mail_address"): (
        ["ursula@coffee.example"],
        ["What is the email address in this text? Questions go to Ursula, ursula@coffee.example, on"],
    ),
    (Category.EXTRACTION, 1, 21, "sender_of_letter"): (
        ["Lucas wrote this letter to Leon.", "Lucas"],
        ["Leon wrote this letter to Lucas.", "Leon"],
    ),
}

PHRASINGS_OF_FULL: Phrasings = {
    (Category.CODING, 1, 18, "of_few_lines"): (
        ["Line 2", "2", "line 2 is wrong"],
        ["2 or 3", "2, 3", "2 and 3", "Lines 2 and 3", "Line 2 or 3", "lines 2-3", "#2 or #3"],
    ),
    (Category.MATH, 0, 4, "bought_and_paid"): (["5 × 9 = 45, so Oscar gets 50 - 45 = 5 coins back."], []),
    (Category.MATH, 2, 107, "shared_bill"): (
        ["The total is 110 dollars, so each pays 110/5 = 22 dollars."],
        [],
    ),
    (Category.MATH, 3, 88, "linear_equation"): (["9x = 119 - 38 = 81, so x = 81/9 = 9."], []),
    (Category.CODING, 1, 26, "bits"): (["118 << 2 = 472. So 472 & 80 = 80."], []),
    (Category.CODING, 1, 24, "joined_text"): (
        [
            "The output is:\n\nbrownplanet",
            "Output:\n\nbrownplanet",
            "The program prints:\n\nbrownplanet",
            "**Answer:** brownplanet",
            "**Output:** brownplanet",
            "\\boxed{brownplanet}",
            "$\\boxed{\\text{brownplanet}}$",
            "brownplanet\nExplanation: strings are joined",
        ],
        ["brownplanet\nplanetbrown"],
    ),
    (Category.CODING, 1, 13, "comprehended_list"): (
        ["[16, 4, 32]\n\nOnly even numbers [8, 2, 16] are kept."],
        [],
    ),
    (Category.CODING, 1, 7, "sliced_text"): (["The output is le."], ["The output is el. The output is le."]),
    (Category.REASONING, 1, 15, "odd_one_out"): (
        [
            "February does not belong.",
            "February doesn't belong.",
            "February does not belong with the others because it is a month.",
            "February is not a city.",
        ],
        ["It is not February."],
    ),
    (Category.MATH, 1, 16, "packed_in_boxes"): (
        [
            "99 ÷ 12 = 8 remainder 3",
            "99 divided by 12 is 8 with a remainder of 3.",
            "8 boxes with 3 left over.",
            "8 boxes are filled and 3 tickets remain.",
        ],
        ["8"],
    ),
    (Category.MATH, 1, 7, "linear_equation"): (
        ["7x = 28\nx = 4", "7x = 28, x = 4", "7x = 28 → x = 4", "7x + 21 = 49\n7x = 28\nx = 4"],
        ["7x = 28"],
    ),
    (Category.MATH, 1, 8, "two_unknowns"): (
        [
            "x = 17, y = 8. 10x + 7y = 226.",
            "x = 17, y = 8\n10x + 7y = 226",
            "Solving gives x = 17, y = 8; therefore 10x + 7y = 226.",
        ],
        [],
    ),
    (Category.MATH, 1, 11, "journey"): (
        [
            "168 km + 100 km = 268 km = 268,000 m",
            "The truck has driven 268 km (268000 m).",
            "It has driven 268 km, i.e. 268000 m.",
            "168,000 m + 100,000 m = 268,000 m",
        ],
        ["268 km"],
    ),
    (Category.KNOWLEDGE, 5, 132, "famous_year"): (
        ["November 9, 1989", "The Berlin Wall fell on November 9, 1989.", "9 November 1989", "1989"],
        ["November 9, 1990"],
    ),
    (Category.KNOWLEDGE, 2, 132, "famous_year"): (["July 20, 1969"], []),
    (Category.KNOWLEDGE, 13, 87, "famous_year"): (["November 22, 1963"], []),
    (Category.CODING, 1, 23, "other_base"): (
        ["0x4e0 is 1248 in decimal, which is 3432 in base 7.", "0x4e0 = 1248 = 3432 in base 7"],
        ["1248"],
    ),
    (Category.CODING, 1, 28, "turns_of_while"): (
        ["41 → 13 → 4 → 1, 3 turns", "41 → 13 → 4 → 1 (3 turns)"],
        ["13"],
    ),
    (Category.MATH, 1, 6, "next_in_sequence"): (
        ["37, 42, 47, 52, 57", "37, 42, 47, 52, **57**"],
        ["37, 42, 47, 52", "37, 42, 47, 52, 58"],
    ),
    (Category.MATH, 1, 33, "small_units"): (["14 days"], ["14 weeks"]),
    (Category.MATH, 1, 57, "small_units"): ([], ["180 weeks", "180 years"]),
    (Category.MATH, 1, 21, "largest_of_three"): (
        ["33", "The largest is 33."],
        ["33 or 34", "32, 33, 34", "The answer is 33. The answer is 34.", "-33", "0.33"],
    ),
    (Category.MATH, 1, 80, "remainder_of_power"): (["10^6 ≡ 1 (mod 13), so 10^31 ≡ 10 (mod 13)."], []),
    (Category.REASONING, 1, 26, "robot_walk"): (
        ["(21 east, 1 north)", "21 east, 1 north", "(+21, +1)"],
        ["(1 east, 21 north)"],
    ),
    (Category.REASONING, 1, 86, "robot_walk"): (["(–8, 7)"], ["(8, 7)"]),
    (Category.MATH, 1, 5, "ages"): (
        [
            "Bruno is 45 and Tomas is 15.",
            "Bruno: 45, Tomas: 15",
            "Bruno is 45 years old and Tomas is 15 years old.",
        ],
        ["15"],
    ),
}

CHECKS: dict[str, tuple[Check, list[str], list[str]]] = {
    "a length": (
        answers.quantity(5, "km", 50),
        ["5 km", "5 km (5000 m)", "5000 m = 5 km"],
        ["5 km 300 m", "5 km and 300 m", "5 km = 6000 m"],
    ),
    "a time": (
        answers.quantity(3, "h", 100),
        ["3 hours", "It takes 3 hours."],
        ["It is 3 hours, or maybe 200 minutes.", "I first thought 3 hours. The answer is 150 minutes."],
    ),
    "what is left": (
        answers.number(12, 20, 8),
        [
            "She eats 8 of them. So there are 12 apples left, since the total was 20.",
            "She gives 8 away. So 12 are left of a total of 20.",
        ],
        ["So 20 - 12 = 8 are left."],
    ),
    "a difference": (
        answers.number(5, 12, 7),
        [
            "Subtract 7 from both sides. Therefore, x is 5, as 5 + 7 = 12.",
            "Ann has 12 and Bob has 7. So Ann has 5 more than Bob, who has 7.",
            "12 - 7. So it is 5, because 5 + 7 = 12.",
        ],
        ["12 - 5. So it is 7."],
    ),
    "the larger number": (
        tongues.larger(13, 42),
        ["42 es mayor que 13.", "42は13より大きいです。", "42 больше, чем 13.", "42 > 13"],
        ["42 ist kleiner als 13", "42 es menor que 13", "13 > 42"],
    ),
    "a word in Japanese": (
        names.named(["犬"], [["猫"], ["鳥"]]),
        ["犬", "犬です。"],
        ["犬です、馬です", "可能是犬，可能是马", "也是犬，也是马，也是羊"],
    ),
    "a list that is printed": (
        programs.prints("print([1, 2])"),
        ["[1, 2]", "[1, 2]\n\nOnly [1, 2] of [1, 2, 3] are kept.", "[3, 4]\n\nWait, the output is [1, 2]."],
        ["[1, 2]\n\nor maybe [3, 4]", "[1, 2]\n\n[3, 4]", "[1, 2]\n\nActually, the output is [3, 4]."],
    ),
    "a word that is printed": (
        programs.prints("print('apple')"),
        [
            "The list is sorted, so the first item is apple",
            "This is a loop. The output is apple.",
            "The loop prints nothing. Then it prints apple",
            "apple\nExplanation: the words are joined",
        ],
        ["apple\nThe actual output is banana", "apple\nThis is wrong: it prints banana"],
    ),
    "one of two lines": (
        programs.wrong_line(["x = 1", "y = 2"], 1),
        ["1", "Line 1 is wrong.", "In line 1, 10 should be 2."],
        ["1 or 2", "Lines 1 and 2 are wrong.", "lines 1-2"],
    ),
}
"""Checks by themselves."""

ENDLESS = (
    "9" * 5000,
    f"line {'9' * 5000}",
    f"{'1' * 4400} is the answer",
    "(" + " " * 5000,
    "a" + "\n" * 5000 + "b",
)

COLOURS = {
    ("French", "La neige est blanche."): True,
    ("French", "La nieve es blanca."): False,
    ("Spanish", "La nieve es blanca."): True,
    ("Spanish", "La neige est blanche."): False,
    ("Italian", "La neve è bianca."): True,
    ("Italian", "La nieve es blanca."): False,
    ("Portuguese", "A neve é branca."): True,
    ("Dutch", "De sneeuw is wit."): True,
    ("Swedish", "Snön är vit."): True,
    ("German", "Schnee ist weiß."): True,
    ("Polish", "Śnieg jest biały."): True,
}
"""What is said of snow."""


CASES = [
    *((Suite.QUICK, case, *answers) for case, answers in PHRASINGS_OF_QUICK.items()),
    *((Suite.FULL, case, *answers) for case, answers in PHRASINGS_OF_FULL.items()),
]


@pytest.mark.parametrize(
    ("suite", "case", "right", "wrong"),
    CASES,
    ids=[f"{case[3]} {case[1]}/{case[2]}" for _, case, *_ in CASES],
)
def test_a_right_answer_passes_however_it_is_put_and_a_wrong_one_does_not(
    suite: Suite, case: Case, right: list[str], wrong: list[str]
) -> None:
    category, seed, index, template = case
    asked = workload.category_probes(suite, seed, category, index + 1)[index]

    assert asked.template == template
    assert [answer for answer in right if not asked.accepts(answer)] == []
    assert [answer for answer in wrong if asked.accepts(answer)] == []


@pytest.mark.parametrize("case", CHECKS)
def test_a_check_takes_what_is_right_alone(case: str) -> None:
    check, right, wrong = CHECKS[case]

    assert [answer for answer in right if not check.passes(answer)] == []
    assert [answer for answer in wrong if check.passes(answer)] == []


@pytest.mark.parametrize("category", workload.TEMPLATES)
def test_no_answer_is_too_long_to_be_marked(category: Category) -> None:
    every = workload.category_probes(Suite.QUICK, 1, category, 60)

    assert not any(asked.accepts(answer) for asked in every for answer in ENDLESS)


@pytest.mark.parametrize(("language", "answer"), COLOURS)
def test_a_sentence_is_told_from_one_of_a_sister_language(language: str, answer: str) -> None:
    assert tongues.colour(language, "snow").passes(answer) is COLOURS[language, answer]


def test_a_german_form_without_its_umlaut_is_another() -> None:
    check = tongues.form("German", "fährt", ["fahren"], ["fahren"])

    assert [check.passes(said) for said in ("fährt", "er fährt", "faehrt", "fahrt")] == [True] * 3 + [False]
