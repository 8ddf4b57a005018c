import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.api.profile import Category, Level
from steelyard.routing.classifying import LONG_CONTEXT_TOKENS, READ_CHARACTERS, classify
from steelyard.routing.decision import Turn
from steelyard.routing.scorers import ask
from steelyard.routing.table import LEVELS

KINDS = {
    "What is 17 + 25?": Category.MATH,
    "Solve x^2 - 5x + 6 = 0 for x.": Category.MATH,
    "A shop sells pens for 3 dollars each. How many pens can Ann buy with 20 dollars?": Category.MATH,
    "Write a Python function that reverses a list.": Category.CODING,
    "```c\nint main() { return 0; }\n```\nWhy does this not compile?": Category.CODING,
    "Who wrote Hamlet?": Category.KNOWLEDGE,
    "What is the capital of France?": Category.KNOWLEDGE,
    "If all bloops are razzies and all razzies are lazzies, are all bloops lazzies?": Category.REASONING,
    "Repeat the word apple exactly three times, in uppercase letters only.": Category.INSTRUCTION,
    'Extract the name and the phone as JSON: "Call Bob on 555-1234"': Category.EXTRACTION,
    'Which phone number is in this text? "Ask Mara on 555-0142 after six."': Category.EXTRACTION,
    "Write a poem about autumn.": Category.WRITING,
    "Translate to Spanish: good morning, my friend": Category.MULTILINGUAL,
    "Столица какой страны находится на берегу Сены?": Category.MULTILINGUAL,
}


def turn(text: str, *needs: str, prompt_tokens: int = 20) -> Turn:
    return Turn(text, prompt_tokens, frozenset({"chat", *needs}))


def category_of(given_turn: Turn) -> Category | None:
    return ask(given_turn, classify(given_turn), None).category


@pytest.mark.parametrize("text", KINDS)
def test_a_plain_request_is_taken_for_what_it_is(text: str) -> None:
    assert category_of(turn(text)) is KINDS[text]


def test_a_request_with_tools_may_be_tool_use() -> None:
    assert category_of(turn("Will it rain today?", "tools")) is Category.TOOL_USE


def test_a_very_long_prompt_asks_for_long_context() -> None:
    long = turn("Summarise this.", prompt_tokens=LONG_CONTEXT_TOKENS + 1)
    assert category_of(long) is Category.LONG_CONTEXT


def test_embeddings_ask_for_no_quality() -> None:
    assert classify(Turn("text", 1, frozenset({"embeddings"}))) == ()


def hard_share(text: str) -> float:
    return sum(share for cell, share in classify(turn(text)) if LEVELS[cell % 3] is Level.HARD)


def test_a_proof_is_harder_than_a_sum() -> None:
    proof = "Prove that there are infinitely many primes, then derive a rigorous asymptotic bound."
    assert hard_share("What is 2 + 3?") < 0.1 < 0.5 < hard_share(proof)


@given(st.text(max_size=500), st.booleans(), st.integers(0, 20_000))
def test_any_text_has_a_distribution_that_adds_up(text: str, tools: bool, tokens: int) -> None:
    given_turn = Turn(text, tokens, frozenset({"chat"} | ({"tools"} if tools else set())))
    distribution = classify(given_turn)
    assert sum(share for _, share in distribution) == pytest.approx(1)
    assert [share for _, share in distribution] == sorted((share for _, share in distribution), reverse=True)
    assert distribution == classify(given_turn)


def test_the_middle_of_a_huge_text_is_not_read() -> None:
    start, end = "Translate to French: ", " thank you"
    short = start + "x" * READ_CHARACTERS + end
    long = start + "x" * READ_CHARACTERS * 100 + end
    assert [cell for cell, _ in classify(turn(short))] == [cell for cell, _ in classify(turn(long))]
