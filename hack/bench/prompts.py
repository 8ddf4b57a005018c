"""A thousand distinct prompts of ten kinds of work, made from a seed: the same seed gives the same prompts.

Each is an opening, a middle and an end, so that the load can also draw every prompt anew. Plain ASCII without
quotation marks: they stand in JSON as they are.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from steelyard.api.profile import Category

COUNT = 1_000
"""Prompts in all, the same number of each kind."""

WORDS = range(30, 61)
"""How many words a prompt has."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a client asks."""

    category: Category
    """What kind of work it was written as; the gateway is not told."""
    opening: str
    """The task."""
    middle: str
    """What it is about."""
    end: str
    """How the answer should be."""

    @property
    def text(self) -> str:
        """The whole prompt."""
        return f"{self.opening} {self.middle} {self.end}"


_OPENINGS: Mapping[Category, tuple[str, ...]] = {
    Category.MATH: (
        "Calculate how many {thing} are left when {number} of {bigger} are sold, and what they cost.",
        "Solve for x where {number} x plus {bigger} equals {bigger}, and prove that the solution is unique.",
    ),
    Category.CODING: (
        "Write a Python function that sorts {bigger} {thing} by weight and explain its running time.",
        "Debug this code: for item in {thing}: total += item.{quality} raises a TypeError on line {number}.",
    ),
    Category.REASONING: (
        "If every one of the {number} {thing} is {quality} and none in {place} is, what follows and why?",
        "Four neighbours in {place} own {thing}; deduce who owns the {quality} ones from {number} clues.",
    ),
    Category.KNOWLEDGE: (
        "Who first brought {thing} to {place}, in which century, and why did that matter for trade?",
        "What is the difference between {quality} {thing} and those made in {place} before {bigger}?",
    ),
    Category.INSTRUCTION: (
        "List exactly {number} ways to clean {quality} {thing}, each in one sentence without the word water.",
        "Rewrite this note about {thing} in {place} in capital letters only and end it with {bigger}.",
    ),
    Category.EXTRACTION: (
        "Extract name, place and price as JSON: Anna sold {number} {thing} in {place} for {bigger} euros.",
        "Find every date and amount in this note on {quality} {thing}: on 3 May {number} came from {place}.",
    ),
    Category.TOOL_USE: (
        "Look up the weather in {place} for tomorrow, then book a room and order {number} {quality} {thing}.",
        "Call the search tool for {thing} in {place}, and send the {number} cheapest to me by mail.",
    ),
    Category.LONG_CONTEXT: (
        "Summarise the whole report on {thing} in {place} and say in which of {number} chapters it stands.",
        "Through all {bigger} pages on {quality} {thing}, which claim of the first is contradicted later?",
    ),
    Category.MULTILINGUAL: (
        "Translate into German and French: the {quality} {thing} of {place} were sold {number} years ago.",
        "Wie viele {thing} gibt es in {place}, und was kosten {number} davon, wenn sie {quality} sind?",
    ),
    Category.WRITING: (
        "Write a short story about {quality} {thing} in {place} that are found after {bigger} years.",
        "Draft a friendly letter to the mayor of {place} that asks for {number} {quality} {thing}.",
    ),
}

_MIDDLES = (
    "There are {number} of them in {place}, most of them {quality}.",
    "Nobody in {place} has seen {quality} ones since {bigger}, or so they say.",
    "My uncle has kept {thing} in {place} for {number} years and says that the {quality} ones are best.",
    "They belong to a family that moved from {place} with {bigger} {quality} {thing} and a very old dog.",
    "Note that {number} of them were {quality} when they came from {place}, while the others never were.",
    "We counted {bigger} {thing} in {place} last summer, though {number} of these may be counted twice.",
)

_ENDS = (
    "Be brief.",
    "Keep it short and name what you are not sure of.",
    "Think about it step by step, then give the answer in one line.",
    "It is for people from {place} who know {thing} well but are no experts in this.",
    "Please mention the {quality} ones first and leave out whatever is not needed.",
    "Use at most {bigger} words and no table.",
)

_FILLINGS: Mapping[str, tuple[str, ...]] = {
    "thing": (
        *(
            "lamps",
            "violins",
            "barrels",
            "kites",
            "clocks",
            "anchors",
            "carpets",
            "lanterns",
            "scales",
            "kettles",
        ),
        *(
            "bridges",
            "statues",
            "saddles",
            "mirrors",
            "sailing boats",
            "coins",
            "maps",
            "telescopes",
            "looms",
        ),
    ),
    "place": (
        *("Lisbon", "Bergen", "Kyoto", "Quito", "Nairobi", "Tallinn", "Porto", "Hanoi", "Oaxaca", "Galway"),
        *("Cordoba", "Trieste", "Bruges", "Tbilisi", "Windhoek", "Cusco", "Bologna", "Uppsala"),
    ),
    "quality": (
        *("heavy", "blue", "wooden", "rare", "broken", "hollow", "painted", "polished", "ancient", "cheap"),
        *("narrow", "bright", "crooked", "quiet", "folded"),
    ),
}


def generate(seed: int) -> tuple[Prompt, ...]:
    """All prompts; kinds alternate, so that neighbours differ."""
    draw = random.Random(seed)
    prompts: list[Prompt] = []
    seen: set[str] = set()
    while len(prompts) < COUNT:
        category = list(Category)[len(prompts) % len(Category)]
        prompt = _drawn(category, draw)
        if prompt.text not in seen and len(prompt.text.split()) in WORDS:
            seen.add(prompt.text)
            prompts.append(prompt)
    return tuple(prompts)


def _drawn(category: Category, draw: random.Random) -> Prompt:
    return Prompt(
        category,
        opening=_filled(draw.choice(_OPENINGS[category]), draw),
        middle=_filled(draw.choice(_MIDDLES), draw),
        end=_filled(draw.choice(_ENDS), draw),
    )


def _filled(template: str, draw: random.Random) -> str:
    words = {name: draw.choice(choices) for name, choices in _FILLINGS.items()}
    return template.format(number=draw.randint(3, 99), bigger=draw.randint(100, 2500), **words)
